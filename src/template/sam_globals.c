/* template/sam_globals - the Globals section, merged into the resources. */
#include "template/sam_inside.h"

#include <errno.h>

/* What may stand in each section, in the order the message lists it. */
// clang-format off
static const struct {
    const char *section;
    const char *properties;
} sections[] = {
    {"Api",
     "Auth Name DefinitionUri CacheClusterEnabled CacheClusterSize MergeDefinitions "
     "Variables EndpointConfiguration MethodSettings BinaryMediaTypes "
     "MinimumCompressionSize Cors GatewayResponses AccessLogSetting CanarySetting "
     "TracingEnabled OpenApiVersion Domain AlwaysDeploy PropagateTags SecurityPolicy "
     "EndpointAccessMode"},
    {"CapacityProvider",
     "VpcConfig OperatorRole Tags InstanceRequirements ScalingConfig KmsKeyArn "
     "PropagateTags"},
    {"Function",
     "Handler Runtime CodeUri DeadLetterQueue Description MemorySize Timeout VpcConfig "
     "Environment Tags PropagateTags Tracing KmsKeyArn AutoPublishAlias "
     "AutoPublishAliasAllProperties Layers DeploymentPreference RolePath "
     "PermissionsBoundary ReservedConcurrentExecutions ProvisionedConcurrencyConfig "
     "AssumeRolePolicyDocument EventInvokeConfig FileSystemConfigs CodeSigningConfigArn "
     "Architectures SnapStart EphemeralStorage FunctionUrlConfig RuntimeManagementConfig "
     "LoggingConfig RecursiveLoop SourceKMSKeyArn TenancyConfig DurableConfig "
     "CapacityProviderConfig FunctionScalingConfig PublishToLatestPublished "
     "VersionDeletionPolicy"},
    {"HttpApi",
     "Auth AccessLogSettings StageVariables Tags CorsConfiguration DefaultRouteSettings "
     "Domain RouteSettings FailOnWarnings PropagateTags"},
    {"LayerVersion",
     "PublishLambdaVersion"},
    {"SimpleTable",
     "SSESpecification"},
    {"StateMachine",
     "PropagateTags"},
    {"WebSocketApi",
     "AccessLogSettings ApiKeySelectionExpression DefaultRouteSettings "
     "DisableExecuteApiEndpoint DisableSchemaValidation Domain FailOnWarnings "
     "IpAddressType PropagateTags RouteSelectionExpression RouteSettings StageVariables "
     "Tags"},
};
// clang-format on

#define N_SECTIONS (sizeof sections / sizeof *sections)

/* "A B" -> "['A', 'B']" */
static struct str python_list(struct sam *s, const char *words)
{
    struct buf b;
    buf_init(&b, 65536);
    struct str rest = str_from(words), head;
    buf_byte(&b, '[');
    for (bool more = true; more;) {
        more = str_cut(rest, ' ', &head, &rest);
        buf_printf(&b, "'%.*s'%s", STR(head), more ? ", " : "]");
    }
    struct str list = buf_copy(&b, s->arena);
    buf_done(&b);
    return list;
}

static bool has_word(const char *words, struct str word)
{
    struct str rest = str_from(words), head;
    for (bool more = true; more;) {
        more = str_cut(rest, ' ', &head, &rest);
        if (str_eq(head, word))
            return true;
    }
    return false;
}

static int invalid(struct sam *s, struct str what)
{
    return sam_fatal(s, S("Globals"), "'Globals' section is invalid. %.*s", STR(what));
}

