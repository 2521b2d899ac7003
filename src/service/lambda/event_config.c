/* event_config - see event_config.h. */
#include "service/lambda/event_config.h"
#include <errno.h>

#define INVALID(...) lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE, __VA_ARGS__)

struct str key_event_config(struct call *call, struct str name, struct str qualifier)
{
    return store_key(call->arena, 6, S("lambda"), S("event-config"), call->account, call->region,
                     name, qualifier.n ? qualifier : S("$LATEST"));
}

struct str key_event_configs(struct call *call, struct str name)
{
    return store_prefix(call->arena, 5, S("lambda"), S("event-config"), call->account, call->region,
                        name);
}

int event_config_load(struct call *call, struct str name, struct str qualifier,
                      struct lambda_function_event_invoke_config *ret)
{
    return record_get(call, key_event_config(call, name, qualifier),
                      &lambda_function_event_invoke_config_shape, ret);
}

/* ---- what is asked for ---- */

/* Both members are always there, empty ones too. */
static struct lambda_destination_config *whole(struct call *call,
                                               const struct lambda_destination_config *given)
{
    struct lambda_destination_config *c = ARENA_NEW(call->arena, struct lambda_destination_config);
    if (given)
        *c = *given;
    if (!c->on_success)
        c->on_success = ARENA_NEW(call->arena, struct lambda_on_success);
    if (!c->on_failure)
        c->on_failure = ARENA_NEW(call->arena, struct lambda_on_failure);
    if (!c->on_success->destination.n)
        c->on_success->destination = (struct str){0};
    if (!c->on_failure->destination.n)
        c->on_failure->destination = (struct str){0};
    return c;
}

/* *ret_role: of the version that events would go to now. */
static int find(struct call *call, struct str text, struct str qualifier, struct function_ref *ret,
                struct str *ret_role)
{
    struct lambda_function_record f = {0};
    struct lambda_version_record v = {0};
    int r = function_ref_get(call, text, qualifier, ret);
    if (r < 0)
        return r;
    r = function_load(call, ret->name, &f);
    if (r == 0 && qualifier_is_latest(ret->qualifier))
        r = version_load(call, ret->name, 0, &v);
    else if (r == 0 && version_resolve(call, ret, &v, NULL) < 0)
        r = -ENOENT;
    if (r == -ENOENT)
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND, "The function doesn't exist.");
    *ret_role = r == 0 && v.configuration ? v.configuration->role : (struct str){0};
    return r;
}

static int no_config(struct call *call, const struct function_ref *ref)
{
    return lambda_fail(
        call, LAMBDA_RESOURCE_NOT_FOUND, "The function %.*s doesn't have an EventInvokeConfig",
        STR(function_arn(call, ref->name, ref->qualifier.n ? ref->qualifier : S("$LATEST"))));
}

struct asked {
    struct str function_name, qualifier;
    struct opt_int retries, age;
    const struct lambda_destination_config *destinations;
};

struct putting {
    struct function_ref ref;
    struct lambda_function_event_invoke_config config;
};

static int store(struct call *call, const struct putting *p)
{
    *(struct lambda_function_event_invoke_config *)call->out = p->config;
    return record_put(call, key_event_config(call, p->ref.name, p->ref.qualifier),
                      &lambda_function_event_invoke_config_shape, &p->config);
}

static void checked(struct call *call, int result, void *user)
{
    call_finish(call, result < 0 ? result : store(call, user));
}

