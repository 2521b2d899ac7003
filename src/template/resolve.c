/* template/resolve - walks a value: references, imports and zones, and the table of functions. */
#include "template/resolving.h"

#include "template/resource_types.h"

#include <errno.h>

#define DEPTH (2 * JSON_DEPTH)

static int resolve_object(struct resolving *rs, const struct json *v, struct json **ret);

struct json *placed(struct json *v, const struct json *like)
{
    v->line = like->line;
    v->column = like->column;
    return v;
}

struct json *text_at(struct resolving *rs, struct str s, const struct json *like)
{
    return placed(json_new_str(rs->arena, s), like);
}

int resolve_value(struct resolving *rs, const struct json *v, struct json **ret)
{
    if (++rs->depth > DEPTH) {
        rs->depth--;
        return template_fail(rs->arena, rs->err, v, "Template error: too deeply nested");
    }
    int r = 0;
    if (rs->arena->used - rs->used_before > TEMPLATE_MAX_WORK_BYTES) {
        r = template_fail(rs->arena, rs->err, v, "Template error: the values are too long");
    } else if (v->type == JSON_OBJECT) {
        r = v->n == 1 && template_is_intrinsic(v) ? resolve_function(rs, v->first, ret)
                                                  : resolve_object(rs, v, ret);
    } else if (v->type == JSON_ARRAY) {
        struct json *array = placed(json_new(rs->arena, JSON_ARRAY), v);
        for (const struct json *item = v->first; item && r == 0; item = item->next) {
            struct json *one = NULL;
            r = resolve_value(rs, item, &one);
            if (r == 0 && one)
                json_add(array, one);
        }
        *ret = array;
    } else {
        *ret = json_copy(rs->arena, v);
    }
    rs->depth--;
    return r;
}

static int resolve_object(struct resolving *rs, const struct json *v, struct json **ret)
{
    struct json *object = placed(json_new(rs->arena, JSON_OBJECT), v);
    JSON_EACH(v, member) {
        struct json *one = NULL;
        int r = resolve_value(rs, member, &one);
        if (r < 0)
            return r;
        if (!one)
            continue;
        one->key = member->key;
        one->key_line = member->key_line;
        one->key_column = member->key_column;
        json_add(object, one);
    }
    *ret = object;
    return 0;
}

int resolve_text(struct resolving *rs, const struct json *v, const char *otherwise, struct str *ret)
{
    struct json *value = NULL;
    int r = v ? resolve_value(rs, v, &value) : 0;
    if (r < 0)
        return r;
    *ret = scalar_text(value);
    if (!str_has(*ret))
        return template_fail(rs->arena, rs->err, v, "%s", otherwise);
    return 0;
}

static struct str pseudo_text(const struct template_env *env, struct str name)
{
    const struct {
        struct str name, value;
    } rows[] = {
        {S("AWS::AccountId"), env->account_id}, {S("AWS::Partition"), env->partition},
        {S("AWS::Region"), env->region},        {S("AWS::StackId"), env->stack_id},
        {S("AWS::StackName"), env->stack_name}, {S("AWS::URLSuffix"), env->url_suffix},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_eq(rows[i].name, name))
            return rows[i].value.p ? rows[i].value : S("");
    return (struct str){0};
}

static int unknown_name(struct resolving *rs, const struct json *at, struct str name)
{
    return template_fail(rs->arena, rs->err, at,
                         "Template format error: Unresolved resource dependencies [%.*s] in the %s "
                         "block of the template",
                         STR(name), rs->block);
}

static int from_source(struct resolving *rs, const struct json *at, struct str name, int r,
                       struct json **ret, struct json *value)
{
    if (r == -ENOENT)
        return unknown_name(rs, at, name);
    if (r == 0)
        *ret = value;
    return r;
}

