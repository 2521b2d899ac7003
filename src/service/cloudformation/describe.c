/* describe - DescribeStacks, ListStacks, events, resources, exports and imports. */
#include <errno.h>
#include "service/cloudformation/prepare.h"

#define PAGE 100

static void show_outputs(struct arena *a, const struct cloudformation_record_outputs *from,
                         struct cloudformation_outputs *ret)
{
    if (!from->n)
        return;
    ret->items = ARENA_ARRAY(a, struct cloudformation_output, from->n);
    for (size_t i = 0; i < from->n; i++)
        ret->items[ret->n++] = (struct cloudformation_output){
            .output_key = from->items[i].key,
            .output_value = from->items[i].value,
            .description = from->items[i].description,
            .export_name = from->items[i].export_name,
        };
}

static void show_stack(struct arena *a, const struct cloudformation_stack_record *s,
                       struct cloudformation_stack *ret)
{
    *ret = (struct cloudformation_stack){
        .stack_id = s->stack_id,
        .stack_name = s->stack_name,
        .change_set_id = s->change_set_id,
        .description = s->description,
        .creation_time = opt_time(s->created_ms.is),
        .stack_status = s->status,
        .stack_status_reason = s->status_reason,
        .disable_rollback = opt_bool(s->disable_rollback.is),
        .enable_termination_protection = opt_bool(s->protection.is),
        .role_arn = s->role_arn,
        .timeout_in_minutes = s->timeout_minutes,
        .rollback_configuration = ARENA_NEW(a, struct cloudformation_rollback_configuration),
        .drift_information = ARENA_NEW(a, struct cloudformation_stack_drift_information),
    };
    ret->drift_information->stack_drift_status = S("NOT_CHECKED");
    if (s->updated_ms.has)
        ret->last_updated_time = opt_time(s->updated_ms.is);
    if (s->deleted_ms.has)
        ret->deletion_time = opt_time(s->deleted_ms.is);
    ret->notification_ar_ns.items =
        s->notification_arns.items ? s->notification_arns.items : ARENA_NEW(a, struct str);
    ret->notification_ar_ns.n = s->notification_arns.n;
    prepare_show_parameters(a, s->source, &ret->parameters);
    prepare_show_tags(a, s->source, &ret->tags);
    show_outputs(a, &s->outputs, &ret->outputs);
    if (s->source && s->source->capabilities.n) {
        ret->capabilities.items = s->source->capabilities.items;
        ret->capabilities.n = s->source->capabilities.n;
    }
}

/* A page of records of one kind: rows behind the token. */
static int page(struct call *call, const char *kind, struct str token, size_t limit,
                struct store_row **rows, size_t *n, struct str *ret_next)
{
    struct str prefix = stack_prefix(call, kind, (struct str){0}), after = {0};
    if (str_has(token)) {
        char *p = arena_alloc(call->arena, prefix.n + token.n);
        memcpy(p, prefix.p, prefix.n);
        memcpy(p + prefix.n, token.p, token.n);
        after = str_of(p, prefix.n + token.n);
    }
    int r = store_scan(call->store, prefix, after, limit + 1, call->arena, rows, n);
    if (r < 0)
        return r;
    if (*n > limit) {
        *n = limit;
        struct str key = (*rows)[limit - 1].key;
        *ret_next = str_slice(key, prefix.n, key.n);
    }
    return 0;
}

static int describe_stacks(struct call *call, const struct cloudformation_describe_stacks_input *in,
                           struct cloudformation_describe_stacks_output *out)
{
    struct arena *a = call->arena;
    if (str_has(in->stack_name)) {
        struct cloudformation_stack_record stack = {0};
        int r = stack_find(call, in->stack_name, &stack);
        if (r < 0)
            return r;
        out->stacks.items = ARENA_NEW(a, struct cloudformation_stack);
        out->stacks.n = 1;
        show_stack(a, &stack, &out->stacks.items[0]);
        return 0;
    }
    struct store_row *rows;
    size_t n;
    int r = page(call, "stack", in->next_token, PAGE, &rows, &n, &out->next_token);
    out->stacks.items = ARENA_ARRAY(a, struct cloudformation_stack, n + 1);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct cloudformation_stack_record stack = {0};
        r = wire_json_read(a, rows[i].value, &cloudformation_stack_record_shape, &stack, NULL);
        if (r == 0 && !str_eq(stack.status, CLOUDFORMATION_STACK_STATUS_DELETE_COMPLETE))
            show_stack(a, &stack, &out->stacks.items[out->stacks.n++]);
    }
    return r;
}

