/* answer - an HTTP/1.1 answer, as its bytes come from a connection.
 *
 * Strict about what decides where an answer ends (lengths, chunks), because a truncated answer must
 * not pass for a success; blind to what it does not need. Of a body the first BENCH_BODY_LOOKED_AT
 * bytes are kept, and BENCH_BODY_KEPT when the head tells of a failure; the others are counted.
 * Texts point into the answer until it is reset. Pure; no I/O. May use base/. */
#pragma once
#include <stdbool.h>
#include "base/buf.h"
#include "base/str.h"

#define BENCH_HEAD_MAX (64 * 1024)
#define BENCH_BODY_KEPT (256 * 1024)
#define BENCH_BODY_LOOKED_AT (16 * 1024)

enum answer_state {
    ANSWER_HEAD,
    ANSWER_LENGTH,     /* a body of known length */
    ANSWER_CLOSE,      /* a body that ends with the connection */
    ANSWER_CHUNK_SIZE, /* the line before a chunk */
    ANSWER_CHUNK,
    ANSWER_CHUNK_END,
    ANSWER_TRAILER,
    ANSWER_DONE,
    ANSWER_BAD,
};

struct answer {
    enum answer_state state;
    int status;
    bool keep_alive;
    bool keep_body; /* set by the caller: keep it whatever the head says */
    bool keeping;
    int64_t remaining; /* of the body or chunk */
    int64_t body_bytes;
    size_t line; /* bytes of the line that is being read, between chunks */
    bool line_cr, line_digits;
    struct buf head, body;
    const char *bad; /* why; static text */
    /* Headers; absent when they were not there. */
    struct str function_error, log_result, error_type, request_id, phases;
};

void answer_init(struct answer *a);
void answer_done(struct answer *a);
void answer_reset(struct answer *a); /* for the next one; keeps memory */
/* How many of the bytes belong to this answer; less than n only when it is done or bad. */
size_t answer_feed(struct answer *a, const char *p, size_t n);
/* The connection has ended: DONE when that is this answer's end, BAD otherwise. */
void answer_end(struct answer *a);
static inline bool answer_begun(const struct answer *a)
{
    return a->state != ANSWER_HEAD || a->head.n;
}
