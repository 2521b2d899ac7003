/* layer - layer versions: published, found, listed, deleted. */
#include <errno.h>
#include "base/clock.h"
#include "service/lambda/lambda.h"

struct publication {
    const struct lambda_publish_layer_version_input *in;
    struct str name;
};

int layer_ref_get(struct call *call, struct str text, struct str *ret_name)
{
    struct layer_name n;
    if (!layer_name_parse(text, &n) || n.version)
        return call_fail(
            call, LAMBDA_VALIDATION,
            "1 validation error detected: Value '%.*s' at 'layerName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: "
            "(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+)|"
            "[a-zA-Z0-9-_]+",
            STR(text));
    if (n.account.n && (!str_eq(n.account, call->account) || !str_eq(n.region, call->region)))
        return call_fail(call, LAMBDA_ACCESS_DENIED,
                         "User: %.*s is not authorized to perform: lambda:%s on resource: %.*s "
                         "because no resource-based policy allows the lambda:%s action",
                         STR(call->who->arn), operation_name(call->op), STR(text),
                         operation_name(call->op));
    *ret_name = n.name;
    return 0;
}

struct str layer_arn(struct call *call, struct str name, int64_t version)
{
    return version ? call_arn(call, "lambda", "layer:%.*s:%lld", STR(name), (long long)version)
                   : call_arn(call, "lambda", "layer:%.*s", STR(name));
}

int layer_load(struct call *call, struct str name, int64_t version,
               struct lambda_layer_version_record *ret)
{
    return record_get(call, key_layer_version(call, call->account, call->region, name, version),
                      &lambda_layer_version_record_shape, ret);
}

int layer_save(struct call *call, struct str name, int64_t version,
               const struct lambda_layer_version_record *layer)
{
    return record_put(call, key_layer_version(call, call->account, call->region, name, version),
                      &lambda_layer_version_record_shape, layer);
}

static int store_layer(struct call *call, struct publication *p, const struct code *code)
{
    struct arena *a = call->arena;
    const struct lambda_publish_layer_version_input *in = p->in;
    struct lambda_layer_record layer = {0};
    int r = record_get(call, key_layer(call, p->name), &lambda_layer_record_shape, &layer);
    if (r < 0 && r != -ENOENT)
        return r;
    layer.name = p->name;
    layer.last_version = opt_int(layer.last_version.is + 1);
    struct lambda_get_layer_version_response *v =
        ARENA_NEW(a, struct lambda_get_layer_version_response);
    *v = (struct lambda_get_layer_version_response){
        .content = ARENA_NEW(a, struct lambda_layer_version_content_output),
        .layer_arn = layer_arn(call, p->name, 0),
        .layer_version_arn = layer_arn(call, p->name, layer.last_version.is),
        .description = str_has(in->description) ? in->description : S(""),
        .created_date = clock_lambda_time(a, call->now_ms),
        .version = layer.last_version,
        .compatible_runtimes = in->compatible_runtimes,
        .license_info = in->license_info,
        .compatible_architectures = in->compatible_architectures,
    };
    v->content->code_sha256 = code->sha256_base64;
    v->content->code_size = opt_int(code->zipped_bytes);
    struct lambda_layer_version_record record = {
        .layer = v, .code = code->digest, .unpacked_bytes = opt_int(code->unpacked_bytes)};
    r = code_hold(call, code);
    if (r == 0)
        r = layer_save(call, p->name, layer.last_version.is, &record);
    if (r == 0)
        r = record_put(call, key_layer(call, p->name), &lambda_layer_record_shape, &layer);
    if (r < 0)
        return r;
    struct lambda_publish_layer_version_output *out = call->out;
    *out = (struct lambda_publish_layer_version_output){
        .content = v->content,
        .layer_arn = v->layer_arn,
        .layer_version_arn = v->layer_version_arn,
        .description = v->description,
        .created_date = v->created_date,
        .version = v->version,
        .compatible_runtimes = v->compatible_runtimes,
        .license_info = v->license_info,
        .compatible_architectures = v->compatible_architectures,
    };
    out->content->location = code_location(call, code->digest);
    return 0;
}

