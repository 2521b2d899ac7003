/* layer_split - what is split, how it is shown, and what is written: see layer_split.h. */
#include "cli/layer_split.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/table.h"
#include "build/layer.h"
#include "build/zip.h"
#include "cli/function_wait.h"
#include "cli/layer_publish.h"
#include "cli/stacks.h"
#include "cli/target.h"

#define UNZIPPED_MAX (512LL * 1024 * 1024)

/* ---- what is split ---- */

static int unpack(struct layer_split *s, const char *zip, const char *dir)
{
    struct zip_report report;
    int r = fs_mkdirs(dir, 0755);
    if (r < 0)
        return verb_fail(s->run, "%s: %s", dir, strerror(-r));
    if (zip_tree_unpack(zip, dir, UNZIPPED_MAX, &report) < 0)
        return verb_fail(s->run, "%s: %s", zip, report.why);
    return 0;
}

static int fetch(struct layer_split *s, const char *dir)
{
    struct aws_error err = {0};
    char zip[] = "/tmp/lamina-split-XXXXXX";
    s->name = stacks_function(s->run, s->aws, s->o->stack_name, s->name);
    if (function_wait(s->aws, s->a, s->name, &s->config, &err) < 0)
        return target_error_is(&err, "ResourceNotFoundException")
                   ? verb_fail(s->run, "there is no folder, no zip and no function %.*s",
                               STR(s->name))
                   : target_fail(s->run, &err, str_c(s->a, s->name));
    if (str_is(s->config->package_type, "Image"))
        return verb_fail(s->run, "%.*s is an image: layers are for zips", STR(s->name));
    s->name = s->config->function_name;
    auto_close int fd = mkstemp(zip);
    if (fd < 0)
        return verb_fail(s->run, "/tmp: %s", strerror(errno));
    int e = deployment_fetch_code(s->a, s->aws, s->name, (struct str){0}, fd, &err) < 0
                ? target_fail(s->run, &err, "the function's code cannot be fetched")
                : unpack(s, zip, dir);
    unlink(zip);
    return e;
}

static int choose_runtime(struct layer_split *s)
{
    const struct layer_split_options *o = s->o;
    struct split_request *q = &s->request;
    q->runtime = s->config ? s->config->runtime : o->runtime;
    q->handler = s->config ? s->config->handler : o->handler;
    if (!q->runtime.n)
        return verb_usage(s->run, "a folder or zip does not tell its runtime: give --runtime");
    if (!q->handler.n)
        return verb_usage(s->run, "a folder or zip does not tell its handler: give --handler");
    q->max_layers = SPLIT_LAYERS_MAX - (s->config ? (int)s->config->layers.n : 0);
    if (q->max_layers < 1)
        return verb_fail(s->run, "%.*s has five layers, and may not have more", STR(s->name));
    q->layers = o->layers < q->max_layers ? (int)o->layers : q->max_layers;
    q->forced = o->packages.items;
    q->n_forced = o->packages.n;
    return 0;
}

/* The folder to split: the one that is named, or one below `work`. */
static int open_bundle(struct layer_split *s, const char *work)
{
    struct stat st;
    const char *path = str_c(s->a, s->run->parsed.operands[1]);
    s->name = s->run->parsed.operands[1];
    int e = 0;
    s->request.dir = work;
    if (stat(path, &st) < 0)
        e = fetch(s, work);
    else if (S_ISDIR(st.st_mode))
        s->request.dir = path;
    else
        e = unpack(s, path, work);
    if (e)
        return e;
    if (!s->config && s->o->apply)
        return verb_usage(s->run, "--apply is for a deployed function, not for %s", path);
    return choose_runtime(s);
}

/* ---- told ---- */

static struct str size(struct arena *a, int64_t bytes)
{
    return bytes < 10 * 1024 * 1024 ? str_printf(a, "%.1f kB", (double)bytes / 1024)
                                    : str_printf(a, "%.1f MB", (double)bytes / 1024 / 1024);
}

static void show_packages(struct layer_split *s)
{
    static const struct table_column columns[] = {{.title = "PACKAGE"},
                                                  {.title = "VERSION"},
                                                  {.title = "SIZE", .right = true},
                                                  {.title = "GOES TO"},
                                                  {.title = "WHY", .shrink = true},
                                                  {0}};
    struct table *t = table_new(s->a, columns);
    for (size_t i = 0; i < s->plan.n_items; i++) {
        const struct split_item *it = &s->plan.items[i];
        table_row(t);
        table_cell(t, it->name);
        table_cell(t, it->version);
        table_cell(t, size(s->a, it->bytes));
        if (it->layer < 0)
            table_cell_style(t, STYLE_YELLOW, S("code"));
        else
            table_printf(t, "layer-%d", it->layer + 1);
        table_cell(t, it->reason.n ? it->reason
                      : !it->files ? S("none of its files is here")
                                   : S(""));
    }
    table_print(stdout, t);
}

