/* template/sam_function - AWS::Serverless::Function: the function and its role. */
#include "template/sam_inside.h"

#include <errno.h>

static struct str named(struct sam *s, struct str id, const char *suffix)
{
    return str_printf(s->arena, "%.*s%s", STR(id), suffix);
}

/* ---- what is checked before anything is made ---- */

static int refuse(struct sam *s, struct str id, const struct json *p)
{
    static const char *const names[] = {"DeploymentPreference", "CapacityProviderConfig", NULL};
    for (const char *const *n = names; *n; n++)
        if (truthy(json_get(p, *n)))
            return sam_invalid(s, id, "Property '%s' is not supported yet.", *n);
    const struct json *events = json_get(p, "Events");
    if (!truthy(events))
        return 0;
    return sam_invalid(s, id,
                       "Event with id [%.*s] is invalid. Events of type '%.*s' are not supported "
                       "yet.",
                       STR(events->first->key), STR(json_get_str(events->first, "Type")));
}

static int check_rules(struct sam *s, struct str id, const struct json *p)
{
    struct buf b;
    buf_init(&b, 4096);
    if (!is_none(json_get(p, "FunctionScalingConfig")) &&
        is_none(json_get(p, "CapacityProviderConfig")))
        buf_text(&b, "'FunctionScalingConfig' requires 'CapacityProviderConfig'.");
    if (!is_none(json_get(p, "VersionDeletionPolicy")) && is_none(json_get(p, "AutoPublishAlias")))
        buf_printf(&b, "%s'VersionDeletionPolicy' requires 'AutoPublishAlias'.", b.n ? "\n" : "");
    struct str text = buf_copy(&b, s->arena);
    buf_done(&b);
    return text.n ? sam_invalid(s, id, "%.*s", STR(text)) : 0;
}

static int check_dead_letter(struct sam *s, struct str id, const struct json *queue)
{
    if (!truthy(queue))
        return 0;
    const struct json *type = json_get(queue, "Type");
    if (!truthy(type) || !truthy(json_get(queue, "TargetArn")))
        return sam_invalid(
            s, id, "'DeadLetterQueue' requires Type and TargetArn properties to be specified.");
    if (type->type != JSON_STRING)
        return sam_invalid(s, id, "Property 'DeadLetterQueue.Type' should be a string.");
    if (!str_is(type->text, "SQS") && !str_is(type->text, "SNS"))
        return sam_invalid(s, id, "'DeadLetterQueue' requires Type of ['SQS', 'SNS']");
    return 0;
}

static int check_tenancy(struct sam *s, struct str id, const struct json *p)
{
    static const struct {
        const char *property, *words;
    } rows[] = {
        {"ProvisionedConcurrencyConfig", "Provisioned concurrency"},
        {"FunctionUrlConfig", "Function URL"},
        {"SnapStart", "SnapStart"},
    };
    if (!truthy(json_get(p, "TenancyConfig")))
        return 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (truthy(json_get(p, rows[i].property)))
            return sam_invalid(
                s, id, "%s is not supported for functions enabled with tenancy configuration.",
                rows[i].words);
    return 0;
}

static int check_package(struct sam *s, struct str id, const struct json *out)
{
    bool image = str_is(json_get_str(out, "PackageType"), "Image");
    bool runtime = truthy(json_get(out, "Runtime")), handler = truthy(json_get(out, "Handler"));
    if (image) {
        if (runtime || handler || truthy(json_get(out, "Layers")))
            return sam_invalid(s, id,
                               "Runtime, Handler, Layers cannot be present when PackageType is of "
                               "type `Image`");
        return 0;
    }
    if (!runtime || !handler)
        return sam_invalid(
            s, id, "Runtime and Handler needs to be present when PackageType is of type `Zip`");
    if (truthy(json_get(out, "ImageConfig")))
        return sam_invalid(
            s, id, "ImageUri or ImageConfig cannot be present when PackageType is of type `Zip`");
    return 0;
}

