/* runtimes - see runtimes.h. */
#include "service/lambda/runtimes.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "service/call.h"

struct str runtime_library(struct arena *a, const char *name)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n > 0) {
        exe[n] = 0;
        struct str dir = fs_dirname(a, str_from(exe));
        /* In the build folder, in PREFIX/bin. */
        static const char *const beside[] = {"../runtimes", "runtimes", "../share/lamina/runtimes",
                                             "../lib/lamina/runtimes"};
        for (size_t i = 0; i < sizeof(beside) / sizeof(*beside); i++) {
            struct str path = str_printf(a, "%.*s/%s/%s", STR(dir), beside[i], name);
            char real[PATH_MAX];
            if (fs_exists(path.p) && realpath(path.p, real))
                return str_copy(a, str_from(real));
        }
    }
#ifdef LAMINA_SOURCE_RUNTIMES
    struct str path = str_printf(a, "%s/%s", LAMINA_SOURCE_RUNTIMES, name);
    if (fs_exists(path.p))
        return path;
#endif
    return (struct str){0};
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* ROOT/3.11.7/bin/python3.11; of several the last one by name. */
static struct str in_pyenv(struct arena *a, struct str root, struct str name)
{
    struct str best = {0};
    DIR *dir = opendir(str_c(a, root));
    if (!dir)
        return best;
    struct str version = str_slice(name, 6, name.n);
    for (struct dirent *e; (e = readdir(dir));) {
        struct str entry = str_from(e->d_name);
        if (!str_starts(entry, version) || (entry.n > version.n && entry.p[version.n] != '.'))
            continue;
        struct str path = str_printf(a, "%.*s/%.*s/bin/%.*s", STR(root), STR(entry), STR(name));
        if (is_program(path.p) && (!best.n || str_cmp(best, path) < 0))
            best = path;
    }
    closedir(dir);
    return best;
}

/* pyenv's shims are scripts that cannot work without pyenv: they are no interpreters. */
static bool is_shim(struct str path)
{
    return str_find(path, S("/shims/")) >= 0;
}

static struct str find_python(struct arena *a, struct str name, struct buf *searched)
{
    struct str path = str_from(getenv("PATH")), dir, rest;
    rest = str_printf(a, "/usr/bin:/usr/local/bin:%.*s", STR(path));
    buf_text(searched, "/usr/bin, /usr/local/bin, PATH");
    for (bool more = true; more;) {
        more = str_cut(rest, ':', &dir, &rest);
        if (!dir.n || dir.p[0] != '/')
            continue;
        struct str candidate = str_printf(a, "%.*s/%.*s", STR(dir), STR(name));
        if (!is_shim(candidate) && is_program(candidate.p))
            return candidate;
    }
    const char *home = getenv("HOME"), *pyenv = getenv("PYENV_ROOT");
    struct str roots[2] = {pyenv ? str_printf(a, "%s/versions", pyenv) : (struct str){0},
                           home ? str_printf(a, "%s/.pyenv/versions", home) : (struct str){0}};
    for (int i = 0; i < 2; i++) {
        if (!roots[i].n)
            continue;
        buf_printf(searched, ", %.*s", STR(roots[i]));
        struct str found = in_pyenv(a, roots[i], name);
        if (found.n)
            return found;
    }
    return (struct str){0};
}

static bool is_system_path(struct str p)
{
    return str_starts(p, S("/usr/")) || str_starts(p, S("/bin/")) || str_starts(p, S("/lib/"));
}

/* The interpreter that --runtime gives, or `found`; -ENOENT with the reason. */
static int interpreter_of(struct cloud *cloud, struct arena *a, struct str runtime,
                          struct str found, struct str *ret, struct str *ret_why)
{
    struct str given = cloud_runtime(cloud, runtime);
    if (given.n && !is_program(str_c(a, given))) {
        *ret_why = str_printf(a,
                              "The runtime %.*s cannot run here: %.*s, given by --runtime, is no "
                              "program",
                              STR(runtime), STR(given));
        return -ENOENT;
    }
    struct str path = given.n ? given : found;
    char real[PATH_MAX];
    if (!realpath(str_c(a, path), real)) {
        *ret_why = str_printf(a, "The runtime %.*s cannot run here: %.*s: %s", STR(runtime),
                              STR(path), strerror(errno));
        return -ENOENT;
    }
    *ret = str_copy(a, str_from(real));
    return 0;
}

static int not_here(struct arena *a, struct str runtime, struct str program, struct buf *searched,
                    struct str *ret_why)
{
    *ret_why = str_printf(a,
                          "The runtime %.*s is not on this machine: looked for %.*s in %.*s "
                          "(lamina up --runtime %.*s=PATH names another one)",
                          STR(runtime), STR(program), STR(buf_view(searched)), STR(runtime));
    return -ENOENT;
}

/* Where it was found first: the installation stays where it is while it runs. */
static struct str known_library(struct arena *a, const char *folder)
{
    static struct {
        const char *folder;
        char path[PATH_MAX];
    } known[2];
    size_t i = 0;
    while (i < sizeof(known) / sizeof(*known) && known[i].folder &&
           strcmp(known[i].folder, folder) != 0)
        i++;
    if (i == sizeof(known) / sizeof(*known))
        return runtime_library(a, folder);
    if (!known[i].folder) {
        struct str found = runtime_library(a, folder);
        if (!found.n || found.n >= sizeof(known[i].path))
            return found;
        memcpy(known[i].path, found.p, found.n + 1);
        known[i].folder = folder;
    }
    return str_from(known[i].path);
}

