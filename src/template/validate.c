/* template/validate - all problems of a template at once, each with its place and a suggestion. */
#include "template/lint.h"
#include "template/resource_types.h"
#include "template/sam.h"
#include "template/variable_names.h"

#include <errno.h>

#define MAX_PROBLEMS 200

void lint_report(struct lint *l, enum template_severity severity, int line, int column,
                 const char *fmt, ...)
{
    if (l->n >= MAX_PROBLEMS)
        return;
    struct template_problem *p =
        arena_push(l->arena, (void **)&l->problems, &l->n, &l->cap, sizeof *l->problems);
    va_list ap;
    va_start(ap, fmt);
    *p = (struct template_problem){severity, line, column, str_vprintf(l->arena, fmt, ap)};
    va_end(ap);
    l->errors += severity == TEMPLATE_ERROR;
}

const char *lint_hint(struct lint *l, struct str word, const char *const *candidates)
{
    const char *best = template_suggest(word, candidates);
    return best ? str_printf(l->arena, " (did you mean %s?)", best).p : "";
}

const char *const *lint_keys(struct lint *l, const struct json *a, const struct json *b)
{
    size_t n = 0;
    const char **names = ARENA_ARRAY(l->arena, const char *, (a ? a->n : 0) + (b ? b->n : 0) + 1);
    JSON_EACH(a, member)
        names[n++] = str_c(l->arena, member->key);
    JSON_EACH(b, member)
        names[n++] = str_c(l->arena, member->key);
    return names;
}

static const char *const *property_names(struct lint *l, const struct property_type *table)
{
    size_t n = 0;
    for (const struct property_type *p = table; p->name; p++)
        n++;
    const char **names = ARENA_ARRAY(l->arena, const char *, n + 1);
    for (n = 0; table[n].name; n++)
        names[n] = table[n].name;
    return names;
}

