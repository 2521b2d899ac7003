/* change_sets - Create, Describe, Execute, Delete and ListChangeSets. */
#include <errno.h>
#include "base/digest.h"
#include "service/cloudformation/changes.h"
#include "service/cloudformation/operation.h"
#include "service/cloudformation/prepare.h"

#define NO_CHANGES                                                                                 \
    "The submitted information didn't contain changes. Submit different information to create a "  \
    "change set."

static struct str set_key(struct call *call, struct str stack_id, struct str set_name)
{
    return stack_key(call, "changeset", stack_uuid(stack_id), set_name);
}

static int set_save(struct call *call, const struct cloudformation_change_set_record *set)
{
    return record_put(call, set_key(call, set->stack_id, set->name),
                      &cloudformation_change_set_record_shape, set);
}

static int sets_load(struct call *call, struct str uuid,
                     struct cloudformation_change_set_record **ret, size_t *ret_n)
{
    struct store_row *rows;
    size_t n;
    int r = store_scan(call->store, stack_prefix(call, "changeset", uuid), (struct str){0}, 1000,
                       call->arena, &rows, &n);
    if (r < 0)
        return r;
    struct cloudformation_change_set_record *sets =
        ARENA_ARRAY(call->arena, struct cloudformation_change_set_record, n + 1);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = wire_json_read(call->arena, rows[i].value, &cloudformation_change_set_record_shape,
                           &sets[i], NULL);
    *ret = sets;
    *ret_n = n;
    return r;
}

/* The part of arn:aws:cloudformation:R:A:changeSet/NAME/UUID that names it. */
static struct str set_name_of(struct str name_or_id)
{
    if (!str_starts(name_or_id, S("arn:")))
        return name_or_id;
    struct str head, rest;
    str_cut(name_or_id, '/', &head, &rest);
    str_cut(rest, '/', &head, &rest);
    return head;
}

/* By ARN alone (all stacks are looked through) or by name with its stack. -ENOENT: there is none.
 */
static int set_lookup(struct call *call, struct str set, struct str stack_name,
                      struct cloudformation_stack_record *ret_stack,
                      struct cloudformation_change_set_record *ret)
{
    bool arn = str_starts(set, S("arn:"));
    if (!arn && !str_has(stack_name))
        return call_fail(
            call, CLOUDFORMATION_VALIDATION_ERROR,
            "StackName must be specified if ChangeSetName is not specified as an ARN.");
    int r;
    if (str_has(stack_name)) {
        r = stack_lookup(call, stack_name, ret_stack);
        if (r == -ENOENT)
            return arn ? -ENOENT
                       : call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                                   "Stack [%.*s] does not exist", STR(stack_name));
        if (r == 0)
            r = record_get(call, set_key(call, ret_stack->stack_id, set_name_of(set)),
                           &cloudformation_change_set_record_shape, ret);
        if (r == -ENOENT || (r == 0 && arn && !str_eq(ret->change_set_id, set)))
            return -ENOENT;
        return r;
    }
    struct store_row *rows;
    size_t n;
    r = store_scan(call->store, stack_prefix(call, "changeset", (struct str){0}), (struct str){0},
                   10000, call->arena, &rows, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct cloudformation_change_set_record one = {0};
        if (wire_json_read(call->arena, rows[i].value, &cloudformation_change_set_record_shape,
                           &one, NULL) == 0 &&
            str_eq(one.change_set_id, set)) {
            *ret = one;
            return stack_load(call, stack_uuid(one.stack_id), ret_stack);
        }
    }
    return r < 0 ? r : -ENOENT;
}

static int set_find(struct call *call, struct str set, struct str stack_name,
                    struct cloudformation_stack_record *ret_stack,
                    struct cloudformation_change_set_record *ret)
{
    int r = set_lookup(call, set, stack_name, ret_stack, ret);
    return r == -ENOENT ? call_fail(call, CLOUDFORMATION_CHANGE_SET_NOT_FOUND,
                                    "ChangeSet [%.*s] does not exist", STR(set))
                        : r;
}

struct draft {
    struct cloudformation_stack_record stack;
    bool new_stack;
    struct cloudformation_change_set_record set;
};

