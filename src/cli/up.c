/* up - the cloud in the foreground, or detached. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "cli/daemon.h"
#include "cli/verb.h"
#include "sandbox/sandbox.h"
#include "service/call.h"

struct up_options {
    int64_t port, concurrency, idle_timeout, spares;
    struct str data, host, iam, time_scale;
    bool ephemeral, detach, allow_remote, durable, merge_memory;
    struct option_list rie, runtime, mount;
};

static const struct option_row rows[] = {
    {OPTION(struct up_options, port), .name = "port", .letter = 'p', .type = OPTION_INT,
     .metavar = "PORT", .default_value = "4566", .min = 0, .max = 65535,
     .environment = "LAMINA_PORT", .help = "port to listen on; 0 takes any free one"},
    {OPTION(struct up_options, data), .name = "data", .type = OPTION_TEXT, .metavar = "DIR",
     .environment = "LAMINA_DATA",
     .help = "where everything is kept (default: ~/.local/share/lamina)"},
    {OPTION(struct up_options, ephemeral), .name = "ephemeral", .type = OPTION_FLAG,
     .help = "keep nothing: all data is gone at the end"},
    {OPTION(struct up_options, detach), .name = "detach", .letter = 'd', .type = OPTION_FLAG,
     .help = "go on in the background; the log goes to DIR/lamina.log"},
    {OPTION(struct up_options, durable), .name = "durable", .type = OPTION_FLAG,
     .help = "what was acknowledged survives power loss, too"},
    {OPTION(struct up_options, iam), .name = "iam", .type = OPTION_TEXT, .metavar = "MODE",
     .default_value = "enforce", .choices = "enforce|log|off", .environment = "LAMINA_IAM",
     .help = "what happens to requests that policies do not allow"},
    {OPTION(struct up_options, host), .name = "host", .type = OPTION_TEXT, .metavar = "ADDRESS",
     .default_value = "127.0.0.1",
     .help = "address to listen on; others than this machine's own need --allow-remote"},
    {OPTION(struct up_options, allow_remote), .name = "allow-remote", .type = OPTION_FLAG,
     .help = "let other machines in: they can run code here"},
    {OPTION(struct up_options, rie), .name = "rie", .type = OPTION_LIST, .metavar = "FUNCTION=PORT",
     .help = "also serve the function as the runtime interface emulator does, at this port"},
    {OPTION(struct up_options, mount), .name = "mount", .type = OPTION_LIST,
     .metavar = "FUNCTION=DIR",
     .help = "the function runs from this folder instead of its package: what is saved there is "
             "live in the next invocation"},
    {OPTION(struct up_options, runtime), .name = "runtime", .type = OPTION_LIST,
     .metavar = "NAME=PATH", .help = "the interpreter of a runtime: python3.12=/opt/python3.12"},
    {OPTION(struct up_options, concurrency), .name = "concurrency", .type = OPTION_INT,
     .metavar = "N", .default_value = "1000", .min = 1, .max = 100000,
     .help = "how many invocations may run at once in an account and region"},
    {OPTION(struct up_options, idle_timeout), .name = "idle-timeout", .type = OPTION_DURATION,
     .metavar = "TIME", .unit = "s", .default_value = "10m", .min = 1, .max = 7 * 86400000LL,
     .help = "environments that nobody has used for so long are ended"},
    {OPTION(struct up_options, spares), .name = "spares", .type = OPTION_INT, .metavar = "N",
     .min = 0, .max = 1000,
     .help = "environments with a running interpreter to keep ready for each runtime in use "
             "(default: as many as lately started at once, at most 8; none before a runtime is "
             "used)"},
    {OPTION(struct up_options, merge_memory), .name = "merge-memory", .type = OPTION_FLAG,
     .help = "the kernel may keep equal pages of environments once (KSM), once root has switched "
             "that on"},
    {OPTION(struct up_options, time_scale), .name = "time-scale", .type = OPTION_TEXT,
     .metavar = "FACTOR", .default_value = "1", .environment = "LAMINA_TIME_SCALE",
     .help = "of the waiting times and ages of asynchronous events: 0.01 makes a minute 0.6 s"},
    {0},
};

static int pairs(struct verb_run *run, const struct option_list *list, const char *option,
                 const char *form, const struct cloud_pair **ret)
{
    struct cloud_pair *out = ARENA_ARRAY(run->arena, struct cloud_pair, list->n + 1);
    for (size_t i = 0; i < list->n; i++)
        if (!str_cut(list->items[i], '=', &out[i].name, &out[i].value) || out[i].name.n == 0 ||
            out[i].value.n == 0)
            return verb_usage(run, "--%s wants %s, not \"%.*s\"", option, form,
                              STR(list->items[i]));
    *ret = out;
    return 0;
}

static int time_scale(struct verb_run *run, struct str text, double *ret)
{
    char *end;
    const char *number = str_c(run->arena, text);
    *ret = strtod(number, &end);
    if (*end || end == number || !(*ret > 0 && *ret <= 1000))
        return verb_usage(run, "--time-scale wants a number above 0, not \"%.*s\"", STR(text));
    return 0;
}

static int mounts(struct verb_run *run, const struct option_list *list, struct cloud_options *ret)
{
    const struct cloud_pair *given;
    struct cloud_mount *out = ARENA_ARRAY(run->arena, struct cloud_mount, list->n + 1);
    int code = pairs(run, list, "mount", "FUNCTION=DIR", &given);
    for (size_t i = 0; !code && i < list->n; i++) {
        auto_free char *real = realpath(str_c(run->arena, given[i].value), NULL);
        struct stat st;
        if (!real || stat(real, &st) < 0)
            return verb_usage(run, "--mount %.*s: %s", STR(list->items[i]), strerror(errno));
        if (!S_ISDIR(st.st_mode))
            return verb_usage(run, "--mount %.*s: not a folder", STR(list->items[i]));
        out[i] = (struct cloud_mount){given[i].name, str_copy(run->arena, str_from(real))};
    }
    ret->mounts = out;
    ret->n_mounts = list->n;
    return code;
}

static bool is_loopback(struct str host)
{
    return str_starts(host, S("127.")) || str_is(host, "::1") || str_is(host, "localhost");
}

static int fill(struct verb_run *run, const struct up_options *o, struct cloud_options *ret)
{
    *ret = (struct cloud_options){
        .host = str_is(o->host, "localhost") ? "127.0.0.1" : str_c(run->arena, o->host),
        .port = (int)o->port,
        .allow_remote = o->allow_remote,
        .durable = o->durable,
        .iam = str_is(o->iam, "log")   ? IAM_LOG
               : str_is(o->iam, "off") ? IAM_OFF
                                       : IAM_ENFORCE,
        .n_rie = o->rie.n,
        .n_runtimes = o->runtime.n,
        .concurrency = o->concurrency,
        .idle_timeout_ms = o->idle_timeout,
    };
    int wrong = time_scale(run, o->time_scale, &ret->time_scale);
    if (wrong)
        return wrong;
    if (o->ephemeral && str_has(o->data) &&
        options_given(&run->parsed, run->sets, run->n_sets, "data"))
        return verb_usage(run, "--data and --ephemeral contradict each other");
    if (!o->ephemeral)
        ret->data_dir = str_c(run->arena, o->data.n ? o->data : daemon_data_dir(run->arena));
    if (!is_loopback(o->host) && !o->allow_remote)
        return verb_usage(run,
                          "--host %.*s opens the cloud, which runs code, to other machines: say "
                          "--allow-remote if that is wanted",
                          STR(o->host));
    int code = mounts(run, &o->mount, ret);
    if (!code)
        code = pairs(run, &o->rie, "rie", "FUNCTION=PORT", &ret->rie);
    return code ? code : pairs(run, &o->runtime, "runtime", "NAME=PATH", &ret->runtimes);
}

static struct str work_dir(struct arena *a, const struct cloud_options *options, const char *name)
{
    if (options->data_dir)
        return fs_join(a, str_from(options->data_dir), str_from(name));
    const char *tmp = getenv("TMPDIR");
    return str_printf(a, "%s/lamina-%d-%s", tmp ? tmp : "/tmp", (int)getuid(), name);
}

static int fail(struct verb_run *run, int out, struct str why)
{
    if (out != STDOUT_FILENO) { /* detached: the one who waits tells it to the user */
        struct str said = str_printf(run->arena, "!%.*s", STR(why));
        fs_write_all(out, said.p, said.n);
    }
    return verb_fail(run, "%.*s", STR(why));
}