static int check_section(struct sam *s, const struct json *section)
{
    size_t i = 0;
    while (i < N_SECTIONS && !str_is(section->key, sections[i].section))
        i++;
    if (i == N_SECTIONS)
        return invalid(
            s, str_printf(s->arena,
                          "'%.*s' is not supported. Must be one of the following values - "
                          "['Api', 'CapacityProvider', 'Function', 'HttpApi', 'LayerVersion', "
                          "'SimpleTable', 'StateMachine', 'WebSocketApi']",
                          STR(section->key)));
    if (section->type != JSON_OBJECT)
        return invalid(s, S("Value of ${section} must be a dictionary"));
    JSON_EACH(section, property)
        if (!has_word(sections[i].properties, property->key))
            return invalid(
                s, str_printf(s->arena,
                              "'%.*s' is not a supported property of '%s'. Must be one of the "
                              "following values - %.*s",
                              STR(property->key), sections[i].section,
                              STR(python_list(s, sections[i].properties))));
    return 0;
}

/* Maps are merged, lists appended, everything else is the resource's own. Functions count as plain.
 */
static struct json *merge(struct sam *s, const struct json *global, const struct json *local)
{
    bool maps = global->type == JSON_OBJECT && local->type == JSON_OBJECT &&
                !template_is_intrinsic(global) && !template_is_intrinsic(local);
    if (maps) {
        struct json *result = json_copy(s->arena, global);
        JSON_EACH(local, member) {
            const struct json *same = json_find(global, member->key);
            struct json *value = same ? merge(s, same, member) : json_copy(s->arena, member);
            json_set(s->arena, result, member->key, value);
            value->key_line = member->key_line;
            value->key_column = member->key_column;
        }
        return result;
    }
    if (global->type == JSON_ARRAY && local->type == JSON_ARRAY) {
        struct json *result = json_copy(s->arena, global);
        JSON_EACH(local, item)
            json_add(result, json_copy(s->arena, item));
        return result;
    }
    return json_copy(s->arena, local);
}

/* What of the section the resource does not turn away with IgnoreGlobals; *ret NULL: nothing. */
static int applicable(struct sam *s, const struct json *resource, const struct json *section,
                      const struct json **ret)
{
    const struct json *ignore = json_get(resource, "IgnoreGlobals");
    struct str id = resource->key;
    *ret = section;
    if (!truthy(ignore))
        return 0;
    if (json_is(ignore, JSON_STRING) && str_is(ignore->text, "*")) {
        *ret = NULL;
        return 0;
    }
    if (ignore->type != JSON_ARRAY)
        return sam_fatal(s, id,
                         "Resource with id [%.*s] is invalid. Resource %.*s has invalid resource "
                         "attribute 'IgnoreGlobals'.",
                         STR(id), STR(id));
    struct json *left = json_copy(s->arena, section);
    JSON_EACH(ignore, name)
        if (!json_remove(left, scalar_text(name)))
            return sam_fatal(s, id,
                             "Resource with id [%.*s] is invalid. Resource %.*s has invalid "
                             "resource attribute 'IgnoreGlobals' on item '%.*s'.",
                             STR(id), STR(id), STR(scalar_text(name)));
    *ret = left;
    return 0;
}

int merge_globals(struct sam *s)
{
    const struct json *globals = json_get(s->root, "Globals");
    if (!globals)
        return 0;
    if (globals->type != JSON_OBJECT)
        return invalid(s, S("It must be a non-empty dictionary"));
    int r;
    JSON_EACH(globals, section)
        if ((r = check_section(s, section)) < 0)
            return r;
    JSON_EACH(json_get(s->root, "Resources"), resource) {
        struct str type = json_get_str(resource, "Type"), prefix = S("AWS::Serverless::");
        if (!str_starts(type, prefix))
            continue;
        const struct json *section = json_find(globals, str_slice(type, prefix.n, type.n));
        if (!section)
            continue;
        if (too_large(s))
            return -EBADMSG;
        if ((r = applicable(s, resource, section, &section)) < 0)
            return r;
        const struct json *own = json_get(resource, "Properties");
        struct json *none = json_new(s->arena, JSON_OBJECT);
        if (section)
            json_set(s->arena, resource, S("Properties"), merge(s, section, own ? own : none));
    }
    json_remove(s->root, S("Globals"));
    return 0;
}
