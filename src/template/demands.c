/* template/demands - what a template asks for before it is opened: transforms, capabilities. */
#include "template/template.h"

int template_transforms(struct arena *a, const struct json *root, struct str **ret, size_t *ret_n,
                        struct template_error *err)
{
    const struct json *section = json_get(root, "Transform");
    struct str *names = ARENA_ARRAY(a, struct str, section && section->n ? section->n : 1);
    size_t n = 0;
    if (json_is(section, JSON_STRING)) {
        names[n++] = section->text;
    } else if (json_is(section, JSON_ARRAY)) {
        JSON_EACH(section, item) {
            struct str name = json_str(item);
            if (!str_has(name))
                name = json_get_str(item, "Name");
            if (!str_has(name))
                return template_fail(a, err, item,
                                     "Template format error: Transform must be a string or a list "
                                     "of strings.");
            names[n++] = name;
        }
    } else if (json_is(section, JSON_OBJECT) && str_has(json_get_str(section, "Name"))) {
        names[n++] = json_get_str(section, "Name");
    } else if (section) {
        return template_fail(
            a, err, section,
            "Template format error: Transform must be a string or a list of strings.");
    }
    *ret = names;
    *ret_n = n;
    return 0;
}

bool template_has_transform(const struct json *root, struct str name)
{
    const struct json *section = json_get(root, "Transform");
    if (json_is(section, JSON_STRING))
        return str_eq(section->text, name);
    if (json_is(section, JSON_OBJECT))
        return str_eq(json_get_str(section, "Name"), name);
    if (json_is(section, JSON_ARRAY))
        JSON_EACH(section, item)
            if (str_eq(json_is(item, JSON_OBJECT) ? json_get_str(item, "Name") : json_str(item),
                       name))
                return true;
    return false;
}

int template_capabilities(struct arena *a, const struct json *root, struct str **ret_types,
                          size_t *ret_n_types)
{
    static const struct {
        struct str type;
        const char *name; /* the property that makes it a named one */
    } rows[] = {
        {S_INIT("AWS::IAM::Role"), "RoleName"},
        {S_INIT("AWS::IAM::ManagedPolicy"), "ManagedPolicyName"},
        {S_INIT("AWS::IAM::Policy"), NULL},
        {S_INIT("AWS::IAM::RolePolicy"), NULL},
        {S_INIT("AWS::IAM::User"), "UserName"},
        {S_INIT("AWS::IAM::Group"), "GroupName"},
        {S_INIT("AWS::IAM::InstanceProfile"), "InstanceProfileName"},
        {S_INIT("AWS::IAM::AccessKey"), NULL},
        {S_INIT("AWS::IAM::UserToGroupAddition"), NULL},
    };
    const struct json *resources = json_get(root, "Resources");
    struct str *types = ARENA_ARRAY(a, struct str, resources ? resources->n + 1 : 1);
    size_t n = 0;
    int found = 0;
    JSON_EACH(resources, resource) {
        struct str type = json_get_str(resource, "Type");
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            if (!str_eq(type, rows[i].type))
                continue;
            found |= CAPABILITY_IAM;
            if (rows[i].name && json_get(json_get(resource, "Properties"), rows[i].name))
                found |= CAPABILITY_NAMED_IAM;
            bool listed = false;
            for (size_t k = 0; k < n && !listed; k++)
                listed = str_eq(types[k], type);
            if (!listed)
                types[n++] = type;
        }
    }
    if (json_get(root, "Transform"))
        found |= CAPABILITY_AUTO_EXPAND;
    *ret_types = types;
    *ret_n_types = n;
    return found;
}
