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

/* A role, user or group ("user"): all are kept alike. -ENOENT. */
int iam_entity_find(struct store *store, struct arena *a, struct str account, const char *kind,
                    struct str name, struct iam_role_record *ret);
struct str iam_entity_key(struct arena *a, struct str account, const char *kind, struct str name);
/* The same as iam_access_load() of a user: his own policies, and those of his groups. */
int iam_user_access_load(struct store *store, struct arena *a, struct str account,
                         struct str user_name, struct iam_access *ret);
/* Whose access key that is, active or not. -ENOENT. */
int iam_access_key_user(struct store *store, struct arena *a, struct str access_key,
                        struct str *ret_account, struct str *ret_user);
/* The same with the record, and the key in it. -ENOENT, -EACCES: it is not active. */
int iam_access_key_find(struct store *store, struct arena *a, struct str access_key,
                        struct str *ret_account, struct iam_role_record *ret_user,
                        struct str *ret_secret);
struct str iam_access_key_key(struct arena *a, struct str access_key);

struct str iam_role_key(struct arena *a, struct str account, struct str name);
struct str iam_policy_key(struct arena *a, struct str account, struct str path_and_name);