static const char *const *type_names(struct lint *l)
{
    size_t n = 0;
    while (resource_type_at(n))
        n++;
    const char **names = ARENA_ARRAY(l->arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = resource_type_at(i)->name;
    return names;
}

static bool listed(struct str word, const char *const *list)
{
    for (; *list; list++)
        if (str_is(word, *list))
            return true;
    return false;
}

/* ---- properties ---- */

static void check_object(struct lint *l, const struct property_type *table, const struct json *v,
                         struct str owner, bool complete);

static const char *kind_words(enum property_kind kind)
{
    static const char *const words[] = {
        [PROPERTY_STRING] = "a string", [PROPERTY_INTEGER] = "an integer",
        [PROPERTY_NUMBER] = "a number", [PROPERTY_BOOLEAN] = "true or false",
        [PROPERTY_JSON] = "a map",      [PROPERTY_ANY] = "anything",
        [PROPERTY_OBJECT] = "a map",    [PROPERTY_MAP] = "a map",
        [PROPERTY_LIST] = "a list",
    };
    return words[kind];
}

static bool kind_fits(const struct json *v, enum property_kind kind)
{
    int64_t n;
    bool scalar = v->type != JSON_OBJECT && v->type != JSON_ARRAY;
    switch (kind) {
    case PROPERTY_STRING:
        return scalar;
    case PROPERTY_INTEGER:
        return scalar && v->type != JSON_BOOL && str_to_int64(v->text, &n) == 0;
    case PROPERTY_NUMBER:
        return v->type == JSON_NUMBER || v->type == JSON_STRING;
    case PROPERTY_BOOLEAN:
        return v->type == JSON_BOOL || str_is(scalar_text(v), "true") ||
               str_is(scalar_text(v), "false");
    case PROPERTY_JSON:
        return v->type == JSON_OBJECT || v->type == JSON_STRING;
    case PROPERTY_OBJECT:
    case PROPERTY_MAP:
        return v->type == JSON_OBJECT;
    case PROPERTY_LIST:
        return v->type == JSON_ARRAY;
    case PROPERTY_ANY:
        break;
    }
    return true;
}

static void check_variables(struct lint *l, const struct json *v, struct str owner)
{
    JSON_EACH(v, item)
        if (str_starts(item->key, S("Fn::ForEach::"))) /* makes names, which nobody knows yet */
            continue;
        else if (!variable_name_fits(item->key))
            wrong_key(l, item,
                      "environment variable \"%.*s\" of %.*s: a name is a letter, and behind it at "
                      "least one letter, digit or _",
                      STR(item->key), STR(owner));
        else if (variable_name_is_reserved(item->key))
            wrong_key(l, item, "environment variable \"%.*s\" of %.*s is reserved: Lambda sets it",
                      STR(item->key), STR(owner));
}

static void check_value(struct lint *l, const struct property_type *p, enum property_kind kind,
                        const struct json *v, struct str owner, bool complete)
{
    if (template_is_intrinsic(v)) {
        /* Either value of an Fn::If has to fit; of other functions nothing is known. */
        if (str_eq(v->first->key, S("Fn::If")) && v->first->type == JSON_ARRAY)
            for (size_t i = 1; i < 3; i++)
                if (json_at(v->first, i))
                    check_value(l, p, kind, json_at(v->first, i), owner, complete);
        return;
    }
    if (v->type == JSON_NULL) {
        wrong(l, v, "property \"%s\" of %.*s has no value", p->name, STR(owner));
        return;
    }
    if (!kind_fits(v, kind)) {
        wrong(l, v, "property \"%s\" of %.*s must be %s%s", p->name, STR(owner),
              kind == p->kind ? "" : "made of items each of which is ", kind_words(kind));
        return;
    }
    struct str name = str_printf(l->arena, "%.*s.%s", STR(owner), p->name);
    if (kind == PROPERTY_OBJECT && p->object)
        check_object(l, p->object, v, name, complete);
    if (p->variables && kind == PROPERTY_MAP)
        check_variables(l, v, owner);
    if (kind == PROPERTY_LIST || kind == PROPERTY_MAP)
        JSON_EACH(v, item)
            if (!str_starts(item->key, S("Fn::ForEach::")))
                check_value(l, p, p->item, item, owner, complete);
}

static void check_object(struct lint *l, const struct property_type *table, const struct json *v,
                         struct str owner, bool complete)
{
    JSON_EACH(v, member) {
        const struct property_type *p = property_type_find(table, member->key);
        if (str_starts(member->key, S("Fn::")))
            continue;
        if (p)
            check_value(l, p, p->kind, member, owner, complete);
        else
            wrong_key(l, member, "unknown property \"%.*s\" of %.*s%s", STR(member->key),
                      STR(owner), lint_hint(l, member->key, property_names(l, table)));
    }
    for (const struct property_type *p = table; complete && p->name; p++)
        if (p->required && !json_get(v, p->name))
            lint_report(l, TEMPLATE_ERROR, v->key_line ? v->key_line : v->line,
                        v->key_line ? v->key_column : v->column, "%.*s needs the property \"%s\"",
                        STR(owner), p->name);
}

/* ---- sections ---- */

static void check_type(struct lint *l, const struct json *resource, const struct json *at)
{
    struct str name = at->text;
    const struct resource_type *type = resource_type_find(name);
    if (!type) {
        wrong(l, at, "unknown resource type \"%.*s\"%s", STR(name),
              lint_hint(l, name, type_names(l)));
        return;
    }
    if (type->serverless && !l->serverless) {
        wrong(l, at, "%s needs \"Transform: " SAM_TRANSFORM "\" in the template", type->name);
        return;
    }
    const struct json *properties = json_get(resource, "Properties");
    const struct json none = {
        .type = JSON_OBJECT, .key_line = resource->key_line, .key_column = resource->key_column};
    if (properties && properties->type != JSON_OBJECT)
        wrong(l, properties, "Properties of \"%.*s\" must be a map", STR(resource->key));
    else
        check_object(l, type->properties, properties ? properties : &none, name, true);
}

static void check_resource(struct lint *l, const struct json *resource)
{
    static const char *const known[] = {
        "Type",           "Properties",          "Metadata",     "DependsOn",      "Condition",
        "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy", NULL};
    static const char *const sam_only[] = {"IgnoreGlobals", "Connectors", NULL};
    if (resource->type != JSON_OBJECT) {
        wrong(l, resource, "resource \"%.*s\" must be a map", STR(resource->key));
        return;
    }
    if (!is_alphanumeric(resource->key))
        wrong_key(l, resource, "resource name \"%.*s\" may have letters and digits only",
                  STR(resource->key));
    JSON_EACH(resource, member)
        if (!listed(member->key, known) && !(l->serverless && listed(member->key, sam_only)))
            wrong_key(l, member, "unknown attribute \"%.*s\" of resource \"%.*s\"%s",
                      STR(member->key), STR(resource->key), lint_hint(l, member->key, known));
    const struct json *type = json_get(resource, "Type"), *v;
    if (!json_is(type, JSON_STRING))
        wrong_key(l, resource, "resource \"%.*s\" needs a Type", STR(resource->key));
    else
        check_type(l, resource, type);
    if ((v = json_get(resource, "Condition")))
        lint_condition(l, v);
    const struct json *on = json_get(resource, "DependsOn");
    JSON_EACH(on, item)
        if (json_is(item, JSON_STRING) && !json_find(l->resources, item->text) &&
            !lint_may_be_made(l, item->text))
            wrong(l, item, "DependsOn \"%.*s\", which is no resource%s", STR(item->text),
                  lint_hint(l, item->text, lint_keys(l, l->resources, NULL)));
    if (json_is(on, JSON_STRING) && !json_find(l->resources, on->text) &&
        !lint_may_be_made(l, on->text))
        wrong(l, on, "DependsOn \"%.*s\", which is no resource%s", STR(on->text),
              lint_hint(l, on->text, lint_keys(l, l->resources, NULL)));
    lint_functions(l, json_get(resource, "Properties"));
}

static void check_top(struct lint *l)
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
                                        "Globals",
                                        NULL};
    JSON_EACH(l->root, section) {
        if (!listed(section->key, known))
            wrong_key(l, section, "unknown section \"%.*s\"%s", STR(section->key),
                      lint_hint(l, section->key, known));
        else if (str_is(section->key, "Globals") && !l->serverless)
            wrong_key(l, section, "Globals needs \"Transform: " SAM_TRANSFORM "\" in the template");
    }
    const struct json *globals = json_get(l->root, "Globals");
    if (!json_is(globals, JSON_OBJECT))
        return;
    JSON_EACH(globals, section) {
        const struct resource_type *type =
            resource_type_find(str_printf(l->arena, "AWS::Serverless::%.*s", STR(section->key)));
        if (type && section->type == JSON_OBJECT)
            check_object(l, type->properties, section,
                         str_printf(l->arena, "Globals.%.*s", STR(section->key)), false);
    }
    lint_functions(l, globals);
}

