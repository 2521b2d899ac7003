/* connection - one keep-alive connection of the generator: connects, sends a request, reads its
 * answer, never blocks.
 *
 *            connection_start                                 connection_send
 *   CLOSED ----------> CONNECTING -> [TUNNEL] -> HANDSHAKE -> IDLE -----------> SENDING -> WAITING
 *     ^                            |             |         ^                        |         |
 *     +------ failed, ended -------+-------------+         +---- answered ----------+---------+
 *
 * connection_step() takes every arrow but the two named, whenever epoll says something about the
 * socket (which is registered once, edge-triggered). May use base/. */
#pragma once
#include <stdint.h>
#include "base/list.h"
#include "bench/address.h"
#include "bench/answer.h"
#include "bench/tls.h"

/* More than the longest answer of Lambda (200 MiB, streamed): who sends without an end, and faster
 * than is read, would never let go of the thread. */
#define CONNECTION_ANSWER_MAX (INT64_C(256) << 20)

enum connection_state {
    CONNECTION_CLOSED,
    CONNECTION_CONNECTING,
    CONNECTION_TUNNEL, /* a proxy is asked for the way on */
    CONNECTION_HANDSHAKE,
    CONNECTION_IDLE,
    CONNECTION_SENDING,
    CONNECTION_WAITING,
};

/* Where connections go, shared by all. */
struct connection_place {
    const struct address *address;
    struct tls_context *tls; /* NULL: plain */
    struct str tunnel;       /* what a proxy is asked; absent: there is none */
    int epoll;
    uint32_t bad;  /* bit i: address i did not answer */
    char *scratch; /* what is read lands here first */
    size_t scratch_size;
};

struct connection {
    struct connection_place *place;
    enum connection_state state;
    int fd;
    struct tls *tls;
    size_t at, tried;      /* address */
    char said[80];         /* of the proxy's answer: its first line */
    size_t n_said, n_line; /* bytes of the answer, and of its current line */
    struct str out[2];     /* what is left to send */
    struct answer answer;
    int64_t began_ns;                   /* connecting, by the monotonic clock */
    int64_t sent_ns, first_ns, done_ns; /* of the request; absolute */
    int64_t bytes_in, bytes_out;        /* of the request */
    char error[24];                     /* "ECONNRESET", "truncated", "malformed", "TLS"; "" */
    char why[160];
    /* The generator's. */
    struct list link;
    void *request;
    size_t sample, payload;
    int64_t due_ns, assigned_ns, resume_ns;
    bool busy;
};

enum connection_event {
    CONNECTION_NOTHING,  /* wait for the socket */
    CONNECTION_READY,    /* is connected now, or still: IDLE */
    CONNECTION_ANSWERED, /* the answer is whole; IDLE, or CLOSED when it is not kept alive */
    CONNECTION_FAILED,   /* error and why; CLOSED */
    CONNECTION_ENDED,    /* was idle and is CLOSED now */
};

void connection_init(struct connection *c, struct connection_place *place);
void connection_done(struct connection *c);
void connection_start(struct connection *c);
bool connection_is_opening(const struct connection *c); /* from CONNECTING to HANDSHAKE */
/* IDLE only. The bytes must stay until the answer is there. */
void connection_send(struct connection *c, struct str head, struct str body);
enum connection_event connection_step(struct connection *c);
void connection_close(struct connection *c); /* without an error */
/* Gives up: CLOSED, with this error. */
void connection_abort(struct connection *c, const char *error, const char *why);