static int create_prepared(struct request *q)
{
    struct call *call = q->call;
    const struct cloudformation_create_change_set_input *in = call->in;
    struct cloudformation_create_change_set_output *out = call->out;
    struct draft *d = q->user;
    struct cloudformation_change_set_record *set = &d->set;
    struct template_error err = {0};
    if (!in->tags.items && d->stack.source)
        q->source.tags = d->stack.source->tags;
    set->source = &q->source;
    set->status = CLOUDFORMATION_CHANGE_SET_STATUS_CREATE_COMPLETE;
    set->execution_status = CLOUDFORMATION_EXECUTION_STATUS_AVAILABLE;
    int r = changes_compute(call, &d->stack, &q->processed, &set->changes, &err);
    if (r < 0 && r != -EBADMSG)
        return r;
    bool stable = !str_eq(d->stack.status, CLOUDFORMATION_STACK_STATUS_UPDATE_FAILED);
    if (r == -EBADMSG ||
        (!d->new_stack && stable && source_same(call->arena, &q->source, d->stack.source))) {
        set->status = CLOUDFORMATION_CHANGE_SET_STATUS_FAILED;
        set->execution_status = CLOUDFORMATION_EXECUTION_STATUS_UNAVAILABLE;
        set->status_reason = r < 0                      ? err.message
                             : q->processed.transformed ? S("No updates are to be performed.")
                                                        : S(NO_CHANGES);
        set->changes.n = 0;
    }
    if (d->new_stack) {
        d->stack.status = CLOUDFORMATION_STACK_STATUS_REVIEW_IN_PROGRESS;
        d->stack.description = q->processed.view->description;
        struct cloudformation_event_record e = {.event_id = random_uuid(call->arena),
                                                .logical_id = d->stack.stack_name,
                                                .physical_id = d->stack.stack_id,
                                                .type = S("AWS::CloudFormation::Stack"),
                                                .status = d->stack.status,
                                                .reason = S("User Initiated")};
        r = stack_save(call, &d->stack);
        if (r == 0)
            r = stack_name_bind(call, &d->stack);
        if (r == 0)
            r = stack_event(call, &d->stack, &e);
        if (r < 0)
            return r;
    }
    r = set_save(call, set);
    out->id = set->change_set_id;
    out->stack_id = d->stack.stack_id;
    return r;
}

static int check_type(struct call *call, const struct cloudformation_create_change_set_input *in,
                      struct draft *d)
{
    bool create = str_eq(in->change_set_type, CLOUDFORMATION_CHANGE_SET_TYPE_CREATE);
    if (str_eq(in->change_set_type, CLOUDFORMATION_CHANGE_SET_TYPE_IMPORT))
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "ChangeSetType IMPORT is not supported by this cloud");
    int r = stack_lookup(call, in->stack_name, &d->stack);
    if (r < 0 && r != -ENOENT)
        return r;
    bool exists = r == 0;
    bool review = exists && str_eq(d->stack.status, CLOUDFORMATION_STACK_STATUS_REVIEW_IN_PROGRESS);
    if (create && exists && !review)
        return call_fail(
            call, CLOUDFORMATION_VALIDATION_ERROR,
            "Stack [%.*s] already exists and cannot be created again with the changeSet [%.*s].",
            STR(in->stack_name), STR(in->change_set_name));
    if (!create && (!exists || review))
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack [%.*s] does not exist",
                         STR(in->stack_name));
    if (!create)
        return stack_check_updatable(call, &d->stack);
    d->new_stack = true;
    if (exists)
        return 0;
    r = stack_check_name(call, in->stack_name);
    if (r == 0)
        d->stack = stack_new(call, in->stack_name);
    return r;
}

