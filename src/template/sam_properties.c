/* template/sam_properties - which properties SAM's resources have, and what may stand in them. */
#include "template/sam_inside.h"

#include <errno.h>

enum check {
    ANYTHING,
    TEXT, /* "should be a string" */
    MAP,  /* "should be a map" */
    BOOLEAN,
    TEXT_ONLY, /* a string, worded generally */
    TEXT_OR_MAP,
    MAP_OF_MAPS,
    LIST_OF_BOTH, /* of strings and maps */
    POLICIES,     /* a string, a map, or a list of both */
    DELETE_RETAIN,
};

struct sam_property {
    const char *name;
    enum check check;
    bool required;
    bool plain; /* a function in place of the value is no excuse */
};

// clang-format off
static const struct sam_property function_properties[] = {
    {"FunctionName", TEXT_OR_MAP, false, false},
    {"Handler", ANYTHING, false, true},
    {"Runtime", ANYTHING, false, true},
    {"CodeUri", ANYTHING, false, true},
    {"ImageUri", ANYTHING, false, true},
    {"PackageType", ANYTHING, false, true},
    {"InlineCode", ANYTHING, false, true},
    {"DeadLetterQueue", MAP, false, false},
    {"Description", ANYTHING, false, true},
    {"MemorySize", ANYTHING, false, true},
    {"Timeout", ANYTHING, false, true},
    {"VpcConfig", ANYTHING, false, true},
    {"Role", TEXT, false, false},
    {"AssumeRolePolicyDocument", MAP, false, false},
    {"Policies", POLICIES, false, false},
    {"RolePath", ANYTHING, false, true},
    {"PermissionsBoundary", TEXT, false, false},
    {"Environment", MAP_OF_MAPS, false, false},
    {"Events", MAP_OF_MAPS, false, false},
    {"Tags", MAP, false, false},
    {"PropagateTags", BOOLEAN, false, false},
    {"Tracing", TEXT_OR_MAP, false, false},
    {"KmsKeyArn", ANYTHING, false, true},
    {"DeploymentPreference", MAP, false, false},
    {"ReservedConcurrentExecutions", ANYTHING, false, true},
    {"Layers", LIST_OF_BOTH, false, false},
    {"EventInvokeConfig", MAP, false, false},
    {"EphemeralStorage", ANYTHING, false, true},
    {"AutoPublishAlias", TEXT_ONLY, false, false},
    {"AutoPublishCodeSha256", TEXT_ONLY, false, false},
    {"AutoPublishAliasAllProperties", BOOLEAN, false, true},
    {"VersionDescription", ANYTHING, false, true},
    {"ProvisionedConcurrencyConfig", ANYTHING, false, true},
    {"FileSystemConfigs", ANYTHING, false, true},
    {"ImageConfig", ANYTHING, false, true},
    {"CodeSigningConfigArn", ANYTHING, false, true},
    {"Architectures", ANYTHING, false, true},
    {"SnapStart", MAP, false, false},
    {"FunctionUrlConfig", MAP, false, false},
    {"RuntimeManagementConfig", ANYTHING, false, true},
    {"LoggingConfig", ANYTHING, false, true},
    {"RecursiveLoop", ANYTHING, false, true},
    {"SourceKMSKeyArn", ANYTHING, false, true},
    {"CapacityProviderConfig", MAP, false, false},
    {"FunctionScalingConfig", MAP, false, false},
    {"VersionDeletionPolicy", DELETE_RETAIN, false, false},
    {"PublishToLatestPublished", ANYTHING, false, true},
    {"TenancyConfig", ANYTHING, false, true},
    {"DurableConfig", MAP, false, false},
    {NULL, ANYTHING, false, false},
};

static const struct sam_property layer_properties[] = {
    {"LayerName", TEXT_OR_MAP, false, false},
    {"Description", TEXT, false, false},
    {"PublishLambdaVersion", BOOLEAN, false, false},
    {"ContentUri", TEXT_OR_MAP, true, false},
    {"CompatibleArchitectures", LIST_OF_BOTH, false, false},
    {"CompatibleRuntimes", LIST_OF_BOTH, false, false},
    {"LicenseInfo", TEXT, false, false},
    {"RetentionPolicy", TEXT, false, false},
    {NULL, ANYTHING, false, false},
};
// clang-format on

static bool text_or_map(const struct json *v)
{
    return v->type == JSON_STRING || v->type == JSON_OBJECT;
}

static bool fits(const struct json *v, enum check check)
{
    switch (check) {
    case ANYTHING:
        return true;
    case TEXT:
    case TEXT_ONLY:
        return v->type == JSON_STRING;
    case MAP:
        return v->type == JSON_OBJECT;
    case BOOLEAN:
        return v->type == JSON_BOOL;
    case TEXT_OR_MAP:
        return text_or_map(v);
    case MAP_OF_MAPS:
        if (v->type != JSON_OBJECT)
            return false;
        JSON_EACH(v, member)
            if (member->type != JSON_OBJECT)
                return false;
        return true;
    case POLICIES:
        if (text_or_map(v))
            return true;
        /* fall through */
    case LIST_OF_BOTH:
        if (v->type != JSON_ARRAY)
            return false;
        JSON_EACH(v, item)
            if (!text_or_map(item))
                return false;
        return true;
    case DELETE_RETAIN:
        return v->type == JSON_STRING && (str_is(v->text, "Delete") || str_is(v->text, "Retain"));
    }
    return false;
}

int check_properties(struct sam *s, struct str id, enum sam_kind kind,
                     const struct json *properties)
{
    const struct sam_property *table =
        kind == SAM_FUNCTION ? function_properties : layer_properties;
    const char *type =
        kind == SAM_FUNCTION ? "AWS::Serverless::Function" : "AWS::Serverless::LayerVersion";
    JSON_EACH(properties, v) {
        const struct sam_property *p = table;
        while (p->name && !str_is(v->key, p->name))
            p++;
        if (!p->name)
            return sam_invalid(s, id, "property %.*s not defined for resource of type %s",
                               STR(v->key), type);
    }
    for (const struct sam_property *p = table; p->name; p++) {
        const struct json *v = json_get(properties, p->name);
        if (!p->plain && json_is(v, JSON_OBJECT) && v->n == 1)
            continue;
        if (is_none(v)) {
            if (p->required)
                return sam_invalid(s, id, "Missing required property '%s'.", p->name);
            continue;
        }
        if (fits(v, p->check))
            continue;
        if (p->check == MAP || p->check == TEXT)
            return sam_invalid(s, id, "Property '%s' should be a %s.", p->name,
                               p->check == MAP ? "map" : "string");
        if (p->check == DELETE_RETAIN)
            return sam_invalid(
                s, id, "Property '%s' should be a one of the strings: 'Delete' or 'Retain'.",
                p->name);
        return sam_invalid(s, id, "Type of property '%s' is invalid.", p->name);
    }
    return 0;
}
