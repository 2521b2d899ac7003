/* deployment_settings - what a function has besides its code and configuration: tags, retries,
 * addresses, provisioned concurrency, who may invoke it. What may not be looked at is not in the
 * record, and is not compared then: see deployment.h. */
#include <errno.h>
#include "base/cleanup.h"
#include "cli/deployment.h"
#include "cli/target.h"
#include "wire/lambda.h"
#include "wire/walk.h"

struct look {
    struct arena *a;
    struct aws_client *aws;
    struct json *entry;
    struct aws_error *err;
};

/* 0 with the answer as JSON; 1: there is none, or it may not be seen (*ret NULL); or -errno. */
static int ask(struct look *l, const struct operation *op, const void *in, struct json **ret)
{
    auto_buf struct buf b;
    void *out;
    buf_init(&b, 4 * 1024 * 1024);
    *ret = NULL;
    int r = aws_call(l->aws, l->a, op, in, &out, l->err);
    if (r < 0)
        return l->err->status >= 400 && l->err->status < 500 && l->err->status != 429 ? 1 : r;
    wire_json_write(&b, operation_output(op), out);
    return json_parse(l->a, buf_copy(&b, l->a), ret, NULL) < 0 ? -EBADMSG : 0;
}

/* arn:aws:lambda:R:A:function:NAME:QUALIFIER */
static struct str qualifier_of(struct str arn)
{
    struct str rest = arn, part = {0};
    int n = 1;
    while (str_cut(rest, ':', &part, &rest))
        n++;
    return n == 8 ? part : S("$LATEST"); /* the last one is all that was left */
}

static void remove_empty(struct json *v)
{
    for (struct json *item = v ? v->first : NULL, *next; item; item = next) {
        next = item->next;
        remove_empty(item);
        if (v->type == JSON_OBJECT && item->type == JSON_OBJECT && !item->n)
            json_remove(v, item->key);
    }
}

static void strip(struct json *v)
{
    static const char *const told[] = {"FunctionArn",  "LastModified",     "FunctionUrl",
                                       "CreationTime", "LastModifiedTime", "Resource"};
    for (size_t i = 0; i < ARRAY_LEN(told); i++)
        json_remove(v, str_from(told[i]));
    remove_empty(v);
}

/* A list of configurations, by qualifier. */
static int add_list(struct look *l, const char *member, const struct operation *op, void *in,
                    struct str *marker, const char *list)
{
    struct json *out, *all = json_new(l->a, JSON_OBJECT);
    do {
        int r = ask(l, op, in, &out);
        if (r)
            return r < 0 ? r : 0;
        JSON_EACH(json_get(out, list), v) {
            struct str qualifier = qualifier_of(json_get_str(v, "FunctionArn"));
            struct json *copy = json_copy(l->a, v);
            const struct json *n = json_get(v, "RequestedProvisionedConcurrentExecutions");
            strip(copy);
            json_set(l->a, all, qualifier, n ? json_copy(l->a, n) : copy);
        }
        *marker = json_get_str(out, "NextMarker");
    } while (marker->n);
    json_set(l->a, l->entry, str_from(member), all);
    return 0;
}

static int add_tags(struct look *l, struct str arn)
{
    struct lambda_list_tags_input in = {.resource = arn};
    struct json *out, *tags = json_new(l->a, JSON_OBJECT);
    int r = ask(l, &lambda_list_tags_op, &in, &out);
    if (r)
        return r < 0 ? r : 0;
    JSON_EACH(json_get(out, "Tags"), t)
        if (!str_starts(t->key, S("aws:")))
            json_set(l->a, tags, t->key, json_copy(l->a, t));
    json_set(l->a, l->entry, S("tags"), tags);
    return 0;
}

/* 0: it is in `all`; 1: may not be seen. */
static int add_policy(struct look *l, struct str name, struct str qualifier, struct json *all)
{
    struct lambda_get_policy_input in = {.function_name = name,
                                         .qualifier = str_is(qualifier, "$LATEST") ? (struct str){0}
                                                                                   : qualifier};
    struct json *out, *policy;
    int r = ask(l, &lambda_get_policy_op, &in, &out);
    if (r > 0 && l->err->status == 404)
        return 0;
    if (r)
        return r;
    if (json_parse(l->a, json_get_str(out, "Policy"), &policy, NULL) < 0)
        return 1;
    struct json *list = json_set(l->a, all, qualifier, json_new(l->a, JSON_ARRAY));
    JSON_EACH(json_get(policy, "Statement"), s)
        strip(json_add(list, json_copy(l->a, s)));
    return 0;
}

/* Of the function and of its aliases. */
static int add_policies(struct look *l, struct str name)
{
    struct json *all = json_new(l->a, JSON_OBJECT);
    int r = add_policy(l, name, S("$LATEST"), all);
    JSON_EACH(json_get(l->entry, "aliases"), alias)
        r = r ? r : add_policy(l, name, json_get_str(alias, "name"), all);
    if (r == 0)
        json_set(l->a, l->entry, S("permissions"), all);
    return r < 0 ? r : 0;
}

static int add_recursion(struct look *l, struct str name)
{
    struct lambda_get_function_recursion_config_input in = {.function_name = name};
    struct json *out;
    int r = ask(l, &lambda_get_function_recursion_config_op, &in, &out);
    if (r == 0 && json_get(out, "RecursiveLoop"))
        json_set(l->a, l->entry, S("recursive_loop"),
                 json_copy(l->a, json_get(out, "RecursiveLoop")));
    return r < 0 ? r : 0;
}

int deployment_add_settings(struct arena *a, struct aws_client *aws, struct json *entry,
                            struct aws_error *err)
{
    struct str name = json_get_str(entry, "name");
    struct look l = {a, aws, entry, err};
    struct lambda_list_function_event_invoke_configs_input retries = {.function_name = name};
    struct lambda_list_function_url_configs_input urls = {.function_name = name};
    struct lambda_list_provisioned_concurrency_configs_input provisioned = {.function_name = name};
    int r = add_tags(&l, json_get_str(entry, "arn"));
    if (r == 0)
        r = add_list(&l, "event_invoke", &lambda_list_function_event_invoke_configs_op, &retries,
                     &retries.marker, "FunctionEventInvokeConfigs");
    if (r == 0)
        r = add_list(&l, "urls", &lambda_list_function_url_configs_op, &urls, &urls.marker,
                     "FunctionUrlConfigs");
    if (r == 0)
        r = add_list(&l, "provisioned", &lambda_list_provisioned_concurrency_configs_op,
                     &provisioned, &provisioned.marker, "ProvisionedConcurrencyConfigs");
    if (r == 0)
        r = add_policies(&l, name);
    if (r == 0)
        r = add_recursion(&l, name);
    if (r == 0)
        *err = (struct aws_error){0};
    return r;
}