/* Serves in this process. `out` gets the one line. */
static int serve(struct verb_run *run, struct cloud_options *options, int out)
{
    struct arena *a = run->arena;
    struct daemon d = {0};
    struct cloud_error err = {{0}};
    int64_t began_ns = clock_mono_ns();
    const struct up_options *o = run->values[0];
    bool fixed = options_given(&run->parsed, run->sets, run->n_sets, "spares");
    int r = o->merge_memory ? daemon_merge_memory(&d) : 0;
    if (r < 0)
        return fail(run, out, str_printf(a, "memory cannot be merged: %s", strerror(-r)));
    daemon_prepare(&d, str_c(a, work_dir(a, options, "layers")),
                   fixed ? (int)o->spares : SPARES_ADAPTIVE);
    r = daemon_start(&d, options, &err);
    if (r < 0)
        return fail(run, out, str_from(err.message));
    struct daemon_note note = {.pid = (int)getpid(),
                               .endpoint = str_copy(a, cloud_address(d.cloud))};
    struct str dir = str_from(options->data_dir);
    if (str_has(dir) && (r = daemon_note_write(a, dir, &note)) < 0)
        log_warn("%.*s/lamina.pid cannot be written: %s", STR(dir), strerror(-r));
    struct str line = str_printf(a, "ready %.*s\n", STR(note.endpoint));
    fs_write_all(out, line.p, line.n);
    log_info("serving %.*s from %s, ready after %.1f ms", STR(note.endpoint),
             options->data_dir ? options->data_dir : "memory",
             (double)(clock_mono_ns() - began_ns) / 1e6);
    if (out != STDOUT_FILENO)
        close(out);
    daemon_run(&d);
    if (str_has(dir))
        daemon_note_remove(a, dir);
    return 0;
}