static int resolve_name(struct resolving *rs, const struct json *at, struct str name,
                        struct json **ret)
{
    if (str_eq(name, S("AWS::NoValue"))) {
        *ret = NULL;
        return 0;
    }
    if (str_eq(name, S("AWS::NotificationARNs"))) {
        *ret = placed(json_new(rs->arena, JSON_ARRAY), at);
        for (size_t i = 0; i < rs->t->env.n_notification_arns; i++)
            json_add(*ret, json_new_str(rs->arena, rs->t->env.notification_arns[i]));
        return 0;
    }
    struct str pseudo = pseudo_text(&rs->t->env, name);
    if (str_has(pseudo)) {
        *ret = text_at(rs, pseudo, at);
        return 0;
    }
    const struct template_parameter *p = template_parameter_find(rs->t, name);
    if (p && p->resolved) {
        *ret = placed(json_copy(rs->arena, p->resolved), at);
        return 0;
    }
    const struct template_resource *resource = template_resource_find(rs->t, name);
    if (!resource || !resource->active || !rs->source || !rs->source->resolve_ref)
        return unknown_name(rs, at, name);
    struct json *value = NULL;
    int r = rs->source->resolve_ref(rs->source->user, rs->arena, resource, &value, rs->err);
    return from_source(rs, at, name, r, ret, value);
}

static int resolve_attribute(struct resolving *rs, const struct json *at, struct str name,
                             struct str attribute, struct json **ret)
{
    const struct template_resource *resource = template_resource_find(rs->t, name);
    if (!resource)
        return template_fail(rs->arena, rs->err, at,
                             "Template error: instance of Fn::GetAtt references undefined resource "
                             "%.*s",
                             STR(name));
    if (!resource->active || !rs->source || !rs->source->resolve_attribute)
        return unknown_name(rs, at, name);
    const struct resource_type *type = resource_type_find(resource->type);
    struct json *value = NULL;
    int r = -ENOENT;
    if (!type || resource_type_has_attribute(type, attribute))
        r = rs->source->resolve_attribute(rs->source->user, rs->arena, resource, attribute, &value,
                                          rs->err);
    if (r == -ENOENT)
        return template_fail(
            rs->arena, rs->err, at,
            "Template error: resource %.*s does not support attribute type %.*s in "
            "Fn::GetAtt",
            STR(name), STR(attribute));
    return from_source(rs, at, name, r, ret, value);
}

static int fn_ref(struct resolving *rs, const struct json *arg, struct json **ret)
{
    if (arg->type != JSON_STRING)
        return template_fail(rs->arena, rs->err, arg,
                             "Template error: every Ref object must have a single String value.");
    return resolve_name(rs, arg, arg->text, ret);
}

static int fn_get_att(struct resolving *rs, const struct json *arg, struct json **ret)
{
    static const char wrong[] = "Template error: every Fn::GetAtt object requires two non-empty "
                                "parameters, the resource name and the resource attribute";
    struct str name, attribute;
    if (arg->type == JSON_STRING && str_cut(arg->text, '.', &name, &attribute))
        return resolve_attribute(rs, arg, name, attribute, ret);
    if (arg->type != JSON_ARRAY || arg->n != 2 || !json_is(arg->first, JSON_STRING))
        return template_fail(rs->arena, rs->err, arg, wrong);
    int r = resolve_text(rs, json_at(arg, 1), wrong, &attribute);
    if (r < 0)
        return r;
    name = arg->first->text;
    struct str head, rest;
    if (str_cut(name, '.', &head, &rest)) {
        name = head;
        attribute = str_printf(rs->arena, "%.*s.%.*s", STR(rest), STR(attribute));
    }
    return resolve_attribute(rs, arg, name, attribute, ret);
}

