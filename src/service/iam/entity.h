/* entity - what roles, users and groups have in common. Their record is a role's: role_name is the
 * name of the user or group, links the names of a user's groups, or of a group's users. */
#pragma once
#include "service/iam/iam.h"

#define IAM_ATTACHED_MAX 10

struct iam_kind {
    const char *word, *name, *id; /* "user", "User", "AIDA" */
    size_t inline_max;            /* bytes of all inline policies, without blanks */
};
extern const struct iam_kind iam_roles, iam_users, iam_groups;

/* All say what is wrong by call_fail(). */
int entity_find(struct call *call, const struct iam_kind *kind, struct str name,
                struct iam_role_record *ret);
/* The role, user or group of an ARN; *ret_kind: "role", "user" or "group". */
int entity_of_arn(struct call *call, struct str arn, struct iam_role_record *ret,
                  const char **ret_kind);
int entity_save(struct call *call, const struct iam_kind *kind, const struct iam_role_record *e);
/* Not saved yet. */
int entity_create(struct call *call, const struct iam_kind *kind, struct str path, struct str name,
                  struct iam_role_record *ret);
int entity_delete(struct call *call, const struct iam_kind *kind, const struct iam_role_record *e);
/* Another path, another name, or both; absent: it stays. Saved; who is linked to it and what is
 * attached to it know. Rows of access keys are the caller's. */
int entity_move(struct call *call, const struct iam_kind *kind, struct iam_role_record *e,
                struct str path, struct str name);
struct str entity_use_key(struct call *call, const struct iam_kind *kind, const char *what,
                          struct str arn, struct str name);
int entity_rows(struct call *call, const struct iam_kind *kind, const struct page *page,
                int (*accept)(struct call *call, const struct store_row *row, void *user),
                void *user, struct opt_bool *ret_truncated, struct str *ret_marker);
ssize_t entity_link(const struct iam_role_record *e, struct str name); /* its place, or -1 */

/* Of roles and users; absent: none. */
int entity_boundary_check(struct call *call, struct str arn);
/* The record itself is not saved yet. */
int entity_boundary_set(struct call *call, const struct iam_kind *kind, struct iam_role_record *e,
                        struct str arn);
struct iam_attached_permissions_boundary *entity_boundary_show(struct call *call,
                                                               const struct iam_role_record *e);

int entity_put_policy(struct call *call, const struct iam_kind *kind, struct str name,
                      struct str policy, struct str document);
int entity_get_policy(struct call *call, const struct iam_kind *kind, struct str name,
                      struct str policy, struct str *ret_name, struct str *ret_document);
int entity_delete_policy(struct call *call, const struct iam_kind *kind, struct str name,
                         struct str policy);
int entity_list_policies(struct call *call, const struct iam_kind *kind, struct str name,
                         const struct page *page, struct iam_policy_name_list_type *ret,
                         struct opt_bool *ret_truncated, struct str *ret_marker);
int entity_attach(struct call *call, const struct iam_kind *kind, struct str name, struct str arn);
int entity_detach(struct call *call, const struct iam_kind *kind, struct str name, struct str arn);
int entity_list_attached(struct call *call, const struct iam_kind *kind, struct str name,
                         struct str path_prefix, const struct page *page,
                         struct iam_attached_policies_list_type *ret,
                         struct opt_bool *ret_truncated, struct str *ret_marker);