static void check_parameters(struct lint *l)
{
    static const char *const types[] = {"String", "Number", "List<Number>", "CommaDelimitedList",
                                        NULL};
    JSON_EACH(l->parameters, p) {
        const struct json *type = json_get(p, "Type");
        enum template_param_kind kind;
        if (!type) {
            lint_report(l, TEMPLATE_ERROR, p->key_line, p->key_column,
                        "parameter \"%.*s\" needs the property \"Type\"", STR(p->key));
        } else if (!json_is(type, JSON_STRING) ||
                   (!parameter_kind_of(type->text, &kind) &&
                    !str_starts(type->text, S("AWS::SSM::Parameter::Value<")))) {
            struct str text = scalar_text(type);
            lint_report(l, TEMPLATE_ERROR, type->line, type->column,
                        "unknown type \"%.*s\" of parameter \"%.*s\"%s", STR(text), STR(p->key),
                        lint_hint(l, text, types));
        }
    }
}

static void check_unused(struct lint *l)
{
    JSON_EACH(l->parameters, p)
        if (!json_find(l->used, p->key))
            lint_report(l, TEMPLATE_WARNING, p->key_line, p->key_column,
                        "parameter \"%.*s\" is not used", STR(p->key));
}

/* Local code is what `package` will have uploaded. */
static void pretend_packaged(struct json *section)
{
    static const char *const names[] = {"CodeUri", "ContentUri", NULL};
    for (const char *const *n = names; *n; n++) {
        struct json *uri = json_get(section, *n);
        if (json_is(uri, JSON_STRING) && !str_starts(uri->text, S("s3://")))
            uri->text = S("s3://bucket/key");
    }
}

