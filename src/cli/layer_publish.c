/* layer_publish - `lamina layer publish` and `layer validate`: see layer_publish.h. */
#include "cli/layer_publish.h"
#include <errno.h>
#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/table.h"
#include "build/coverage_layer.h"
#include "build/layer.h"
#include "cli/deployment.h"
#include "cli/package.h"
#include "cli/target.h"
#include "wire/lambda.h"

/* ---- one region ---- */

bool layer_arn_is(struct str arn, struct str name)
{
    ssize_t colon = str_find_last_byte(arn, ':');
    struct str layer = str_slice(arn, 0, colon < 0 ? 0 : (size_t)colon);
    colon = str_find_last_byte(layer, ':');
    return colon > 0 && str_eq(str_slice(layer, (size_t)colon + 1, layer.n), name) &&
           str_ends(str_slice(layer, 0, (size_t)colon), S(":layer"));
}

struct str layer_arn_version(struct str arn)
{
    ssize_t colon = str_find_last_byte(arn, ':');
    return str_slice(arn, (size_t)(colon + 1), arn.n);
}

/* ListLayerVersions has descriptions, but no hashes: the content is told there. */
static struct str description_of(struct arena *a, const struct layer_publication *what)
{
    return str_printf(a, "%.*s%scontent %.*s", STR(what->version), what->version.n ? ", " : "",
                      STR(str_slice(what->content, 0, 64)));
}

int layer_published_find(struct aws_client *aws, struct arena *a,
                         const struct layer_publication *what, struct layer_published *ret,
                         struct aws_error *err)
{
    struct str description = description_of(a, what);
    struct lambda_list_layer_versions_input in = {.layer_name = what->name};
    do {
        struct lambda_list_layer_versions_output *out;
        int r = aws_call(aws, a, &lambda_list_layer_versions_op, &in, (void **)&out, err);
        if (r < 0)
            return target_error_is(err, "ResourceNotFoundException") ? -ENOENT : r;
        for (size_t i = 0; i < out->layer_versions.n; i++) {
            const struct lambda_layer_versions_list_item *v = &out->layer_versions.items[i];
            if (!str_eq(v->description, description))
                continue;
            *ret = (struct layer_published){v->layer_version_arn, v->version.is, true};
            return 0;
        }
        in.marker = out->next_marker;
    } while (in.marker.n);
    return -ENOENT;
}

int layer_publish_once(struct aws_client *aws, struct arena *a,
                       const struct layer_publication *what, struct layer_published *ret,
                       struct aws_error *err)
{
    int r = layer_published_find(aws, a, what, ret, err);
    if (r != -ENOENT)
        return r;
    struct str architecture = what->architecture;
    struct lambda_layer_version_content_input content = {.zip_file = what->zip};
    struct lambda_publish_layer_version_input in = {
        .layer_name = what->name,
        .description = description_of(a, what),
        .content = &content,
        .license_info = what->version.n ? S("Apache-2.0") : (struct str){0},
    };
    in.compatible_runtimes.items = ARENA_ARRAY(a, struct str, what->n_runtimes + 1);
    in.compatible_runtimes.n = what->n_runtimes;
    for (size_t i = 0; i < what->n_runtimes; i++)
        in.compatible_runtimes.items[i] = what->runtimes[i];
    if (architecture.n) {
        in.compatible_architectures.items = &architecture;
        in.compatible_architectures.n = 1;
    }
    struct lambda_publish_layer_version_output *out;
    r = aws_call(aws, a, &lambda_publish_layer_version_op, &in, (void **)&out, err);
    if (r == 0)
        *ret = (struct layer_published){out->layer_version_arn, out->version.is, false};
    return r;
}

/* ---- the zip ---- */

