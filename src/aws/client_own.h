/* client_own - what the files of the client share. Internal to aws/. */
#pragma once
#include "aws/credentials.h"
#include "aws/transport.h"

struct events;

struct aws_client {
    struct arena *arena;
    struct aws_options options;
    struct profile *profiles;
    struct profile *profile;
    struct str region;
    struct sigv4_credentials credentials;
    struct credential_plan plan; /* a role is assumed at the first call */
    bool resolved;
    int64_t expires_ms; /* of credentials; 0: never */
    int64_t skew_ms;    /* of AWS's clock against ours */
    bool fips, dual_stack;
    struct str moved_bucket, moved_region; /* the last bucket that was in another region */
    struct transport *transport;
    const volatile sig_atomic_t *cancel;
    struct events *events; /* of the call under way; mostly NULL */
    struct wire_response last;
    struct arena last_arena; /* of last's headers */
};

/* Sees to client->credentials, which are signed with: roles are assumed, what ends is renewed. */
int client_sign_in(struct aws_client *client, struct aws_error *err);
/* One operation, signed with client->credentials as they are; retried. fd: as of aws_call_to_fd. */
int client_send(struct aws_client *c, struct arena *a, const struct operation *op, const void *in,
                int fd, void **ret_out, struct aws_error *err);
