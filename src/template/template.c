/* template/template - the sections of a template, their form, and binding them to one stack. */
#include "template/inside.h"

#include <errno.h>

struct str scalar_text(const struct json *v)
{
    if (!v)
        return (struct str){0};
    if (v->type == JSON_STRING || v->type == JSON_NUMBER)
        return v->text.p ? v->text : S("");
    if (v->type == JSON_BOOL)
        return v->boolean ? S("true") : S("false");
    return (struct str){0};
}

bool is_alphanumeric(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
            return false;
    }
    return name.n > 0;
}

struct str bracketed(struct arena *a, const struct str *names, size_t n)
{
    return str_printf(a, "[%.*s]", STR(str_join(a, S(", "), names, n)));
}

bool template_is_intrinsic(const struct json *v)
{
    if (!json_is(v, JSON_OBJECT) || v->n != 1)
        return false;
    struct str key = v->first->key;
    return str_eq(key, S("Ref")) || str_eq(key, S("Condition")) || str_starts(key, S("Fn::"));
}

/* Where a walk stands: built on the stack, written out only for a message. */
struct step {
    const struct step *above;
    const struct json *v; /* NULL: the root */
    size_t index;         /* in a list */
};

static void write_path(struct buf *b, const struct step *step)
{
    if (!step->v)
        return;
    write_path(b, step->above);
    if (str_has(step->v->key))
        buf_printf(b, "/%.*s", STR(step->v->key));
    else
        buf_printf(b, "/%zu", step->index);
}

static int null_found(struct template *t, const struct step *step, struct template_error *err)
{
    struct buf b;
    buf_init(&b, TEMPLATE_MAX_BYTES);
    write_path(&b, step);
    struct str path = buf_copy(&b, t->arena);
    buf_done(&b);
    return template_fail(t->arena, err, step->v,
                         "Template format error: [%.*s] 'null' values are not allowed in templates",
                         STR(path));
}

