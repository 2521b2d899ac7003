/* url - function URL configurations: CreateFunctionUrlConfig and its siblings. */
#include "service/lambda/url.h"
#include <errno.h>
#include "base/clock.h"
#include "base/digest.h"

#define FORGET_AT_ONCE 100

static struct str key_urls(struct call *call, struct str name)
{
    return store_prefix(call->arena, 5, S("lambda"), S("url"), call->account, call->region, name);
}

static struct str key_url(struct call *call, struct str name, struct str qualifier)
{
    return store_key(call->arena, 6, S("lambda"), S("url"), call->account, call->region, name,
                     qualifier.n ? qualifier : S(""));
}

static struct str key_id(struct call *call, struct str id)
{
    return store_key(call->arena, 3, S("lambda"), S("url-id"), id);
}

struct str url_address(struct call *call, const struct lambda_function_url_record *record)
{
    return str_printf(call->arena, "http://%.*s.lambda-url.%.*s.localhost:%d/", STR(record->url_id),
                      STR(record->region), cloud_port(call->cloud));
}

int url_find(struct call *call, struct str id, struct lambda_function_url_record *ret)
{
    struct str key;
    int r = store_get(call->store, key_id(call, str_lower(call->arena, id)), call->arena, &key);
    return r < 0 ? r : record_get(call, key, &lambda_function_url_record_shape, ret);
}

static int forget_row(struct call *call, struct str key)
{
    struct lambda_function_url_record record = {0};
    int r = record_get(call, key, &lambda_function_url_record_shape, &record);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = record_delete(call, key_id(call, record.url_id));
    return r < 0 ? r : record_delete(call, key);
}

int url_forget(struct call *call, struct str name, struct str qualifier)
{
    return forget_row(call, key_url(call, name, qualifier));
}

int url_forget_function(struct call *call, struct str name)
{
    struct store_row *rows;
    size_t n;
    do {
        int r = store_scan(call->store, key_urls(call, name), (struct str){0}, FORGET_AT_ONCE,
                           call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++)
            r = forget_row(call, rows[i].key);
        if (r < 0)
            return r;
    } while (n == FORGET_AT_ONCE);
    return 0;
}

/* ---- operations ---- */

/* The function, or its alias, must be there. */
static int owner_of(struct call *call, struct str function, struct str qualifier,
                    struct function_ref *ref)
{
    struct lambda_function_record f = {0};
    struct lambda_alias_configuration alias = {0};
    int r = function_ref_get(call, function, qualifier, ref);
    if (r < 0)
        return r;
    if (qualifier_is_version(ref->qualifier) || str_is(ref->qualifier, "$LATEST"))
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "A function URL belongs to a function or an alias, not to the version "
                           "%.*s",
                           STR(ref->qualifier));
    r = function_load(call, ref->name, &f);
    if (r == 0 && ref->qualifier.n)
        r = alias_load(call, ref->name, ref->qualifier, &alias);
    return r == -ENOENT ? lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND, "Function does not exist")
                        : r;
}

static int load(struct call *call, struct str function, struct str qualifier,
                struct function_ref *ref, struct lambda_function_url_record *ret)
{
    int r = owner_of(call, function, qualifier, ref);
    if (r < 0)
        return r;
    r = record_get(call, key_url(call, ref->name, ref->qualifier),
                   &lambda_function_url_record_shape, ret);
    if (r == -ENOENT)
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND,
                           "The resource you requested does not exist.");
    if (r == 0)
        ret->config->function_url = url_address(call, ret);
    return r;
}

static int save(struct call *call, const struct lambda_function_url_record *record)
{
    struct lambda_function_url_record stored = *record;
    struct lambda_function_url_config config = *record->config;
    config.function_url = (struct str){0};
    stored.config = &config;
    return record_put(call, key_url(call, record->function_name, record->qualifier),
                      &lambda_function_url_record_shape, &stored);
}

static int create_url(struct call *call, const struct lambda_create_function_url_config_input *in,
                      struct lambda_create_function_url_config_output *out)
{
    struct function_ref ref;
    int r = owner_of(call, in->function_name, in->qualifier, &ref);
    if (r < 0)
        return r;
    struct str arn = function_arn(call, ref.name, ref.qualifier);
    if (store_has(call->store, key_url(call, ref.name, ref.qualifier)))
        return lambda_fail(call, LAMBDA_RESOURCE_CONFLICT,
                           "Failed to create function url config for [functionArn = %.*s]. Error "
                           "message:  FunctionUrlConfig exists for this Lambda function",
                           STR(arn));
    struct str now = clock_iso8601(call->arena, call->now_ms);
    struct lambda_function_url_config config = {
        .function_arn = arn,
        .creation_time = now,
        .last_modified_time = now,
        .cors = in->cors,
        .auth_type = in->auth_type,
        .invoke_mode = in->invoke_mode.n ? in->invoke_mode : S("BUFFERED"),
    };
    struct lambda_function_url_record record = {
        .config = &config,
        .url_id = random_text(call->arena, "abcdefghijklmnopqrstuvwxyz234567", 32),
        .account = call->account,
        .region = call->region,
        .function_name = ref.name,
        .qualifier = ref.qualifier,
    };
    r = save(call, &record);
    if (r == 0)
        r = store_put(call->store, key_id(call, record.url_id),
                      key_url(call, ref.name, ref.qualifier));
    out->function_url = url_address(call, &record);
    out->function_arn = arn;
    out->auth_type = config.auth_type;
    out->cors = config.cors;
    out->creation_time = now;
    out->invoke_mode = config.invoke_mode;
    return r;
}