static int create_change_set(struct call *call,
                             const struct cloudformation_create_change_set_input *in,
                             struct cloudformation_create_change_set_output *out)
{
    (void)out;
    const struct unsupported unsupported[] = {
        {"RollbackConfiguration", rollback_triggers(in->rollback_configuration)},
        {"NotificationARNs", in->notification_ar_ns.n > 0},
        {"ResourcesToImport", in->resources_to_import.n > 0},
        {"ImportExistingResources", in->import_existing_resources.is},
        {"DeploymentMode", str_has(in->deployment_mode)},
        {0},
    };
    struct draft *d = ARENA_NEW(call->arena, struct draft);
    int r = stack_refuse(call, unsupported);
    if (r == 0)
        r = check_type(call, in, d);
    if (r == 0)
        r = stack_check_role(call, in->role_arn);
    if (r < 0)
        return r;
    struct cloudformation_change_set_record old = {0};
    r = record_get(call, set_key(call, d->stack.stack_id, in->change_set_name),
                   &cloudformation_change_set_record_shape, &old);
    /* What has been executed is done with: the aws CLI names its change sets by the second, and two
     * deployments of one second are nothing special here. */
    if (r == 0 && !str_eq(old.execution_status, CLOUDFORMATION_EXECUTION_STATUS_EXECUTE_COMPLETE) &&
        !str_eq(old.execution_status, CLOUDFORMATION_EXECUTION_STATUS_OBSOLETE))
        return call_fail(call, CLOUDFORMATION_ALREADY_EXISTS,
                         "ChangeSet %.*s cannot be created due to "
                         "a mismatch with existing attribute Template",
                         STR(in->change_set_name));
    d->set = (struct cloudformation_change_set_record){
        .change_set_id = call_arn(call, "cloudformation", "changeSet/%.*s/%s",
                                  STR(in->change_set_name), random_uuid(call->arena).p),
        .name = in->change_set_name,
        .stack_id = d->stack.stack_id,
        .stack_name = d->stack.stack_name,
        .type = d->new_stack ? CLOUDFORMATION_CHANGE_SET_TYPE_CREATE
                             : CLOUDFORMATION_CHANGE_SET_TYPE_UPDATE,
        .description = in->description,
        .created_ms = opt_int(call->now_ms),
        .role_arn = in->role_arn,
        .on_stack_failure = in->on_stack_failure,
        .include_nested = in->include_nested_stacks,
    };
    struct request *q = ARENA_NEW(call->arena, struct request);
    *q = (struct request){
        .call = call,
        .template_body = in->template_body,
        .template_url = in->template_url,
        .use_previous_template = in->use_previous_template.is,
        .parameters = &in->parameters,
        .tags = &in->tags,
        .capabilities = &in->capabilities,
        .types = &in->resource_types,
        .role_arn = in->role_arn,
        .stack = d->new_stack ? NULL : &d->stack,
        .stack_name = d->stack.stack_name,
        .stack_id = d->stack.stack_id,
        .then = create_prepared,
        .user = d,
    };
    return prepare(q);
}

static int describe_change_set(struct call *call,
                               const struct cloudformation_describe_change_set_input *in,
                               struct cloudformation_describe_change_set_output *out)
{
    struct cloudformation_stack_record stack = {0};
    struct cloudformation_change_set_record set = {0};
    int r = set_find(call, in->change_set_name, in->stack_name, &stack, &set);
    if (r < 0)
        return r;
    *out = (struct cloudformation_describe_change_set_output){
        .change_set_id = set.change_set_id,
        .change_set_name = set.name,
        .stack_id = set.stack_id,
        .stack_name = set.stack_name,
        .description = set.description,
        .creation_time = opt_time(set.created_ms.is),
        .status = set.status,
        .status_reason = set.status_reason,
        .execution_status = set.execution_status,
        .on_stack_failure = set.on_stack_failure,
        .include_nested_stacks = opt_bool(set.include_nested.is),
    };
    prepare_show_parameters(call->arena, set.source, &out->parameters);
    prepare_show_tags(call->arena, set.source, &out->tags);
    out->capabilities.items = set.source->capabilities.items;
    out->capabilities.n = set.source->capabilities.n;
    changes_show(call->arena, &set.changes, &out->changes);
    return 0;
}