/* What interpreters have in common. */
static int set_interpreter(struct arena *a, struct str runtime, const char *folder,
                           struct str interpreter, struct runtime_command *ret, struct str *ret_why)
{
    struct str library = known_library(a, folder);
    if (!library.n) {
        *ret_why = str_printf(a,
                              "The runtime %.*s cannot run here: the folder runtimes/%s is "
                              "missing from the installation",
                              STR(runtime), folder);
        return -ENOENT;
    }
    ret->runtime_dir = library.p;
    ret->link_target = interpreter.p;
    ret->link_path = ret->argv[0];
    if (!is_system_path(interpreter))
        ret->prefix = str_c(a, fs_dirname(a, fs_dirname(a, interpreter)));
    return 0;
}

static int find_python_command(struct cloud *cloud, struct arena *a, struct str runtime,
                               struct runtime_command *ret, struct str *ret_why)
{
    auto_buf struct buf searched;
    buf_init(&searched, 8192);
    bool given = cloud_runtime(cloud, runtime).n > 0;
    struct str found = given ? (struct str){0} : find_python(a, runtime, &searched), interpreter;
    if (!given && !found.n)
        return not_here(a, runtime, runtime, &searched, ret_why);
    int r = interpreter_of(cloud, a, runtime, found, &interpreter, ret_why);
    if (r < 0)
        return r;
    const char **argv = ARENA_ARRAY(a, const char *, 4);
    argv[0] = str_printf(a, "/var/lang/bin/%.*s", STR(runtime)).p;
    argv[1] = "-S"; /* the bootstrap does what the site module would do, in a quarter of the time */
    argv[2] = "/var/runtime/bootstrap.py";
    *ret = (struct runtime_command){
        .argv = argv,
        .version = str_printf(a, "python:%.*s", STR(str_slice(runtime, 6, runtime.n))),
        .byte_code = true,
    };
    return set_interpreter(a, runtime, "python", interpreter, ret, ret_why);
}

/* V8's heap as AWS sizes it: a tenth of the memory for young objects, in two halves. */
static int find_node_command(struct cloud *cloud, struct arena *a, const struct runtime_wish *wish,
                             struct runtime_command *ret, struct str *ret_why)
{
    struct str runtime = wish->runtime, number = str_slice(runtime, 6, runtime.n), rest;
    str_cut(number, '.', &number, &rest);
    auto_buf struct buf searched;
    buf_init(&searched, 8192);
    bool given = cloud_runtime(cloud, runtime).n > 0;
    struct str found = {0}, interpreter;
    if (!given)
        found = node_find(a, atoi(str_c(a, number)), &searched);
    if (!given && !found.n)
        return not_here(a, runtime, str_printf(a, "node of version %.*s", STR(number)), &searched,
                        ret_why);
    int r = interpreter_of(cloud, a, runtime, found, &interpreter, ret_why);
    if (r < 0)
        return r;
    int young = wish->memory_mb / 10;
    const char **argv = ARENA_ARRAY(a, const char *, 8);
    argv[0] = "/var/lang/bin/node";
    argv[1] = "--expose-gc";
    argv[2] = "--max-http-header-size=81920";
    argv[3] = str_printf(a, "--max-semi-space-size=%d", young / 2).p;
    argv[4] = str_printf(a, "--max-old-space-size=%d", wish->memory_mb - young).p;
    argv[5] = "/var/runtime/index.mjs";
    *ret = (struct runtime_command){
        .argv = argv,
        .version = str_printf(a, "nodejs:%.*s", STR(number)),
    };
    return set_interpreter(a, runtime, "nodejs", interpreter, ret, ret_why);
}

/* Whether it can be executed is found out by doing so, as on AWS. */
static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int find_own_command(struct arena *a, const struct runtime_wish *wish,
                            struct runtime_command *ret, struct str *ret_why,
                            bool *ret_no_bootstrap)
{
    const char **argv = ARENA_ARRAY(a, const char *, 2);
    *ret = (struct runtime_command){.argv = argv, .version = str_copy(a, wish->runtime)};
    if (is_file(str_printf(a, "%s/bootstrap", wish->task_dir).p)) {
        argv[0] = "/var/task/bootstrap";
        return 0;
    }
    for (size_t i = 0; i < wish->n_layers; i++)
        if (is_file(str_printf(a, "%s/bootstrap", wish->layer_dirs[i]).p))
            argv[0] = "/opt/bootstrap";
    if (argv[0])
        return 0;
    *ret_no_bootstrap = true;
    *ret_why = S("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
    return -ENOENT;
}

int runtime_find(struct cloud *cloud, struct arena *a, const struct runtime_wish *wish,
                 struct runtime_command *ret, struct str *ret_why, bool *ret_no_bootstrap)
{
    struct str runtime = wish->runtime;
    *ret_no_bootstrap = false;
    if (str_starts(runtime, S("python3.")))
        return find_python_command(cloud, a, runtime, ret, ret_why);
    if (str_starts(runtime, S("nodejs")))
        return find_node_command(cloud, a, wish, ret, ret_why);
    if (str_starts(runtime, S("provided.")))
        return find_own_command(a, wish, ret, ret_why, ret_no_bootstrap);
    *ret_why =
        str_printf(a, "The runtime %.*s cannot run here: python3.*, nodejs*.x and provided.* can",
                   STR(runtime));
    return -ENOENT;
}