int layer_publication_read(struct verb_run *run, struct str zip, struct layer_publication *ret)
{
    struct arena *a = run->arena;
    struct layer_findings found;
    int r = fs_read(str_c(a, zip), LAYER_ZIPPED_MAX, a, &ret->zip);
    if (r == -EMSGSIZE)
        return verb_fail(run, "%.*s has more than the 50 MB that can be uploaded", STR(zip));
    if (r == 0)
        r = layer_validate(a, zip, &found);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(zip), strerror(-r));
    for (size_t i = 0; i < found.n; i++)
        if (found.items[i].verdict == LAYER_BAD)
            return verb_fail(run, "%.*s: %.*s: %.*s", STR(zip), STR(found.items[i].what),
                             STR(found.items[i].detail));
    ret->content = sha256_hex(a, ret->zip);
    if (!found.manifest)
        return 0;
    ret->content = json_get_str(found.manifest, "content");
    ret->version = str_printf(a, "%.*s %.*s", STR(json_get_str(found.manifest, "name")),
                              STR(json_get_str(found.manifest, "version")));
    ret->architecture = json_get_str(found.manifest, "architecture");
    const struct json *known = json_get(found.manifest, "runtimes");
    struct str *runtimes = ARENA_ARRAY(a, struct str, known ? known->n + 1 : 1);
    JSON_EACH(known, v)
        runtimes[ret->n_runtimes++] = v->text;
    ret->runtimes = runtimes;
    return 0;
}

/* ---- lamina layer publish ---- */

static int open_region(struct verb_run *run, struct str region, struct aws_client **ret)
{
    struct target_options *t = target_of(run);
    struct str before = t->region;
    if (region.n)
        t->region = region;
    int e = target_open(run, ret);
    t->region = before;
    return e;
}

/* Beside the artifacts of the region, where there are any. */
static void record(struct verb_run *run, struct aws_client *aws,
                   const struct layer_publication *what, const struct layer_published *published)
{
    struct arena *a = run->arena;
    struct deployment_record r = {.run = run, .aws = aws, .prefix = what->name};
    uint8_t sum[32];
    if (package_managed_bucket(run, aws, false, &r.bucket) || !r.bucket.n)
        return;
    deployment_begin(&r, "layer publish", S("."));
    json_set(a, r.json, S("region"), json_new_str(a, str_copy(a, aws_client_region(aws))));
    struct json *layer = json_add(json_get(r.json, "layers"), json_new(a, JSON_OBJECT));
    digest_sha256(what->zip, sum);
    json_set(a, layer, S("name"), json_new_str(a, what->name));
    json_set(a, layer, S("arn"), json_new_str(a, published->arn));
    json_set(a, layer, S("sha256"),
             json_new_str(a, base64_encode(a, str_of((char *)sum, sizeof sum))));
    json_set(a, layer, S("bytes"), json_new_int(a, (int64_t)what->zip.n));
    deployment_write(&r, "complete", (struct str){0});
}

static int publish_one(struct verb_run *run, struct str region,
                       const struct layer_publication *what, struct json *regions)
{
    struct arena *a = run->arena;
    struct aws_client *aws;
    struct aws_error err = {0};
    struct layer_published published;
    struct json *v = json_new(a, JSON_OBJECT);
    int e = open_region(run, region, &aws);
    if (e)
        return e;
    region = str_copy(a, aws_client_region(aws));
    if (layer_publish_once(aws, a, what, &published, &err) < 0) {
        json_set(a, v, S("error"), json_new_str(a, err.message));
        e = target_fail(run, &err, str_c(a, region));
    } else {
        json_set(a, v, S("arn"), json_new_str(a, published.arn));
        json_set(a, v, S("version"), json_new_int(a, published.version));
        json_set(a, v, S("reused"), json_new_bool(a, published.reused));
        if (!published.reused)
            record(run, aws, what, &published);
        if (!target_of(run)->json)
            printf("%-16.*s %.*s%s\n", STR(region), STR(published.arn),
                   published.reused ? "  (published before)" : "");
    }
    json_set(a, regions, region, v);
    aws_client_close(aws);
    return e;
}

static int publish_all(struct verb_run *run, struct str list, const struct layer_publication *what,
                       struct json *regions)
{
    struct str region;
    int e = 0;
    if (!list.n)
        return publish_one(run, (struct str){0}, what, regions);
    while (list.n) { /* one region that refuses does not keep the others from theirs */
        str_cut(list, ',', &region, &list);
        region = str_trim(region);
        int one = region.n ? publish_one(run, region, what, regions) : 0;
        e = e ? e : one;
    }
    return e;
}