static void show_part(struct layer_split *s, struct table *t, const char *name,
                      const struct split_part *part)
{
    table_row(t);
    table_cell(t, str_from(name));
    table_cell(t, size(s->a, part->zipped_bytes));
    table_cell(t, size(s->a, part->unzipped_bytes));
    table_printf(t, "%lld", (long long)part->files);
}

static void show_sizes(struct layer_split *s)
{
    static const struct table_column columns[] = {{.title = "PART"},
                                                  {.title = "ZIPPED", .right = true},
                                                  {.title = "UNZIPPED", .right = true},
                                                  {.title = "FILES", .right = true},
                                                  {0}};
    struct table *t = table_new(s->a, columns);
    show_part(s, t, "before", &s->parts.original);
    show_part(s, t, "code", &s->parts.code);
    for (int i = 0; i < s->parts.n_layers; i++)
        show_part(s, t, str_c(s->a, s->parts.layers[i].name), &s->parts.layers[i]);
    putchar('\n');
    table_print(stdout, t);
}

static void show_proof(struct layer_split *s)
{
    if (!s->proof) {
        printf("\nnot proven: give --payloads to compare the answers of both\n");
        return;
    }
    putchar('\n');
    JSON_EACH(json_get(s->proof, "payloads"), p) {
        bool same = json_get(p, "same")->boolean;
        printf("%s  %.*s\n", same ? "same  " : "DIFFER", STR(json_get_str(p, "payload")));
        if (!same)
            printf("        before: %.*s\n        after:  %.*s\n",
                   STR(str_slice(json_get_str(p, "before"), 0, 400)),
                   STR(str_slice(json_get_str(p, "after"), 0, 400)));
    }
    static const char *const sides[] = {"before", "after"};
    for (size_t i = 0; i < 2; i++) {
        const struct json *c = json_get(json_get(s->proof, "cold_start"), sides[i]);
        if (c && json_get(c, "median_ms"))
            printf("Init Duration %-7s %.*s ms (%.*s to %.*s, n = %.*s)\n", sides[i],
                   STR(json_get(c, "median_ms")->text), STR(json_get(c, "min_ms")->text),
                   STR(json_get(c, "max_ms")->text), STR(json_get(c, "n")->text));
    }
}

static void set_part(struct layer_split *s, struct json *o, const struct split_part *part)
{
    json_set(s->a, o, S("zippedBytes"), json_new_int(s->a, part->zipped_bytes));
    json_set(s->a, o, S("unzippedBytes"), json_new_int(s->a, part->unzipped_bytes));
    json_set(s->a, o, S("files"), json_new_int(s->a, part->files));
    json_set(s->a, o, S("sha256"), json_new_str(s->a, part->sha256));
    json_set(s->a, o, S("zip"), json_new_str(s->a, part->zip));
}

static struct json *report(struct layer_split *s)
{
    struct arena *a = s->a;
    struct json *v = json_new(a, JSON_OBJECT), *packages = json_new(a, JSON_ARRAY),
                *layers = json_new(a, JSON_ARRAY);
    json_set(a, v, S("of"), json_new_str(a, s->name));
    json_set(a, v, S("runtime"), json_new_str(a, s->request.runtime));
    json_set(a, v, S("packages"), packages);
    for (size_t i = 0; i < s->plan.n_items; i++) {
        const struct split_item *it = &s->plan.items[i];
        struct json *o = json_add(packages, json_new(a, JSON_OBJECT));
        json_set(a, o, S("name"), json_new_str(a, it->name));
        if (it->version.n)
            json_set(a, o, S("version"), json_new_str(a, it->version));
        json_set(a, o, S("bytes"), json_new_int(a, it->bytes));
        json_set(a, o, S("layer"),
                 it->layer < 0 ? json_new(a, JSON_NULL) : json_new_int(a, it->layer + 1));
        if (it->reason.n)
            json_set(a, o, S("kept"), json_new_str(a, it->reason));
    }
    set_part(s, json_set(a, v, S("before"), json_new(a, JSON_OBJECT)), &s->parts.original);
    set_part(s, json_set(a, v, S("code"), json_new(a, JSON_OBJECT)), &s->parts.code);
    json_set(a, v, S("layers"), layers);
    for (int i = 0; i < s->parts.n_layers; i++)
        set_part(s, json_add(layers, json_new(a, JSON_OBJECT)), &s->parts.layers[i]);
    json_set(a, v, S("proven"), json_new_bool(a, s->proven));
    if (s->proof)
        json_set(a, v, S("proof"), s->proof);
    if (s->applied)
        json_set(a, v, S("applied"), s->applied);
    return v;
}