static int sub_variable(struct resolving *rs, const struct json *at, const struct json *locals,
                        struct str var, struct buf *out)
{
    struct json *value = NULL;
    const struct json *local = json_find(locals, var);
    struct str name, attribute;
    int r;
    if (local)
        r = resolve_value(rs, local, &value);
    else if (!str_starts(var, S("AWS::")) && str_cut(var, '.', &name, &attribute))
        r = resolve_attribute(rs, at, name, attribute, &value);
    else
        r = resolve_name(rs, at, var, &value);
    if (r < 0)
        return r;
    struct str text = scalar_text(value);
    if (!str_has(text))
        return template_fail(rs->arena, rs->err, at,
                             "Template error: variable %.*s in Fn::Sub expression does not resolve "
                             "to a string",
                             STR(var));
    buf_str(out, text);
    return 0;
}

static int fn_sub(struct resolving *rs, const struct json *arg, struct json **ret)
{
    const struct json *text = arg->type == JSON_ARRAY ? arg->first : arg;
    const struct json *locals = arg->type == JSON_ARRAY ? json_at(arg, 1) : NULL;
    if (!json_is(text, JSON_STRING) || (arg->type == JSON_ARRAY && arg->n > 2) ||
        (locals && locals->type != JSON_OBJECT))
        return template_fail(
            rs->arena, rs->err, arg,
            "Template error: One or more Fn::Sub intrinsic functions don't specify "
            "expected arguments. Specify a string as first argument, and an "
            "optional second argument to specify a mapping of values to replace "
            "in the string");
    struct buf out;
    buf_init(&out, RESOLVED_MAX);
    size_t pos = 0;
    struct str literal, var;
    int r = 0;
    while (r == 0 && sub_next(text->text, &pos, &literal, &var)) {
        if (str_has(var))
            r = sub_variable(rs, text, locals, var, &out);
        else
            buf_str(&out, literal);
    }
    if (r == 0 && buf_failed(&out))
        r = template_fail(rs->arena, rs->err, arg, "Template error: the value is too long");
    if (r == 0)
        *ret = text_at(rs, buf_copy(&out, rs->arena), arg);
    buf_done(&out);
    return r;
}

static int fn_import(struct resolving *rs, const struct json *arg, struct json **ret)
{
    struct str name;
    int r = resolve_text(rs, arg,
                         "Template error: the attribute in Fn::ImportValue must be a string or a "
                         "function that returns a string",
                         &name);
    if (r < 0)
        return r;
    struct json *value = NULL;
    r = -ENOENT;
    if (rs->source && rs->source->resolve_import)
        r = rs->source->resolve_import(rs->source->user, rs->arena, name, &value, rs->err);
    if (r == -ENOENT)
        return template_fail(rs->arena, rs->err, arg, "No export named %.*s found.", STR(name));
    if (r == 0)
        *ret = value;
    return r;
}

static int fn_zones(struct resolving *rs, const struct json *arg, struct json **ret)
{
    struct str region;
    int r = resolve_text(rs, arg, "Template error: Fn::GetAZs requires a region", &region);
    if (r < 0)
        return r;
    if (!region.n)
        region = rs->t->env.region;
    if (rs->source && rs->source->resolve_zones) {
        struct json *value = NULL;
        r = rs->source->resolve_zones(rs->source->user, rs->arena, region, &value, rs->err);
        return from_source(rs, arg, region, r, ret, value);
    }
    struct json *list = placed(json_new(rs->arena, JSON_ARRAY), arg);
    for (const char *zone = "abc"; *zone; zone++)
        json_add(list, text_at(rs, str_printf(rs->arena, "%.*s%c", STR(region), *zone), arg));
    *ret = list;
    return 0;
}

