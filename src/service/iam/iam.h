/* iam - AWS Identity and Access Management: roles and managed policies.
 *
 *     iam/ACCOUNT/role/NAME           RoleRecord, with its inline policies and what is attached
 *     iam/ACCOUNT/user/NAME           the same record: with his groups and access keys
 *     iam/ACCOUNT/group/NAME          the same record: with its users
 *     iam-access-key/ID               ACCOUNT/NAME: whose it is
 *     iam-access-key-used/ID          when and what for: last_used.h
 *     iam/ACCOUNT/policy/PATH+NAME    PolicyRecord, with its versions
 *     iam/ACCOUNT/attached/ARN/ROLE   for counting and listing what a policy is attached to;
 * user/NAME and group/NAME likewise iam/ACCOUNT/boundary/ARN/ROLE   the same for permissions
 * boundaries
 */
#pragma once
#include "service/iam/access.h"
#include "service/iam/managed.h"
#include "service/policy.h"

#define IAM_TAGS_MAX 50

extern const struct service iam_service;
extern const struct handler iam_role_handlers[];
extern const struct handler iam_policy_handlers[];
extern const struct handler iam_version_handlers[];
extern const struct handler iam_tag_handlers[];
extern const struct handler iam_simulate_handlers[];
extern const struct handler iam_user_handlers[];
extern const struct handler iam_group_handlers[];
extern const struct handler iam_entity_policy_handlers[];

/* record.c: NoSuchEntity is said when there is none. */
int role_get(struct call *call, struct str name, struct iam_role_record *ret);
int role_save(struct call *call, const struct iam_role_record *role);
struct iam_role *role_show(struct call *call, const struct iam_role_record *role, bool whole);
struct iam_user *user_show(struct call *call, const struct iam_role_record *user, bool whole);
/* A policy of this account. AWS's own ones: AccessDenied. */
int policy_get_own(struct call *call, struct str arn, struct iam_policy_record *ret);
int policy_save(struct call *call, const struct iam_policy_record *policy);
/* NULL-safe: the managed policy of that ARN, AWS's or the account's. -ENOENT when there is none. */
int policy_exists(struct call *call, struct str arn);
struct iam_policy *policy_show(struct call *call, const struct iam_policy_record *policy,
                               bool whole);
struct iam_policy *policy_show_aws(struct call *call, const struct managed_policy *aws, bool whole);
struct str iam_id(struct call *call, const char *prefix);            /* AROA and 17 characters */
struct str iam_document_out(struct call *call, struct str document); /* percent-encoded */
int iam_document_check(struct call *call, enum policy_kind kind, struct str document);
int policy_document_check(struct call *call, struct str document); /* of a managed policy */
size_t iam_document_size(struct str document); /* without blanks, as quotas count it */
struct str iam_use_key(struct call *call, const char *what, struct str arn, struct str role);
struct str iam_use_prefix(struct call *call, const char *what, struct str arn);

/* page.c */
struct page {
    struct str marker;
    struct opt_int max_items;
};
/* Which of n items this page has: [*ret_from, *ret_to), and what follows. */
int page_cut(struct call *call, const struct page *page, size_t n, size_t *ret_from, size_t *ret_to,
             struct opt_bool *ret_truncated, struct str *ret_marker);
/* Rows below a prefix, in pages; accept() turns one into an item of the output, or refuses it. */
int page_rows(struct call *call, const struct page *page, struct str prefix,
              int (*accept)(struct call *call, const struct store_row *row, void *user), void *user,
              struct opt_bool *ret_truncated, struct str *ret_marker);

/* tags.c */
int tags_check(struct call *call, const struct iam_tag_list_type *tags);
int tags_merge(struct call *call, struct iam_tag_list_type *tags,
               const struct iam_tag_list_type *more);
