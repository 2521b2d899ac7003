/* template/sam_function - AWS::Serverless::Function: function, version, alias, URL, role. */
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

static int make_function(struct sam *s, struct str id, struct json *p, struct json **ret)
{
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
    static const char *const attributes[] = {"DeletionPolicy",      "UpdatePolicy", "Condition",
                                             "UpdateReplacePolicy", "Metadata",     NULL};
    struct json *code, *kept = json_new(s->arena, JSON_OBJECT), *out;
    int r = function_code(s, id, p, &code);
    if (r < 0)
        return r;
    if (truthy(json_get(s->resource, "DependsOn")))
        put(s, kept, "DependsOn", json_get(s->resource, "DependsOn"));
    for (const char *const *a = attributes; *a; a++)
        if (json_get(s->resource, *a))
            json_set(s->arena, kept, str_from(*a), json_copy(s->arena, json_get(s->resource, *a)));
    generate(s, id, "AWS::Lambda::Function", kept, &out);
    if (truthy(json_get(p, "FunctionName")))
        put(s, out, "FunctionName", json_get(p, "FunctionName"));
    put(s, out, "Code", code);
    if ((r = check_tags(s, id, json_get(p, "Tags"))) < 0)
        return r;
    put(s, out, "Tags", tag_list(s, json_get(p, "Tags"), true));
    struct json *tracing = json_get(p, "Tracing");
    bool traced = truthy(tracing);
    if ((r = resolve_parameters(s, &tracing)) < 0)
        return r;
    if (traced && !str_is(json_str(tracing), "Disabled"))
        put(s, out, "TracingConfig",
            put(s, json_new(s->arena, JSON_OBJECT), "Mode", json_get(p, "Tracing")));
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

/* ---- version and alias ---- */

/* AutoPublishCodeSha256 also goes into the description: without a change of the function itself
 * Lambda would publish nothing. */
static int append_hash(struct sam *s, struct json *p, struct json *function, struct str hash)
{
    struct json *description = json_get(p, "Description");
    int r = resolve_parameters(s, &description);
    if (r < 0)
        return r;
    if (!truthy(description)) {
        put_text(s, function, "Description", hash);
    } else if (description->type == JSON_STRING) {
        put_text(s, function, "Description",
                 str_printf(s->arena, "%.*s %.*s", STR(description->text), STR(hash)));
    } else {
        struct json *arg = json_new(s->arena, JSON_ARRAY), *list = json_new(s->arena, JSON_ARRAY);
        json_add(list, json_copy(s->arena, description));
        json_add(list, json_new_str(s->arena, hash));
        json_add(arg, json_new_str(s->arena, S(" ")));
        json_add(arg, list);
        struct json *join = json_new(s->arena, JSON_OBJECT);
        json_set(s->arena, join, S("Fn::Join"), arg);
        json_set(s->arena, function, S("Description"), join);
    }
    return 0;
}

static struct str layer_of(const struct json *layer)
{
    if (!template_is_intrinsic(layer))
        return (struct str){0};
    const struct json *v = json_get(layer, "Ref");
    if (json_is(v, JSON_STRING))
        return v->text;
    v = json_get(layer, "Fn::GetAtt");
    if (json_is(v, JSON_ARRAY) && v->n == 2)
        return json_str(v->first);
    struct str head, rest;
    if (json_is(v, JSON_STRING) && str_cut(v->text, '.', &head, &rest) &&
        str_find_byte(rest, '.') < 0)
        return head;
    return (struct str){0};
}

/* All that makes a new version when it changes. */
static struct json *version_content(struct sam *s, const struct json *p,
                                    const struct json *function)
{
    if (truthy(json_get(p, "AutoPublishAliasAllProperties"))) {
        struct json *all = json_copy(s->arena, function);
        JSON_EACH(json_get(function, "Layers"), layer) {
            struct str id = layer_of(layer);
            const struct json *properties =
                str_has(id) ? json_get(json_find(s->source, id), "Properties") : NULL;
            if (truthy(json_get(properties, "PublishLambdaVersion")))
                json_set(s->arena, all, id, json_copy(s->arena, properties));
        }
        return all;
    }
    struct json *content = json_copy(s->arena, json_get(function, "Code"));
    const struct json *environment = json_get(function, "Environment");
    JSON_EACH(environment, member)
        json_set(s->arena, content, member->key, json_copy(s->arena, member));
    if (truthy(json_get(function, "MemorySize")))
        put(s, content, "MemorySize", json_get(function, "MemorySize"));
    const struct json *snap = json_get(function, "SnapStart"), *apply = json_get(snap, "ApplyOn");
    if (truthy(snap) && apply && !str_is(json_str(apply), "None"))
        put(s, content, "SnapStart", snap);
    return content;
}

/* Ten digits of the user's hash or of ours. *ret_id: the version's logical id. */
static int make_version(struct sam *s, struct str id, struct json *p, struct json *function,
                        struct str given_hash, struct str *ret_id)
{
    struct json *code = json_get(function, "Code");
    int r = resolve_parameters(s, &code); /* in the function as well: a new key has to show */
    if (r < 0)
        return r;
    struct str hash =
        given_hash.n ? str_slice(given_hash, 0, 10) : sam_hash(s, version_content(s, p, function));
    struct str version_id = str_printf(s->arena, "%.*sVersion%.*s", STR(id), STR(hash));
    if (!is_alphanumeric(version_id))
        return sam_invalid(s, version_id, "Logical ids must be alphanumeric.");
    struct json *attributes = passed_attributes(s);
    if (!json_get(attributes, "DeletionPolicy")) {
        if (is_none(json_get(p, "VersionDeletionPolicy")))
            put_text(s, attributes, "DeletionPolicy", S("Retain"));
        else
            put(s, attributes, "DeletionPolicy", json_get(p, "VersionDeletionPolicy"));
    }
    struct json *out;
    generate(s, version_id, "AWS::Lambda::Version", attributes, &out);
    put(s, out, "FunctionName", ref_to(s, id));
    put(s, out, "Description", json_get(p, "VersionDescription"));
    *ret_id = version_id;
    return 0;
}

static int check_alias_name(struct sam *s, struct str id, struct str name)
{
    bool digits = true, allowed = true;
    if (!name.n)
        return sam_invalid(s, id, "Alias name is required to create an alias");
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool digit = c >= '0' && c <= '9';
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        digits = digits && digit;
        allowed = allowed && (digit || letter || c == '-' || c == '_');
    }
    if (allowed && !digits)
        return 0;
    return sam_invalid(s, id,
                       "AutoPublishAlias name ('%.*s') must contain only alphanumeric characters, "
                       "hyphens, or underscores matching (?!^[0-9]+$)([a-zA-Z0-9-_]+) pattern.",
                       STR(name));
}

