/* request - the bytes of a signed request, made once and sent often.
 *
 * A signature counts seconds: requests with one payload are byte for byte the same within a second,
 * so that signing costs next to nothing at any rate. May use base/, wire/ and aws/. */
#pragma once
#include "aws/client.h"
#include "bench/address.h"
#include "bench/bench.h"

/* What is on its way to the server may not change: each connection holds the head it sends. */
struct request_head {
    int refs;
    int64_t second;
    size_t n;
    char p[];
};
void request_head_release(struct request_head *head); /* accepts NULL */

struct request {
    const struct bench_payload *payload;
    struct str payload_sha256;
    struct request_head *head; /* the newest */
};

/* All requests of a segment: one for each payload. */
struct request_set {
    struct arena *arena;
    struct aws_client *aws;
    const struct bench_plan *plan;
    const struct address *address;
    struct str function, qualifier;
    bool phases; /* ask a Lamina for them */
    struct request *items;
    size_t n;
};

/* One "{}" when the plan has no payloads. */
void request_set_init(struct request_set *s, struct arena *a, const struct bench_plan *plan);
void request_set_done(struct request_set *s);
/* The head that is to be sent now, with one reference for the caller. 0, or -errno with *err:
 * credentials that ended and could not be renewed, a function's name that cannot be sent. */
int request_head_get(struct request_set *s, struct request *r, int64_t now_ms,
                     struct request_head **ret, struct aws_error *err);
