/* access - what a role may do, read from the store: for the daemon's decisions. The operations of
 * IAM write what is read here. May use service/call.h and below. */
#pragma once
#include "service/call.h"
#include "wire/iam.h"

struct iam_access {
    struct iam_role_record role;
    struct str *documents; /* inline and attached policies, JSON */
    size_t n_documents;
    struct str boundary; /* document of the permissions boundary, or absent */
};

/* arn:aws:iam::ACCOUNT:role/path/NAME; -EINVAL. */
int iam_role_arn_parse(struct str arn, struct str *ret_account, struct str *ret_name);
/* Names are found in any case. -ENOENT. */
int iam_role_find(struct store *store, struct arena *a, struct str account, struct str name,
                  struct iam_role_record *ret);
int iam_access_load(struct store *store, struct arena *a, struct str account, struct str role_name,
                    struct iam_access *ret);
/* The default version's document of a managed policy, AWS's or an account's. -ENOENT. */
int iam_policy_document(struct store *store, struct arena *a, struct str arn, struct str *ret);

struct str iam_role_key(struct arena *a, struct str account, struct str name);
struct str iam_policy_key(struct arena *a, struct str account, struct str path_and_name);
