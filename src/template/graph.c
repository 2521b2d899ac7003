/* template/graph - who uses whose value: names that do not exist, circles, and the order of
 * creation. */
#include "template/inside.h"
#include "template/resource_types.h"

#include <errno.h>

#define MAX_NAMED 100 /* in one message */

/* In place of an attribute: what makes it is a function; it is no attribute at all. */
#define NOT_KNOWN S("?")
#define DEPENDS_ON S("!")

static void note(struct references *list, struct str name, struct str attribute,
                 const struct json *node)
{
    struct reference *ref =
        arena_push(list->arena, (void **)&list->items, &list->n, &list->cap, sizeof *list->items);
    *ref = (struct reference){name, attribute, node};
}

static bool variable_ok(struct str var)
{
    for (size_t i = 0; i < var.n; i++) {
        char c = var.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.' || c == ':'))
            return false;
    }
    return var.n > 0;
}

bool sub_next(struct str text, size_t *pos, struct str *ret_literal, struct str *ret_var)
{
    size_t i = *pos;
    *ret_literal = *ret_var = (struct str){0};
    if (i >= text.n)
        return false;
    if (text.p[i] == '$' && i + 1 < text.n && text.p[i + 1] == '{') {
        ssize_t end = str_find_byte(str_slice(text, i, text.n), '}');
        if (end > 0) {
            struct str inner = str_slice(text, i + 2, i + (size_t)end);
            *pos = i + (size_t)end + 1;
            if (inner.n && inner.p[0] == '!') {
                /* "${!x}": the exclamation mark goes, the rest stays; given in two pieces. */
                *pos = i + 3;
                *ret_literal = S("${");
                return true;
            }
            *ret_var = inner;
            return true;
        }
    }
    size_t from = i++;
    while (i < text.n && !(text.p[i] == '$' && i + 1 < text.n && text.p[i + 1] == '{'))
        i++;
    *ret_literal = str_slice(text, from, i);
    *pos = i;
    return true;
}

