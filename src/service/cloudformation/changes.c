/* changes - what a change set would do: resources to add, modify, replace and remove. */
#include <errno.h>
#include "service/cloudformation/changes.h"
#include "template/resource_types.h"

struct look {
    struct call *call;
    struct stack_resources resources;
    const struct template *view;
    struct str *renewed; /* logical ids whose Ref is not known before the change */
    size_t n_renewed;
};

#define UNKNOWN "{{changeSet:KNOWN_AFTER_APPLY}}"

static const struct cloudformation_resource_record *record_of(const struct look *look,
                                                              struct str id)
{
    for (size_t i = 0; i < look->resources.n; i++)
        if (str_eq(look->resources.items[i].logical_id, id))
            return &look->resources.items[i];
    return NULL;
}

static bool renewed(const struct look *look, struct str id)
{
    for (size_t i = 0; i < look->n_renewed; i++)
        if (str_eq(look->renewed[i], id))
            return true;
    return false;
}

static int look_ref(void *user, struct arena *a, const struct template_resource *res,
                    struct json **ret, struct template_error *err)
{
    (void)err;
    const struct look *look = user;
    const struct cloudformation_resource_record *rec = record_of(look, res->logical_id);
    bool known = rec && str_has(rec->physical_id) && !renewed(look, res->logical_id);
    *ret = json_new_str(a, known ? rec->physical_id : S(UNKNOWN));
    return 0;
}

static int look_attribute(void *user, struct arena *a, const struct template_resource *res,
                          struct str attribute, struct json **ret, struct template_error *err)
{
    (void)err;
    const struct look *look = user;
    const struct cloudformation_resource_record *rec = record_of(look, res->logical_id);
    struct json *all = NULL;
    if (rec && rec->attributes.n && !renewed(look, res->logical_id))
        json_parse(a, rec->attributes, &all, NULL);
    *ret = json_find(all, attribute);
    if (!*ret)
        *ret = json_new_str(a, S(UNKNOWN));
    return 0;
}

static int look_import(void *user, struct arena *a, struct str name, struct json **ret,
                       struct template_error *err)
{
    const struct look *look = user;
    struct cloudformation_export_record e = {0};
    if (stack_export_find(look->call, name, &e) < 0)
        return template_fail(a, err, NULL, "No export named %.*s found.", STR(name));
    *ret = json_new_str(a, e.value);
    return 0;
}

static struct str *one(struct arena *a, struct str s)
{
    struct str *p = ARENA_NEW(a, struct str);
    *p = s;
    return p;
}

static void modify(struct look *look, struct cloudformation_record_change *change,
                   const struct property_change *changes, size_t n, bool replace, bool conditional)
{
    struct arena *a = look->call->arena;
    change->action = CLOUDFORMATION_CHANGE_ACTION_MODIFY;
    change->replacement = replace       ? CLOUDFORMATION_REPLACEMENT_TRUE
                          : conditional ? CLOUDFORMATION_REPLACEMENT_CONDITIONAL
                                        : CLOUDFORMATION_REPLACEMENT_FALSE;
    change->scope.items = one(a, S("Properties"));
    change->scope.n = 1;
    change->details.items = ARENA_ARRAY(a, struct cloudformation_record_change_detail, n + 1);
    for (size_t i = 0; i < n; i++) {
        bool dynamic =
            changes[i].after && str_find(json_text(a, changes[i].after, -1), S(UNKNOWN)) >= 0;
        change->details.items[change->details.n++] = (struct cloudformation_record_change_detail){
            .attribute = S("Properties"),
            .name = changes[i].name,
            .recreation = changes[i].update == UPDATE_REPLACEMENT   ? S("Always")
                          : changes[i].update == UPDATE_CONDITIONAL ? S("Conditionally")
                                                                    : S("Never"),
            .evaluation = dynamic ? S("Dynamic") : S("Static"),
            .source = S("DirectModification"),
        };
    }
}

