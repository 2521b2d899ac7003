/* coverage_roots - where the sources of functions and layers are: --source, or the template. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/map.h"
#include "build/project.h"
#include "cli/coverage_report.h"
#include "cli/source.h"
#include "coverage/glob.h"

struct roots {
    struct verb_run *run;
    const struct coverage_inputs *in;
    struct str cwd;
    struct report_root *items;
    size_t n, cap;
    struct str *sources;
    size_t n_sources, cap_sources;
    struct str *functions; /* that have data, each once */
    size_t n_functions, cap_functions;
};

/* Absolute, and "/" for the root; links stay as people know them. */
static struct str clean(struct roots *r, struct str path)
{
    struct str ret = fs_clean(r->run->arena, fs_join(r->run->arena, r->cwd, path));
    return ret.n ? ret : S("/");
}

static bool is_folder(struct roots *r, struct str path)
{
    struct stat st;
    return stat(str_c(r->run->arena, path), &st) == 0 && S_ISDIR(st.st_mode);
}

static void add_root(struct roots *r, struct report_root root)
{
    *(struct report_root *)arena_push(r->run->arena, (void **)&r->items, &r->n, &r->cap,
                                      sizeof root) = root;
}

static void add_source(struct roots *r, struct str dir)
{
    for (size_t i = 0; i < r->n_sources; i++)
        if (str_eq(r->sources[i], dir))
            return;
    *(struct str *)arena_push(r->run->arena, (void **)&r->sources, &r->n_sources, &r->cap_sources,
                              sizeof dir) = dir;
}

/* stack-LogicalId-RANDOM: what CloudFormation calls a function that has no name. */
static bool is_generated(struct str physical, struct str logical)
{
    ssize_t last = str_find_last_byte(physical, '-');
    struct str head = str_slice(physical, 0, last < 0 ? 0 : (size_t)last);
    return head.n > logical.n && str_ends(head, logical) && head.p[head.n - logical.n - 1] == '-';
}

static bool is_function_of(const struct roots *r, struct str physical, const struct local_code *c)
{
    for (size_t i = 0; i < r->in->n_functions; i++)
        if (str_eq(r->in->physical[i], physical) && str_eq(r->in->logical[i], c->logical_id))
            return true;
    return str_eq(json_get_str(c->properties, "FunctionName"), physical) ||
           is_generated(physical, c->logical_id) || str_eq(physical, c->logical_id);
}

static void add_layer(struct roots *r, struct str dir)
{
    struct str inner = fs_join(r->run->arena, dir, S("python"));
    if (is_folder(r, inner))
        add_root(r, (struct report_root){.prefix = S("/opt/python/"), .dir = inner});
    add_root(r, (struct report_root){.prefix = S("/opt/python/"), .dir = dir, .guess = true});
    add_root(r, (struct report_root){.prefix = S("/opt/"), .dir = dir, .guess = true});
}

/* A function's folder, for each function that has data; for all others by hash only. */
static void add_code(struct roots *r, const struct local_code *c, bool alone)
{
    struct str dir = clean(r, c->path);
    if (!is_folder(r, dir))
        return;
    if (c->layer) {
        add_layer(r, dir);
        return;
    }
    for (size_t i = 0; i < r->n_functions; i++) {
        struct str function = r->functions[i];
        if (!alone && !is_function_of(r, function, c))
            continue;
        add_root(r,
                 (struct report_root){.function = function, .prefix = S("/var/task/"), .dir = dir});
        add_source(r, dir);
    }
    add_root(r, (struct report_root){.prefix = S("/var/task/"), .dir = dir, .guess = true});
    struct str built =
        clean(r, str_printf(r->run->arena, ".aws-sam/build/%.*s", STR(c->logical_id)));
    if (is_folder(r, built)) /* bundles */
        add_root(r, (struct report_root){
                        .prefix = S("/var/task/"), .dir = built, .guess = true, .built = true});
}

static void find_functions(struct roots *r, const struct data_view *v)
{
    struct map seen;
    map_init(&seen);
    for (size_t i = 0; i < v->n_files; i++) {
        struct str function = v->files[i].function;
        if (!function.n || map_put(&seen, function, r))
            continue;
        *(struct str *)arena_push(r->run->arena, (void **)&r->functions, &r->n_functions,
                                  &r->cap_functions, sizeof function) = function;
    }
    map_done(&seen);
}

