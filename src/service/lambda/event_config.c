/* event_config - see event_config.h.
 *
 * A destination that nothing could be delivered to is refused when it is configured: on AWS it
 * would be as well, since the queue or topic has to exist. */
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

struct str arn_service(struct str arn)
{
    struct str part = {0}, rest = arn;
    for (int i = 0; i < 3; i++)
        str_cut(rest, ':', &part, &rest);
    return part;
}

struct str destination_unsupported(struct arena *a, struct str arn)
{
    static const struct {
        const char *service, *name;
    } missing[] = {{"sqs", "Amazon SQS"}, {"sns", "Amazon SNS"}, {"events", "Amazon EventBridge"}};
    struct str service = arn_service(arn);
    for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++)
        if (str_is(service, missing[i].service))
            return str_printf(a, "this cloud has no %s yet", missing[i].name);
    if (str_starts(arn, S("kafka://")))
        return S("this cloud delivers nothing to Kafka");
    return (struct str){0};
}

/* ---- what is asked for ---- */

static int check_function(struct call *call, struct str name, struct str arn)
{
    struct function_name f;
    struct lambda_function_record record = {0};
    if (!function_name_parse(arn, &f) || !str_eq(f.account, call->account) ||
        !str_eq(f.region, call->region))
        return INVALID("The destination ARN %.*s is invalid.", STR(arn));
    int r = function_load(call, f.name, &record);
    if (r == -ENOENT)
        return INVALID("The destination ARN %.*s is invalid.", STR(arn));
    if (r == 0 && str_eq(f.name, name))
        return INVALID("You can't specify the function as a destination for itself.");
    return r;
}

static struct str destination_text(struct arena *a, const char *name, struct str arn)
{
    return arn.n ? str_printf(a, "%s(destination=%.*s)", name, STR(arn)) : S("null");
}

static int check_destination(struct call *call, struct str name,
                             const struct lambda_destination_config *config, struct str arn,
                             bool failure)
{
    if (!arn.n)
        return 0;
    struct str why = destination_unsupported(call->arena, arn), service = arn_service(arn);
    if (why.n)
        return INVALID("The destination ARN %.*s is invalid: %.*s", STR(arn), STR(why));
    if (str_is(service, "lambda"))
        return check_function(call, name, arn);
    if (str_is(service, "s3") && failure)
        return 0;
    struct str success = config->on_success ? config->on_success->destination : (struct str){0};
    struct str failed = config->on_failure ? config->on_failure->destination : (struct str){0};
    return INVALID("The provided destination config DestinationConfig(onSuccess=%.*s, "
                   "onFailure=%.*s) is invalid.",
                   STR(destination_text(call->arena, "OnSuccess", success)),
                   STR(destination_text(call->arena, "OnFailure", failed)));
}

static int check_destinations(struct call *call, struct str name,
                              const struct lambda_destination_config *config)
{
    if (!config)
        return 0;
    int r = config->on_failure
                ? check_destination(call, name, config, config->on_failure->destination, true)
                : 0;
    if (r == 0 && config->on_success)
        r = check_destination(call, name, config, config->on_success->destination, false);
    return r;
}

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

static int find(struct call *call, struct str text, struct str qualifier, struct function_ref *ret)
{
    struct lambda_function_record f = {0};
    int r = function_ref_get(call, text, qualifier, ret);
    if (r < 0)
        return r;
    r = function_load(call, ret->name, &f);
    struct lambda_version_record v = {0};
    if (r == 0 && !qualifier_is_latest(ret->qualifier) && version_resolve(call, ret, &v, NULL) < 0)
        r = -ENOENT;
    return r == -ENOENT
               ? lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND, "The function doesn't exist.")
               : r;
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

static int put(struct call *call, const struct asked *q, bool update,
               struct lambda_function_event_invoke_config *out)
{
    struct function_ref ref;
    if (!q->retries.has && !q->age.has && !q->destinations)
        return INVALID("You must specify at least one of error handling or destination setting.");
    int r = find(call, q->function_name, q->qualifier, &ref);
    if (r < 0)
        return r;
    struct lambda_function_event_invoke_config c = {0};
    if (update) {
        r = event_config_load(call, ref.name, ref.qualifier, &c);
        if (r < 0)
            return r == -ENOENT ? no_config(call, &ref) : r;
    }
    r = check_destinations(call, ref.name, q->destinations);
    if (r < 0)
        return r;
    c.last_modified = opt_time(call->now_ms);
    c.function_arn = function_arn(call, ref.name, ref.qualifier.n ? ref.qualifier : S("$LATEST"));
    if (q->retries.has)
        c.maximum_retry_attempts = q->retries;
    if (q->age.has)
        c.maximum_event_age_in_seconds = q->age;
    if (q->destinations || !c.destination_config)
        c.destination_config = whole(call, q->destinations);
    *out = c;
    return record_put(call, key_event_config(call, ref.name, ref.qualifier),
                      &lambda_function_event_invoke_config_shape, &c);
}

/* ---- operations ---- */

static int put_config(struct call *call,
                      const struct lambda_put_function_event_invoke_config_input *in,
                      struct lambda_put_function_event_invoke_config_output *out)
{
    struct asked q = {in->function_name, in->qualifier, in->maximum_retry_attempts,
                      in->maximum_event_age_in_seconds, in->destination_config};
    return put(call, &q, false, out);
}

static int update_config(struct call *call,
                         const struct lambda_update_function_event_invoke_config_input *in,
                         struct lambda_update_function_event_invoke_config_output *out)
{
    struct asked q = {in->function_name, in->qualifier, in->maximum_retry_attempts,
                      in->maximum_event_age_in_seconds, in->destination_config};
    return put(call, &q, true, out);
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
    int r = find(call, in->function_name, S(""), &ref);
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
