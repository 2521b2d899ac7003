/* outputs - a stack's outputs, what it exports and what it imports. */
#include <errno.h>
#include "service/cloudformation/worker.h"

static int resolve_outputs(struct worker *w, struct cloudformation_record_outputs *ret,
                           struct str *why)
{
    struct arena *a = w->call->arena;
    struct template *view = w->processed.view;
    struct template_source source = worker_source(w);
    struct template_error err = {0};
    struct cloudformation_record_output *items =
        ARENA_ARRAY(a, struct cloudformation_record_output, view->n_outputs + 1);
    size_t n = 0;
    for (size_t i = 0; i < view->n_outputs; i++) {
        const struct template_output *o = &view->outputs[i];
        if (!o->active)
            continue;
        struct cloudformation_record_output *out = &items[n];
        *out = (struct cloudformation_record_output){.key = o->name, .description = o->description};
        if (template_resolve_output(view, a, &source, o, &out->value, &out->export_name, &err) <
            0) {
            *why = err.message;
            return -EINVAL;
        }
        n++;
    }
    ret->items = items;
    ret->n = n;
    return 0;
}

/* Outputs and exports of what has been made; a clash or an export in use fails the operation. */
int worker_publish(struct worker *w, struct str *why)
{
    struct cloudformation_record_outputs outputs = {0};
    int r = resolve_outputs(w, &outputs, why);
    if (r < 0)
        return r;
    for (size_t i = 0; i < w->stack.outputs.n; i++) {
        struct cloudformation_record_output *old = &w->stack.outputs.items[i];
        struct str *names;
        size_t n, k = 0;
        if (!str_has(old->export_name))
            continue;
        while (k < outputs.n && !(str_eq(outputs.items[k].export_name, old->export_name) &&
                                  str_eq(outputs.items[k].value, old->value)))
            k++;
        if (k < outputs.n || stack_importers(w->call, old->export_name, &names, &n) < 0 || !n)
            continue;
        *why =
            str_printf(w->call->arena, "Export %.*s cannot be %s as it is in use by %.*s",
                       STR(old->export_name), k < outputs.n ? "updated" : "deleted", STR(names[0]));
        return -EBUSY;
    }
    struct cloudformation_stack_record next = w->stack;
    next.outputs = outputs;
    struct str clash;
    r = stack_exports_update(w->call, &next, &clash);
    if (r == -EEXIST) {
        struct cloudformation_export_record e = {0};
        stack_export_find(w->call, clash, &e);
        *why = str_printf(w->call->arena, "Export with name %.*s is already exported by stack %.*s",
                          STR(clash), STR(e.stack_id));
        return -EEXIST;
    }
    worker_wrote(w, r);
    worker_wrote(w, stack_exports_remove(w->call, &w->stack, &outputs));
    w->stack.outputs = outputs;
    return 0;
}

/* Which exports the stack uses is known once everything of its template can be worked out. */
void worker_settle_imports(struct worker *w)
{
    struct arena *a = w->call->arena;
    struct template *view = w->processed.view;
    struct template_source source = worker_source(w);
    struct cloudformation_record_outputs outputs;
    struct template_error err = {0};
    struct str why;
    struct json *props;
    worker_wrote(w, stack_imports_clear(w->call, &w->stack));
    for (size_t i = 0; i < view->n_resources; i++)
        if (view->resources[i].active)
            template_resolve_properties(view, a, &source, &view->resources[i], &props, &err);
    resolve_outputs(w, &outputs, &why);
}
