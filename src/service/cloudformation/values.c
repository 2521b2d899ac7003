/* values - what Ref, Fn::GetAtt and Fn::ImportValue give while a stack is being worked on, and the
 * properties of its resources. */
#include <errno.h>
#include "service/cloudformation/worker.h"
#include "template/resource_types.h"

#define HIDDEN "****"

struct cloudformation_resource_record *worker_record(struct worker *w, struct str id)
{
    for (size_t i = 0; i < w->resources.n; i++)
        if (str_eq(w->resources.items[i].logical_id, id))
            return &w->resources.items[i];
    return NULL;
}

static int value_ref(void *user, struct arena *a, const struct template_resource *res,
                     struct json **ret, struct template_error *err)
{
    struct cloudformation_resource_record *rec = worker_record(user, res->logical_id);
    if (!rec || !str_has(rec->physical_id))
        return template_fail(a, err, res->declaration,
                             "Resource %.*s is not there to be referred to", STR(res->logical_id));
    *ret = json_new_str(a, rec->physical_id);
    return 0;
}

static int value_attribute(void *user, struct arena *a, const struct template_resource *res,
                           struct str attribute, struct json **ret, struct template_error *err)
{
    struct cloudformation_resource_record *rec = worker_record(user, res->logical_id);
    struct json *all = NULL;
    if (rec && rec->attributes.n)
        json_parse(a, rec->attributes, &all, NULL);
    *ret = json_find(all, attribute);
    if (*ret)
        return 0;
    return template_fail(a, err, res->declaration,
                         "Attribute '%.*s' of resource %.*s (%.*s) is not supported",
                         STR(attribute), STR(res->logical_id), STR(res->type));
}

static int value_import(void *user, struct arena *a, struct str name, struct json **ret,
                        struct template_error *err)
{
    struct worker *w = user;
    struct cloudformation_export_record e = {0};
    if (stack_export_find(w->call, name, &e) < 0)
        return template_fail(a, err, NULL, "No export named %.*s found.", STR(name));
    stack_import_add(w->call, &w->stack, name);
    *ret = json_new_str(a, e.value);
    return 0;
}

struct template_source worker_source(struct worker *w)
{
    return (struct template_source){
        .user = w,
        .resolve_ref = value_ref,
        .resolve_attribute = value_attribute,
        .resolve_import = value_import,
    };
}

/* The same properties as they may be shown: values of NoEcho parameters hidden. Absent when there
 * is nothing to hide. */
static struct str shown(struct worker *w, struct task *t, const struct template_source *source)
{
    struct arena *a = w->call->arena;
    struct template *view = w->processed.view;
    struct json **real = ARENA_ARRAY(a, struct json *, view->n_parameters + 1), *props;
    bool secrets = false;
    for (size_t i = 0; i < view->n_parameters; i++) {
        real[i] = view->parameters[i].resolved;
        if (!view->parameters[i].no_echo)
            continue;
        secrets = true;
        view->parameters[i].resolved = json_new_str(a, S(HIDDEN));
    }
    int r = secrets ? template_resolve_properties(view, a, source, t->resource, &props, NULL) : 0;
    for (size_t i = 0; i < view->n_parameters; i++)
        view->parameters[i].resolved = real[i];
    if (!secrets)
        return (struct str){0};
    /* A function that cannot work on the hidden value: better nothing than a secret. */
    return r == 0 ? json_text(a, props, -1) : S("{}");
}

int worker_resolve(struct worker *w, struct task *t)
{
    struct arena *a = w->call->arena;
    struct template_source source = worker_source(w);
    struct template_error err = {0};
    struct json *props;
    if (!t->provider)
        return task_fail(t, "Resource type %.*s is not supported by this cloud",
                         STR(t->record->type));
    const struct resource_type *type = resource_type_find(t->record->type);
    if (template_resolve_properties(w->processed.view, a, &source, t->resource, &props, &err) < 0 ||
        (type && resource_type_check(a, type, props, &err) < 0))
        return task_fail(t, "%.*s", STR(err.message));
    t->props = props;
    t->shown = shown(w, t, &source);
    return 0;
}
