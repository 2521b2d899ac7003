/* policy_record - `lamina policy record`: the embedded cloud is asked to keep its decisions, a
 * command runs, and what was kept is written. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include "cli/daemon.h"
#include "cli/policy_tool.h"
#include "cli/target.h"
#include "wire/iam.h"

#define DEFAULT_FILE "policy-record.json"

struct recorder {
    struct verb_run *run;
    struct str endpoint, region;
};

static int ask(const struct recorder *r, const char *what, struct json **ret)
{
    struct arena *a = r->run->arena;
    struct str body, path = str_printf(a, "/_lamina/policy/%s", what);
    int status = 0, e = daemon_post(a, r->endpoint, path, &status, &body);
    if (e < 0 && e != -EPROTO)
        return verb_fail(r->run, "no cloud answers at %.*s: %s", STR(r->endpoint), strerror(-e));
    if (e < 0 || (status != 200 && status != 409 && status != 403) ||
        (status != 403 && json_parse(a, body, ret, NULL) < 0))
        return verb_fail(r->run,
                         "what answers at %.*s does not record decisions: this needs the embedded "
                         "cloud (lamina up)",
                         STR(r->endpoint));
    if (status != 200)
        return verb_fail(r->run, "%.*s",
                         STR(status == 403 ? str_trim(body) : json_get_str(*ret, "message")));
    return 0;
}

static int stop(const struct recorder *r)
{
    struct policy_output_options *o = r->run->values[POLICY_SET_OUTPUT];
    struct json *record;
    int e = ask(r, "stop", &record);
    if (e)
        return e;
    const struct json *list = json_get(record, "decisions");
    int64_t dropped = 0, denied = 0;
    json_int(json_get(record, "dropped"), &dropped);
    JSON_EACH(list, d)
        denied += json_get(d, "allowed") && !json_get(d, "allowed")->boolean;
    if (!o->output.n)
        o->output = S(DEFAULT_FILE);
    e = policy_write(r->run,
                     str_printf(r->run->arena, "%.*s\n", STR(json_text(r->run->arena, record, 2))));
    if (e)
        return e;
    fprintf(stderr, "%zu decisions, %lld of them denials, in %.*s\n", list ? list->n : 0,
            (long long)denied, STR(o->output));
    if (dropped)
        fprintf(stderr, "lamina: policy: the record is incomplete: %lld decisions did not fit\n",
                (long long)dropped);
    return 0;
}

static void set_default(struct arena *a, const char *name, struct str value)
{
    setenv(name, str_c(a, value), 0);
}

static int run_command(const struct recorder *r, char **argv)
{
    struct arena *a = r->run->arena;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old_int, old_quit;
    sigaction(SIGINT, &ignore, &old_int); /* Ctrl-C is the command's: the record is still written */
    sigaction(SIGQUIT, &ignore, &old_quit);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        sigaction(SIGINT, &old_int, NULL);
        sigaction(SIGQUIT, &old_quit, NULL);
        signal(SIGPIPE, SIG_DFL);
        setenv("AWS_ENDPOINT_URL", str_c(a, r->endpoint), 1);
        set_default(a, "AWS_ACCESS_KEY_ID", S("test"));
        set_default(a, "AWS_SECRET_ACCESS_KEY", S("test"));
        set_default(a, "AWS_REGION", r->region);
        set_default(a, "AWS_DEFAULT_REGION", r->region);
        execvp(argv[0], argv);
        int e = errno;
        fprintf(stderr, "lamina: policy: %s: %s\n", argv[0], strerror(e));
        _exit(e == ENOENT ? 127 : 126);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGQUIT, &old_quit, NULL);
    if (pid < 0)
        return verb_fail(r->run, "%s: %s", argv[0], strerror(errno));
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int policy_record_run(struct verb_run *run)
{
    const struct policy_record_options *o = run->values[POLICY_SET_RECORD];
    struct recorder r = {.run = run};
    char **argv = run->parsed.rest;
    struct aws_client *aws;
    struct json *record;
    if ((o->start ? 1 : 0) + (o->stop ? 1 : 0) + (argv && argv[0] ? 1 : 0) != 1)
        return verb_usage(run, "one of these is wanted: -- CMD..., --start, --stop");
    if (str_is(target_of(run)->target, "aws"))
        return verb_fail(run, "AWS does not tell its decisions; this needs the embedded cloud "
                              "(--target local)");
    int e = target_open(run, &aws);
    if (e)
        return e;
    r.endpoint = aws_client_endpoint(aws, &iam_model, run->arena);
    r.region = str_copy(run->arena, aws_client_region(aws));
    aws_client_close(aws);
    if (o->stop)
        return stop(&r);
    e = ask(&r, "start", &record);
    if (e || o->start)
        return e;
    e = run_command(&r, argv);
    int e2 = stop(&r);
    return e ? e : e2;
}