static bool wanted(const struct cloudformation_stack_status_filter *filter, struct str status)
{
    for (size_t i = 0; i < filter->n; i++)
        if (str_eq(filter->items[i], status))
            return true;
    return filter->n == 0;
}

static int list_stacks(struct call *call, const struct cloudformation_list_stacks_input *in,
                       struct cloudformation_list_stacks_output *out)
{
    struct arena *a = call->arena;
    struct store_row *rows;
    size_t n;
    int r = page(call, "stack", in->next_token, PAGE, &rows, &n, &out->next_token);
    out->stack_summaries.items = ARENA_ARRAY(a, struct cloudformation_stack_summary, n + 1);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct cloudformation_stack_record s = {0};
        r = wire_json_read(a, rows[i].value, &cloudformation_stack_record_shape, &s, NULL);
        if (r < 0 || !wanted(&in->stack_status_filter, s.status))
            continue;
        struct cloudformation_stack_summary *item =
            &out->stack_summaries.items[out->stack_summaries.n++];
        *item = (struct cloudformation_stack_summary){
            .stack_id = s.stack_id,
            .stack_name = s.stack_name,
            .template_description = s.description,
            .creation_time = opt_time(s.created_ms.is),
            .stack_status = s.status,
            .stack_status_reason = s.status_reason,
            .drift_information =
                ARENA_NEW(a, struct cloudformation_stack_drift_information_summary),
        };
        item->drift_information->stack_drift_status = S("NOT_CHECKED");
        if (s.updated_ms.has)
            item->last_updated_time = opt_time(s.updated_ms.is);
        if (s.deleted_ms.has)
            item->deletion_time = opt_time(s.deleted_ms.is);
    }
    return r;
}

static int describe_stack_events(struct call *call,
                                 const struct cloudformation_describe_stack_events_input *in,
                                 struct cloudformation_describe_stack_events_output *out)
{
    struct arena *a = call->arena;
    struct cloudformation_stack_record stack = {0};
    int r = stack_lookup(call, in->stack_name, &stack);
    if (r == -ENOENT)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack [%.*s] does not exist",
                         STR(in->stack_name));
    if (r < 0)
        return r;
    struct str uuid = stack_uuid(stack.stack_id), before = {0};
    if (str_has(in->next_token))
        before = stack_key(call, "event", uuid, in->next_token);
    struct store_row *rows;
    size_t n;
    r = store_scan_back(call->store, stack_prefix(call, "event", uuid), before, PAGE + 1, a, &rows,
                        &n);
    if (r == 0 && n > PAGE) {
        n = PAGE;
        out->next_token = store_key_part(a, rows[n - 1].key, 5);
    }
    out->stack_events.items = ARENA_ARRAY(a, struct cloudformation_stack_event, n + 1);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct cloudformation_event_record e = {0};
        r = wire_json_read(a, rows[i].value, &cloudformation_event_record_shape, &e, NULL);
        out->stack_events.items[out->stack_events.n++] = (struct cloudformation_stack_event){
            .stack_id = stack.stack_id,
            .event_id = e.event_id,
            .stack_name = stack.stack_name,
            .logical_resource_id = e.logical_id,
            .physical_resource_id = str_has(e.physical_id) ? e.physical_id : S(""),
            .resource_type = e.type,
            .timestamp = opt_time(e.ms.is),
            .resource_status = e.status,
            .resource_status_reason = e.reason,
            .resource_properties = e.properties,
            .client_request_token = e.token,
        };
    }
    return r;
}

/* ---- resources ---- */

static int resources_of(struct call *call, struct str name,
                        struct cloudformation_stack_record *ret_stack, struct stack_resources *ret)
{
    int r = stack_lookup(call, name, ret_stack);
    if (r == -ENOENT)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack with id %.*s does not exist",
                         STR(name));
    return r < 0 ? r : stack_resources_load(call, stack_uuid(ret_stack->stack_id), ret);
}