/* What a template says of it: paths are relative to the output folder. */
static int write_snippet(struct layer_split *s, const char *out)
{
    struct arena *a = s->a;
    struct str text = S("Resources:\n"), refs = {0};
    for (int i = 0; i < s->parts.n_layers; i++) {
        text = str_printf(a,
                          "%.*s  Dependencies%d:\n    Type: AWS::Serverless::LayerVersion\n"
                          "    Properties:\n      ContentUri: layer-%d/\n"
                          "      CompatibleRuntimes: [%.*s]\n",
                          STR(text), i + 1, i + 1, STR(s->request.runtime));
        refs = str_printf(a, "%.*s        - !Ref Dependencies%d\n", STR(refs), i + 1);
    }
    text = str_printf(a,
                      "%.*s  Function:\n    Type: AWS::Serverless::Function\n    Properties:\n"
                      "      Runtime: %.*s\n      Handler: %.*s\n      CodeUri: code/\n"
                      "      Layers: # after those that it has\n%.*s",
                      STR(text), STR(s->request.runtime), STR(s->request.handler), STR(refs));
    char *path = str_c(a, str_printf(a, "%s/template.yaml", out));
    int r = fs_write(path, text, 0644);
    return r < 0 ? verb_fail(s->run, "%s: %s", path, strerror(-r)) : 0;
}

static int finish(struct layer_split *s, const char *out, int e)
{
    struct json *v = report(s);
    char *path = str_c(s->a, str_printf(s->a, "%s/split-report.json", out));
    int r = fs_write(path, str_printf(s->a, "%.*s\n", STR(json_text(s->a, v, 2))), 0644);
    if (target_of(s->run)->json)
        target_print_json(s->a, v);
    if (r < 0)
        return verb_fail(s->run, "%s: %s", path, strerror(-r));
    return e;
}

/* ---- all of it ---- */

static int split(struct layer_split *s, const char *out)
{
    const struct layer_split_options *o = s->o;
    bool json = target_of(s->run)->json;
    if (split_plan(s->a, &s->request, &s->plan) < 0)
        return verb_fail(s->run, "%.*s", STR(s->plan.error));
    if (!s->plan.n_layers) {
        if (!json)
            show_packages(s);
        return verb_fail(s->run, "%.*s has no package that could go to a layer", STR(s->name));
    }
    if (split_write(s->a, &s->request, &s->plan, out, &s->parts) < 0)
        return verb_fail(s->run, "%.*s", STR(s->parts.error));
    int e = write_snippet(s, out);
    if (!e && !json) {
        show_packages(s);
        show_sizes(s);
        fflush(stdout);
    }
    if (!e && o->payloads.n)
        e = layer_split_prove(s);
    if (!e && !json)
        show_proof(s);
    if (!e && s->proof && !s->proven)
        return finish(s, out,
                      verb_fail(s->run, "the split does not answer as %.*s does", STR(s->name)));
    if (!e && o->apply)
        e = layer_split_apply(s);
    return finish(s, out, e);
}

int layer_split_run(struct verb_run *run, const struct layer_split_options *o)
{
    struct layer_split s = {.run = run, .o = o, .a = run->arena};
    char work[] = "/tmp/lamina-split-XXXXXX";
    if (o->layers < 1 || o->layers > SPLIT_LAYERS_MAX)
        return verb_usage(run, "--layers is 1 to %d", SPLIT_LAYERS_MAX);
    if (o->cold < 0 || o->cold > 1000)
        return verb_usage(run, "--cold is 0 to 1000");
    if (o->apply && !o->payloads.n && !o->unproven)
        return verb_usage(run, "--apply wants a proof: give --payloads (or --unproven)");
    if (!o->output.n)
        return verb_usage(run, "where to? give -o DIR");
    if (!mkdtemp(work))
        return verb_fail(run, "/tmp: %s", strerror(errno));
    int e = target_open(run, &s.aws);
    if (!e)
        e = open_bundle(&s, work);
    if (!e)
        e = split(&s, str_c(run->arena, o->output));
    fs_remove_tree(work);
    aws_client_close(s.aws);
    return e;
}
