/* operation - what the handlers of stacks and change sets share: beginning an operation on a stack.
 */
#pragma once
#include "service/cloudformation/worker.h"

/* A fresh record with a new id, not saved. */
struct cloudformation_stack_record stack_new(struct call *call, struct str name);

/* Saves the record with its new status, writes the event and starts the worker. */
int stack_begin(struct call *call, struct cloudformation_stack_record *stack, struct str status,
                struct str reason, enum phase phase);

/* Answer the client's error when not. */
int stack_check_updatable(struct call *call, const struct cloudformation_stack_record *stack);
int stack_check_role(struct call *call, struct str role_arn);
/* Of a new stack. */
int stack_check_name(struct call *call, struct str name);
/* Members of an input that ask for what is not there: refused by name, never ignored. End: name
 * NULL.
 */
struct unsupported {
    const char *name;
    bool given;
};
int stack_refuse(struct call *call, const struct unsupported *list);
bool rollback_triggers(const struct cloudformation_rollback_configuration *configuration);

void stack_replace_source(struct cloudformation_stack_record *stack,
                          struct cloudformation_record_source *source);

/* Nothing would change: processed template, parameters and tags are the same. */
bool pairs_same(const struct cloudformation_record_pairs *a,
                const struct cloudformation_record_pairs *b);
bool source_same(struct arena *a, const struct cloudformation_record_source *x,
                 const struct cloudformation_record_source *y);