static void code_there(struct call *call, int result, const struct code *code, void *user)
{
    call_finish(call, result < 0 ? result : store_layer(call, user, code));
}

static int publish(struct call *call, const struct lambda_publish_layer_version_input *in,
                   struct lambda_publish_layer_version_output *out)
{
    struct publication *p = ARENA_NEW(call->arena, struct publication);
    p->in = in;
    int r = layer_ref_get(call, in->layer_name, &p->name);
    if (r < 0)
        return r;
    r = configuration_check_layer_runtimes(call, &in->compatible_runtimes);
    if (r < 0)
        return r;
    const struct lambda_layer_version_content_input *c = in->content;
    r = code_check_source(call, c->zip_file, c->s3_bucket, c->s3_key);
    if (r < 0)
        return r;
    struct code_source from = {c->zip_file, c->s3_bucket, c->s3_key, c->s3_object_version};
    code_fetch(call, &from, code_there, p);
    return CALL_LATER;
}

static int show(struct call *call, struct str name, int64_t version,
                struct lambda_get_layer_version_response *out)
{
    if (version < 1)
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Layer Version Cannot be less than 1.");
    struct lambda_layer_version_record record = {0};
    int r = layer_load(call, name, version, &record);
    if (r == -ENOENT)
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND,
                           "The resource you requested does not exist.");
    if (r < 0)
        return r;
    *out = *record.layer;
    out->content->location = code_location(call, record.code);
    return 0;
}

static int get_layer(struct call *call, const struct lambda_get_layer_version_input *in,
                     struct lambda_get_layer_version_output *out)
{
    struct str name;
    int r = layer_ref_get(call, in->layer_name, &name);
    return r < 0 ? r : show(call, name, in->version_number.is, out);
}

static int get_layer_by_arn(struct call *call,
                            const struct lambda_get_layer_version_by_arn_input *in,
                            struct lambda_get_layer_version_by_arn_output *out)
{
    struct layer_name n;
    if (!layer_name_parse(in->arn, &n) || !n.account.n || !n.version)
        return call_fail(
            call, LAMBDA_VALIDATION,
            "1 validation error detected: Value '%.*s' at 'arn' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: "
            "arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+",
            STR(in->arn));
    if (!str_eq(n.account, call->account)) {
        struct str why;
        if (call_allowed(call, call->who, S("lambda:GetLayerVersion"), in->arn, &why) < 0)
            return call_fail(call, LAMBDA_ACCESS_DENIED, "%.*s", STR(why));
    }
    struct lambda_layer_version_record record = {0};
    int r = record_get(call, key_layer_version(call, n.account, n.region, n.name, n.version),
                       &lambda_layer_version_record_shape, &record);
    if (r == -ENOENT)
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND,
                           "The resource you requested does not exist.");
    if (r < 0)
        return r;
    *out = *record.layer;
    out->content->location = code_location(call, record.code);
    return 0;
}

static bool lists(struct str *items, size_t n, struct str what)
{
    if (!what.n)
        return true;
    for (size_t i = 0; i < n; i++)
        if (str_eq(items[i], what))
            return true;
    return false;
}

static bool fits(const struct lambda_get_layer_version_response *v, struct str runtime,
                 struct str architecture)
{
    return lists(v->compatible_runtimes.items, v->compatible_runtimes.n, runtime) &&
           lists(v->compatible_architectures.items, v->compatible_architectures.n, architecture);
}

static void item_of(const struct lambda_get_layer_version_response *v,
                    struct lambda_layer_versions_list_item *ret)
{
    *ret = (struct lambda_layer_versions_list_item){
        .layer_version_arn = v->layer_version_arn,
        .version = v->version,
        .description = v->description,
        .created_date = v->created_date,
        .compatible_runtimes = v->compatible_runtimes,
        .license_info = v->license_info,
        .compatible_architectures = v->compatible_architectures,
    };
}