static int put(struct call *call, const struct asked *q, bool update)
{
    struct putting *p = ARENA_NEW(call->arena, struct putting);
    struct lambda_function_event_invoke_config *c = &p->config;
    struct str role;
    if (!q->retries.has && !q->age.has && !q->destinations)
        return INVALID("You must specify at least one of error handling or destination setting.");
    int r = find(call, q->function_name, q->qualifier, &p->ref, &role);
    if (r < 0)
        return r;
    struct str qualifier = p->ref.qualifier.n ? p->ref.qualifier : S("$LATEST");
    if (update) {
        r = event_config_load(call, p->ref.name, p->ref.qualifier, c);
        if (r < 0)
            return r == -ENOENT ? no_config(call, &p->ref) : r;
    }
    c->last_modified = opt_time(call->now_ms);
    c->function_arn = function_arn(call, p->ref.name, qualifier);
    if (q->retries.has)
        c->maximum_retry_attempts = q->retries;
    if (q->age.has)
        c->maximum_event_age_in_seconds = q->age;
    if (q->destinations || !c->destination_config)
        c->destination_config = whole(call, q->destinations);
    struct destination_wish wish = {p->ref.name, role, q->destinations};
    r = destinations_check(call, &wish, checked, p);
    return r == 0 ? store(call, p) : r;
}

static int put_config(struct call *call,
                      const struct lambda_put_function_event_invoke_config_input *in,
                      struct lambda_put_function_event_invoke_config_output *out)
{
    struct asked q = {in->function_name, in->qualifier, in->maximum_retry_attempts,
                      in->maximum_event_age_in_seconds, in->destination_config};
    return put(call, &q, false);
}

static int update_config(struct call *call,
                         const struct lambda_update_function_event_invoke_config_input *in,
                         struct lambda_update_function_event_invoke_config_output *out)
{
    struct asked q = {in->function_name, in->qualifier, in->maximum_retry_attempts,
                      in->maximum_event_age_in_seconds, in->destination_config};
    return put(call, &q, true);
}

static int get_config(struct call *call,
                      const struct lambda_get_function_event_invoke_config_input *in,
                      struct lambda_get_function_event_invoke_config_output *out)
{
    struct function_ref ref;
    int r = function_ref_get(call, in->function_name, in->qualifier, &ref);
    if (r < 0)
        return r;
    r = event_config_load(call, ref.name, ref.qualifier, out);
    if (r == 0)
        out->destination_config = whole(call, out->destination_config);
    return r == -ENOENT ? no_config(call, &ref) : r;
}

static int delete_config(struct call *call,
                         const struct lambda_delete_function_event_invoke_config_input *in,
                         void *out)
{
    struct function_ref ref;
    int r = function_ref_get(call, in->function_name, in->qualifier, &ref);
    if (r < 0)
        return r;
    struct str key = key_event_config(call, ref.name, ref.qualifier);
    return store_has(call->store, key) ? record_delete(call, key) : no_config(call, &ref);
}

static int list_configs(struct call *call,
                        const struct lambda_list_function_event_invoke_configs_input *in,
                        struct lambda_list_function_event_invoke_configs_output *out)
{
    struct function_ref ref;
    struct str role;
    int r = find(call, in->function_name, S(""), &ref, &role);
    if (r < 0)
        return r;
    struct store_row *rows;
    size_t n;
    r = page_scan(call, key_event_configs(call, ref.name), in->marker, in->max_items, &rows, &n,
                  &out->next_marker);
    if (r < 0)
        return r;
    out->function_event_invoke_configs.items =
        ARENA_ARRAY(call->arena, struct lambda_function_event_invoke_config, n + 1);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct lambda_function_event_invoke_config *c =
            &out->function_event_invoke_configs.items[out->function_event_invoke_configs.n++];
        r = record_get(call, rows[i].key, &lambda_function_event_invoke_config_shape, c);
        c->destination_config = whole(call, c->destination_config);
    }
    return r;
}

const struct handler lambda_event_config_handlers[] = {
    {lambda_put_function_event_invoke_config_run(put_config), NULL, "function:{FunctionName}"},
    {lambda_update_function_event_invoke_config_run(update_config), NULL,
     "function:{FunctionName}"},
    {lambda_get_function_event_invoke_config_run(get_config), NULL, "function:{FunctionName}"},
    {lambda_delete_function_event_invoke_config_run(delete_config), NULL,
     "function:{FunctionName}"},
    {lambda_list_function_event_invoke_configs_run(list_configs), NULL, "function:{FunctionName}"},
    {0},
};