static int check_nulls(struct template *t, const struct json *v, const struct step *above,
                       struct template_error *err)
{
    struct step step = {.above = above};
    for (const struct json *child = v->first; child; child = child->next, step.index++) {
        step.v = child;
        int r = child->type == JSON_NULL ? null_found(t, &step, err)
                                         : check_nulls(t, child, &step, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_sections(struct template *t, struct template_error *err)
{
    static const char *const known[] = {"AWSTemplateFormatVersion",
                                        "Description",
                                        "Metadata",
                                        "Parameters",
                                        "Mappings",
                                        "Rules",
                                        "Conditions",
                                        "Transform",
                                        "Resources",
                                        "Outputs",
                                        NULL};
    struct str *bad = ARENA_ARRAY(t->arena, struct str, t->root->n + 1);
    const struct json *first = NULL;
    size_t n = 0;
    JSON_EACH(t->root, section) {
        bool found = false;
        for (const char *const *k = known; *k && !found; k++)
            found = str_is(section->key, *k);
        if (found)
            continue;
        if (!first)
            first = section;
        bad[n++] = section->key;
    }
    if (n)
        return template_fail(t->arena, err, first, "Invalid template property or properties %.*s",
                             STR(bracketed(t->arena, bad, n)));
    const struct json *version = json_get(t->root, "AWSTemplateFormatVersion");
    if (version && !str_eq(scalar_text(version), S("2010-09-09")))
        return template_fail(
            t->arena, err, version,
            "Template format error: unsupported value for AWSTemplateFormatVersion.");
    const struct json *description = json_get(t->root, "Description");
    if (description && !json_is(description, JSON_STRING))
        return template_fail(t->arena, err, description,
                             "Template format error: Description must be a string.");
    if (description && description->text.n > 1024)
        return template_fail(t->arena, err, description,
                             "Template format error: 'Description' length is greater than 1024.");
    if (json_get(t->root, "Rules"))
        return template_fail(t->arena, err, json_get(t->root, "Rules"),
                             "The Rules section is not supported");
    return 0;
}

static int object_section(struct template *t, const char *name, const struct json **ret,
                          struct template_error *err)
{
    const struct json *section = json_get(t->root, name);
    if (section && section->type != JSON_OBJECT)
        return template_fail(t->arena, err, section,
                             "Template format error: %s section must be an object.", name);
    *ret = section;
    return 0;
}

static int read_policy(struct template *t, const struct json *declaration, const char *name,
                       bool on_create, enum template_policy *ret, bool *ret_has,
                       struct template_error *err)
{
    const struct json *v = json_get(declaration, name);
    if (!v)
        return 0;
    struct str word = json_str(v);
    *ret_has = true;
    if (str_eq(word, S("Delete")))
        *ret = POLICY_DELETE;
    else if (str_eq(word, S("Retain")))
        *ret = POLICY_RETAIN;
    else if (str_eq(word, S("Snapshot")))
        *ret = POLICY_SNAPSHOT;
    else if (on_create && str_eq(word, S("RetainExceptOnCreate")))
        *ret = POLICY_RETAIN_EXCEPT_ON_CREATE;
    else
        return template_fail(t->arena, err, v,
                             "Template format error: Unrecognized %s %.*s for %.*s", name,
                             STR(scalar_text(v)), STR(declaration->key));
    return 0;
}

static int open_resource(struct template *t, const struct json *declaration,
                         struct template_resource *ret, struct template_error *err)
{
    static const char *const known[] = {
        "Type",           "Properties",          "Metadata",     "DependsOn",      "Condition",
        "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy", NULL};
    struct arena *a = t->arena;
    struct str id = declaration->key;
    if (!is_alphanumeric(id))
        return template_fail(a, err, declaration,
                             "Template format error: Resource name %.*s is non alphanumeric.",
                             STR(id));
    if (declaration->type != JSON_OBJECT)
        return template_fail(a, err, declaration,
                             "Template format error: [/Resources/%.*s] resource definition is "
                             "malformed",
                             STR(id));
    JSON_EACH(declaration, member) {
        bool found = false;
        for (const char *const *k = known; *k && !found; k++)
            found = str_is(member->key, *k);
        if (!found)
            return template_fail(a, err, member, "Invalid template resource property '%.*s'",
                                 STR(member->key));
    }
    ret->logical_id = id;
    ret->declaration = declaration;
    ret->type = json_get_str(declaration, "Type");
    if (!str_has(ret->type) || !ret->type.n)
        return template_fail(a, err, declaration,
                             "Template format error: [/Resources/%.*s] Every Resources object must "
                             "contain a Type member.",
                             STR(id));
    ret->properties = json_get(declaration, "Properties");
    if (ret->properties && ret->properties->type != JSON_OBJECT)
        return template_fail(
            a, err, ret->properties,
            "Template format error: [/Resources/%.*s/Properties] must be an object", STR(id));
    ret->metadata = json_get(declaration, "Metadata");
    const struct json *condition = json_get(declaration, "Condition");
    if (condition && !json_is(condition, JSON_STRING))
        return template_fail(a, err, condition,
                             "Template format error: Every Condition member must be a string.");
    ret->condition = json_str(condition);
    ret->active = true;
    int r = read_policy(t, declaration, "DeletionPolicy", true, &ret->deletion_policy,
                        &ret->has_deletion_policy, err);
    if (r < 0)
        return r;
    return read_policy(t, declaration, "UpdateReplacePolicy", false, &ret->update_replace_policy,
                       &ret->has_update_replace_policy, err);
}

static int open_resources(struct template *t, struct template_error *err)
{
    const struct json *section = NULL;
    int r = object_section(t, "Resources", &section, err);
    if (r < 0)
        return r;
    if (!section || !section->n)
        return template_fail(
            t->arena, err, section,
            "Template format error: At least one Resources member must be defined.");
    if (section->n > 500)
        return template_fail(t->arena, err, section,
                             "Template format error: Number of resources, %zu, is greater than "
                             "maximum allowed, 500",
                             section->n);
    t->resources = ARENA_ARRAY(t->arena, struct template_resource, section->n);
    JSON_EACH(section, declaration) {
        r = open_resource(t, declaration, &t->resources[t->n_resources], err);
        if (r < 0)
            return r;
        t->n_resources++;
    }
    return 0;
}

static int open_output(struct template *t, const struct json *declaration,
                       struct template_output *ret, struct template_error *err)
{
    struct arena *a = t->arena;
    if (!is_alphanumeric(declaration->key))
        return template_fail(a, err, declaration,
                             "Template format error: Output name %.*s is non alphanumeric.",
                             STR(declaration->key));
    if (declaration->type != JSON_OBJECT)
        return template_fail(a, err, declaration,
                             "Template format error: Output %.*s is malformed.",
                             STR(declaration->key));
    ret->name = declaration->key;
    ret->description = json_get_str(declaration, "Description");
    ret->condition = json_get_str(declaration, "Condition");
    ret->active = true;
    ret->value = json_get(declaration, "Value");
    if (!ret->value)
        return template_fail(a, err, declaration,
                             "Template format error: Every Outputs member must contain a Value "
                             "object");
    if (ret->value->type == JSON_ARRAY ||
        (ret->value->type == JSON_OBJECT && !template_is_intrinsic(ret->value)))
        return template_fail(a, err, ret->value,
                             "Template format error: The Value field of every Outputs member must "
                             "evaluate to a String.");
    const struct json *export = json_get(declaration, "Export");
    if (export) {
        ret->export_name = json_get(export, "Name");
        if (!ret->export_name)
            return template_fail(a, err, export,
                                 "Template format error: Output %.*s is malformed. The Name field "
                                 "of every Export member must be specified.",
                                 STR(ret->name));
    }
    return 0;
}

static int open_outputs(struct template *t, struct template_error *err)
{
    const struct json *section = NULL;
    int r = object_section(t, "Outputs", &section, err);
    if (r < 0 || !section)
        return r;
    t->outputs = ARENA_ARRAY(t->arena, struct template_output, section->n + 1);
    JSON_EACH(section, declaration) {
        r = open_output(t, declaration, &t->outputs[t->n_outputs], err);
        if (r < 0)
            return r;
        t->n_outputs++;
    }
    return 0;
}

static int open_conditions(struct template *t, struct template_error *err)
{
    const struct json *section = NULL;
    int r = object_section(t, "Conditions", &section, err);
    if (r < 0 || !section)
        return r;
    t->conditions = ARENA_ARRAY(t->arena, struct template_condition, section->n + 1);
    JSON_EACH(section, expression) {
        struct template_condition *c = &t->conditions[t->n_conditions++];
        c->name = expression->key;
        c->expression = expression;
        if (!template_is_intrinsic(expression))
            return template_fail(t->arena, err, expression,
                                 "Template format error: Conditions can only be boolean operations "
                                 "on parameters and other conditions");
    }
    return 0;
}

static int open_mappings(struct template *t, struct template_error *err)
{
    int r = object_section(t, "Mappings", &t->mappings, err);
    if (r < 0)
        return r;
    JSON_EACH(t->mappings, map) {
        if (map->type != JSON_OBJECT)
            return template_fail(t->arena, err, map,
                                 "Template format error: Every Mappings member %.*s must be a map",
                                 STR(map->key));
        JSON_EACH(map, row) {
            if (str_eq(row->key, S("Fn::Transform")))
                return template_fail(t->arena, err, row, "Fn::Transform is not supported");
            if (row->type != JSON_OBJECT)
                return template_fail(t->arena, err, row,
                                     "Template format error: Every Mappings attribute must be a "
                                     "String or a List.");
        }
    }
    return 0;
}

int template_open(struct arena *a, const struct json *root, struct template **ret,
                  struct template_error *err)
{
    struct template *t = ARENA_NEW(a, struct template);
    t->arena = a;
    t->root = root;
    if (!json_is(root, JSON_OBJECT))
        return template_fail(a, err, root, "Template format error: unsupported structure.");
    int r;
    const struct json *parameters = NULL;
    if ((r = check_sections(t, err)) < 0 ||
        (r = check_nulls(t, root, &(struct step){0}, err)) < 0 ||
        (r = object_section(t, "Parameters", &parameters, err)) < 0 ||
        (r = object_section(t, "Metadata", &t->metadata, err)) < 0)
        return r;
    t->description = json_get_str(root, "Description");
    t->language_extensions = template_has_transform(root, S("AWS::LanguageExtensions"));
    if ((r = parameters_open(t, parameters, err)) < 0 || (r = open_mappings(t, err)) < 0 ||
        (r = open_conditions(t, err)) < 0 || (r = open_resources(t, err)) < 0 ||
        (r = open_outputs(t, err)) < 0 || (r = graph_check_names(t, err)) < 0 ||
        (r = graph_build(t, BRANCHES_NONE, err)) < 0)
        return r;
    *ret = t;
    return 0;
}

struct template_parameter *template_parameter_find(const struct template *t, struct str name)
{
    for (size_t i = 0; i < t->n_parameters; i++)
        if (str_eq(t->parameters[i].name, name))
            return &t->parameters[i];
    return NULL;
}

struct template_resource *template_resource_find(const struct template *t, struct str logical_id)
{
    for (size_t i = 0; i < t->n_resources; i++)
        if (str_eq(t->resources[i].logical_id, logical_id))
            return &t->resources[i];
    return NULL;
}

int template_bind(struct template *t, const struct template_param *given, size_t n_given,
                  const struct template_param *previous, size_t n_previous,
                  const struct template_env *env, struct template_error *err)
{
    t->env = *env;
    if (!str_has(t->env.partition))
        t->env.partition = template_partition(env->region);
    if (!str_has(t->env.url_suffix))
        t->env.url_suffix = template_url_suffix(env->region);
    int r = parameters_bind(t, given, n_given, previous, n_previous, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < t->n_conditions; i++)
        t->conditions[i].state = CONDITION_UNKNOWN;
    bool holds;
    for (size_t i = 0; i < t->n_conditions; i++)
        if ((r = template_condition_holds(t, t->conditions[i].name, &holds, err)) < 0)
            return r;
    for (size_t i = 0; i < t->n_resources; i++) {
        struct template_resource *resource = &t->resources[i];
        resource->active = true;
        if (str_has(resource->condition) &&
            (r = template_condition_holds(t, resource->condition, &resource->active, err)) < 0)
            return r;
    }
    for (size_t i = 0; i < t->n_outputs; i++) {
        struct template_output *output = &t->outputs[i];
        output->active = true;
        if (str_has(output->condition) &&
            (r = template_condition_holds(t, output->condition, &output->active, err)) < 0)
            return r;
    }
    return graph_build(t, BRANCHES_CHOSEN, err);
}
