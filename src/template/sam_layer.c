/* template/sam_layer - AWS::Serverless::LayerVersion. */
#include "template/sam_inside.h"

#include <errno.h>

static int resolve_texts(struct sam *s, struct str id, struct json *properties)
{
    static const char *const names[] = {"LayerName", "LicenseInfo", "Description",
                                        "RetentionPolicy", NULL};
    for (const char *const *n = names; *n; n++) {
        struct json *v = json_get(properties, *n);
        if (!truthy(v))
            continue;
        int r = resolve_parameters(s, &v);
        if (r < 0)
            return r;
        if (v->type != JSON_STRING && v->type != JSON_OBJECT)
            return sam_invalid(
                s, id, "Could not resolve parameter for '%s' or parameter is not a String.", *n);
        json_set(s->arena, properties, str_from(*n), v);
    }
    return 0;
}

/* *ret absent: the property says nothing. */
static int retention(struct sam *s, struct str id, const struct json *v, struct str *ret)
{
    *ret = (struct str){0};
    if (template_is_intrinsic(v))
        return sam_invalid(s, id,
                           "'RetentionPolicy' does not accept intrinsic functions, please use one "
                           "of the following options: ['Retain', 'Delete']");
    if (is_none(v))
        return 0;
    if (v->type != JSON_STRING)
        return sam_invalid(s, id,
                           "Invalid 'RetentionPolicy' type, please use one of the following "
                           "options: ['Retain', 'Delete']");
    if (str_eq_nocase(v->text, S("Retain")))
        *ret = S("Retain");
    else if (str_eq_nocase(v->text, S("Delete")))
        *ret = S("Delete");
    else
        return sam_invalid(s, id,
                           "'RetentionPolicy' must be one of the following options: ['Retain', "
                           "'Delete'].");
    return 0;
}

/* The logical id changes with the content, so that a new version is a new resource. What only says
 * when to delete it does not count. */
static struct str hashed_id(struct sam *s, struct str id, const struct json *properties)
{
    static const char *const counted[] = {"Condition", "UpdatePolicy", NULL};
    struct json *resource = json_new(s->arena, JSON_OBJECT);
    put_text(s, resource, "Type", S("AWS::Serverless::LayerVersion"));
    if (truthy(json_get(s->resource, "DependsOn")))
        put(s, resource, "DependsOn", json_get(s->resource, "DependsOn"));
    for (const char *const *c = counted; *c; c++)
        if (json_get(s->resource, *c))
            json_set(s->arena, resource, str_from(*c),
                     json_copy(s->arena, json_get(s->resource, *c)));
    struct json *kept = json_new(s->arena, JSON_OBJECT);
    JSON_EACH(properties, v)
        if (v->type != JSON_NULL)
            json_set(s->arena, kept, v->key, json_copy(s->arena, v));
    json_set(s->arena, resource, S("Properties"), kept);
    struct json *whole = json_new(s->arena, JSON_OBJECT);
    json_set(s->arena, whole, id, resource);
    return str_printf(s->arena, "%.*s%.*s", STR(id), STR(sam_hash(s, whole)));
}

static int check_architectures(struct sam *s, struct str id, const struct json *list)
{
    if (!truthy(list) || template_is_intrinsic(list))
        return 0;
    JSON_EACH(list, item)
        if (!template_is_intrinsic(item) && !str_is(json_str(item), "x86_64") &&
            !str_is(json_str(item), "arm64"))
            return sam_invalid(s, id,
                               "CompatibleArchitectures needs to be a list of 'x86_64' or 'arm64'");
    return 0;
}

int transform_layer(struct sam *s, struct str id, struct json *properties)
{
    struct str policy;
    int r;
    if ((r = check_properties(s, id, SAM_LAYER, properties)) < 0 ||
        (r = resolve_texts(s, id, properties)) < 0 ||
        (r = retention(s, id, json_get(properties, "RetentionPolicy"), &policy)) < 0 ||
        (r = check_properties(s, id, SAM_LAYER, properties)) < 0)
        return r;
    struct str new_id = hashed_id(s, id, properties);
    struct json *attributes = passed_attributes(s);
    if (str_has(policy) || !json_get(attributes, "DeletionPolicy"))
        put_text(s, attributes, "DeletionPolicy", str_has(policy) ? policy : S("Retain"));
    if (truthy(json_get(s->resource, "DependsOn")))
        put(s, attributes, "DependsOn", json_get(s->resource, "DependsOn"));
    struct json *content;
    if ((r = sam_code_location(s, new_id, "ContentUri", json_get(properties, "ContentUri"),
                               &content)) < 0 ||
        (r = check_architectures(s, new_id, json_get(properties, "CompatibleArchitectures"))) < 0)
        return r;
    struct json *out;
    generate(s, new_id, "AWS::Lambda::LayerVersion", attributes, &out);
    put(s, out, "Content", content);
    put(s, out, "Description", json_get(properties, "Description"));
    if (truthy(json_get(properties, "LayerName")))
        put(s, out, "LayerName", json_get(properties, "LayerName"));
    else
        put_text(s, out, "LayerName", id);
    put(s, out, "CompatibleArchitectures", json_get(properties, "CompatibleArchitectures"));
    put(s, out, "CompatibleRuntimes", json_get(properties, "CompatibleRuntimes"));
    put(s, out, "LicenseInfo", json_get(properties, "LicenseInfo"));
    put_text(s, s->changed, str_c(s->arena, id), new_id);
    return 0;
}
