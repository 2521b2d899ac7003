/* template/sam_event_invoke - EventInvokeConfig of a function: the resource, queues and topics for
 * results that were not named, and what the role must be allowed. */
#include "template/sam_inside.h"

#include <errno.h>

static const struct {
    const char *type, *policy, *action;
    const char *resource; /* made when there is no Destination */
    const char *suffix;
} types[] = {
    {"SQS", "SQSPolicy", "sqs:SendMessage", "AWS::SQS::Queue", "Queue"},
    {"SNS", "SNSPolicy", "sns:publish", "AWS::SNS::Topic", "Topic"},
    {"EventBridge", "EventBridgePolicy", "events:PutEvents", NULL, NULL},
    {"Lambda", "LambdaPolicy", "lambda:InvokeFunction", NULL, NULL},
    {"S3Bucket", "S3Policy", "s3:PutObject", NULL, NULL},
};
#define N_TYPES (sizeof types / sizeof *types)

static struct json *statement(struct sam *s, const char *action, const struct json *resource)
{
    struct json *one = json_new(s->arena, JSON_OBJECT);
    put_text(s, one, "Action", str_from(action));
    put_text(s, one, "Effect", S("Allow"));
    return put(s, one, "Resource", resource);
}

static struct json *policy_for(struct sam *s, size_t type, struct str id,
                               const struct json *destination)
{
    struct json *policy = json_new(s->arena, JSON_OBJECT), *list = json_new(s->arena, JSON_ARRAY);
    put_text(s, policy, "PolicyName", str_printf(s->arena, "%.*s%s", STR(id), types[type].policy));
    if (strcmp(types[type].type, "S3Bucket") == 0) {
        struct json *join = from_text(s, "{'Fn::Join':['/',[]]}");
        struct json *parts = join->first->first->next;
        json_add(parts, json_copy(s->arena, destination));
        json_add(parts, json_new_str(s->arena, S("*")));
        json_add(list, statement(s, types[type].action, join));
        json_add(list, statement(s, "s3:ListBucket", destination));
    } else {
        json_add(list, statement(s, types[type].action, destination));
    }
    struct json *document = json_new(s->arena, JSON_OBJECT);
    json_set(s->arena, document, S("Statement"), list);
    json_set(s->arena, policy, S("PolicyDocument"), document);
    return policy;
}

/* OnSuccess or OnFailure. */
static int add_destination(struct sam *s, struct str id, struct str config_id, const char *event,
                           const struct json *wanted, struct json *out)
{
    if (is_none(wanted))
        return 0;
    if (wanted->type != JSON_OBJECT)
        return sam_invalid(
            s, id, "Property 'EventInvokeConfig.DestinationConfig.%s' should be a map.", event);
    const struct json *type = json_get(wanted, "Type"), *to = json_get(wanted, "Destination");
    size_t i = 0;
    while (i < N_TYPES && !str_is(json_str(type), types[i].type))
        i++;
    if (i == N_TYPES)
        return sam_invalid(
            s, id,
            "'Type: %.*s' must be one of ['SQS', 'SNS', 'EventBridge', 'Lambda', 'S3Bucket']",
            STR(is_none(type) ? S("None") : python_text(s, type)));
    if (is_if(to))
        return sam_invalid(s, id, "A Destination of Fn::If is not supported yet.");
    struct str base = str_printf(s->arena, "%.*s%s", STR(config_id), event);
    if (is_none(to)) {
        if (!types[i].resource)
            return sam_invalid(s, id, "Destination is required if Type is not ['SQS', 'SNS']");
        struct str made = str_printf(s->arena, "%.*s%s", STR(base), types[i].suffix);
        struct json *properties;
        generate(s, made, types[i].resource, passed_attributes(s), &properties);
        to = strcmp(types[i].type, "SQS") == 0 ? att_of(s, made, "Arn") : ref_to(s, made);
    }
    put(s, out, event, put(s, json_new(s->arena, JSON_OBJECT), "Destination", to));
    json_add(s->role_documents, policy_for(s, i, base, to));
    return 0;
}

int make_event_invoke(struct sam *s, struct str id, struct json *p, struct str alias_id)
{
    static const char *const attributes[] = {"DeletionPolicy",      "UpdatePolicy", "Condition",
                                             "UpdateReplacePolicy", "Metadata",     NULL};
    struct json *config = json_get(p, "EventInvokeConfig"), *out;
    s->role_documents = json_new(s->arena, JSON_ARRAY);
    if (!truthy(config))
        return 0;
    int r = resolve_parameters(s, &config);
    if (r < 0)
        return r;
    struct str config_id = str_printf(s->arena, "%.*sEventInvokeConfig", STR(id));
    struct json *kept = json_new(s->arena, JSON_OBJECT), *to = json_new(s->arena, JSON_OBJECT);
    for (const char *const *a = attributes; *a; a++)
        put(s, kept, *a, json_get(s->resource, *a));
    if (str_has(alias_id)) {
        struct json *after = json_new(s->arena, JSON_ARRAY);
        json_add(after, json_new_str(s->arena, alias_id));
        json_set(s->arena, kept, S("DependsOn"), after);
    }
    const struct json *wanted = json_get(config, "DestinationConfig");
    if (truthy(wanted) && wanted->type != JSON_OBJECT)
        return sam_invalid(s, id,
                           "Property 'EventInvokeConfig.DestinationConfig' should be a map.");
    if ((r = add_destination(s, id, config_id, "OnSuccess", json_get(wanted, "OnSuccess"), to)) <
            0 ||
        (r = add_destination(s, id, config_id, "OnFailure", json_get(wanted, "OnFailure"), to)) < 0)
        return r;
    generate(s, config_id, "AWS::Lambda::EventInvokeConfig", kept, &out);
    put(s, out, "FunctionName", ref_to(s, id));
    const struct json *alias =
        str_has(alias_id) ? json_get(json_find(s->generated, alias_id), "Properties") : NULL;
    put_text(s, out, "Qualifier", alias ? json_get_str(alias, "Name") : S("$LATEST"));
    json_set(s->arena, out, S("DestinationConfig"), to);
    put(s, out, "MaximumEventAgeInSeconds", json_get(config, "MaximumEventAgeInSeconds"));
    put(s, out, "MaximumRetryAttempts", json_get(config, "MaximumRetryAttempts"));
    return 0;
}
