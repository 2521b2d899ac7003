/* run - a cloud around one command. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include "base/log.h"
#include "cli/daemon.h"
#include "cli/verb.h"

struct run_options {
    struct str iam, region;
    struct option_list runtime;
};

static const struct option_row rows[] = {
    {OPTION(struct run_options, iam), .name = "iam", .type = OPTION_TEXT, .metavar = "MODE",
     .default_value = "enforce", .choices = "enforce|log|off",
     .help = "what happens to requests that policies do not allow"},
    {OPTION(struct run_options, region), .name = "region", .type = OPTION_TEXT, .metavar = "REGION",
     .default_value = "us-east-1", .help = "the region the command sees"},
    {OPTION(struct run_options, runtime), .name = "runtime", .type = OPTION_LIST,
     .metavar = "NAME=PATH", .help = "the interpreter of a runtime"},
    {0},
};

struct guest {
    struct daemon daemon;
    uv_process_t process;
    bool running;
    int code;
};

static void on_exit_of(uv_process_t *process, int64_t status, int signal_number)
{
    struct guest *g = process->data;
    g->running = false;
    g->code = signal_number ? 128 + signal_number : (int)status;
    uv_close((uv_handle_t *)process, NULL);
    daemon_leave(&g->daemon);
}

/* Ctrl-C has reached the command by itself, from the terminal; other signals are handed on. The
 * cloud stays until the command has ended. */
static void on_signal(struct daemon *d, int number)
{
    struct guest *g = d->user;
    if (!g->running)
        daemon_leave(d);
    else if (number != SIGINT)
        uv_process_kill(&g->process, number);
}

static void set(const char *name, struct arena *a, struct str value)
{
    setenv(name, str_c(a, value), 1);
}

static void set_environment(struct arena *a, struct str endpoint, struct str region)
{
    set("AWS_ENDPOINT_URL", a, endpoint);
    set("AWS_ACCESS_KEY_ID", a, S("test"));
    set("AWS_SECRET_ACCESS_KEY", a, S("test"));
    set("AWS_DEFAULT_REGION", a, region);
    set("AWS_REGION", a, region);
    unsetenv("AWS_SESSION_TOKEN");
    unsetenv("AWS_PROFILE");
    unsetenv("AWS_DEFAULT_PROFILE");
    unsetenv("LAMINA_TARGET");
}

static int start_command(struct guest *g, char **argv)
{
    uv_stdio_container_t stdio[3];
    for (int i = 0; i < 3; i++) {
        stdio[i].flags = UV_INHERIT_FD;
        stdio[i].data.fd = i;
    }
    uv_process_options_t options = {
        .file = argv[0],
        .args = argv,
        .exit_cb = on_exit_of,
        .stdio = stdio,
        .stdio_count = 3,
    };
    g->process.data = g;
    int r = uv_spawn(&g->daemon.loop, &g->process, &options);
    g->running = r == 0;
    return r;
}

static int run_run(struct verb_run *run)
{
    const struct run_options *o = run->values[0];
    char **argv = run->parsed.rest;
    struct guest guest = {0};
    struct cloud_error err = {{0}};
    if (!argv || !argv[0])
        return verb_usage(run, "the command is missing: lamina run -- CMD...");
    struct cloud_options options = {
        .iam = str_is(o->iam, "log")   ? IAM_LOG
               : str_is(o->iam, "off") ? IAM_OFF
                                       : IAM_ENFORCE,
        .n_runtimes = o->runtime.n,
    };
    struct cloud_pair *runtimes = ARENA_ARRAY(run->arena, struct cloud_pair, o->runtime.n + 1);
    for (size_t i = 0; i < o->runtime.n; i++)
        if (!str_cut(o->runtime.items[i], '=', &runtimes[i].name, &runtimes[i].value))
            return verb_usage(run, "--runtime wants NAME=PATH");
    options.runtimes = runtimes;
    if (log_threshold == LOG_INFO)
        log_threshold = LOG_WARN;           /* the terminal is the command's */
    daemon_prepare(&guest.daemon, NULL, 0); /* there is one cold start */
    guest.daemon.on_signal = on_signal;
    guest.daemon.user = &guest;
    if (daemon_start(&guest.daemon, &options, &err) < 0)
        return verb_fail(run, "%s", err.message);
    set_environment(run->arena, cloud_address(guest.daemon.cloud), o->region);
    int r = start_command(&guest, argv);
    if (r < 0) {
        verb_fail(run, "%s: %s", argv[0], strerror(-r));
        guest.code = r == -ENOENT ? 127 : 126;
        daemon_leave(&guest.daemon);
    }
    daemon_run(&guest.daemon);
    return guest.code;
}

const struct verb run_verb = {
    .name = "run",
    .run = run_run,
    .sets = {{rows, sizeof(struct run_options)}},
    .operands = "-- CMD...",
    .takes_command = true,
    .summary = "run a command with a cloud of its own around it",
    .details = "The cloud has a free port and no data; AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, "
               "AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_DEFAULT_REGION are set for the command. "
               "Ends with the command's exit status; nothing is left afterwards.",
};
