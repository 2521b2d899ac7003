/* conn - one kept connection to an HTTP server, plain or TLS, with a deadline for everything.
 *
 * Between two exchanges the environment may be frozen for minutes: a connection that turns out to
 * be dead before the first byte of an answer is opened once more, silently. Deadlines are times of
 * conn_now_ms(); CONN_FOREVER waits for ever. */
#pragma once
#include "base/buf.h"
#include "reply.h"
#include "settings.h"

#define CONN_FOREVER INT64_MAX

struct tls;

struct conn {
    struct endpoint to;
    struct str ca_file;     /* for TLS; absent: where systems have it */
    const char *local;      /* abstract UNIX socket that is tried first; NULL: none */
    int64_t connect_max_ms; /* of one address */
    int64_t idle_max_ms;    /* older connections are not used again; 0: any age */
    int fd;                 /* -1: closed */
    struct tls *tls;
    struct buf in;
    int64_t used_ms; /* time of day of the last exchange */
    bool answered;   /* the first byte of an answer has come */
    char why[400];   /* of the last failure, for people */
    int other_fd;    /* readable while an answer is waited for (plain only): on_other() is called */
    void (*on_other)(void *user); /* NULL: nothing else is waited for */
    void *other_user;
};

int64_t conn_now_ms(void);

/* `to` and its texts belong to the caller and stay. */
void conn_init(struct conn *c, const struct endpoint *to);
void conn_close(struct conn *c); /* may be used again afterwards */
void conn_done(struct conn *c);

/* Sends head and body, reads an answer: *ret points into c until the next call. 0, or with c->why:
 * -ETIMEDOUT, -ECONNREFUSED, -ECONNRESET and other errors of sockets, -ENOENT (name unknown),
 * -EHOSTUNREACH, -EKEYREJECTED (certificate), -EPROTO (TLS), -EBADMSG (no HTTP), -EMSGSIZE. */
int conn_ask(struct conn *c, struct str head, struct str body, int64_t deadline_ms,
             struct reply *ret);

/* Waits until fd is ready for `events` of poll: 0, -ETIMEDOUT. */
int conn_wait(int fd, short events, int64_t deadline_ms);
