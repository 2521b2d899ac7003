/* sync_project - what there is to follow: functions and layers of the template, and what the stack
 * has of them. */
#include "build/image.h"
#include "build/project.h"
#include "cli/source.h"
#include "cli/stacks.h"
#include "cli/sync.h"
#include "cli/target.h"
#include "wire/lambda.h"

static bool listed(const struct option_list *list, struct str word)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->items[i], word))
            return true;
    return false;
}

static bool is_chosen(const struct sync *s, const struct artifact *art)
{
    const struct sync_options *o = s->o;
    return (!o->resource_ids.n && !o->resources.n) || listed(&o->resource_ids, art->logical_id) ||
           listed(&o->resources, json_get_str(art->resource, "Type"));
}

void sync_project_done(struct sync *s)
{
    for (size_t i = 0; i < s->n_items; i++)
        sync_item_done(&s->items[i]);
    s->n_items = 0;
}

static struct str image_uri(struct json *root, const struct json *resource)
{
    const struct json *p = json_get(resource, "Properties");
    struct str type = json_get_str(p, "PackageType"), uri = json_get_str(p, "ImageUri");
    if (!str_has(type))
        type = json_get_str(json_get(json_get(root, "Globals"), "Function"), "PackageType");
    if (!str_has(uri))
        uri = json_get_str(json_get(p, "Code"), "ImageUri");
    return str_is(type, "Image") && str_starts(uri, S("file://")) ? uri : (struct str){0};
}

/* Functions of images on disk: their file is their source. */
static void add_images(struct sync *s)
{
    JSON_EACH(json_get(s->root, "Resources"), res) {
        struct str uri = image_uri(s->root, res), wanted;
        struct artifact *art = ARENA_NEW(s->arena, struct artifact);
        *art = (struct artifact){.logical_id = res->key, .resource = res};
        if (!uri.n || !is_chosen(s, art) || !image_uri_parse(s->arena, uri, &art->source, &wanted))
            continue;
        struct sync_item *item = &s->items[s->n_items++];
        item->artifact = art;
        item->image_uri = uri;
        item->tree = -1;
    }
}

int sync_read_project(struct sync *s)
{
    sync_project_done(s);
    arena_free(s->arena);
    s->arena = arena_new();
    struct str text;
    struct project project;
    struct project_options options = {.template_path = s->path, .build_dir = s->build_dir};
    struct verb_run inner = *s->run;
    inner.arena = s->arena;
    int e = source_read(&inner, s->path, &text, &s->root);
    if (e)
        return e;
    if (project_artifacts(s->arena, s->root, &options, &project) < 0)
        return verb_fail(s->run, "%.*s", STR(project.error));
    const struct json *resources = json_get(s->root, "Resources");
    s->items = ARENA_ARRAY(s->arena, struct sync_item, resources ? resources->n + 1 : 1);
    for (size_t i = 0; i < project.n_artifacts; i++) {
        if (!is_chosen(s, &project.artifacts[i]))
            continue;
        struct sync_item *item = &s->items[s->n_items++];
        item->artifact = &project.artifacts[i];
        item->tree = -1;
    }
    add_images(s);
    return 0;
}

/* SAM's layers have a hash behind their logical id. */
static bool is_physical(const struct sync_item *item,
                        const struct cloudformation_stack_resource_summary *r)
{
    struct str id = item->artifact->logical_id, have = r->logical_resource_id;
    if (item->artifact->layer)
        return str_is(r->resource_type, "AWS::Lambda::LayerVersion") &&
               (str_eq(have, id) || (str_starts(have, id) && have.n == id.n + 10));
    return str_eq(have, id) && str_is(r->resource_type, "AWS::Lambda::Function");
}

static bool publishes(const struct sync *s, const struct sync_item *item)
{
    static const char name[] = "AutoPublishAlias";
    const struct json *globals = json_get(json_get(s->root, "Globals"), "Function");
    const struct json *resource = item->artifact->resource;
    return str_is(json_get_str(resource, "Type"), "AWS::Serverless::Function") &&
           (json_get(json_get(resource, "Properties"), name) || json_get(globals, name));
}

/* SAM calls the resource of the function's alias FUNCTIONAliasNAME. */
static bool is_alias(struct sync *s, const struct sync_item *item,
                     const struct cloudformation_stack_resource_summary *r)
{
    struct str begins = str_printf(s->arena, "%.*sAlias", STR(item->artifact->logical_id));
    return str_is(r->resource_type, "AWS::Lambda::Alias") &&
           str_starts(r->logical_resource_id, begins) && publishes(s, item);
}

static struct str behind_colon(struct str arn)
{
    return str_slice(arn, (size_t)(str_find_last_byte(arn, ':') + 1), arn.n);
}

static void ask_sha256(struct sync *s, struct sync_item *item)
{
    struct lambda_get_function_configuration_input in = {.function_name = item->physical_id};
    struct lambda_get_function_configuration_output *out;
    struct aws_error err = {0};
    if (!item->artifact->layer && aws_call(s->aws, s->arena, &lambda_get_function_configuration_op,
                                           &in, (void **)&out, &err) == 0)
        item->sha256 = out->code_sha256;
}

int sync_read_stack(struct sync *s)
{
    struct cloudformation_stack_resource_summary *list;
    struct aws_error err = {0};
    size_t n;
    struct verb_run inner = *s->run;
    inner.arena = s->arena;
    if (stacks_resources(&inner, s->aws, s->stack_name, &list, &n, &err) < 0)
        return target_fail(s->run, &err, "the stack's resources cannot be listed");
    for (size_t i = 0; i < s->n_items; i++) {
        struct sync_item *item = &s->items[i];
        for (size_t k = 0; k < n; k++)
            if (is_physical(item, &list[k]))
                item->physical_id = list[k].physical_resource_id;
            else if (is_alias(s, item, &list[k]))
                item->alias = behind_colon(list[k].physical_resource_id);
        if (str_has(item->physical_id))
            ask_sha256(s, item);
    }
    return 0;
}
