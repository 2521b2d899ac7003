/* transport - requests over libcurl, which is loaded when the first one is sent. Internal to aws/.
 */
#pragma once
#include "aws/client.h"

struct transport;
struct transport *transport_new(void);
void transport_free(struct transport *t); /* accepts NULL */

struct transport_limits {
    int64_t connect_timeout_ms, timeout_ms;
    int64_t max_bytes; /* of an answer in memory */
    int out_fd;        /* bodies of successful answers go there; -1: memory */
    /* Or here, piece by piece; a negative result ends the exchange. NULL: out_fd decides. */
    int (*on_bytes)(void *user, struct str bytes);
    void *user;
    const volatile sig_atomic_t *cancel; /* -ECANCELED within a second when it is set; or NULL */
};
/* url: scheme://host[:port]; the request's path and query follow it. 0 with *ret (in the arena), or
 * -errno with *err: -ECONNREFUSED, -ETIMEDOUT, -ENETUNREACH, -ELIBACC (no libcurl) ...
 * *ret_written: bytes that went to out_fd. */
int transport_send(struct transport *t, struct str url, const struct wire_request *req,
                   const struct transport_limits *limits, struct arena *a,
                   struct wire_response *ret, int64_t *ret_written, struct aws_error *err);