/* A value for each parameter, since what depends on them must be looked at as well. */
static struct template_param *some_values(struct lint *l, size_t *ret_n)
{
    size_t n = 0;
    struct template_param *values =
        ARENA_ARRAY(l->arena, struct template_param, l->parameters ? l->parameters->n + 1 : 1);
    JSON_EACH(l->parameters, p) {
        struct str value = scalar_text(json_get(p, "Default"));
        values[n++] = (struct template_param){p->key, str_has(value) ? value : S("value"), false};
    }
    *ret_n = n;
    return values;
}

/* What only the real thing finds: circles, forms of functions, the transform's own rules. */
static void try_open(struct lint *l)
{
    struct template_error err = {0};
    struct json *tree = json_copy(l->arena, l->root);
    struct template *t;
    int r = 0;
    if (l->serverless) {
        JSON_EACH(json_get(tree, "Resources"), resource)
            pretend_packaged(json_get(resource, "Properties"));
        pretend_packaged(json_get(json_get(tree, "Globals"), "Function"));
        struct sam_input in = {.root = tree};
        in.params = some_values(l, &in.n_params);
        r = sam_transform(l->arena, &in, &tree, &err);
    }
    if (r == 0)
        r = template_open(l->arena, tree, &t, &err);
    if (r < 0)
        lint_report(l, TEMPLATE_ERROR, err.line, err.column, "%.*s", STR(err.message));
}

static int by_place(const void *x, const void *y)
{
    const struct template_problem *a = x, *b = y;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return str_cmp(a->message, b->message);
}

int template_validate(struct arena *a, const struct json *root, struct template_problem **ret,
                      size_t *ret_n)
{
    struct lint l = {.arena = a, .root = root, .used = json_new(a, JSON_OBJECT)};
    static const char *const sections[] = {"Parameters", "Resources", "Conditions", "Mappings"};
    const struct json **places[] = {&l.parameters, &l.resources, &l.conditions, &l.mappings};
    l.serverless = template_has_transform(root, S(SAM_TRANSFORM));
    for (size_t i = 0; i < 4; i++) {
        const struct json *section = json_get(root, sections[i]);
        if (json_is(section, JSON_OBJECT))
            *places[i] = section;
        else if (section)
            lint_report(&l, TEMPLATE_ERROR, section->key_line, section->key_column,
                        "section %s must be a map", sections[i]);
    }
    check_top(&l);
    if (!l.resources)
        lint_report(&l, TEMPLATE_ERROR, 0, 0, "the template has no Resources");
    JSON_EACH(l.resources, resource)
        check_resource(&l, resource);
    lint_functions(&l, l.conditions);
    const struct json *outputs = json_get(root, "Outputs");
    lint_functions(&l, outputs);
    JSON_EACH(outputs, output)
        if (json_get(output, "Condition"))
            lint_condition(&l, json_get(output, "Condition"));
    check_parameters(&l);
    if (!l.errors)
        try_open(&l);
    check_unused(&l);
    if (l.n)
        qsort(l.problems, l.n, sizeof *l.problems, by_place);
    *ret = l.problems;
    *ret_n = l.n;
    return (int)l.errors;
}
