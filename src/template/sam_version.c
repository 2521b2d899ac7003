/* template/sam_version - AutoPublishAlias of a function: version and alias. */
#include "template/sam_inside.h"

#include <errno.h>

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
int publish_function(struct sam *s, struct str id, struct json *p, struct json *function,
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
