/* template/validate_references - what a template refers to is there: names, attributes, conditions,
 * mappings; and its functions have the form they need. */
#include "template/lint.h"
#include "template/resource_types.h"

static void use(struct lint *l, struct str name)
{
    if (!json_find(l->used, name))
        json_set(l->arena, l->used, name, json_new_bool(l->arena, true));
}

/* SAM makes resources whose names begin with that of the function: OrdersRole, OrdersAliaslive. */
bool lint_may_be_made(struct lint *l, struct str name)
{
    if (!l->serverless)
        return false;
    JSON_EACH(l->resources, resource)
        if (str_starts(json_get_str(resource, "Type"), S("AWS::Serverless::")) &&
            str_starts(name, resource->key))
            return true;
    return false;
}

static void check_name(struct lint *l, const struct json *at, struct str name, const char *function)
{
    struct str head = name, rest;
    if (str_find_byte(name, '.') >= 0)
        str_cut(name, '.', &head, &rest);
    use(l, head);
    if (is_pseudo(name) || json_find(l->parameters, name) || json_find(l->resources, head) ||
        lint_may_be_made(l, name))
        return;
    if (str_starts(name, S("AWS::"))) {
        static const char *const pseudo[] = {
            "AWS::AccountId", "AWS::NoValue",   "AWS::NotificationARNs",
            "AWS::Partition", "AWS::Region",    "AWS::StackId",
            "AWS::StackName", "AWS::URLSuffix", NULL};
        wrong(l, at, "%s of unknown pseudo parameter \"%.*s\"%s", function, STR(name),
              lint_hint(l, name, pseudo));
        return;
    }
    wrong(l, at, "%s of \"%.*s\", which is neither a parameter nor a resource%s", function,
          STR(name), lint_hint(l, name, lint_keys(l, l->parameters, l->resources)));
}

static void check_attribute(struct lint *l, const struct json *at, struct str name,
                            struct str attribute)
{
    use(l, name);
    const struct json *resource = json_find(l->resources, name);
    if (!resource) {
        if (!lint_may_be_made(l, name))
            wrong(l, at, "Fn::GetAtt of \"%.*s\", which is no resource%s", STR(name),
                  lint_hint(l, name, lint_keys(l, l->resources, NULL)));
        return;
    }
    const struct resource_type *type = resource_type_find(json_get_str(resource, "Type"));
    struct str first, rest;
    str_cut(attribute, '.', &first, &rest);
    if (type && !resource_type_has_attribute(type, attribute) &&
        !(type->serverless && resource_type_has_attribute(type, first)))
        wrong(l, at, "%s \"%.*s\" has no attribute \"%.*s\"%s", type->name, STR(name),
              STR(attribute), lint_hint(l, attribute, type->attributes));
}

static void check_sub(struct lint *l, const struct json *arg)
{
    const struct json *text = arg->type == JSON_ARRAY ? arg->first : arg;
    const struct json *locals = arg->type == JSON_ARRAY ? json_at(arg, 1) : NULL;
    if (!json_is(text, JSON_STRING) || (locals && locals->type != JSON_OBJECT)) {
        wrong(l, arg, "Fn::Sub needs a string, or a list of a string and a map");
        return;
    }
    size_t pos = 0;
    struct str literal, var, head, rest;
    while (sub_next(text->text, &pos, &literal, &var)) {
        if (!str_has(var) || json_find(locals, var))
            continue;
        if (!str_starts(var, S("AWS::")) && str_cut(var, '.', &head, &rest))
            check_attribute(l, text, head, rest);
        else
            check_name(l, text, var, "Fn::Sub");
    }
}

static void check_getatt(struct lint *l, const struct json *arg)
{
    struct str name, attribute;
    const struct json *second = json_at(arg, 1);
    if (json_is(arg, JSON_STRING) && str_cut(arg->text, '.', &name, &attribute))
        check_attribute(l, arg, name, attribute);
    else if (json_is(arg, JSON_ARRAY) && arg->n == 2 && json_is(arg->first, JSON_STRING)) {
        if (json_is(second, JSON_STRING))
            check_attribute(l, arg, arg->first->text, second->text);
    } else
        wrong(l, arg, "Fn::GetAtt needs the name of a resource and of an attribute");
}

void lint_condition(struct lint *l, const struct json *v)
{
    if (!json_is(v, JSON_STRING)) {
        wrong(l, v, "the name of a condition must be a string");
        return;
    }
    use(l, v->text);
    if (!json_find(l->conditions, v->text))
        wrong(l, v, "condition \"%.*s\" is not defined%s", STR(v->text),
              lint_hint(l, v->text, lint_keys(l, l->conditions, NULL)));
}

void lint_functions(struct lint *l, const struct json *v)
{
    if (json_is(v, JSON_OBJECT) && v->n == 1) {
        const struct json *arg = v->first;
        if (str_eq(arg->key, S("Ref"))) {
            if (json_is(arg, JSON_STRING))
                check_name(l, arg, arg->text, "Ref");
            else
                wrong(l, arg, "Ref needs a string");
            return;
        }
        if (str_eq(arg->key, S("Fn::GetAtt")))
            check_getatt(l, arg);
        else if (str_eq(arg->key, S("Fn::Sub")))
            check_sub(l, arg);
        else if (str_eq(arg->key, S("Fn::If"))) {
            if (!json_is(arg, JSON_ARRAY) || arg->n != 3)
                wrong(l, arg, "Fn::If needs a condition and two values");
            else
                lint_condition(l, arg->first);
        } else if (str_eq(arg->key, S("Fn::FindInMap")) && json_is(arg, JSON_ARRAY) &&
                   json_is(arg->first, JSON_STRING) && !json_find(l->mappings, arg->first->text))
            wrong(l, arg->first, "mapping \"%.*s\" is not defined%s", STR(arg->first->text),
                  lint_hint(l, arg->first->text, lint_keys(l, l->mappings, NULL)));
    }
    JSON_EACH(v, child)
        lint_functions(l, child);
}