static int check_tags(struct sam *s, struct str id, const struct json *tags)
{
    static const char *const reserved[] = {"lambda:createdBy", "serverlessrepo:applicationId",
                                           "serverlessrepo:semanticVersion", NULL};
    for (const char *const *r = reserved; *r; r++)
        if (json_is(tags, JSON_OBJECT) && json_get(tags, *r))
            return sam_invalid(s, id,
                               "%s is a reserved Tag key name and cannot be set on your resource. "
                               "Please change the tag key in the input.",
                               *r);
    return 0;
}

/* ---- the function ---- */

static const char *const copied[] = {"Handler",
                                     "Runtime",
                                     "Description",
                                     "MemorySize",
                                     "Timeout",
                                     "VpcConfig",
                                     "Role",
                                     "Environment",
                                     "KmsKeyArn",
                                     "ReservedConcurrentExecutions",
                                     "Layers",
                                     "FileSystemConfigs",
                                     "ImageConfig",
                                     "PackageType",
                                     "SnapStart",
                                     "Architectures",
                                     "RecursiveLoop",
                                     "EphemeralStorage",
                                     "DurableConfig",
                                     "CodeSigningConfigArn",
                                     "TenancyConfig",
                                     "RuntimeManagementConfig",
                                     "LoggingConfig",
                                     "PublishToLatestPublished",
                                     NULL};

/* What stays with the resource: attributes, not properties. */
static struct json *kept_attributes(struct sam *s)
{
    static const char *const names[] = {"DeletionPolicy",      "UpdatePolicy", "Condition",
                                        "UpdateReplacePolicy", "Metadata",     NULL};
    struct json *kept = json_new(s->arena, JSON_OBJECT);
    if (truthy(json_get(s->resource, "DependsOn")))
        put(s, kept, "DependsOn", json_get(s->resource, "DependsOn"));
    for (const char *const *n = names; *n; n++)
        if (json_get(s->resource, *n))
            json_set(s->arena, kept, str_from(*n), json_copy(s->arena, json_get(s->resource, *n)));
    return kept;
}

static int add_tracing(struct sam *s, struct json *p, struct json *out)
{
    struct json *tracing = json_get(p, "Tracing");
    bool traced = truthy(tracing);
    int r = resolve_parameters(s, &tracing);
    if (r < 0)
        return r;
    if (traced && !str_is(json_str(tracing), "Disabled"))
        put(s, out, "TracingConfig",
            put(s, json_new(s->arena, JSON_OBJECT), "Mode", json_get(p, "Tracing")));
    return 0;
}

static int make_function(struct sam *s, struct str id, struct json *p, struct json **ret)
{
    struct json *code, *out;
    int r = function_code(s, id, p, &code);
    if (r < 0)
        return r;
    generate(s, id, "AWS::Lambda::Function", kept_attributes(s), &out);
    if (truthy(json_get(p, "FunctionName")))
        put(s, out, "FunctionName", json_get(p, "FunctionName"));
    put(s, out, "Code", code);
    if ((r = check_tags(s, id, json_get(p, "Tags"))) < 0)
        return r;
    put(s, out, "Tags", tag_list(s, json_get(p, "Tags"), true));
    if ((r = add_tracing(s, p, out)) < 0)
        return r;
    for (const char *const *c = copied; *c; c++)
        put(s, out, *c, json_get(p, *c));
    if (truthy(json_get(p, "FunctionScalingConfig")))
        put(s, out, "FunctionScalingConfig", json_get(p, "FunctionScalingConfig"));
    if (truthy(json_get(p, "DeadLetterQueue")))
        put(s, out, "DeadLetterConfig",
            put(s, json_new(s->arena, JSON_OBJECT), "TargetArn",
                json_get(json_get(p, "DeadLetterQueue"), "TargetArn")));
    if ((r = check_package(s, id, out)) < 0)
        return r;
    *ret = out;
    return 0;
}

/* ---- the role ---- */

