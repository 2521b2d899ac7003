/* internal - what the files of the server share. */
#pragma once
#include <unistd.h>
#include "base/buf.h"
#include "base/list.h"
#include "http/parse.h"

#define READ_SIZE (64 * 1024)
#define STREAM_HIGH (256 * 1024)
#define HELD_MAX (64 * 1024)
#define SPARE_BUF_MIN 512
#define SPARE_BUF_MAX 8192

/* A request with its answer: made when a head is complete, freed after the turn in which it ends.
 */
struct exchange {
    struct http_request req; /* first: a request is its exchange */
    struct conn *conn;       /* NULL: the client has left */
    struct list link;        /* in server->live or server->dead */
    struct list turn;        /* in server->answered while something waits for the end of the turn */
    bool keep_alive, has_body;
    bool refused; /* answered before everything was read */

    /* The body while it comes in. */
    struct buf body;
    int64_t body_n, spooled;
    struct http_chunks chunks;
    struct buf trailers;

    /* The answer. */
    bool replied, streaming, ended, released;
    bool may_wait; /* for the answer to the next request of its connection */
    bool drain_wanted;
    int status;
    struct buf out; /* head, and chunks of a stream */
    size_t out_sent;
    struct body reply;
    int64_t reply_sent;
};

/*  A connection:
 *
 *       +--------------------------- conn_answered ------------------------+
 *       v                                                                  |
 *     HEAD --head_complete--> BODY --body_complete--> PENDING --release--> SENDING
 *       |                       |                                          |
 *       +--- refuse ------------+------> (PENDING, SENDING) ---------> LINGER --> closed
 */
enum conn_state { CONN_HEAD, CONN_BODY, CONN_PENDING, CONN_SENDING, CONN_LINGER };

struct conn {
    uv_poll_t poll; /* first */
    int fd;
    int events; /* polled for */
    enum conn_state state;
    bool closed;         /* only uv's callback is outstanding */
    bool peer_closed;    /* no more input will come */
    bool peer_wrote_all; /* the same, but some of it has not been read */
    bool processing;
    bool paused; /* the handler takes no more of the body for now */
    struct http_server *server;
    struct http_listener *listener;
    struct list link; /* in listener->conns */
    struct exchange *ex;
    struct buf in;
    struct buf held; /* answers that leave with the next one */
    size_t scanned;
    int64_t deadline_ms; /* 0: none */
    char peer[48];
};

struct http_listener {
    uv_poll_t poll;
    int fd, port;
    bool closed, paused;
    bool stopping; /* no new requests */
    struct http_server *server;
    struct http_listener_options options;
    char *spool_dir;
    int64_t spooled; /* bytes in files, of all requests that came by it */
    size_t n_conns;
    struct list link; /* in server->listeners */
    struct list conns;
};

struct http_server {
    uv_loop_t *loop;
    struct http_server_options options;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t timer;
    uv_idle_t idle; /* runs when requests are left for the loop's next turn */
    bool timer_on, freeing, stopping, in_turn_end;
    int handles; /* of uv, still open */
    size_t n_conns;
    struct list listeners;
    struct list answered, live, dead;
    int (*turn_hook)(void *user);
    void *turn_user;
    void (*stopped)(void *user);
    void *stopped_user;
    struct arena *spare[16];
    size_t n_spare;
    struct buf spare_bufs[8]; /* empty ones, with some memory each */
    size_t n_spare_bufs;
    int64_t date_s;
    char date[32];
    char *scratch; /* READ_SIZE bytes */
};

/* server.c, listener.c, conn.c */
void conn_open(struct http_listener *l, int fd, const char *peer);
void conn_close(struct conn *c);
void conn_gone(struct conn *c);
void conn_read(struct conn *c);
void conn_timeout(struct conn *c);
void listeners_resume(struct http_server *s);
void server_gone(struct http_server *s);        /* its last handle is closed */
void server_timer_start(struct http_server *s); /* deadlines are looked at from now on */
void conn_watch(struct conn *c, bool writable);
void conn_answered(struct conn *c);
void exchange_end(struct exchange *ex, bool sent);
void exchange_free(struct exchange *ex);
struct exchange *exchange_new(struct conn *c);
void exchange_later(struct exchange *ex);
void server_take_buf(struct http_server *s, struct buf *b); /* memory for one that has none */
void server_give_buf(struct http_server *s, struct buf *b); /* instead of buf_done() */

/* reply.c */
void reply_status(struct exchange *ex, int status);
void reply_flush(struct exchange *ex);
bool reply_hold(struct exchange *ex); /* instead of reply_flush(), when it may wait */
void reply_reset(struct exchange *ex);