static int collect_sub(struct template *t, const struct json *arg, enum branches which,
                       struct references *list, struct template_error *err)
{
    const struct json *text = arg, *locals = NULL;
    if (arg->type == JSON_ARRAY) {
        text = arg->first;
        locals = json_at(arg, 1);
    }
    if (!json_is(text, JSON_STRING) || (arg->type == JSON_ARRAY && arg->n != 2) ||
        (locals && locals->type != JSON_OBJECT))
        return template_fail(
            t->arena, err, arg,
            "Template error: One or more Fn::Sub intrinsic functions don't specify "
            "expected arguments. Specify a string as first argument, and an "
            "optional second argument to specify a mapping of values to replace "
            "in the string");
    size_t pos = 0;
    struct str literal, var;
    while (sub_next(text->text, &pos, &literal, &var)) {
        if (!str_has(var))
            continue;
        if (!variable_ok(var))
            return template_fail(t->arena, err, text,
                                 "Template error: variable names in Fn::Sub syntax must contain "
                                 "only alphanumeric characters, underscores, periods, and colons");
        if (json_find(locals, var))
            continue;
        struct str head, rest;
        bool dotted = str_cut(var, '.', &head, &rest);
        note(list, head, dotted ? rest : (struct str){0}, text);
    }
    JSON_EACH(locals, local) {
        int r = references_collect(t, local, which, list, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int collect_getatt(struct template *t, const struct json *arg, enum branches which,
                          struct references *list, struct template_error *err)
{
    struct str name, attribute = {0};
    if (arg->type == JSON_STRING && str_cut(arg->text, '.', &name, &attribute) && name.n &&
        attribute.n) {
        note(list, name, attribute, arg);
        return 0;
    }
    const struct json *second = json_at(arg, 1);
    if (arg->type != JSON_ARRAY || arg->n != 2 || !json_is(arg->first, JSON_STRING) ||
        !arg->first->text.n || (json_is(second, JSON_STRING) && !second->text.n))
        return template_fail(t->arena, err, arg,
                             "Template error: every Fn::GetAtt object requires two non-empty "
                             "parameters, the resource name and the resource attribute");
    /* ["A.B", "c"] and ["A", "B.c"] mean the same. */
    bool dotted = str_cut(arg->first->text, '.', &name, &attribute);
    struct str last = json_is(second, JSON_STRING) ? second->text : NOT_KNOWN;
    if (dotted && json_is(second, JSON_STRING))
        last = str_printf(t->arena, "%.*s.%.*s", STR(attribute), STR(last));
    note(list, dotted ? name : arg->first->text, last, arg);
    return json_is(second, JSON_STRING) ? 0 : references_collect(t, second, which, list, err);
}

static int collect_if(struct template *t, const struct json *arg, enum branches which,
                      struct references *list, struct template_error *err)
{
    if (arg->type != JSON_ARRAY || arg->n != 3 || !json_is(arg->first, JSON_STRING))
        return template_fail(t->arena, err, arg,
                             "Template error: Fn::If requires a list argument with the first "
                             "element being a condition and two values");
    int r = 0;
    bool holds = true;
    if (which == BRANCHES_NONE)
        return 0;
    if (which == BRANCHES_CHOSEN)
        r = template_condition_holds(t, arg->first->text, &holds, err);
    if (r == 0 && (which == BRANCHES_ALL || holds))
        r = references_collect(t, json_at(arg, 1), which, list, err);
    if (r == 0 && (which == BRANCHES_ALL || !holds))
        r = references_collect(t, json_at(arg, 2), which, list, err);
    return r;
}

int references_collect(struct template *t, const struct json *value, enum branches which,
                       struct references *list, struct template_error *err)
{
    if (json_is(value, JSON_OBJECT) && value->n == 1) {
        const struct json *arg = value->first;
        if (str_eq(arg->key, S("Ref"))) {
            if (arg->type != JSON_STRING)
                return template_fail(t->arena, err, arg,
                                     "Template error: every Ref object must have a single String "
                                     "value.");
            note(list, arg->text, (struct str){0}, arg);
            return 0;
        }
        if (str_eq(arg->key, S("Fn::GetAtt")))
            return collect_getatt(t, arg, which, list, err);
        if (str_eq(arg->key, S("Fn::Sub")))
            return collect_sub(t, arg, which, list, err);
        if (str_eq(arg->key, S("Fn::If")))
            return collect_if(t, arg, which, list, err);
    }
    JSON_EACH(value, child) {
        int r = references_collect(t, child, which, list, err);
        if (r < 0)
            return r;
    }
    return 0;
}

bool is_pseudo(struct str name)
{
    static const char *const names[] = {"AWS::AccountId", "AWS::NoValue",   "AWS::NotificationARNs",
                                        "AWS::Partition", "AWS::Region",    "AWS::StackId",
                                        "AWS::StackName", "AWS::URLSuffix", NULL};
    for (const char *const *n = names; *n; n++)
        if (str_is(name, *n))
            return true;
    return false;
}

static bool contains(const struct str *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

static int unresolved(struct template *t, const struct references *list, const char *block,
                      bool active_only, struct template_error *err)
{
    struct str bad[MAX_NAMED];
    const struct json *node = NULL;
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        const struct reference *ref = &list->items[i];
        const struct template_resource *resource = template_resource_find(t, ref->name);
        bool other = !str_has(ref->attribute) &&
                     (is_pseudo(ref->name) || template_parameter_find(t, ref->name));
        if (other || (resource && (resource->active || !active_only)))
            continue;
        if (str_has(ref->attribute) && !resource && !active_only && json_is(ref->node, JSON_ARRAY))
            return template_fail(t->arena, err, ref->node,
                                 "Template error: instance of Fn::GetAtt references undefined "
                                 "resource %.*s",
                                 STR(ref->name));
        if (!node)
            node = ref->node;
        if (n < MAX_NAMED && !contains(bad, n, ref->name))
            bad[n++] = ref->name;
    }
    if (!n)
        return 0;
    return template_fail(t->arena, err, node,
                         "Template format error: Unresolved resource dependencies %.*s in the %s "
                         "block of the template",
                         STR(bracketed(t->arena, bad, n)), block);
}

static int check_attributes(struct template *t, const struct references *list,
                            struct template_error *err)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct reference *ref = &list->items[i];
        const struct template_resource *resource = template_resource_find(t, ref->name);
        const struct resource_type *type = resource ? resource_type_find(resource->type) : NULL;
        if (!type || !str_has(ref->attribute) || str_eq(ref->attribute, NOT_KNOWN) ||
            str_eq(ref->attribute, DEPENDS_ON) || resource_type_has_attribute(type, ref->attribute))
            continue;
        return template_fail(
            t->arena, err, ref->node,
            "Template error: resource %.*s does not support attribute type %.*s in "
            "Fn::GetAtt",
            STR(ref->name), STR(ref->attribute));
    }
    return 0;
}

/* What a resource uses outside of DependsOn. */
static int collect_resource(struct template *t, const struct template_resource *resource,
                            enum branches which, struct references *list,
                            struct template_error *err)
{
    static const char *const members[] = {"Properties", "Metadata", "UpdatePolicy", NULL};
    for (const char *const *m = members; *m; m++) {
        int r = references_collect(t, json_get(resource->declaration, *m), which, list, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int collect_depends_on(struct template *t, const struct template_resource *resource,
                              struct references *list, struct template_error *err)
{
    const struct json *v = json_get(resource->declaration, "DependsOn");
    if (!v)
        return 0;
    if (v->type == JSON_STRING) {
        note(list, v->text, DEPENDS_ON, v);
        return 0;
    }
    if (v->type == JSON_ARRAY) {
        JSON_EACH(v, item) {
            if (item->type != JSON_STRING)
                break;
            note(list, item->text, DEPENDS_ON, item);
        }
        if (list->n == v->n)
            return 0;
    }
    return template_fail(t->arena, err, v,
                         "Template format error: DependsOn must be a string or list of strings.");
}

static int condition_names(struct template *t, const struct json *v, struct template_error *err)
{
    if (json_is(v, JSON_OBJECT) && v->n == 1 && str_eq(v->first->key, S("Fn::If")) &&
        json_is(v->first, JSON_ARRAY) && json_is(v->first->first, JSON_STRING)) {
        bool found = false;
        for (size_t i = 0; i < t->n_conditions && !found; i++)
            found = str_eq(t->conditions[i].name, v->first->first->text);
        if (!found)
            return template_fail(t->arena, err, v->first->first,
                                 "Template error: unresolved condition dependency %.*s in the "
                                 "Resources block of the template",
                                 STR(v->first->first->text));
    }
    JSON_EACH(v, child) {
        int r = condition_names(t, child, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_condition_name(struct template *t, struct str name, const struct json *at,
                                const char *block, struct template_error *err)
{
    if (!str_has(name))
        return 0;
    for (size_t i = 0; i < t->n_conditions; i++)
        if (str_eq(t->conditions[i].name, name))
            return 0;
    return template_fail(t->arena, err, at,
                         "Template format error: Unresolved condition dependency %.*s in the %s "
                         "block of the template",
                         STR(name), block);
}

static int check_conditions(struct template *t, struct template_error *err)
{
    struct references list = {.arena = t->arena};
    for (size_t i = 0; i < t->n_conditions; i++) {
        int r = references_collect(t, t->conditions[i].expression, BRANCHES_ALL, &list, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < list.n; i++) {
        const struct reference *ref = &list.items[i];
        if (str_has(ref->attribute) ||
            !(is_pseudo(ref->name) || template_parameter_find(t, ref->name)))
            return template_fail(t->arena, err, ref->node,
                                 "Template format error: Unresolved dependencies [%.*s]. Cannot "
                                 "reference resources in the Conditions block of the template",
                                 STR(ref->name));
    }
    return 0;
}

int graph_check_names(struct template *t, struct template_error *err)
{
    int r = check_conditions(t, err);
    if (r < 0)
        return r;
    struct references list = {.arena = t->arena};
    for (size_t i = 0; i < t->n_resources; i++) {
        const struct template_resource *resource = &t->resources[i];
        struct references depends = {.arena = t->arena};
        if ((r = check_condition_name(t, resource->condition,
                                      json_get(resource->declaration, "Condition"), "Resources",
                                      err)) < 0 ||
            (r = condition_names(t, resource->properties, err)) < 0 ||
            (r = collect_resource(t, resource, BRANCHES_ALL, &list, err)) < 0 ||
            (r = collect_depends_on(t, resource, &depends, err)) < 0)
            return r;
        for (size_t k = 0; k < depends.n; k++)
            note(&list, depends.items[k].name, depends.items[k].attribute, depends.items[k].node);
    }
    if ((r = unresolved(t, &list, "Resources", false, err)) < 0 ||
        (r = check_attributes(t, &list, err)) < 0)
        return r;
    struct references out = {.arena = t->arena};
    for (size_t i = 0; i < t->n_outputs; i++) {
        const struct template_output *o = &t->outputs[i];
        if ((r = check_condition_name(t, o->condition, o->value, "Outputs", err)) < 0 ||
            (r = condition_names(t, o->value, err)) < 0 ||
            (r = references_collect(t, o->value, BRANCHES_ALL, &out, err)) < 0 ||
            (r = references_collect(t, o->export_name, BRANCHES_ALL, &out, err)) < 0)
            return r;
    }
    r = unresolved(t, &out, "Outputs", false, err);
    return r < 0 ? r : check_attributes(t, &out, err);
}

/* The caller has made room. */
static void add_depend(struct template_resource *resource, size_t index)
{
    for (size_t i = 0; i < resource->n_depends; i++)
        if (resource->depends[i] == index)
            return;
    resource->depends[resource->n_depends++] = index;
}

static int build_edges(struct template *t, enum branches which, struct template_error *err)
{
    for (size_t i = 0; i < t->n_resources; i++) {
        struct template_resource *resource = &t->resources[i];
        resource->n_depends = 0;
        resource->depends = NULL;
        if (!resource->active)
            continue;
        struct references list = {.arena = t->arena}, depends = {.arena = t->arena};
        int r;
        if ((r = collect_resource(t, resource, which, &list, err)) < 0 ||
            (which == BRANCHES_CHOSEN && (r = unresolved(t, &list, "Resources", true, err)) < 0) ||
            (r = collect_depends_on(t, resource, &depends, err)) < 0)
            return r;
        size_t room = list.n + depends.n;
        resource->depends = ARENA_ARRAY(t->arena, size_t, room ? room : 1);
        for (size_t k = 0; k < room; k++) {
            const struct reference *ref = k < list.n ? &list.items[k] : &depends.items[k - list.n];
            const struct template_resource *other = template_resource_find(t, ref->name);
            /* DependsOn on a resource that its condition leaves out is no dependency. */
            if (other && other->active)
                add_depend(resource, (size_t)(other - t->resources));
        }
    }
    return 0;
}

/* Kahn's way, always taking the first ready one in the template's order. */
int graph_build(struct template *t, enum branches which, struct template_error *err)
{
    int r = build_edges(t, which, err);
    if (r < 0)
        return r;
    bool *done = ARENA_ARRAY(t->arena, bool, t->n_resources + 1);
    size_t *order = ARENA_ARRAY(t->arena, size_t, t->n_resources + 1);
    size_t n = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < t->n_resources; i++) {
            const struct template_resource *resource = &t->resources[i];
            bool ready = !done[i];
            for (size_t k = 0; ready && k < resource->n_depends; k++)
                ready = done[resource->depends[k]];
            if (!ready)
                continue;
            done[i] = true;
            order[n++] = i;
            moved = true;
        }
    }
    if (n == t->n_resources) {
        t->order = order;
        return 0;
    }
    /* Those left are in a circle or wait for one; drop what nobody left depends on. */
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < t->n_resources; i++) {
            bool needed = done[i];
            for (size_t k = 0; k < t->n_resources && !needed; k++)
                for (size_t d = 0; !done[k] && d < t->resources[k].n_depends && !needed; d++)
                    needed = t->resources[k].depends[d] == i;
            if (!needed) {
                done[i] = true;
                moved = true;
            }
        }
    }
    struct str *names = ARENA_ARRAY(t->arena, struct str, t->n_resources + 1);
    const struct json *first = NULL;
    size_t n_names = 0;
    for (size_t i = 0; i < t->n_resources; i++) {
        if (done[i])
            continue;
        if (!first)
            first = t->resources[i].declaration;
        names[n_names++] = t->resources[i].logical_id;
    }
    return template_fail(t->arena, err, first, "Circular dependency between resources: %.*s",
                         STR(bracketed(t->arena, names, n_names)));
}