static const struct {
    struct str name;
    int (*run)(struct resolving *rs, const struct json *arg, struct json **ret);
    bool extension; /* only with AWS::LanguageExtensions */
} functions[] = {
    {S_INIT("Ref"), fn_ref, false},
    {S_INIT("Fn::GetAtt"), fn_get_att, false},
    {S_INIT("Fn::Sub"), fn_sub, false},
    {S_INIT("Fn::Join"), fn_join, false},
    {S_INIT("Fn::Select"), fn_select, false},
    {S_INIT("Fn::Split"), fn_split, false},
    {S_INIT("Fn::Base64"), fn_base64, false},
    {S_INIT("Fn::ImportValue"), fn_import, false},
    {S_INIT("Fn::GetAZs"), fn_zones, false},
    {S_INIT("Fn::FindInMap"), fn_find_in_map, false},
    {S_INIT("Fn::If"), fn_if, false},
    {S_INIT("Fn::Cidr"), fn_cidr, false},
    {S_INIT("Fn::Equals"), fn_boolean, false},
    {S_INIT("Fn::And"), fn_boolean, false},
    {S_INIT("Fn::Or"), fn_boolean, false},
    {S_INIT("Fn::Not"), fn_boolean, false},
    {S_INIT("Fn::Length"), fn_length, true},
    {S_INIT("Fn::ToJsonString"), fn_to_json, true},
};

int resolve_function(struct resolving *rs, const struct json *arg, struct json **ret)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (!str_eq(functions[i].name, arg->key))
            continue;
        if (functions[i].extension && !rs->t->language_extensions)
            return template_fail(rs->arena, rs->err, arg,
                                 "Template error: %.*s needs Transform: AWS::LanguageExtensions",
                                 STR(arg->key));
        return functions[i].run(rs, arg, ret);
    }
    /* {"Condition": ...} is a function only in Conditions; elsewhere it is data: a policy's own. */
    if (str_eq(arg->key, S("Condition"))) {
        struct json *value = NULL;
        int r = resolve_value(rs, arg, &value);
        if (r < 0)
            return r;
        *ret = placed(json_new(rs->arena, JSON_OBJECT), arg);
        if (value) {
            value->key = arg->key;
            json_add(*ret, value);
        }
        return 0;
    }
    return template_fail(rs->arena, rs->err, arg, "Template error: function %.*s is not supported",
                         STR(arg->key));
}

int template_resolve(struct template *t, struct arena *a, const struct template_source *source,
                     const struct json *value, struct json **ret, struct template_error *err)
{
    struct resolving rs = {.t = t,
                           .arena = a,
                           .source = source,
                           .err = err,
                           .block = "Resources",
                           .used_before = a->used};
    struct json *result = NULL;
    int r = resolve_value(&rs, value, &result);
    if (r == 0)
        *ret = result;
    return r;
}

int template_resolve_properties(struct template *t, struct arena *a,
                                const struct template_source *source,
                                const struct template_resource *resource, struct json **ret,
                                struct template_error *err)
{
    if (!resource->properties) {
        *ret = json_new(a, JSON_OBJECT);
        return 0;
    }
    struct json *result = NULL;
    int r = template_resolve(t, a, source, resource->properties, &result, err);
    if (r < 0)
        return r;
    if (!json_is(result, JSON_OBJECT))
        return template_fail(
            a, err, resource->properties,
            "Template format error: [/Resources/%.*s/Properties] must be an object",
            STR(resource->logical_id));
    *ret = result;
    return 0;
}

int template_resolve_output(struct template *t, struct arena *a,
                            const struct template_source *source,
                            const struct template_output *output, struct str *ret_value,
                            struct str *ret_export_name, struct template_error *err)
{
    struct resolving rs = {.t = t,
                           .arena = a,
                           .source = source,
                           .err = err,
                           .block = "Outputs",
                           .used_before = a->used};
    struct str value, name = {0};
    int r = resolve_text(&rs, output->value,
                         "Template format error: The Value field of every Outputs member must "
                         "evaluate to a String.",
                         &value);
    if (r == 0 && output->export_name)
        r = resolve_text(&rs, output->export_name,
                         "Template format error: The Name field of every Export member must "
                         "evaluate to a String.",
                         &name);
    if (r < 0)
        return r;
    *ret_value = value;
    *ret_export_name = name;
    return 0;
}
