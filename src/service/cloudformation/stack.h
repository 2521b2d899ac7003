/* stack - stacks, their resources, events, change sets and exports as they are kept in the store.
 *
 * May use service/call.h and the floors below (template/ too). Keys:
 *   cfn ACCOUNT REGION name NAME          the id of the stack that has the name now
 *   cfn ACCOUNT REGION stack UUID         StackRecord; deleted stacks stay, found by their id only
 *   cfn ACCOUNT REGION resource UUID ID   ResourceRecord
 *   cfn ACCOUNT REGION event UUID TIME    EventRecord
 *   cfn ACCOUNT REGION changeset UUID ID  ChangeSetRecord
 *   cfn ACCOUNT REGION export NAME        ExportRecord
 *   cfn ACCOUNT REGION import NAME UUID   the stack's name, for every import in use
 *   cfn-busy ACCOUNT REGION UUID          the stack has an operation to carry on after a restart
 * Everything returned lives in the call's arena. */
#pragma once
#include "service/call.h"
#include "wire/cloudformation.h"
#include "wire/walk.h"

/* What the database says of one thing. -ENOENT: not there. */
int stack_load(struct call *call, struct str uuid, struct cloudformation_stack_record *ret);
int stack_save(struct call *call, const struct cloudformation_stack_record *stack);
/* By name (not deleted) or id. Answers the client's ValidationError when there is none. */
int stack_find(struct call *call, struct str name_or_id, struct cloudformation_stack_record *ret);
/* The same without an answer: -ENOENT. */
int stack_lookup(struct call *call, struct str name_or_id, struct cloudformation_stack_record *ret);
struct str stack_uuid(struct str stack_id); /* the last part of arn:...:stack/NAME/UUID */
int stack_name_bind(struct call *call, const struct cloudformation_stack_record *stack);
int stack_name_release(struct call *call, const struct cloudformation_stack_record *stack);
bool stack_is_busy(
    const struct cloudformation_stack_record *stack); /* ..._IN_PROGRESS but review */
int stack_mark_busy(struct call *call, const struct cloudformation_stack_record *stack, bool busy);

struct stack_resources {
    struct cloudformation_resource_record *items;
    size_t n;
};
int stack_resources_load(struct call *call, struct str uuid,
                         struct stack_resources *ret); /* in order of creation */
int stack_resource_load(struct call *call, struct str uuid, struct str logical_id,
                        struct cloudformation_resource_record *ret); /* -ENOENT */
int stack_resource_save(struct call *call, struct str uuid,
                        const struct cloudformation_resource_record *resource);
int stack_resource_delete(struct call *call, struct str uuid, struct str logical_id);

/* Writes one event. The resource's properties may be absent. */
int stack_event(struct call *call, const struct cloudformation_stack_record *stack,
                const struct cloudformation_event_record *event);

struct str stack_key(struct call *call, const char *kind, struct str a, struct str b);
struct str stack_prefix(struct call *call, const char *kind, struct str a); /* of the keys behind */

/* Exports. The one of another stack is a clash: -EEXIST. */
int stack_export_find(struct call *call, struct str name, struct cloudformation_export_record *ret);
int stack_exports_update(struct call *call, const struct cloudformation_stack_record *stack,
                         struct str *ret_clash);
int stack_exports_remove(struct call *call, const struct cloudformation_stack_record *stack,
                         const struct cloudformation_record_outputs *keep);
/* Names of the stacks that import an export. */
int stack_importers(struct call *call, struct str export_name, struct str **ret, size_t *ret_n);
int stack_imports_clear(struct call *call, const struct cloudformation_stack_record *stack);
int stack_import_add(struct call *call, const struct cloudformation_stack_record *stack,
                     struct str export_name);

struct cloudformation_record_principal *stack_caller(struct call *call,
                                                     const struct principal *who);
struct principal stack_principal(const struct cloudformation_record_principal *caller);

/* The operations' handlers. */
extern const struct handler cloudformation_stack_handlers[];
extern const struct handler cloudformation_describe_handlers[];
extern const struct handler cloudformation_change_set_handlers[];
extern const struct handler cloudformation_template_handlers[];
extern const struct handler cloudformation_rollback_handlers[];
extern const struct handler cloudformation_policy_handlers[];