/* "a,b" and "a" "b" alike. */
static void choose_runtimes(struct arena *a, const struct option_list *given,
                            struct layer_publication *what)
{
    if (!given->n)
        return;
    struct str all = str_join(a, S(","), given->items, given->n), one;
    struct str *runtimes = NULL;
    size_t n = 0, cap = 0;
    while (all.n) {
        str_cut(all, ',', &one, &all);
        if (str_trim(one).n)
            *(struct str *)arena_push(a, (void **)&runtimes, &n, &cap, sizeof one) = str_trim(one);
    }
    what->runtimes = runtimes;
    what->n_runtimes = n;
}

static struct json *deployment(struct arena *a, const struct layer_publication *what,
                               struct json *regions)
{
    struct json *v = json_new(a, JSON_OBJECT), *runtimes = json_new(a, JSON_ARRAY);
    json_set(a, v, S("layer"), json_new_str(a, what->name));
    if (what->version.n)
        json_set(a, v, S("version"), json_new_str(a, what->version));
    json_set(a, v, S("content"), json_new_str(a, what->content));
    json_set(a, v, S("sha256"), json_new_str(a, sha256_hex(a, what->zip)));
    json_set(a, v, S("bytes"), json_new_int(a, (int64_t)what->zip.n));
    if (what->architecture.n)
        json_set(a, v, S("architecture"), json_new_str(a, what->architecture));
    json_set(a, v, S("compatibleRuntimes"), runtimes);
    for (size_t i = 0; i < what->n_runtimes; i++)
        json_add(runtimes, json_new_str(a, what->runtimes[i]));
    json_set(a, v, S("regions"), regions);
    return v;
}

int layer_publish_run(struct verb_run *run, const struct layer_publish_options *o, struct str zip)
{
    struct arena *a = run->arena;
    struct layer_publication what = {0};
    if (!o->name.n)
        return verb_usage(run, "which layer? give --name");
    int e = layer_publication_read(run, zip, &what);
    if (e)
        return e;
    what.name = o->name;
    choose_runtimes(a, &o->compatible_runtimes, &what);
    struct json *regions = json_new(a, JSON_OBJECT);
    e = publish_all(run, o->regions, &what, regions);
    struct json *v = deployment(a, &what, regions);
    struct str text = str_printf(a, "%.*s\n", STR(json_text(a, v, 2)));
    int r = fs_write(str_c(a, o->manifest), text, 0644);
    if (target_of(run)->json)
        target_print_json(a, v);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(o->manifest), strerror(-r));
    return e;
}

/* ---- lamina layer validate ---- */

static struct json *findings_json(struct arena *a, const struct layer_findings *found)
{
    static const char *const words[] = {"good", "note", "bad"};
    struct json *v = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
    json_set(a, v, S("valid"), json_new_bool(a, !found->n_bad));
    json_set(a, v, S("findings"), list);
    for (size_t i = 0; i < found->n; i++) {
        struct json *f = json_add(list, json_new(a, JSON_OBJECT));
        json_set(a, f, S("verdict"), json_new_str(a, str_from(words[found->items[i].verdict])));
        json_set(a, f, S("what"), json_new_str(a, found->items[i].what));
        json_set(a, f, S("detail"), json_new_str(a, found->items[i].detail));
    }
    if (found->manifest)
        json_set(a, v, S("manifest"), json_copy(a, found->manifest));
    return v;
}

int layer_validate_run(struct verb_run *run, struct str zip)
{
    static const char *const marks[] = {"ok  ", "note", "BAD "};
    static const enum style styles[] = {STYLE_GREEN, STYLE_YELLOW, STYLE_RED};
    struct arena *a = run->arena;
    struct layer_findings found;
    int r = layer_validate(a, zip, &found);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(zip), strerror(-r));
    if (target_of(run)->json) {
        target_print_json(a, findings_json(a, &found));
        return found.n_bad ? 1 : 0;
    }
    bool colour = term_colour(stdout);
    for (size_t i = 0; i < found.n; i++) {
        const struct layer_finding *f = &found.items[i];
        struct str mark = term_style(a, colour, styles[f->verdict], str_from(marks[f->verdict]));
        printf("%.*s  %-14.*s %.*s\n", STR(mark), STR(f->what), STR(f->detail));
    }
    if (found.n_bad)
        return verb_fail(run, "%.*s: %zu of %zu checks failed", STR(zip), found.n_bad, found.n);
    return 0;
}