static int describe_stack_resource(struct call *call,
                                   const struct cloudformation_describe_stack_resource_input *in,
                                   struct cloudformation_describe_stack_resource_output *out)
{
    struct cloudformation_stack_record stack = {0};
    struct stack_resources all;
    int r = stack_lookup(call, in->stack_name, &stack);
    if (r == -ENOENT)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack '%.*s' does not exist",
                         STR(in->stack_name));
    if (r == 0)
        r = stack_resources_load(call, stack_uuid(stack.stack_id), &all);
    if (r < 0)
        return r;
    for (size_t i = 0; i < all.n; i++) {
        const struct cloudformation_resource_record *x = &all.items[i];
        if (!str_eq(x->logical_id, in->logical_resource_id))
            continue;
        struct cloudformation_stack_resource_detail *d =
            ARENA_NEW(call->arena, struct cloudformation_stack_resource_detail);
        *d = (struct cloudformation_stack_resource_detail){
            .stack_name = stack.stack_name,
            .stack_id = stack.stack_id,
            .logical_resource_id = x->logical_id,
            .physical_resource_id = x->physical_id,
            .resource_type = x->type,
            .last_updated_timestamp = opt_time(x->updated_ms.is),
            .resource_status = x->status,
            .resource_status_reason = x->status_reason,
            .metadata = str_has(x->metadata) ? x->metadata : S("{}"),
            .drift_information =
                ARENA_NEW(call->arena, struct cloudformation_stack_resource_drift_information),
        };
        d->drift_information->stack_resource_drift_status = S("NOT_CHECKED");
        out->stack_resource_detail = d;
        return 0;
    }
    return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                     "Resource %.*s does not exist for stack %.*s", STR(in->logical_resource_id),
                     STR(in->stack_name));
}

static int find_by_physical(struct call *call, struct str physical,
                            struct cloudformation_stack_record *ret)
{
    struct store_row *rows;
    size_t n;
    int r = store_scan(call->store, stack_prefix(call, "resource", (struct str){0}),
                       (struct str){0}, 100000, call->arena, &rows, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct cloudformation_resource_record x = {0};
        if (wire_json_read(call->arena, rows[i].value, &cloudformation_resource_record_shape, &x,
                           NULL) == 0 &&
            str_eq(x.physical_id, physical) &&
            !str_eq(x.status, CLOUDFORMATION_RESOURCE_STATUS_DELETE_COMPLETE))
            return stack_load(call, store_key_part(call->arena, rows[i].key, 4), ret);
    }
    return r < 0 ? r
                 : call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack for %.*s does not exist",
                             STR(physical));
}

static int describe_stack_resources(struct call *call,
                                    const struct cloudformation_describe_stack_resources_input *in,
                                    struct cloudformation_describe_stack_resources_output *out)
{
    struct arena *a = call->arena;
    struct cloudformation_stack_record stack = {0};
    struct stack_resources all = {0};
    if (str_has(in->stack_name) == str_has(in->physical_resource_id))
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "Exactly one of StackName and PhysicalResourceId must be specified");
    int r = str_has(in->stack_name) ? resources_of(call, in->stack_name, &stack, &all)
                                    : find_by_physical(call, in->physical_resource_id, &stack);
    if (r == 0 && !str_has(in->stack_name))
        r = stack_resources_load(call, stack_uuid(stack.stack_id), &all);
    if (r < 0)
        return r;
    out->stack_resources.items = ARENA_ARRAY(a, struct cloudformation_stack_resource, all.n + 1);
    for (size_t i = 0; i < all.n; i++) {
        const struct cloudformation_resource_record *x = &all.items[i];
        if (str_has(in->logical_resource_id) && !str_eq(in->logical_resource_id, x->logical_id))
            continue;
        struct cloudformation_stack_resource *item =
            &out->stack_resources.items[out->stack_resources.n++];
        *item = (struct cloudformation_stack_resource){
            .stack_name = stack.stack_name,
            .stack_id = stack.stack_id,
            .logical_resource_id = x->logical_id,
            .physical_resource_id = x->physical_id,
            .resource_type = x->type,
            .timestamp = opt_time(x->updated_ms.is),
            .resource_status = x->status,
            .resource_status_reason = x->status_reason,
            .drift_information =
                ARENA_NEW(a, struct cloudformation_stack_resource_drift_information),
        };
        item->drift_information->stack_resource_drift_status = S("NOT_CHECKED");
    }
    if (str_has(in->logical_resource_id) && !out->stack_resources.n)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "Resource %.*s does not exist for stack %.*s",
                         STR(in->logical_resource_id), STR(stack.stack_name));
    return 0;
}

