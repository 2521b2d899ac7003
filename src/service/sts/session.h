/* session - temporary credentials: made, kept in the store, found again by their access key.
 *
 * The daemon looks here when it verifies a signature; the STS operations and
 * call_role_credentials() make them. May use service/call.h and below. */
#pragma once
#include "service/call.h"
#include "wire/sts.h"

struct session_request {
    struct str account;
    struct str arn;       /* whose session: assumed-role ARN, or the root's */
    struct str user_id;   /* AROA...:name, or the account */
    struct str role_name; /* absent: root */
    struct str role_arn;
    struct str policy;                    /* a session policy, or absent */
    const struct sts_tag_list_type *tags; /* or NULL */
    int64_t now_ms, duration_s;
};

/* Writes a record; *ret in the arena. */
int session_create(struct store *store, struct arena *a, const struct session_request *request,
                   struct session_credentials *ret);
/* -ENOENT: no such key. An expired one is found: look at expires. */
int session_find(struct store *store, struct arena *a, struct str access_key,
                 struct sts_session_record *ret);
/* Forgets what has expired long ago: at start. */
int session_sweep(struct store *store, struct arena *a, int64_t now_ms);