static int make_alias(struct sam *s, struct str id, struct json *p, struct str name,
                      struct str version_id, struct str *ret_id)
{
    int r = check_alias_name(s, id, name);
    if (r < 0)
        return r;
    struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b, "%.*sAlias", STR(id));
    for (size_t i = 0; i < name.n; i++)
        buf_byte(&b, name.p[i] == '-' ? 'D' : name.p[i] == '_' ? 'U' : name.p[i]);
    struct str alias_id = buf_copy(&b, s->arena);
    buf_done(&b);
    struct json *out;
    generate(s, alias_id, "AWS::Lambda::Alias", passed_attributes(s), &out);
    put_text(s, out, "Name", name);
    put(s, out, "FunctionName", ref_to(s, id));
    put(s, out, "FunctionVersion", att_of(s, version_id, "Version"));
    if (truthy(json_get(p, "ProvisionedConcurrencyConfig")))
        put(s, out, "ProvisionedConcurrencyConfig", json_get(p, "ProvisionedConcurrencyConfig"));
    *ret_id = alias_id;
    return 0;
}

/* *ret_alias stays absent without AutoPublishAlias. */
static int publish(struct sam *s, struct str id, struct json *p, struct json *function,
                   struct str *ret_alias)
{
    struct json *name = json_get(p, "AutoPublishAlias");
    if (!truthy(name)) {
        if (truthy(json_get(p, "ProvisionedConcurrencyConfig")))
            return sam_invalid(s, id,
                               "To set ProvisionedConcurrencyConfig AutoPublishALias must be "
                               "defined on the function");
        return 0;
    }
    int r = resolve_parameters(s, &name);
    if (r < 0)
        return r;
    if (name->type != JSON_STRING)
        return sam_invalid(s, id,
                           "'AutoPublishAlias' must be a string or a Ref to a template parameter");
    struct json *hash = json_get(p, "AutoPublishCodeSha256");
    struct str given = {0}, version_id;
    if (truthy(hash)) {
        if ((r = resolve_parameters(s, &hash)) < 0)
            return r;
        if (hash->type != JSON_STRING)
            return sam_invalid(s, id, "AutoPublishCodeSha256 must be a string");
        given = hash->text;
        if ((r = append_hash(s, p, function, given)) < 0)
            return r;
    }
    if ((r = make_version(s, id, p, function, given, &version_id)) < 0 ||
        (r = make_alias(s, id, p, name->text, version_id, ret_alias)) < 0)
        return r;
    struct json *derived = json_new(s->arena, JSON_OBJECT);
    put_text(s, derived, "Alias", *ret_alias);
    put_text(s, derived, "Version", version_id);
    json_set(s->arena, s->derived, id, derived);
    return 0;
}

