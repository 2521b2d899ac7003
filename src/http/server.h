/* server - an HTTP/1.1 server inside a libuv loop. Uses base/ only.
 *
 * A request reaches its handler complete: head and body. (on_head may ask for the body as it comes,
 * by setting on_data.) The handler answers with http_reply(), at once or in a later turn of the
 * loop. Answers given in one turn leave together after the turn hook (the store's commit) has run.
 * Everything happens on the loop's thread.
 *
 *   socket -> head -> on_head -> body -> on_request -> http_reply -> turn hook -> socket -> on_done
 *                                            |
 *                                            +-- client leaves --> on_gone (no reply any more)
 */
#pragma once
#include <uv.h>
#include "base/arena.h"
#include "base/body.h"
#include "base/str.h"

#define HTTP_HEAD_MAX (1024 * 1024)    /* request line and headers; more is answered 431 */
#define HTTP_BODY_MEMORY (1024 * 1024) /* bodies beyond are spooled to a file */
#define HTTP_LENGTH_UNKNOWN (-1)

struct http_server;
struct http_listener;

struct http_header {
    struct str name, value;
};

/* Lives until its answer has left (on_done) or its client has (on_gone). */
struct http_request {
    struct str method;           /* as sent */
    struct str target;           /* the whole request target as sent */
    struct str path;             /* not decoded; "*" and authority forms stay as they are */
    struct str query;            /* behind the '?', not decoded; absent without '?' */
    struct http_header *headers; /* as sent, in order */
    size_t n_headers;
    int64_t content_length; /* HTTP_LENGTH_UNKNOWN: chunked */
    struct body body;       /* absent until on_request; has is false without a body */
    /* The file of a spooled body. Whoever wants to keep it renames it away: then the server finds
     * nothing to remove. NULL when the body is in memory. */
    const char *body_path;
    int64_t max_body;             /* on_head may change it */
    struct http_header *trailers; /* behind the chunks of a body: there in on_request */
    size_t n_trailers;
    struct arena *arena; /* gone with the request */
    struct http_server *server;
    struct http_listener *listener;
    void *listener_user;
    struct str peer; /* address without port; "" for unix sockets */
    int minor;       /* HTTP/1.minor */

    /* For the handler. */
    void *user;
    /* The client has closed before http_reply(). The request is gone when this returns: forget it.
     * NULL: the handler is not told, and its late reply is thrown away. */
    void (*on_gone)(struct http_request *req);
    /* The request is about to be freed: the answer has left whole, or not. May be NULL. */
    void (*on_done)(struct http_request *req, bool sent);
    /* Streaming: there is room again after http_write() said false. */
    void (*on_drain)(struct http_request *req);
    /* Set by on_head: the body is not kept, each piece is handed over as it comes (never an empty
     * one; valid during the call). Then on_request comes as always, with body.has and body.size but
     * without bytes; or on_refuse when the body is malformed or longer than max_body; or on_gone
     * when the client leaves in the middle. It may call http_pause(), or reply and be done. */
    void (*on_data)(struct http_request *req, struct str data);
};

struct http_listener_options {
    int fd;           /* a listening socket, taken over; -1: host and port are used */
    const char *host; /* numeric address; NULL: 127.0.0.1 */
    int port;         /* 0: any free one, see http_listener_port() */
    void *user;
    int64_t max_body;    /* more is answered 413; 0: no body at all */
    int64_t max_spooled; /* of all its bodies in files together, more is answered 507; 0: no end */
    int max_connections; /* 0: only the server's limit; further ones wait in the backlog */
    const char *spool_dir; /* where big bodies go; NULL: they must fit into memory (max_body) */
    bool outlasts;         /* http_server_stop() leaves it and its connections alone */
    /* A connection cannot be accepted, for a reason of this process (-EMFILE, -ENFILE, -ENOMEM,
     * -ENOBUFS). It waits in the backlog, and is tried again within a second. May free the listener.
     * NULL: nobody is told. */
    void (*on_starved)(void *user, int error);
    void (*on_request)(struct http_request *req);
    /* The head is there, the body is not. May refuse by http_reply() (the body is not read, the
     * connection closes), or change req->max_body. NULL: every request is wanted. */
    void (*on_head)(struct http_request *req);
    /* The body cannot be taken, for what `status` says (413, 507, ...): may say so by http_reply()
     * at once. NULL, or no answer: the status alone. */
    void (*on_refuse)(struct http_request *req, int status);
};

struct http_server_options {
    int max_connections; /* 0: 4096; further ones wait in the backlog */
    int idle_ms;         /* keep-alive without a request; 0: 75 s */
    int head_ms;         /* from the first byte of a head to its last; 0: 20 s */
    int stall_ms;        /* while body or answer make no progress; 0: 30 s */
    void *user;
    /* The turn hook failed: instead of the answer that was given, http_reply() another one here.
     * NULL: 500 without a body. */
    void (*on_turn_failed)(struct http_request *req, int error, void *user);
};

struct http_server *http_server_new(uv_loop_t *loop, const struct http_server_options *options);
/* Closes listeners and connections at once and frees everything when the loop has run once more;
 * on_gone is called for what is pending. */
void http_server_free(struct http_server *s);
/* At the end of a turn its answers leave before those of the loop's servers made by now. */
void http_server_put_first(struct http_server *s);
/* No new connections or requests; `done` is called when the pending answers have left. Listeners
 * that outlast this go on as before, until they are freed. */
void http_server_stop(struct http_server *s, void (*done)(void *user), void *user);
/* Called at the end of every turn, before its answers leave. A negative result: see on_turn_failed.
 */
void http_server_set_turn_hook(struct http_server *s, int (*fn)(void *user), void *user);

/* -errno of socket, bind, listen. */
int http_listen(struct http_server *s, const struct http_listener_options *options,
                struct http_listener **ret);
/* Closes the socket and the connections that came by it; on_gone is called for what is pending. */
void http_listener_free(struct http_listener *l); /* accepts NULL */
int http_listener_port(const struct http_listener *l);
/* Reads now what has arrived on its connections: for whoever hears of a client's end elsewhere, and
 * wants its last words first. Accepts NULL. */
void http_listener_read(struct http_listener *l);

/* The first of that name in any case; absent when there is none. */
struct str http_header_get(const struct http_request *req, const char *name);

/* Answers. Headers and memory must live as long as the request (its arena, or static). The server
 * adds Date, Content-Length, Connection, and Transfer-Encoding; given ones of these names are left
 * out, except Content-Length for HEAD (the length a GET would have) and Date.
 * An fd in the body is taken over, unless it is that of req->body. */
void http_reply(struct http_request *req, int status, const struct http_header *headers, size_t n,
                struct body body);
/* Before or after http_reply(): the client has sent the next request of this connection without
 * waiting, or will; the answer may leave together with that one's. Only for answers in memory. */
void http_reply_may_wait(struct http_request *req);

/* Streaming: start, write any number of times, end. The client gets chunks (HTTP/1.0: until close).
 * http_write() copies; false: more than 256 KiB wait, go on after on_drain. The request lives until
 * on_done; on_gone is not called once started. */
void http_reply_start(struct http_request *req, int status, const struct http_header *headers,
                      size_t n);
bool http_write(struct http_request *req, struct str data);
void http_end(struct http_request *req);
void http_abort(
    struct http_request *req); /* closes the connection: the client sees it is incomplete */

/* on_data is not called, nor anything read, before http_resume(), which may call it (and what comes
 * after it) before it returns. A client's leaving is noticed only then. */
void http_pause(struct http_request *req);
void http_resume(struct http_request *req);

const char *http_reason(int status);