static int list_stack_resources(struct call *call,
                                const struct cloudformation_list_stack_resources_input *in,
                                struct cloudformation_list_stack_resources_output *out)
{
    struct arena *a = call->arena;
    struct cloudformation_stack_record stack = {0};
    struct stack_resources all;
    int64_t from = 0;
    int r = resources_of(call, in->stack_name, &stack, &all);
    if (r < 0)
        return r;
    if (str_has(in->next_token) && (str_to_int64(in->next_token, &from) < 0 || from < 0))
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "NextToken is not valid");
    out->stack_resource_summaries.items =
        ARENA_ARRAY(a, struct cloudformation_stack_resource_summary, PAGE + 1);
    for (size_t i = (size_t)from; i < all.n; i++) {
        const struct cloudformation_resource_record *x = &all.items[i];
        if (out->stack_resource_summaries.n == PAGE) {
            out->next_token = str_printf(a, "%zu", i);
            break;
        }
        struct cloudformation_stack_resource_summary *item =
            &out->stack_resource_summaries.items[out->stack_resource_summaries.n++];
        *item = (struct cloudformation_stack_resource_summary){
            .logical_resource_id = x->logical_id,
            .physical_resource_id = x->physical_id,
            .resource_type = x->type,
            .last_updated_timestamp = opt_time(x->updated_ms.is),
            .resource_status = x->status,
            .resource_status_reason = x->status_reason,
            .drift_information =
                ARENA_NEW(a, struct cloudformation_stack_resource_drift_information_summary),
        };
        item->drift_information->stack_resource_drift_status = S("NOT_CHECKED");
    }
    return 0;
}

/* ---- exports ---- */

static int list_exports(struct call *call, const struct cloudformation_list_exports_input *in,
                        struct cloudformation_list_exports_output *out)
{
    struct arena *a = call->arena;
    struct store_row *rows;
    size_t n;
    int r = page(call, "export", in->next_token, PAGE, &rows, &n, &out->next_token);
    out->exports.items = ARENA_ARRAY(a, struct cloudformation_export, n + 1);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct cloudformation_export_record e = {0};
        r = wire_json_read(a, rows[i].value, &cloudformation_export_record_shape, &e, NULL);
        out->exports.items[out->exports.n++] = (struct cloudformation_export){
            .exporting_stack_id = e.stack_id, .name = e.name, .value = e.value};
    }
    return r;
}

static int list_imports(struct call *call, const struct cloudformation_list_imports_input *in,
                        struct cloudformation_list_imports_output *out)
{
    int r = stack_importers(call, in->export_name, &out->imports.items, &out->imports.n);
    if (r == 0 && !out->imports.n)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "Export '%.*s' is not imported by any stack.", STR(in->export_name));
    return r;
}

const struct handler cloudformation_describe_handlers[] = {
    {cloudformation_describe_stacks_run(describe_stacks), "DescribeStacks", "stack/{StackName}/*"},
    {cloudformation_list_stacks_run(list_stacks), "ListStacks", "*"},
    {cloudformation_describe_stack_events_run(describe_stack_events), "DescribeStackEvents",
     "stack/{StackName}/*"},
    {cloudformation_describe_stack_resource_run(describe_stack_resource), "DescribeStackResource",
     "stack/{StackName}/*"},
    {cloudformation_describe_stack_resources_run(describe_stack_resources),
     "DescribeStackResources", "stack/{StackName}/*"},
    {cloudformation_list_stack_resources_run(list_stack_resources), "ListStackResources",
     "stack/{StackName}/*"},
    {cloudformation_list_exports_run(list_exports), "ListExports", "*"},
    {cloudformation_list_imports_run(list_imports), "ListImports", "*"},
    {0},
};
