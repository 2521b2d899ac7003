/* runtimes - see runtimes.h. */
#include "service/lambda/runtimes.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
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

static int find_python_command(struct cloud *cloud, struct arena *a, struct str runtime,
                               struct runtime_command *ret, struct str *ret_why)
{
    struct str given = cloud_runtime(cloud, runtime), found = given;
    struct buf searched;
    buf_init(&searched, 8192);
    if (!given.n)
        found = find_python(a, runtime, &searched);
    struct str where = buf_copy(&searched, a);
    buf_done(&searched);
    if (given.n && !is_program(str_c(a, given))) {
        *ret_why = str_printf(a,
                              "The runtime %.*s cannot run here: %.*s, given by --runtime, is no "
                              "program",
                              STR(runtime), STR(given));
        return -ENOENT;
    }
    char real[PATH_MAX];
    if (!found.n || !realpath(str_c(a, found), real)) {
        *ret_why = str_printf(a,
                              "The runtime %.*s is not on this machine: looked for %.*s in %.*s "
                              "(lamina up --runtime %.*s=PATH names another one)",
                              STR(runtime), STR(runtime), STR(where), STR(runtime));
        return -ENOENT;
    }
    struct str library = runtime_library(a, "python");
    if (!library.n) {
        *ret_why = str_printf(a,
                              "The runtime %.*s cannot run here: the folder runtimes/python is "
                              "missing from the installation",
                              STR(runtime));
        return -ENOENT;
    }
    struct str interpreter = str_copy(a, str_from(real));
    const char **argv = ARENA_ARRAY(a, const char *, 4);
    argv[0] = str_printf(a, "/var/lang/bin/%.*s", STR(runtime)).p;
    argv[1] = "-S"; /* the bootstrap does what the site module would do, in a quarter of the time */
    argv[2] = "/var/runtime/bootstrap.py";
    *ret = (struct runtime_command){
        .argv = argv,
        .runtime_dir = library.p,
        .link_target = interpreter.p,
        .link_path = argv[0],
        .version = str_printf(a, "python:%.*s", STR(str_slice(runtime, 6, runtime.n))),
    };
    if (!is_system_path(interpreter)) {
        struct str bin = fs_dirname(a, interpreter);
        ret->prefix = str_c(a, fs_dirname(a, bin));
    }
    return 0;
}

int runtime_find(struct cloud *cloud, struct arena *a, struct str runtime, const char *task_dir,
                 const char *const *layer_dirs, size_t n_layers, struct runtime_command *ret,
                 struct str *ret_why, bool *ret_no_bootstrap)
{
    *ret_no_bootstrap = false;
    if (str_starts(runtime, S("python3.")))
        return find_python_command(cloud, a, runtime, ret, ret_why);
    if (!str_starts(runtime, S("provided."))) {
        *ret_why = str_printf(
            a, "The runtime %.*s cannot run here yet: python3.* and provided.* can", STR(runtime));
        return -ENOENT;
    }
    const char **argv = ARENA_ARRAY(a, const char *, 2);
    *ret = (struct runtime_command){.argv = argv, .version = str_printf(a, "%.*s", STR(runtime))};
    if (is_program(str_printf(a, "%s/bootstrap", task_dir).p)) {
        argv[0] = "/var/task/bootstrap";
        return 0;
    }
    for (size_t i = 0; i < n_layers; i++)
        if (is_program(str_printf(a, "%s/bootstrap", layer_dirs[i]).p))
            argv[0] = "/opt/bootstrap";
    if (argv[0])
        return 0;
    *ret_no_bootstrap = true;
    *ret_why = S("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
    return -ENOENT;
}