static int compare(struct look *look, struct template *view, const struct template_resource *res,
                   const struct cloudformation_resource_record *rec,
                   struct cloudformation_record_change *change, struct template_error *err)
{
    struct arena *a = look->call->arena;
    struct template_source source = {.user = look,
                                     .resolve_ref = look_ref,
                                     .resolve_attribute = look_attribute,
                                     .resolve_import = look_import};
    struct json *after, *before = NULL;
    int r = template_resolve_properties(view, a, &source, res, &after, err);
    if (r < 0)
        return r;
    if (rec->properties.n)
        json_parse(a, rec->properties, &before, NULL);
    const struct resource_type *type = resource_type_find(res->type);
    if (!type)
        return 0;
    struct property_change *changes;
    size_t n;
    enum resource_change kind = resource_type_compare(a, type, before, after, &changes, &n);
    if (kind == CHANGE_NONE)
        return 0;
    *change = (struct cloudformation_record_change){
        .logical_id = rec->logical_id, .physical_id = rec->physical_id, .type = rec->type};
    modify(look, change, changes, n, kind == CHANGE_REPLACE, kind == CHANGE_CONDITIONAL);
    if (kind == CHANGE_REPLACE)
        look->renewed[look->n_renewed++] = rec->logical_id;
    return 1;
}

int changes_compute(struct call *call, const struct cloudformation_stack_record *stack,
                    const struct template_processed *processed,
                    struct cloudformation_record_changes *ret, struct template_error *err)
{
    struct arena *a = call->arena;
    struct template *view = processed->view;
    struct look look = {.call = call, .view = view};
    int r = stack_resources_load(call, stack_uuid(stack->stack_id), &look.resources);
    if (r < 0)
        return r;
    look.renewed = ARENA_ARRAY(a, struct str, view->n_resources + 1);
    struct cloudformation_record_change *items = ARENA_ARRAY(
        a, struct cloudformation_record_change, view->n_resources + look.resources.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < view->n_resources; i++) {
        const struct template_resource *res = &view->resources[view->order[i]];
        if (!res->active)
            continue;
        const struct cloudformation_resource_record *rec = record_of(&look, res->logical_id);
        if (!rec) {
            items[n++] =
                (struct cloudformation_record_change){.action = CLOUDFORMATION_CHANGE_ACTION_ADD,
                                                      .logical_id = res->logical_id,
                                                      .type = res->type};
            continue;
        }
        r = compare(&look, view, res, rec, &items[n], err);
        if (r < 0)
            return r;
        n += (size_t)r;
    }
    for (size_t i = 0; i < look.resources.n; i++) {
        const struct cloudformation_resource_record *rec = &look.resources.items[i];
        const struct template_resource *res = template_resource_find(view, rec->logical_id);
        if (res && res->active)
            continue;
        items[n++] = (struct cloudformation_record_change){
            .action = CLOUDFORMATION_CHANGE_ACTION_REMOVE,
            .logical_id = rec->logical_id,
            .physical_id = rec->physical_id,
            .type = rec->type,
        };
    }
    ret->items = items;
    ret->n = n;
    return 0;
}

void changes_show(struct arena *a, const struct cloudformation_record_changes *changes,
                  struct cloudformation_changes *ret)
{
    ret->items = ARENA_ARRAY(a, struct cloudformation_change, changes->n + 1);
    for (size_t i = 0; i < changes->n; i++) {
        const struct cloudformation_record_change *c = &changes->items[i];
        struct cloudformation_resource_change *rc =
            ARENA_NEW(a, struct cloudformation_resource_change);
        *rc = (struct cloudformation_resource_change){
            .action = c->action,
            .logical_resource_id = c->logical_id,
            .physical_resource_id = c->physical_id,
            .resource_type = c->type,
            .replacement = c->replacement,
        };
        rc->scope.items = c->scope.items ? c->scope.items : ARENA_NEW(a, struct str);
        rc->scope.n = c->scope.n;
        rc->details.items =
            ARENA_ARRAY(a, struct cloudformation_resource_change_detail, c->details.n + 1);
        for (size_t d = 0; d < c->details.n; d++) {
            const struct cloudformation_record_change_detail *from = &c->details.items[d];
            struct cloudformation_resource_target_definition *target =
                ARENA_NEW(a, struct cloudformation_resource_target_definition);
            target->attribute = from->attribute;
            target->name = from->name;
            target->requires_recreation = from->recreation;
            rc->details.items[rc->details.n++] = (struct cloudformation_resource_change_detail){
                .target = target, .evaluation = from->evaluation, .change_source = from->source};
        }
        ret->items[ret->n++] =
            (struct cloudformation_change){.type = S("Resource"), .resource_change = rc};
    }
}