/* Role: !If [c, !Ref AWS::NoValue, arn]: the role is made in one case only. */
static int conditional_role(struct sam *s, struct str id, struct json *function, struct json *role,
                            struct str role_id)
{
    struct json *value = json_get(function, "Role");
    int r = resolve_parameters(s, &value);
    if (r < 0)
        return r;
    const struct json *arg = json_get(value, "Fn::If");
    if (!json_is(arg, JSON_ARRAY) || arg->n != 3)
        return sam_invalid(s, id, "Malformed 'Role' property: Fn::If requires 3 arguments.");
    bool yes = is_no_value(json_at(arg, 1)), no = is_no_value(json_at(arg, 2));
    struct str condition = json_str(arg->first);
    if (!yes && !no)
        return 0;
    struct json *arn = att_of(s, role_id, "Arn");
    if (yes && no) {
        put(s, function, "Role", arn);
    } else {
        struct json *choice = json_new(s->arena, JSON_ARRAY);
        json_add(choice, json_copy(s->arena, arg->first));
        json_add(choice, yes ? arn : json_copy(s->arena, json_at(arg, 1)));
        json_add(choice, yes ? json_copy(s->arena, json_at(arg, 2)) : arn);
        struct json *whole = json_new(s->arena, JSON_OBJECT);
        json_set(s->arena, whole, S("Fn::If"), choice);
        json_set(s->arena, function, S("Role"), whole);
        put_text(s, role, "Condition",
                 str_printf(s->arena, "%s%.*s", yes ? "" : "NOT", STR(condition)));
    }
    if (!yes && no) {
        struct json *conditions = json_get(s->root, "Conditions");
        if (!conditions)
            conditions =
                json_set(s->arena, s->root, S("Conditions"), json_new(s->arena, JSON_OBJECT));
        struct json *not = from_text(s, "{'Fn::Not':[{}]}");
        put_text(s, not ->first->first, "Condition", condition);
        json_set(s->arena, conditions, str_printf(s->arena, "NOT%.*s", STR(condition)), not );
    }
    json_set(s->arena, s->generated, role_id, role);
    return 0;
}

static int attach_role(struct sam *s, struct str id, struct json *p, struct json *function)
{
    struct json *role;
    struct str role_id = named(s, id, "Role");
    int r = build_role(s, id, p, &role);
    if (r < 0)
        return r;
    const struct json *given = json_get(function, "Role");
    if (is_none(given)) {
        put(s, function, "Role", att_of(s, role_id, "Arn"));
        json_set(s->arena, s->generated, role_id, role);
    } else if (is_if(given)) {
        return conditional_role(s, id, function, role, role_id);
    }
    return 0;
}

/* PropagateTags puts the tags on all that has tags; SAM's own tag goes from there. */
static void propagate_tags(struct sam *s, const struct json *p)
{
    const struct json *tags = json_get(p, "Tags");
    if (!truthy(json_get(p, "PropagateTags")) || !truthy(tags))
        return;
    JSON_EACH(s->generated, resource) {
        struct str type = json_get_str(resource, "Type");
        if (str_is(type, "AWS::Lambda::Function") || str_is(type, "AWS::IAM::Role"))
            json_set(s->arena, json_get(resource, "Properties"), S("Tags"),
                     tag_list(s, tags, false));
    }
}

int transform_function(struct sam *s, struct str id, struct json *p)
{
    struct json *function;
    struct str alias_id = {0};
    int r;
    if ((r = convert_policy_templates(s, p, id)) < 0 ||
        (r = check_properties(s, id, SAM_FUNCTION, p)) < 0 || (r = refuse(s, id, p)) < 0 ||
        (r = check_rules(s, id, p)) < 0 ||
        (r = check_dead_letter(s, id, json_get(p, "DeadLetterQueue"))) < 0 ||
        (r = check_tenancy(s, id, p)) < 0 || (r = make_function(s, id, p, &function)) < 0 ||
        (r = publish_function(s, id, p, function, &alias_id)) < 0 ||
        (r = make_url(s, id, json_get(p, "FunctionUrlConfig"), alias_id)) < 0 ||
        (r = make_event_invoke(s, id, p, alias_id)) < 0 ||
        (r = attach_role(s, id, p, function)) < 0)
        return r;
    propagate_tags(s, p);
    return 0;
}