static int list_layer_versions(struct call *call, const struct lambda_list_layer_versions_input *in,
                               struct lambda_list_layer_versions_output *out)
{
    struct str name;
    int r = layer_ref_get(call, in->layer_name, &name);
    if (r < 0)
        return r;
    /* Newest first: the whole list is read and turned round, the marker is the last version shown.
     */
    int64_t before = INT64_MAX;
    if (in->marker.n && str_to_int64(in->marker, &before) < 0)
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE, "Invalid Marker");
    size_t limit = in->max_items.has && in->max_items.is > 0 && in->max_items.is < 50
                       ? (size_t)in->max_items.is
                       : 50;
    struct store_row *rows;
    size_t n;
    struct str from = {0};
    if (before != INT64_MAX)
        from = key_layer_version(call, call->account, call->region, name, before);
    r = store_scan_back(call->store, key_layer_versions(call, name), from, limit + 1, call->arena,
                        &rows, &n);
    if (r < 0)
        return r;
    out->layer_versions.items =
        ARENA_ARRAY(call->arena, struct lambda_layer_versions_list_item, n + 1);
    for (size_t i = 0; i < n && i < limit; i++) {
        struct lambda_layer_version_record record = {0};
        r = record_get(call, rows[i].key, &lambda_layer_version_record_shape, &record);
        if (r < 0)
            return r;
        if (fits(record.layer, in->compatible_runtime, in->compatible_architecture))
            item_of(record.layer, &out->layer_versions.items[out->layer_versions.n++]);
        if (n > limit && i == limit - 1)
            out->next_marker = str_printf(call->arena, "%lld", (long long)record.layer->version.is);
    }
    return 0;
}

/* The newest version of each layer that fits. */
static int list_layers(struct call *call, const struct lambda_list_layers_input *in,
                       struct lambda_list_layers_output *out)
{
    struct store_row *rows;
    size_t n;
    int r =
        page_scan(call, key_layers(call), in->marker, in->max_items, &rows, &n, &out->next_marker);
    if (r < 0)
        return r;
    out->layers.items = ARENA_ARRAY(call->arena, struct lambda_layers_list_item, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct lambda_layer_record layer = {0};
        r = record_get(call, rows[i].key, &lambda_layer_record_shape, &layer);
        struct str before = {0};
        for (size_t m = 1; r == 0 && m == 1;) {
            struct store_row *row;
            r = store_scan_back(call->store, key_layer_versions(call, layer.name), before, 1,
                                call->arena, &row, &m);
            if (r < 0 || m == 0)
                break;
            before = row->key;
            struct lambda_layer_version_record record = {0};
            r = record_get(call, row->key, &lambda_layer_version_record_shape, &record);
            if (r < 0 || !fits(record.layer, in->compatible_runtime, in->compatible_architecture))
                continue;
            struct lambda_layers_list_item *item = &out->layers.items[out->layers.n++];
            item->layer_name = layer.name;
            item->layer_arn = layer_arn(call, layer.name, 0);
            item->latest_matching_version =
                ARENA_NEW(call->arena, struct lambda_layer_versions_list_item);
            item_of(record.layer, item->latest_matching_version);
            break;
        }
        if (r < 0)
            return r;
    }
    return 0;
}

/* Deleting what is not there is fine. Functions that use the version keep it: they hold its code.
 */
static int delete_layer(struct call *call, const struct lambda_delete_layer_version_input *in,
                        void *out)
{
    struct str name;
    int r = layer_ref_get(call, in->layer_name, &name);
    if (r < 0)
        return r;
    if (in->version_number.is < 1)
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Layer Version Cannot be less than 1.");
    struct lambda_layer_version_record record = {0};
    r = layer_load(call, name, in->version_number.is, &record);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = record_delete(
        call, key_layer_version(call, call->account, call->region, name, in->version_number.is));
    return r < 0 ? r : code_release(call, record.code);
}

const struct handler lambda_layer_handlers[] = {
    {lambda_publish_layer_version_run(publish), NULL, "layer:{LayerName}"},
    {lambda_get_layer_version_run(get_layer), NULL, "layer:{LayerName}:{VersionNumber}"},
    {lambda_get_layer_version_by_arn_run(get_layer_by_arn), "GetLayerVersion", "{Arn}"},
    {lambda_list_layer_versions_run(list_layer_versions), NULL, "*"},
    {lambda_list_layers_run(list_layers), NULL, "*"},
    {lambda_delete_layer_version_run(delete_layer), NULL, "layer:{LayerName}:{VersionNumber}"},
    {0},
};
