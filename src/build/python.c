/* python - pip and its wheels: see python.h. */
#include "build/python.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "build/process.h"

static int fail(struct arena *a, struct python_report *ret, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(struct arena *a, struct python_report *ret, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    ret->error = str_vprintf(a, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

/* ---- the interpreter ---- */

struct str python_find(struct arena *a, struct str runtime)
{
    const char *name = str_c(a, runtime);
    struct str fixed = str_printf(a, "/usr/bin/%s", name);
    if (access(fixed.p, X_OK) == 0)
        return fixed;
    const char *home = getenv("HOME"), *version = name + strlen("python");
    struct str versions = str_printf(a, "%s/.pyenv/versions", home ? home : "");
    DIR *dir = opendir(versions.p);
    struct str found = {0};
    for (struct dirent *e; dir && (e = readdir(dir));) {
        size_t n = strlen(version);
        if (strncmp(e->d_name, version, n) || (e->d_name[n] && e->d_name[n] != '.'))
            continue;
        struct str p = str_printf(a, "%.*s/%s/bin/%s", STR(versions), e->d_name, name);
        if (access(p.p, X_OK) == 0)
            found = p;
    }
    if (dir)
        closedir(dir);
    if (str_has(found))
        return found;
    found = process_find(a, name);
    /* pyenv's shims are scripts that cannot work without pyenv: no interpreters. */
    return str_find(found, S("/shims/")) < 0 ? found : (struct str){0};
}

static bool has_pip(struct arena *a, struct str python)
{
    const char *argv[] = {python.p, "-m", "pip", "--version", NULL};
    struct process_result r;
    return process_run(a, argv, NULL, NULL, &r) == 0 && r.exit_code == 0;
}

/* ---- requirements ---- */

static bool is_path(struct str line)
{
    return str_starts(line, S(".")) || str_starts(line, S("/")) || str_starts(line, S("file:"));
}

static struct str local_path(struct arena *a, struct str base, struct str line)
{
    if (str_starts(line, S("file://")))
        line = str_slice(line, 7, line.n);
    else if (str_starts(line, S("file:")))
        line = str_slice(line, 5, line.n);
    struct str path, extra;
    str_cut(line, '[', &path, &extra); /* ./package[extra] */
    str_cut(path, ';', &path, &extra);
    return fs_join(a, base, str_trim(path));
}

/* A line without its comment; empty when there is nothing on it. */
static struct str requirement(struct str line)
{
    line = str_trim(line);
    ssize_t at = str_find(line, S(" #"));
    if (at >= 0)
        line = str_trim(str_slice(line, 0, (size_t)at));
    return line.n && line.p[0] == '#' ? (struct str){0} : line;
}

int python_local_requirements(struct arena *a, const char *requirements, struct str **ret,
                              size_t *ret_n)
{
    struct str text, line;
    int r = fs_read(requirements, 1024 * 1024, a, &text);
    if (r < 0)
        return r;
    struct str base = fs_dirname(a, str_from(requirements));
    struct str *items = NULL;
    size_t n = 0, cap = 0;
    while (text.n) {
        str_cut(text, '\n', &line, &text);
        line = requirement(line);
        if (str_starts(line, S("-e ")))
            line = str_trim(str_slice(line, 3, line.n));
        if (line.n && is_path(line))
            *(struct str *)arena_push(a, (void **)&items, &n, &cap, sizeof *items) =
                local_path(a, base, line);
    }
    *ret = items;
    *ret_n = n;
    return 0;
}

/* ---- pip ---- */

struct pip {
    struct arena *a;
    struct str python;
    const char **argv;
    size_t n, cap;
};

static void word(struct pip *p, const char *w)
{
    *(const char **)arena_push(p->a, (void **)&p->argv, &p->n, &p->cap, sizeof *p->argv) = w;
}

static struct pip pip_begin(struct arena *a, struct str python, const char *command)
{
    struct pip p = {.a = a, .python = python};
    const char *first[] = {python.p,
                           "-m",
                           "pip",
                           command,
                           "--disable-pip-version-check",
                           "--no-input",
                           "--quiet",
                           "--root-user-action=ignore"};
    size_t n = ARRAY_LEN(first);
    for (size_t i = 0; i < n; i++)
        if (i != 7 || !strcmp(command, "install"))
            word(&p, first[i]);
    return p;
}

/* Twice at most: with the build tools that are installed, so that nothing must be fetched to build
 * a local package; then as pip does by default, for packages that want other build tools. */
static int pip_run(struct pip *p, const char *dir, struct process_result *ret)
{
    size_t n = p->n;
    word(p, "--no-build-isolation");
    word(p, NULL);
    const char *env[] = {"PYTHONDONTWRITEBYTECODE=1", "PIP_NO_COLOR=1", NULL};
    int r = process_run(p->a, p->argv, dir, env, ret);
    if (r < 0 || ret->exit_code == 0)
        return r;
    p->n = n;
    word(p, NULL);
    struct process_result first = *ret;
    r = process_run(p->a, p->argv, dir, env, ret);
    if (r == 0 && ret->exit_code != 0 && str_find(ret->output, S("No matching distribution")) >= 0)
        *ret = first;
    return r;
}

static struct str last_lines(struct str text, int lines)
{
    text = str_trim(text);
    size_t at = text.n;
    while (at > 0 && !(text.p[at - 1] == '\n' && --lines == 0))
        at--;
    return str_slice(text, at, text.n);
}

static int pip_failed(struct arena *a, const char *what, int r, const struct process_result *p,
                      struct python_report *ret)
{
    if (r < 0)
        return fail(a, ret, "%s: pip could not be started: %s", what, strerror(-r));
    return fail(a, ret, "%s: pip failed with exit code %d:\n%.*s", what, p->exit_code,
                STR(last_lines(p->output, 12)));
}

/* Options of a requirements file whose paths are relative to it. */
static struct str absolute_option(struct arena *a, struct str base, struct str line)
{
    static const char *const options[] = {"-r ",           "-c ",          "-f ", "--requirement ",
                                          "--constraint ", "--find-links "};
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        struct str o = str_from(options[i]);
        if (!str_starts(line, o))
            continue;
        struct str path = str_trim(str_slice(line, o.n, line.n));
        if (str_find(path, S("://")) >= 0)
            return line;
        path = fs_join(a, base, path);
        return str_printf(a, "%.*s%.*s", STR(o), STR(path));
    }
    return line;
}

/* One local package to a wheel, from a copy: building in place would leave build/ and *.egg-info
 * there. */
static int wheel(struct arena *a, struct str python, struct str package, const char *work,
                 int number, struct python_report *ret)
{
    struct str source = package, house = str_printf(a, "%s/wheels", work);
    struct stat st;
    if (stat(package.p, &st) < 0)
        return fail(a, ret, "%.*s: %s", STR(package), strerror(errno));
    if (S_ISDIR(st.st_mode)) {
        /* the folder keeps its name: some build tools take the project's name from it */
        struct str name =
            fs_basename(str_ends(package, S("/")) ? str_slice(package, 0, package.n - 1) : package);
        struct str dir = str_printf(a, "%s/%d", work, number);
        source = str_printf(a, "%.*s/%.*s", STR(dir), STR(name));
        int r = fs_mkdirs(dir.p, 0755);
        if (r == 0)
            r = fs_copy_tree(package.p, source.p);
        if (r < 0)
            return fail(a, ret, "%.*s cannot be copied: %s", STR(package), strerror(-r));
    }
    struct pip p = pip_begin(a, python, "wheel");
    struct process_result out = {0};
    word(&p, "--no-deps");
    word(&p, "--wheel-dir");
    word(&p, house.p);
    word(&p, source.p);
    int r = pip_run(&p, NULL, &out);
    return r < 0 || out.exit_code ? pip_failed(a, package.p, r, &out, ret) : 0;
}

/* Makes wheels of the local packages and a requirements file that names them in place of the paths.
 */
static int prepare(struct arena *a, const struct python_install *what, struct str python,
                   const char *work, struct str *ret_requirements, struct python_report *ret)
{
    struct str text = {0}, line, base = fs_dirname(a, what->source);
    auto_buf struct buf b;
    buf_init(&b, 4 * 1024 * 1024);
    int number = 0, r = 0;
    if (!str_ends(what->source, S(".txt")))
        r = wheel(a, python, what->source, work, number++, ret);
    else if (fs_read(what->source.p, 1024 * 1024, a, &text) < 0)
        return fail(a, ret, "%.*s: %s", STR(what->source), strerror(errno));
    while (r == 0 && text.n) {
        str_cut(text, '\n', &line, &text);
        struct str one = requirement(line);
        if (str_starts(one, S("-e ")))
            one = str_trim(str_slice(one, 3, one.n));
        if (is_path(one))
            r = wheel(a, python, local_path(a, base, one), work, number++, ret);
        else if (one.n)
            buf_str(&b, absolute_option(a, base, one));
        buf_byte(&b, '\n');
    }
    if (r < 0)
        return r;
    struct str house = str_printf(a, "%s/wheels", work), *wheels;
    size_t n;
    if (number && fs_walk(a, house.p, &wheels, &n) == 0)
        for (size_t i = 0; i < n; i++)
            buf_printf(&b, "%.*s/%.*s\n", STR(house), STR(wheels[i]));
    *ret_requirements = str_printf(a, "%s/requirements.txt", work);
    r = fs_write(ret_requirements->p, buf_view(&b), 0600);
    return r < 0 ? fail(a, ret, "%.*s: %s", STR(*ret_requirements), strerror(-r)) : 0;
}

static int install(struct arena *a, const struct python_install *what, struct str python,
                   bool native, struct python_report *ret)
{
    bool arm = str_is(what->architecture, "arm64");
    struct str work = str_printf(a, "%.*s.work", STR(what->target)), requirements = {0};
    fs_remove_tree(work.p);
    int r = fs_mkdirs(work.p, 0755);
    if (r < 0)
        return fail(a, ret, "%.*s cannot be made: %s", STR(work), strerror(-r));
    r = prepare(a, what, python, work.p, &requirements, ret);
    if (r == 0) {
        struct pip p = pip_begin(a, python, "install");
        const char *words[] = {"--no-compile",  "--no-warn-script-location",
                               "--target",      what->target.p,
                               "--requirement", requirements.p};
        const char *foreign[] = {"--only-binary=:all:",
                                 "--implementation",
                                 "cp",
                                 "--python-version",
                                 what->runtime.p + strlen("python"),
                                 "--platform",
                                 arm ? "manylinux2014_aarch64" : "manylinux2014_x86_64",
                                 "--platform",
                                 arm ? "manylinux_2_17_aarch64" : "manylinux_2_17_x86_64"};
        struct process_result out = {0};
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            word(&p, words[i]);
        for (size_t i = 0; !native && i < ARRAY_LEN(foreign); i++)
            word(&p, foreign[i]);
        r = pip_run(&p, NULL, &out);
        if (r < 0 || out.exit_code)
            r = pip_failed(a, what->source.p, r, &out, ret);
    }
    fs_remove_tree(work.p);
    return r;
}

/* ---- after installing ---- */

static bool module_of(struct str path, struct str *ret)
{
    struct str head, rest;
    bool nested = str_cut(path, '/', &head, &rest);
    if (nested)
        *ret = head;
    else if (str_ends(path, S(".py")))
        *ret = str_slice(path, 0, path.n - 3);
    else
        return false;
    for (size_t i = 0; i < ret->n; i++)
        if (!isalnum((unsigned char)ret->p[i]) && ret->p[i] != '_')
            return false;
    return !nested || str_ends(path, S("/__init__.py"));
}

static int check_imports(struct arena *a, const struct python_install *what, struct str python,
                         struct python_report *ret)
{
    struct str *files;
    size_t n, cap = 0;
    if (fs_walk(a, what->target.p, &files, &n) < 0)
        return fail(a, ret, "%.*s cannot be read", STR(what->target));
    for (size_t i = 0; i < n; i++) {
        struct str module;
        if (!module_of(files[i], &module) ||
            (str_find_byte(files[i], '/') != str_find_last_byte(files[i], '/')))
            continue;
        *(struct str *)arena_push(a, (void **)&ret->checked, &ret->n_checked, &cap, sizeof module) =
            module;
        struct str code =
            str_printf(a, "import sys; sys.path.insert(0, sys.argv[1]); import %.*s", STR(module));
        const char *argv[] = {python.p, "-I", "-B", "-c", code.p, what->target.p, NULL};
        const char *env[] = {"PYTHONDONTWRITEBYTECODE=1", NULL};
        struct process_result out;
        int r = process_run(a, argv, "/", env, &out);
        if (r < 0 || out.exit_code)
            return fail(a, ret, "import %.*s fails:\n%.*s", STR(module),
                        STR(r < 0 ? S("no interpreter") : last_lines(out.output, 6)));
    }
    return 0;
}

int python_install(struct arena *a, const struct python_install *what, struct python_report *ret)
{
    *ret = (struct python_report){0};
    if (!str_starts(what->runtime, S("python3.")))
        return fail(a, ret, "%.*s is not a Python runtime", STR(what->runtime));
    struct python_install w = *what;
    w.runtime = str_copy(a, what->runtime);
    w.target = str_copy(a, what->target);
    w.source = str_copy(a, what->source);
    struct str own = python_find(a, what->runtime);
    bool native = str_has(own) && has_pip(a, own) && !str_is(what->architecture, "arm64");
    struct str python = native ? own : S("/usr/bin/python3");
    if (!native && !has_pip(a, python)) {
        python = process_find(a, "python3");
        if (!str_has(python) || !has_pip(a, python))
            return fail(a, ret,
                        "pip is needed to build for %.*s and no python3 here has it (on Debian: "
                        "apt-get install python3-pip)",
                        STR(what->runtime));
    }
    ret->pip = python;
    ret->foreign = !native;
    if (fs_mkdirs(w.target.p, 0755) < 0)
        return fail(a, ret, "%.*s cannot be made: %s", STR(w.target), strerror(errno));
    int r = install(a, &w, python, native, ret);
    if (r < 0)
        return r;
    r = python_strip(w.target.p);
    if (r < 0)
        return fail(a, ret, "%.*s: %s", STR(w.target), strerror(-r));
    ret->imports_skipped = !native;
    return what->check_imports && native ? check_imports(a, &w, python, ret) : 0;
}

/* ---- strip ---- */

static bool needless_dir(const char *name, int depth)
{
    return !strcmp(name, "__pycache__") ||
           (depth > 0 && (!strcmp(name, "tests") || !strcmp(name, "test"))) ||
           (depth == 0 && (!strcmp(name, "bin") || !strcmp(name, "tests")));
}

static bool needless_file(const char *name, bool in_dist_info)
{
    static const char *const pips[] = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"};
    size_t n = strlen(name);
    if (n > 4 && !strcmp(name + n - 4, ".pyc"))
        return true;
    for (size_t i = 0; in_dist_info && i < ARRAY_LEN(pips); i++)
        if (!strcmp(name, pips[i]))
            return true;
    return false;
}

static int strip(const char *dir, int depth)
{
    DIR *d = opendir(dir);
    if (!d)
        return -errno;
    size_t n = strlen(dir);
    bool dist_info = n > 10 && !strcmp(dir + n - 10, ".dist-info");
    int r = 0;
    auto_arena struct arena a;
    arena_init(&a);
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        struct str path = str_printf(&a, "%s/%s", dir, e->d_name);
        struct stat st;
        if (lstat(path.p, &st) < 0)
            r = -errno;
        else if (S_ISDIR(st.st_mode))
            r = needless_dir(e->d_name, depth) ? fs_remove_tree(path.p) : strip(path.p, depth + 1);
        else if (needless_file(e->d_name, dist_info) && unlink(path.p) < 0)
            r = -errno;
    }
    closedir(d);
    return r;
}

int python_strip(const char *dir)
{
    return strip(dir, 0);
}