/* ---- function URL ---- */

static int check_cors(struct sam *s, struct str id, const struct json *cors)
{
    static const struct {
        const char *name, *type;
        enum json_type kind;
    } rows[] = {
        {"AllowOrigins", "list", JSON_ARRAY},    {"AllowMethods", "list", JSON_ARRAY},
        {"AllowCredentials", "bool", JSON_BOOL}, {"AllowHeaders", "list", JSON_ARRAY},
        {"ExposeHeaders", "list", JSON_ARRAY},   {"MaxAge", "int", JSON_NUMBER},
    };
    if (!truthy(cors) || template_is_intrinsic(cors))
        return 0;
    if (cors->type != JSON_OBJECT)
        return sam_invalid(s, id, "Property 'FunctionUrlConfig.Cors' should be a map.");
    JSON_EACH(cors, v) {
        size_t i = 0, n = sizeof rows / sizeof *rows;
        while (i < n && !str_is(v->key, rows[i].name))
            i++;
        if (i == n)
            return sam_invalid(s, id, "%.*s is not a valid property for configuring Cors.",
                               STR(v->key));
        if (!template_is_intrinsic(v) && v->type != rows[i].kind)
            return sam_invalid(s, id, "%s must be of type %s.", rows[i].name, rows[i].type);
    }
    return 0;
}

static void permit(struct sam *s, struct str id, const char *action, const struct json *target,
                   struct json **ret)
{
    generate(s, id, "AWS::Lambda::Permission", passed_attributes(s), ret);
    put_text(s, *ret, "Action", str_from(action));
    put(s, *ret, "FunctionName", target);
    put_text(s, *ret, "Principal", S("*"));
}

static int make_url(struct sam *s, struct str id, const struct json *config, struct str alias_id)
{
    if (!truthy(config))
        return 0;
    const struct json *auth = json_get(config, "AuthType");
    if (!template_is_intrinsic(config)) {
        if (!template_is_intrinsic(auth) && !str_is(json_str(auth), "AWS_IAM") &&
            !str_is(json_str(auth), "NONE"))
            return sam_invalid(s, id,
                               "AuthType is required to configure function property "
                               "`FunctionUrlConfig`. Please provide either AWS_IAM or NONE.");
        int r = check_cors(s, id, json_get(config, "Cors"));
        if (r < 0)
            return r;
    }
    const struct json *target = ref_to(s, str_has(alias_id) ? alias_id : id);
    struct json *out;
    generate(s, named(s, id, "Url"), "AWS::Lambda::Url", passed_attributes(s), &out);
    if (truthy(json_get(config, "Cors")))
        put(s, out, "Cors", json_get(config, "Cors"));
    put(s, out, "AuthType", auth);
    put(s, out, "TargetFunctionArn", target);
    put(s, out, "InvokeMode", json_get(config, "InvokeMode"));
    if (template_is_intrinsic(config) || !str_is(json_str(auth), "NONE"))
        return 0;
    permit(s, named(s, id, "UrlPublicPermissions"), "lambda:InvokeFunctionUrl", target, &out);
    put(s, out, "FunctionUrlAuthType", auth);
    permit(s, named(s, id, "URLInvokeAllowPublicAccess"), "lambda:InvokeFunction", target, &out);
    put(s, out, "InvokedViaFunctionUrl", json_new_bool(s->arena, true));
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
        (r = publish(s, id, p, function, &alias_id)) < 0 ||
        (r = make_url(s, id, json_get(p, "FunctionUrlConfig"), alias_id)) < 0 ||
        (r = make_event_invoke(s, id, p, alias_id)) < 0 ||
        (r = attach_role(s, id, p, function)) < 0)
        return r;
    propagate_tags(s, p);
    return 0;
}