/* In the background: the parent prints the line when the child has it to give. */
static int detach(struct verb_run *run, struct cloud_options *options)
{
    struct arena *a = run->arena;
    int ends[2];
    if (options->data_dir && fs_mkdirs(options->data_dir, 0700) < 0)
        return verb_fail(run, "%s cannot be made", options->data_dir);
    char *log =
        str_c(a, options->data_dir ? fs_join(a, str_from(options->data_dir), S("lamina.log"))
                                   : S("/dev/null"));
    auto_close int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        return verb_fail(run, "%s cannot be written: %s", log, strerror(errno));
    if (pipe2(ends, O_CLOEXEC) < 0)
        return verb_fail(run, "pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        return verb_fail(run, "fork: %s", strerror(errno));
    if (child == 0) {
        auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        setsid();
        close(ends[0]);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(log_fd, STDERR_FILENO);
        _exit(serve(run, options, ends[1]));
    }
    close(ends[1]);
    char line[600];
    size_t n = 0;
    ssize_t got;
    while (n < sizeof(line) && (got = read(ends[0], line + n, sizeof(line) - n)) > 0)
        n += (size_t)got;
    close(ends[0]);
    if (n > 0 && line[0] == '!')
        return verb_fail(run, "%.*s", (int)n - 1, line + 1);
    if (n > 0) {
        fwrite(line, 1, n, stdout);
        return 0;
    }
    int status = 0;
    waitpid(child, &status, 0);
    return verb_fail(run, "the cloud has not started: see the end of %s", log);
}

static int up_run(struct verb_run *run)
{
    const struct up_options *o = run->values[0];
    struct cloud_options options;
    int code = fill(run, o, &options);
    if (code)
        return code;
    return o->detach ? detach(run, &options) : serve(run, &options, STDOUT_FILENO);
}

const struct verb up_verb = {
    .name = "up",
    .run = up_run,
    .sets = {{rows, sizeof(struct up_options)}},
    .summary = "start the embedded cloud",
    .details = "Prints one line, `ready http://127.0.0.1:4566`, when it answers, and serves until "
               "SIGTERM or SIGINT. The log goes to stderr. Clients use any region, the access key "
               "`test` with the secret `test` (account 000000000000), or a number of 12 digits as "
               "access key: that account.",
};