static int execute_change_set(struct call *call,
                              const struct cloudformation_execute_change_set_input *in,
                              struct cloudformation_execute_change_set_output *out)
{
    (void)out;
    struct cloudformation_stack_record stack = {0};
    struct cloudformation_change_set_record *set =
        ARENA_NEW(call->arena, struct cloudformation_change_set_record);
    int r = set_find(call, in->change_set_name, in->stack_name, &stack, set);
    if (r < 0)
        return r;
    bool executed = str_eq(set->execution_status, CLOUDFORMATION_EXECUTION_STATUS_EXECUTE_COMPLETE);
    if (executed && str_has(in->client_request_token) &&
        str_eq(in->client_request_token, stack.client_token))
        return 0; /* the same request once more */
    if (!str_eq(set->execution_status, CLOUDFORMATION_EXECUTION_STATUS_AVAILABLE)) {
        bool made = str_eq(set->status, CLOUDFORMATION_CHANGE_SET_STATUS_CREATE_COMPLETE);
        return call_fail(call, CLOUDFORMATION_INVALID_CHANGE_SET_STATUS,
                         "ChangeSet [%.*s] cannot be executed in its current %sstatus of [%.*s]",
                         STR(set->change_set_id), made ? "execution " : "",
                         STR(made ? set->execution_status : set->status));
    }
    bool create = str_eq(set->type, CLOUDFORMATION_CHANGE_SET_TYPE_CREATE);
    r = create ? 0 : stack_check_updatable(call, &stack);
    if (r < 0)
        return r;
    struct cloudformation_change_set_record *all;
    size_t n;
    r = sets_load(call, stack_uuid(stack.stack_id), &all, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        bool self = str_eq(all[i].change_set_id, set->change_set_id);
        all[i].execution_status = self ? CLOUDFORMATION_EXECUTION_STATUS_EXECUTE_COMPLETE
                                       : CLOUDFORMATION_EXECUTION_STATUS_OBSOLETE;
        r = set_save(call, &all[i]);
    }
    if (r < 0)
        return r;
    if (create)
        stack.source = set->source;
    else
        stack_replace_source(&stack, set->source);
    stack.change_set_id = set->change_set_id;
    stack.client_token = in->client_request_token;
    stack.disable_rollback = in->disable_rollback;
    stack.retain_except_on_create = in->retain_except_on_create;
    if (create && str_has(set->on_stack_failure) && !str_is(set->on_stack_failure, "ROLLBACK"))
        stack.on_failure = set->on_stack_failure;
    if (str_has(set->role_arn))
        stack.role_arn = set->role_arn;
    if (create)
        stack.created_ms = opt_int(call->now_ms);
    else
        stack.updated_ms = opt_int(call->now_ms);
    return stack_begin(call, &stack,
                       create ? CLOUDFORMATION_STACK_STATUS_CREATE_IN_PROGRESS
                              : CLOUDFORMATION_STACK_STATUS_UPDATE_IN_PROGRESS,
                       (struct str){0}, create ? PHASE_CREATE : PHASE_UPDATE);
}

static int delete_change_set(struct call *call,
                             const struct cloudformation_delete_change_set_input *in,
                             struct cloudformation_delete_change_set_output *out)
{
    (void)out;
    struct cloudformation_stack_record stack = {0};
    struct cloudformation_change_set_record set = {0};
    int r = set_lookup(call, in->change_set_name, in->stack_name, &stack, &set);
    if (r == -ENOENT)
        return 0; /* AWS says nothing about a change set that is not there */
    if (r < 0)
        return r;
    return record_delete(call, set_key(call, set.stack_id, set.name));
}

static int list_change_sets(struct call *call,
                            const struct cloudformation_list_change_sets_input *in,
                            struct cloudformation_list_change_sets_output *out)
{
    struct cloudformation_stack_record stack = {0};
    struct cloudformation_change_set_record *sets;
    size_t n;
    int r = stack_lookup(call, in->stack_name, &stack);
    if (r == -ENOENT)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack [%.*s] does not exist",
                         STR(in->stack_name));
    if (r == 0)
        r = sets_load(call, stack_uuid(stack.stack_id), &sets, &n);
    if (r < 0)
        return r;
    out->summaries.items =
        ARENA_ARRAY(call->arena, struct cloudformation_change_set_summary, n + 1);
    for (size_t i = 0; i < n; i++)
        out->summaries.items[out->summaries.n++] = (struct cloudformation_change_set_summary){
            .stack_id = sets[i].stack_id,
            .stack_name = sets[i].stack_name,
            .change_set_id = sets[i].change_set_id,
            .change_set_name = sets[i].name,
            .execution_status = sets[i].execution_status,
            .status = sets[i].status,
            .status_reason = sets[i].status_reason,
            .creation_time = opt_time(sets[i].created_ms.is),
            .description = sets[i].description,
        };
    return 0;
}

const struct handler cloudformation_change_set_handlers[] = {
    {cloudformation_create_change_set_run(create_change_set), "CreateChangeSet",
     "stack/{StackName}/*"},
    {cloudformation_describe_change_set_run(describe_change_set), "DescribeChangeSet",
     "stack/{StackName}/*"},
    {cloudformation_execute_change_set_run(execute_change_set), "ExecuteChangeSet",
     "stack/{StackName}/*"},
    {cloudformation_delete_change_set_run(delete_change_set), "DeleteChangeSet",
     "stack/{StackName}/*"},
    {cloudformation_list_change_sets_run(list_change_sets), "ListChangeSets",
     "stack/{StackName}/*"},
    {0},
};
