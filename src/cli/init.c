/* init - `lamina init NAME`: a small SAM project that works. */
#include <errno.h>
#include <sys/stat.h>
#include "base/fs.h"
#include "cli/init_ci.h"
#include "cli/init_files.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

struct init_options {
    struct str runtime, ci, repository, ref;
    bool scripts, force;
};

static const struct option_row rows[] = {
    {OPTION(struct init_options, runtime), .name = "runtime", .letter = 'r', .type = OPTION_TEXT,
     .metavar = "RUNTIME", .default_value = "python3.11",
     .help = "runtime of the function: python3.8 to python3.14, nodejs18.x to nodejs24.x, or "
             "provided.al2023 (C)"},
    {OPTION(struct init_options, ci), .name = "ci", .type = OPTION_TEXT, .choices = "github",
     .metavar = "WHERE",
     .help = "write a workflow for it, in a project that is there, too: github"},
    {OPTION(struct init_options, repository), .name = "lamina-repository", .type = OPTION_TEXT,
     .metavar = "OWNER/NAME",
     .help = "repository that the workflow builds Lamina from; otherwise the variable "
             "LAMINA_REPOSITORY says it"},
    {OPTION(struct init_options, ref), .name = "lamina-ref", .type = OPTION_TEXT, .metavar = "REF",
     .help = "branch, tag or commit of it; otherwise main"},
    {OPTION(struct init_options, scripts), .name = "scripts", .type = OPTION_FLAG,
     .help = "write scripts/common-functions.sh, which shell scripts source"},
    {OPTION(struct init_options, force), .name = "force", .type = OPTION_FLAG,
     .help = "replace files of --ci and --scripts that are there"},
    {0},
};

static struct str fill(struct arena *a, const char *text, struct str name, struct str runtime)
{
    struct str parts[64], rest = str_from(text);
    size_t n = 0;
    while (rest.n && n + 2 < sizeof parts / sizeof parts[0]) {
        ssize_t at = str_find_byte(rest, '@');
        if (at < 0)
            break;
        parts[n++] = str_slice(rest, 0, (size_t)at);
        rest = str_slice(rest, (size_t)at, rest.n);
        bool is_name = str_starts(rest, S("@NAME@"));
        parts[n++] = is_name ? name : runtime;
        rest = str_slice(rest, is_name ? 6 : 9, rest.n);
    }
    parts[n++] = rest;
    return str_join(a, S(""), parts, n);
}

static bool good_name(struct str s)
{
    if (!s.n || s.n > 128 || !((s.p[0] | 32) >= 'a' && (s.p[0] | 32) <= 'z'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

static unsigned language_of(struct str runtime)
{
    return str_starts(runtime, S("python3."))    ? INIT_PYTHON
           : str_starts(runtime, S("nodejs"))    ? INIT_NODE
           : str_starts(runtime, S("provided.")) ? INIT_C
                                                 : 0;
}

static int make_project(struct verb_run *run, const struct init_options *o, struct str name)
{
    struct arena *a = run->arena;
    if (!good_name(name))
        return verb_usage(
            run, "\"%.*s\" cannot name a stack: letters, digits and -, a letter first, 128 at most",
            STR(name));
    unsigned language = language_of(o->runtime);
    if (!language)
        return verb_usage(run,
                          "runtime %.*s: a new project is in Python (python3.8 to python3.14), "
                          "JavaScript (nodejs18.x to nodejs24.x) or C (provided.al2023)",
                          STR(o->runtime));
    const char *dir = str_c(a, name);
    if (mkdir(dir, 0755) < 0)
        return verb_fail(run, "%s: %s", dir, strerror(errno));
    for (const struct init_file *f = init_files; f->path; f++) {
        if (!(f->languages & language))
            continue;
        struct str path = str_printf(a, "%s/%s", dir, f->path);
        int r = fs_mkdirs(fs_dirname(a, path).p, 0755);
        if (r == 0)
            r = fs_write(path.p, fill(a, f->text, name, o->runtime), 0644);
        if (r < 0)
            return verb_fail(run, "%.*s: %s", STR(path), strerror(-r));
    }
    return 0;
}

static void say_next(const char *dir)
{
    printf("%s is ready. Next:\n\n    cd %s\n    lamina up --detach\n    lamina build && lamina "
           "deploy && lamina test\n",
           dir, dir);
}

static int run_init(struct verb_run *run)
{
    const struct init_options *o = run->values[0];
    struct str name = run->parsed.n_operands ? run->parsed.operands[0] : (struct str){0};
    struct init_ci ci = {.github = o->ci.n > 0,
                         .scripts = o->scripts,
                         .force = o->force,
                         .repository = o->repository,
                         .ref = o->ref,
                         .folder = name,
                         .name = name};
    bool more = ci.github || ci.scripts;
    if (!name.n && !more)
        return verb_usage(run, "what is the project's name? (--ci and --scripts also work in one "
                               "that is there)");
    int e = name.n && !good_name(name) ? 0 : more ? init_ci_check(run, &ci) : 0;
    if (!e && name.n)
        e = make_project(run, o, name);
    if (!e && more)
        e = init_ci_write(run, &ci);
    if (!e && name.n)
        say_next(str_c(run->arena, name));
    return e;
}

const struct verb init_verb = {
    .name = "init",
    .run = run_init,
    .sets = {{rows, sizeof(struct init_options)}},
    .operands = "[NAME]",
    .max_operands = 1,
    .summary = "start a small SAM project that works",
    .details = "With --ci or --scripts and without a name, the files are written into the project "
               "in this\n"
               "folder. A file that is there already stays, unless --force.\n\n"
               "    lamina init hello\n"
               "    lamina init --ci github",
};
