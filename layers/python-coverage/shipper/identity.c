/* identity - see identity.h. */
#include "identity.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "../arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"

#define ENVIRON_MAX (64u << 10)

struct str identity_of_stream(struct str s)
{
    size_t n = 0;
    while (n < 32 && n < s.n) {
        char c = s.p[s.n - 1 - n];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            break;
        n++;
    }
    return n == 32 ? str_slice(s, s.n - 32, s.n) : (struct str){0};
}

static void take_variable(struct identity *id, struct arena *a, struct str entry)
{
    struct str name, value;
    if (!str_cut(entry, '=', &name, &value))
        return;
    if (str_is(name, "AWS_LAMBDA_LOG_STREAM_NAME"))
        id->log_stream = str_copy(a, value);
    else if (str_is(name, "AWS_LAMBDA_LOG_GROUP_NAME"))
        id->log_group = str_copy(a, value);
    else if (str_is(name, "AWS_EXECUTION_ENV") && str_starts(value, S("AWS_Lambda_")))
        id->runtime = str_copy(a, str_slice(value, 11, value.n));
}

static void read_process(struct identity *id, struct arena *a, uint32_t pid)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%u/environ", pid);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    auto_free char *bytes = malloc(ENVIRON_MAX);
    size_t n = 0;
    ssize_t got;
    while (bytes && n < ENVIRON_MAX && (got = read(fd, bytes + n, ENVIRON_MAX - n)) > 0)
        n += (size_t)got;
    struct str rest = str_of(bytes, n), entry;
    while (rest.n) {
        str_cut(rest, 0, &entry, &rest);
        take_variable(id, a, entry);
    }
}

/* Native programs that nobody has told of: the one that knows where it logs. */
static void search_processes(struct identity *id, struct arena *a)
{
    DIR *d = opendir("/proc");
    int64_t pid;
    for (struct dirent *e; d && !id->log_stream.n && (e = readdir(d));)
        if (str_to_int64(str_from(e->d_name), &pid) == 0 && pid > 0 && pid != getpid())
            read_process(id, a, (uint32_t)pid);
    if (d)
        closedir(d);
}

void identity_find(struct identity *id, struct arena *a, const struct arenas *arenas)
{
    struct arenas_about about = {0};
    bool counted = arenas_about(arenas, &about);
    if (!counted && arenas_teller(arenas))
        read_process(id, a, arenas_teller(arenas));
    else if (!counted)
        search_processes(id, a);
    if (counted) {
        read_process(id, a, about.pid);
        if (!id->runtime.n)
            id->runtime =
                str_printf(a, "python%u.%u", about.python >> 24, about.python >> 16 & 0xff);
    }
    id->environment = identity_of_stream(id->log_stream);
    if (!id->environment.n)
        id->environment = random_hex(a, 32);
}

bool identity_load(struct identity *id, struct arena *a, const struct object *o)
{
    int64_t started_ms;
    struct str environment = object_meta_find(o, "environment");
    if (!identity_of_stream(environment).n ||
        clock_parse_iso8601(object_meta_find(o, "started"), &started_ms) < 0)
        return false;
    id->environment = str_copy(a, environment);
    id->started_ms = started_ms;
    id->log_group = str_copy(a, object_meta_find(o, "log_group"));
    id->log_stream = str_copy(a, object_meta_find(o, "log_stream"));
    id->runtime = str_copy(a, object_meta_find(o, "runtime"));
    return true;
}

size_t identity_meta(const struct identity *id, struct arena *a, const struct settings *settings,
                     const struct arenas *arenas, bool blobs, struct str missing,
                     struct object_meta ret[IDENTITY_META_MAX])
{
    struct arenas_about about = {0};
    bool python = arenas_about(arenas, &about);
    struct utsname machine = {0};
    uname(&machine);
    bool arm = !strcmp(machine.machine, "aarch64");
    struct str language = python                                 ? S("python")
                          : str_starts(id->runtime, S("nodejs")) ? S("nodejs")
                          : blobs                                ? S("native")
                                                                 : (struct str){0};
    const struct object_meta all[] = {
        {S("function"), settings->function},
        {S("version"), settings->version},
        {S("environment"), id->environment},
        {S("log_group"), id->log_group},
        {S("log_stream"), id->log_stream},
        {S("region"), settings->region},
        {S("runtime"), id->runtime},
        {S("language"), language},
        {S("architecture"), arm ? S("arm64") : str_from(machine.machine)},
        {S("mechanism"), !python                             ? (struct str){0}
                         : about.flags & COVARENA_MONITORING ? S("monitoring")
                                                             : S("settrace")},
        {S("branch"), !python                         ? (struct str){0}
                      : about.flags & COVARENA_BRANCH ? S("1")
                                                      : S("0")},
        {S("started"), clock_iso8601(a, id->started_ms)},
        {S("updated"), clock_iso8601(a, clock_now_ms())},
        {S("tool"), S("lamina " LAMINA_VERSION)},
        {S("missing"), missing},
    };
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i].value.n)
            ret[n++] = (struct object_meta){all[i].key, str_copy(a, all[i].value)};
    return n;
}
