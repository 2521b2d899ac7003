/* stack_policy - which resources an update may change: the stack's policy. Pure.
 *
 * Statements as the user guide has them ("Prevent updates to stack resources"): Effect; Action or
 * NotAction, of Update:Modify, Update:Replace, Update:Delete; Principal "*"; Resource or
 * NotResource, of "LogicalResourceId/..." and "*"; Condition with StringEquals or StringLike of
 * ResourceType. A denial wins; what nobody allows is not allowed. "{}" protects nothing. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define STACK_POLICY_MAX 16384

struct stack_policy;

/* -EBADMSG: it is none. *ret NULL: it protects nothing. Lives in the arena, points into text. */
int stack_policy_parse(struct arena *a, struct str text, struct stack_policy **ret);
/* The first "LogicalResourceId/X" without wildcards for which has() says no; absent: none. */
struct str stack_policy_unknown(const struct stack_policy *p,
                                bool (*has)(void *user, struct str logical_id), void *user);
/* action: Update:Modify ... p may be NULL. When not, *ret_why says so as an event does. */
bool stack_policy_allows(struct arena *a, const struct stack_policy *p, const char *action,
                         struct str logical_id, struct str type, struct str *ret_why);
