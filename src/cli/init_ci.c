/* init_ci - a workflow for GitHub Actions, and shell functions for scripts (init_ci.h). */
#include "cli/init_ci.h"
#include <errno.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/toml.h"

extern const unsigned char ci_github[], ci_github_action[], ci_common_functions[];
extern const size_t ci_github_size, ci_github_action_size, ci_common_functions_size;

static const struct {
    const char *path;
    const unsigned char *text;
    const size_t *size;
    bool script; /* --scripts, not --ci */
} files[] = {
    {".github/workflows/lamina.yml", ci_github, &ci_github_size, false},
    {".github/actions/lamina/action.yml", ci_github_action, &ci_github_action_size, false},
    {"scripts/common-functions.sh", ci_common_functions, &ci_common_functions_size, true},
};

static bool wanted(const struct init_ci *ci, size_t i)
{
    return files[i].script ? ci->scripts : ci->github;
}

static struct str path_of(struct arena *a, const struct init_ci *ci, const char *name)
{
    return ci->folder.n ? fs_join(a, ci->folder, str_from(name)) : str_copy(a, str_from(name));
}

/* ---- what stands in the placeholders ---- */

static bool plain(struct str s, const char *others)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && !strchr(others, c))
            return false;
    }
    return s.n > 0 && s.p[0] != '-';
}

static struct str samconfig_stack(struct arena *a)
{
    static const char *const sections[] = {"global", "deploy", NULL};
    struct str text, name;
    struct json *root;
    if (fs_read("samconfig.toml", 1 << 20, a, &text) < 0 || toml_parse(a, text, &root, NULL) < 0)
        return (struct str){0};
    for (size_t i = 0; sections[i]; i++) {
        const struct json *section = json_get(json_get(root, "default"), sections[i]);
        name = json_get_str(json_get(section, "parameters"), "stack_name");
        if (name.n)
            return name;
    }
    return (struct str){0};
}

/* The folder's name as a stack may be called. */
static struct str folder_stack(struct arena *a)
{
    char here[4096];
    if (!getcwd(here, sizeof here))
        return S("app");
    struct str name = str_copy(a, fs_basename(str_from(here)));
    char *p = (char *)name.p;
    for (size_t i = 0; i < name.n; i++)
        if (!plain(str_slice(name, i, i + 1), ""))
            p[i] = '-';
    bool letter = name.n && (p[0] | 32) >= 'a' && (p[0] | 32) <= 'z';
    return letter ? str_slice(name, 0, 128) : str_printf(a, "app%.*s", STR(name));
}

/* Coverage reaches functions of Python and Node.js by itself. */
static bool covered(struct arena *a, const struct init_ci *ci)
{
    struct str text;
    if (fs_read(path_of(a, ci, "template.yaml").p, 4 << 20, a, &text) < 0)
        return true;
    return str_find(text, S("provided.")) < 0 || str_find(text, S("python3")) >= 0 ||
           str_find(text, S("nodejs")) >= 0;
}

static struct str filled(struct arena *a, const struct init_ci *ci, size_t i)
{
    const struct {
        struct str mark, text;
    } marks[] = {{S("@REPOSITORY@"), ci->repository.n ? ci->repository : S("")},
                 {S("@REF@"), ci->ref.n ? ci->ref : S("main")},
                 {S("@NAME@"), ci->name},
                 {S("@COVERAGE@"), covered(a, ci) ? S("true") : S("false")}};
    struct str rest = str_of((const char *)files[i].text, *files[i].size);
    struct buf b;
    buf_init(&b, 1 << 20);
    while (rest.n) {
        ssize_t at = files[i].script ? -1 : str_find_byte(rest, '@');
        size_t before = at < 0 ? rest.n : (size_t)at;
        buf_str(&b, str_slice(rest, 0, before));
        rest = str_slice(rest, before, rest.n);
        size_t m = 0;
        while (m < ARRAY_LEN(marks) && !str_starts(rest, marks[m].mark))
            m++;
        size_t used = m < ARRAY_LEN(marks) ? marks[m].mark.n : rest.n ? 1 : 0;
        buf_str(&b, m < ARRAY_LEN(marks) ? marks[m].text : str_slice(rest, 0, used));
        rest = str_slice(rest, used, rest.n);
    }
    struct str s = buf_copy(&b, a);
    buf_done(&b);
    return s;
}

/* ---- checking ---- */

static int check_words(struct verb_run *run, const struct init_ci *ci)
{
    struct str owner, name;
    if (ci->repository.n && (!str_cut(ci->repository, '/', &owner, &name) || !plain(owner, "-_.") ||
                             !plain(name, "-_.")))
        return verb_usage(run, "--lamina-repository: \"%.*s\" is no OWNER/NAME",
                          STR(ci->repository));
    if (ci->ref.n && !plain(ci->ref, "-_./"))
        return verb_usage(run, "--lamina-ref: \"%.*s\" is no branch, tag or commit", STR(ci->ref));
    if (!plain(ci->name, "-"))
        return verb_fail(run, "\"%.*s\" cannot name a stack: samconfig.toml", STR(ci->name));
    return 0;
}

int init_ci_check(struct verb_run *run, struct init_ci *ci)
{
    struct arena *a = run->arena;
    struct str others[ARRAY_LEN(files)];
    size_t n = 0;
    if (!ci->name.n)
        ci->name = samconfig_stack(a);
    if (!ci->name.n)
        ci->name = folder_stack(a);
    int e = check_words(run, ci);
    if (e)
        return e;
    bool project = fs_exists("template.yaml") || fs_exists("template.yml") ||
                   fs_exists("template.json") || ci->folder.n;
    if (ci->github && !project)
        return verb_fail(run, "there is no template.yaml here: lamina init NAME --ci github makes "
                              "a project");
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct str there, path = path_of(a, ci, files[i].path);
        int r = wanted(ci, i) ? fs_read(path.p, 1 << 20, a, &there) : -ENOENT;
        if (r != -ENOENT && (r < 0 || !str_eq(there, filled(a, ci, i))))
            others[n++] = path;
    }
    if (n && !ci->force)
        return verb_fail(run,
                         "%.*s %s there already and not what would be written: --force "
                         "replaces %s",
                         STR(str_join(a, S(", "), others, n)), n > 1 ? "are" : "is",
                         n > 1 ? "them" : "it");
    return 0;
}

int init_ci_write(struct verb_run *run, const struct init_ci *ci)
{
    struct arena *a = run->arena;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (!wanted(ci, i))
            continue;
        struct str path = path_of(a, ci, files[i].path), text = filled(a, ci, i);
        int r = fs_mkdirs(fs_dirname(a, path).p, 0755);
        if (r == 0)
            r = fs_write(path.p, text, files[i].script ? 0755 : 0644);
        if (r < 0)
            return verb_fail(run, "%.*s: %s", STR(path), strerror(-r));
        printf("%.*s\n", STR(path));
    }
    if (ci->github && !ci->repository.n)
        printf("The workflow builds Lamina from its sources: set the repository's variable "
               "LAMINA_REPOSITORY to OWNER/NAME of them.\n");
    if (ci->github)
        printf("For AWS, set AWS_ROLE_ARN to a role that trusts GitHub's OIDC provider; pull "
               "requests need nothing of AWS.\n");
    return 0;
}
