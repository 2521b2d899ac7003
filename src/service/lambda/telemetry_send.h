/* telemetry_send - takes batches of telemetry to a port inside an environment, by HTTP or TCP.
 *
 *      IDLE --sender_send--> ASKED --socket--> CONNECTING --> WRITING --> READING (HTTP) --> IDLE
 *                              ^                  |              |            |  done()
 *                              +--- RESTING <-- refused, reset  (a few times) +
 *
 * A batch is delivered again when its subscriber ended before it answered: in a reset it may be
 * told twice. A connection is kept for the next batch. Nothing here waits; what has made no
 * progress for SEND_LIMIT_MS, or was refused too often, has failed. */
#pragma once
#include <uv.h>
#include "base/buf.h"
#include "service/lambda/telemetry_request.h"

struct sender;
struct sender_options {
    uv_loop_t *loop;
    bool tcp;
    uint16_t port;
    const char *method, *host, *path;
    /* Asks for a socket, which comes by sender_socket(). */
    int (*ask)(void *user);
    /* error: 0, or -errno; status: of HTTP, with error 0. */
    void (*done)(void *user, int error, int status);
    void *user;
};

struct sender *sender_new(const struct sender_options *options);
void sender_free(struct sender *s); /* done() is not called any more; accepts NULL */
bool sender_busy(const struct sender *s);
/* Takes the bytes of `body` over, which is empty then. Not while busy. */
void sender_send(struct sender *s, struct buf *body);
bool sender_asks(const struct sender *s);
void sender_socket(struct sender *s, int fd); /* or -errno */
/* The environment is frozen: time does not count. */
void sender_freeze(struct sender *s, bool frozen);