static int read_template(struct roots *r, const struct data_view *v)
{
    const struct coverage_report_options *o = coverage_report_of(r->run);
    static const char *const names[] = {"template.yaml", "template.yml", "template.json"};
    struct str path = o->template, text, why = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names && !path.n; i++)
        if (fs_exists(names[i]))
            path = str_from(names[i]);
    if (!path.n)
        return 0;
    struct json *root;
    struct local_code *all;
    size_t n, n_functions = 0;
    int e = source_read(r->run, path, &text, &root);
    if (e)
        return e;
    if (project_local_code(r->run->arena, root, path, &all, &n, &why) < 0)
        return verb_fail(r->run, "%.*s: %.*s", STR(path), STR(why));
    for (size_t i = 0; i < n; i++)
        n_functions += !all[i].layer;
    find_functions(r, v);
    for (size_t i = 0; i < n; i++)
        add_code(r, &all[i], n_functions == 1);
    return 0;
}

static int check_patterns(struct verb_run *run, const struct option_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (glob_check(list->items[i]) < 0)
            return verb_usage(run, "--%s %.*s is no pattern: ** stands between slashes only", name,
                              STR(list->items[i]));
    return 0;
}

static const struct str *clean_all(struct roots *r, const struct option_list *list)
{
    struct str *all = ARENA_ARRAY(r->run->arena, struct str, list->n + 1);
    for (size_t i = 0; i < list->n; i++)
        all[i] = clean(r, list->items[i]);
    return all;
}

int coverage_request(struct verb_run *run, const struct coverage_inputs *in,
                     const struct coverage_settings *settings, struct report_request *ret)
{
    const struct coverage_report_options *o = coverage_report_of(run);
    const struct coverage_options *c = coverage_options_of(run);
    struct roots r = {.run = run, .in = in, .cwd = S("/")};
    struct data_view *v = ARENA_NEW(run->arena, struct data_view);
    char *cwd = getcwd(NULL, 0);
    if (cwd)
        r.cwd = str_copy(run->arena, str_from(cwd));
    free(cwd);
    int e = check_patterns(run, &c->include, "include");
    if (!e)
        e = check_patterns(run, &c->exclude, "omit");
    if (e)
        return e;
    data_finish(in->data, v);
    for (size_t i = 0; i < o->source.n; i++) {
        struct str dir = clean(&r, o->source.items[i]);
        if (!is_folder(&r, dir))
            return verb_fail(run, "--source %.*s: is no folder", STR(o->source.items[i]));
        add_root(&r, (struct report_root){.prefix = S("/var/task/"), .dir = dir});
        add_layer(&r, dir);
        add_source(&r, dir);
    }
    if (!o->source.n)
        e = read_template(&r, v);
    if (!r.n) {
        add_root(&r, (struct report_root){.prefix = S("/var/task/"), .dir = r.cwd});
        add_layer(&r, r.cwd);
    }
    struct analysis_options *analysis = ARENA_NEW(run->arena, struct analysis_options);
    analysis->exclude = settings->exclude;
    analysis->n_exclude = settings->n_exclude;
    analysis->partial = settings->partial;
    analysis->n_partial = settings->n_partial;
    *ret = (struct report_request){.data = v,
                                   .analysis = analysis,
                                   .namespaces = settings->namespaces,
                                   .paths = settings->paths,
                                   .n_paths = settings->n_paths,
                                   .cwd = r.cwd,
                                   .roots = r.items,
                                   .n_roots = r.n,
                                   .sources = r.sources,
                                   .n_sources = o->imported_only ? 0 : r.n_sources,
                                   .include = c->include.items,
                                   .n_include = c->include.n,
                                   .omit = c->exclude.items,
                                   .n_omit = c->exclude.n,
                                   .branches = c->branch,
                                   .ignore_changed = o->ignore_changed,
                                   .precision = (int)o->precision,
                                   .gcno = clean_all(&r, &o->gcno),
                                   .n_gcno = o->gcno.n,
                                   .binaries = clean_all(&r, &o->binary),
                                   .n_binaries = o->binary.n};
    return e;
}