static int get_url(struct call *call, const struct lambda_get_function_url_config_input *in,
                   struct lambda_get_function_url_config_output *out)
{
    struct function_ref ref;
    struct lambda_function_url_record record = {0};
    int r = load(call, in->function_name, in->qualifier, &ref, &record);
    if (r < 0)
        return r;
    const struct lambda_function_url_config *c = record.config;
    out->function_url = c->function_url;
    out->function_arn = c->function_arn;
    out->auth_type = c->auth_type;
    out->cors = c->cors;
    out->creation_time = c->creation_time;
    out->last_modified_time = c->last_modified_time;
    out->invoke_mode = c->invoke_mode;
    return 0;
}

/* Cors: {} takes the rules away. */
static bool has_rules(const struct lambda_cors *c)
{
    return c->allow_credentials.has || c->max_age.has || c->allow_headers.n || c->allow_methods.n ||
           c->allow_origins.n || c->expose_headers.n;
}

static int update_url(struct call *call, const struct lambda_update_function_url_config_input *in,
                      struct lambda_update_function_url_config_output *out)
{
    struct function_ref ref;
    struct lambda_function_url_record record = {0};
    int r = load(call, in->function_name, in->qualifier, &ref, &record);
    if (r < 0)
        return r;
    struct lambda_function_url_config *c = record.config;
    if (in->auth_type.n)
        c->auth_type = in->auth_type;
    if (in->cors)
        c->cors = has_rules(in->cors) ? in->cors : NULL;
    if (in->invoke_mode.n)
        c->invoke_mode = in->invoke_mode;
    c->last_modified_time = clock_iso8601(call->arena, call->now_ms);
    out->function_url = c->function_url;
    out->function_arn = c->function_arn;
    out->auth_type = c->auth_type;
    out->cors = c->cors;
    out->creation_time = c->creation_time;
    out->last_modified_time = c->last_modified_time;
    out->invoke_mode = c->invoke_mode;
    return save(call, &record);
}

static int delete_url(struct call *call, const struct lambda_delete_function_url_config_input *in,
                      void *out)
{
    struct function_ref ref;
    struct lambda_function_url_record record = {0};
    int r = load(call, in->function_name, in->qualifier, &ref, &record);
    return r < 0 ? r : url_forget(call, ref.name, ref.qualifier);
}

static int list_urls(struct call *call, const struct lambda_list_function_url_configs_input *in,
                     struct lambda_list_function_url_configs_output *out)
{
    struct function_ref ref;
    struct lambda_function_record f = {0};
    struct store_row *rows;
    size_t n;
    int r = function_ref_get(call, in->function_name, S(""), &ref);
    if (r < 0)
        return r;
    r = function_load(call, ref.name, &f);
    if (r < 0)
        return r == -ENOENT
                   ? lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND, "Function does not exist")
                   : r;
    r = page_scan(call, key_urls(call, ref.name), in->marker, in->max_items, &rows, &n,
                  &out->next_marker);
    if (r < 0)
        return r;
    out->function_url_configs.items =
        ARENA_ARRAY(call->arena, struct lambda_function_url_config, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct lambda_function_url_record record = {0};
        r = record_get(call, rows[i].key, &lambda_function_url_record_shape, &record);
        if (r < 0)
            return r;
        record.config->function_url = url_address(call, &record);
        out->function_url_configs.items[out->function_url_configs.n++] = *record.config;
    }
    return 0;
}

const struct handler lambda_url_handlers[] = {
    {lambda_create_function_url_config_run(create_url), NULL, "function:{FunctionName}"},
    {lambda_get_function_url_config_run(get_url), NULL, "function:{FunctionName}"},
    {lambda_update_function_url_config_run(update_url), NULL, "function:{FunctionName}"},
    {lambda_delete_function_url_config_run(delete_url), NULL, "function:{FunctionName}"},
    {lambda_list_function_url_configs_run(list_urls), NULL, "function:{FunctionName}"},
    {0},
};
