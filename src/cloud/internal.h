/* internal - what the files of the daemon share. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "cloud/cloud.h"
#include "cloud/services.h"
#include "http/server.h"
#include "service/call.h"
#include "store/store.h"
#include "wire/server.h"
#include "wire/sigv4.h"

/* A service with what dispatching needs, by the operation's index. */
struct mounted {
    const struct service *service; /* NULL: its operations are only known by name */
    const struct service_model *model;
    struct wire_router *router;
    const struct handler **handlers; /* model->n_operations of them, NULL where there is none */
    void *state;
    bool opened;
};

/* What a listener is for. */
struct entrance {
    struct cloud *cloud;
    struct str rie_function; /* absent: all services */
    /* cloud_listen(): none of them. */
    void (*on_request)(void *user, struct http_request *req);
    void *user;
};

struct cloud {
    struct cloud_options options;
    uv_loop_t *loop;
    struct store *store;
    struct http_server *http;
    struct http_listener *listener;
    struct http_listener **rie_listeners;
    struct entrance inside; /* of all environments */
    struct mounted *mounted;
    size_t n_mounted;
    struct str endpoint;
    struct arena arena; /* lives as long as the cloud */
    struct list dead;   /* frames to be freed at the end of the turn */
    struct list queue;  /* frames whose run is due, of call_send() */
    struct list frames; /* of requests and background work; closed with the cloud */
    struct arena *spare_arenas[8];
    size_t n_spare_arenas;
    struct cloud_lambda lambda;
    int64_t started_ms;
    uv_timer_t stop_timer;
    uv_timer_t sweep_timer; /* of ephemeral ones; its loop is NULL in others */
    uv_thread_t sweeper;
    bool sweeping;
    void (*stopped)(void *user);
    void *stopped_user;
    struct policy_cache *policies; /* of authorize.c */
    struct record *record;         /* of record.c: NULL unless decisions are being recorded */
    bool stopping, ending, closing;
    size_t n_ending; /* services that have something to end */
    uint64_t requests;
};

/* A call and what the daemon knows about it. Of an HTTP request, of call_send(), or of call_open().
 *
 *   HTTP:  dispatch_request -> [hash_body] -> prepare -> frame_run -> frame_end -> reply ->
 * request_done child: call_send -> queue -> frame_run -> frame_end -> done() |            |
 *                                   +CALL_LATER--+ call_finish()
 */
enum frame_kind { FRAME_HTTP, FRAME_CHILD, FRAME_ROOT };
struct frame {
    struct call call;
    enum frame_kind kind;
    struct list link;       /* cloud->frames */
    struct list queue_link; /* cloud->queue */
    struct principal who;
    struct mounted *mounted;
    const struct handler *handler;
    struct wire_route route;
    struct wire_request wire;     /* as signed */
    struct wire_request routed;   /* as routed: bucket in the path, body decoded */
    struct http_request *request; /* NULL once the client has left */
    struct sigv4_result auth;
    bool trusted;                       /* no signature wanted: RIE */
    bool raw;                           /* no operation: service->answer */
    bool streaming;                     /* call_stream_begin() */
    const struct wire_response *answer; /* of call_answer() */
    bool pending;                       /* CALL_LATER: call_finish() is awaited */
    bool finished;
    int offloads;          /* pieces of work in the pool */
    int body_fd;           /* a copy of the spooled body's, or of the decoded one; -1 */
    const char *body_file; /* made by us for a decoded body; removed with the frame */
    struct frame *owner;   /* whose arena this frame lives in: itself, or an ancestor */
    int children;          /* of the owner: frames in its arena that have not ended */
    bool released;         /* free it when the last child and piece of work has ended */
    int64_t began_ns;
};

static inline struct frame *frame_of(const struct call *call)
{
    return (struct frame *)((char *)(uintptr_t)call - offsetof(struct frame, call));
}

/* route.c */
struct mounted *mounted_find(struct cloud *cloud, const char *id);
struct mounted *route_service(struct cloud *cloud, const struct wire_request *req, struct arena *a);
/* The bucket that the host names, or absent. */
struct str route_bucket(struct arena *a, struct str host);

/* guard.c */
/* NULL: welcome. Otherwise why not. */
const char *guard_refuses(const struct cloud *cloud, const struct http_request *req);
bool guard_region_known(struct str region);

/* identity.c */
/* -EACCES with *err. Sets frame->auth and frame->who. */
int identity_verify(struct frame *f, struct wire_error *err);
void principal_root(struct arena *a, struct str account, struct principal *ret);

/* presigned_v2.c: URLs that boto3 signs for S3 by default. */
bool presigned_v2(struct arena *a, const struct wire_request *req);
int presigned_v2_verify(struct frame *f, sigv4_lookup_fn *lookup, struct wire_error *err);

/* authorize.c */
/* May frame->who do this operation with these inputs? 0, or -EACCES with *err. */
int authorize_call(struct frame *f, struct wire_error *err);

/* calls.c */
struct frame *frame_new(struct cloud *cloud, enum frame_kind kind, struct frame *parent);
void frame_release(struct frame *f);         /* nobody needs it any more */
void frame_run(struct frame *f);             /* the handler, inside a mark of the store */
void frame_end(struct frame *f, int result); /* the outcome is there: tell who waits */
void frames_bury(struct cloud *cloud);       /* at the end of a turn: frees what was released */
void frames_drop(struct cloud *cloud);       /* at the end of all: frees whatever is left */
void calls_drain(struct cloud *cloud);       /* all of the queue */
struct arena *arena_take(struct cloud *cloud);
void arena_give(struct cloud *cloud, struct arena *a);

/* A function URL: ID.lambda-url.REGION.localhost, or /_lamina/url/ID/... for clients that do not
 * resolve such names. */
bool route_url(struct str host, struct str path, struct str *ret_id, struct str *ret_path);

/* stream.c */
void stream_end(struct frame *f);
/* True: it was in the middle of a stream, and is not over. */
bool stream_client_left(struct frame *f);
void stream_turn_failed(struct frame *f);

/* dispatch.c */
void dispatch_request(struct http_request *req);
/* True: it comes from where nobody may ask, and has been answered. */
bool dispatch_refuses(struct cloud *cloud, struct http_request *req);
/* The body could not be taken: what the service says when it is our fault, else nothing. */
void dispatch_body_refused(struct http_request *req, int status);
void dispatch_turn_failed(struct http_request *req, int error, void *user);
void dispatch_send(struct frame *f, struct wire_response *resp);
void dispatch_reply(struct frame *f); /* what the call came to, as its protocol says it */
/* The rest of the way when the body is unwrapped; or the end of it, with an error. */
void dispatch_carry_out(struct frame *f);
void dispatch_fail(struct frame *f, const struct wire_error *err);
void dispatch_fault(struct frame *f, int error, struct wire_error *err); /* ours, in AWS's words */
void unwrap_body(struct frame *f);
/* The error of a call that is over: code, message, status. */
void dispatch_error(struct frame *f, struct wire_error *err);

/* record.c: /_lamina/policy/start, stop and record. */
bool record_wants(struct str path);
void record_serve(struct cloud *cloud, struct http_request *req);
void record_free(struct record *record); /* accepts NULL */

/* health.c */
bool health_wants(struct str path);
void health_reply(struct cloud *cloud, struct http_request *req, bool inside);
