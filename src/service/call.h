/* call - one operation being carried out: who asks, what for, and how its answer is given.
 *
 * May use wire/, store/, base/ and libuv. A handler gets typed structs and returns
 *   0            done, *out is filled
 *   CALL_LATER   it will call call_finish() in a later turn of the loop
 *   CALL_FAILED  refused: call_fail() has named a modelled error
 *   -errno       a fault of ours: it becomes the service's internal error
 *
 * Memory of in, out and everything they point to is the call's arena: it is freed as a whole when
 * the response has left. All of this runs on the loop's thread. What a failed handler wrote to the
 * store is undone by the dispatcher; what a CALL_LATER handler wrote before returning is kept. */
#pragma once
#include <uv.h>
#include "base/arena.h"
#include "base/str.h"
#include "store/store.h"
#include "wire/handler.h"
#include "wire/server.h"
#include "wire/shape.h"

#define CALL_LATER 1
#define CALL_FAILED (-100000) /* what call_fail() returns; outside the errno range */

struct http_request;
struct cloud; /* the daemon; services see it only through this header */
struct call;
struct service;

/* Who asks. Lives as long as the call. */
enum principal_type {
    PRINCIPAL_ROOT,
    PRINCIPAL_ROLE_SESSION,
    PRINCIPAL_USER,
    PRINCIPAL_SERVICE,
    PRINCIPAL_ANONYMOUS
};
struct principal {
    enum principal_type type;
    struct str account; /* 12 digits */
    struct str arn; /* arn:aws:iam::000000000000:root, arn:aws:sts::...:assumed-role/R/session */
    struct str user_id;   /* GetCallerIdentity's UserId; absent when a service acts as a role */
    struct str role_name; /* of a role session; of a user: his name */
    struct str service;   /* PRINCIPAL_SERVICE: lambda.amazonaws.com; allowed whatever it asks */
    struct str session_policy; /* JSON given to AssumeRole, or absent */
    struct str access_key;     /* absent for internal callers */
};

typedef void call_done_fn(struct call *call, void *user);

struct call {
    struct arena *arena;
    struct cloud *cloud;
    const struct operation *op;
    const struct service *service;
    void *state; /* what service->open() made */
    struct store *store;
    uv_loop_t *loop;
    const struct principal *who;
    struct str account; /* whose resources: the principal's account */
    struct str region;
    struct str request_id; /* UUID */
    int64_t now_ms;        /* one time for the whole call */
    int64_t received_ns;   /* when it came whole: monotonic clock */

    /* Facts of the HTTP request; absent for calls that come from inside. */
    struct str source_ip, user_agent, host;
    const struct http_request *http; /* NULL inside, and when the client has left */
    /* The file of the input's body, decoded, when it stands in one of its own below store_tmp(): it
     * may be taken over (blob_adopt()). NULL: the body is in memory. */
    const char *body_path;

    /* Values of condition keys that only the service knows (lambda:FunctionUrlAuthType). */
    const struct wire_pair *conditions;
    size_t n_conditions;

    const void *in;
    void *out; /* zeroed, of the operation's output shape; NULL when it has none */

    /* The outcome, valid in call_done_fn. */
    int result;                      /* 0, CALL_FAILED or -errno */
    const struct error_shape *error; /* with CALL_FAILED */
    struct str message;
    const void *error_detail;         /* struct of error->shape with further members, or NULL */
    struct wire_pair *error_elements; /* S3: beside the message; see call_fail_element() */
    size_t n_error_elements;
    struct wire_pair *error_headers; /* see call_fail_header() */
    size_t n_error_headers;
    int status_override; /* an HTTP status other than the model's, or 0 */

    /* Set by a handler that returned CALL_LATER: called when the client has left. It must make sure
     * that call_finish() comes soon; nothing is sent. */
    void (*on_gone)(struct call *call);
    void *gone_user;
    /* Streaming: there is room again after call_stream() said false. */
    void (*on_drain)(struct call *call);

    call_done_fn *done; /* the dispatcher's */
    void *done_user;
    struct call *parent;
    struct str trace_id; /* X-Amzn-Trace-Id of the answer, when a handler has set it */
    struct str phases;   /* X-Lamina-Phases of the answer, likewise; not of a streamed one */
};

/* error: a value of the service's generated enum (LAMBDA_RESOURCE_NOT_FOUND). Returns CALL_FAILED.
 * The sanitized build aborts when the model doesn't declare the error for the operation. */
int call_fail(struct call *call, int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same by wire code, for another service's errors that are passed on; unknown ones: 400. */
int call_fail_code(struct call *call, struct str code, int status, struct str message);

/* After call_fail(): adds an element to the error's body, as S3 tells <Key> and <BucketName>.
 * Returns CALL_FAILED. */
int call_fail_element(struct call *call, const char *name, struct str value);
/* The same for a header of the error's answer: a 304 carries the ETag. */
int call_fail_header(struct call *call, const char *name, struct str value);

/* Ends a call that answered CALL_LATER; result as a handler returns it (not CALL_LATER). */
void call_finish(struct call *call, int result);

/* Answers that leave while they are made, of calls that came by HTTP and returned CALL_LATER.
 * call_stream_begin() sends status and headers, those of call->out when head is NULL (its event
 * stream is written by hand); call_stream() copies a piece, false: go on after on_drain; then
 * call_finish() ends it, by breaking off when its result is negative. A client that leaves is told
 * by on_gone as always; pieces for it are dropped. */
struct wire_response;
void call_stream_begin(struct call *call, const struct wire_response *head);
bool call_stream(struct call *call, struct str bytes);

/* For service->answer: the whole answer, then call_finish(). Lives as long as the call. */
void call_answer(struct call *call, const struct wire_response *answer);
/* Who has signed the request? Sets call->who. 0, or CALL_FAILED as with call_fail().
 * *ret_anonymous: it is not signed at all. */
int call_identify(struct call *call, bool *ret_anonymous);

/* Asks another service (or one's own) as a client would: same checks, same errors. The new call
 * lives in the parent's arena and acts as the parent's principal. in must be of op's input shape.
 * done is called in a later step of the same or a later turn, never inside call_send();
 * child->result tells. */
void call_send(struct call *parent, const struct operation *op, const void *in, call_done_fn *done,
               void *user);
/* The same as another principal: a service (PRINCIPAL_SERVICE) or a role session. */
void call_send_as(struct call *parent, const struct principal *who, const struct operation *op,
                  const void *in, call_done_fn *done, void *user);

/* A call without operation: the root of background work (a stack's worker, an event queue). Its
 * arena is its own; call_close() frees it with everything its children made. */
struct call *call_open(struct cloud *cloud, struct str account, struct str region,
                       const struct principal *who);
void call_close(struct call *call);

/* Would `who` be allowed to do "service:Action" on this ARN? Used for PassRole, Lambda's execution
 * role and resource policies. 0 allowed; -EACCES with AWS's sentence in *ret_why ("User: ... is not
 * authorized to perform: iam:PassRole on resource: ..."). With authorization off it is always
 * allowed. */
int call_allowed(struct call *call, const struct principal *who, struct str action,
                 struct str resource, struct str *ret_why);

/* What a resource's own policy (a bucket's, a function's: its JSON) says to this call's principal:
 * 1 it allows, CALL_POLICY_ALLOWS_ITSELF it allows this very session of a role by name, 0 it says
 * nothing, -EACCES it denies. For service->resource_policy and trust policies. service/policy.h
 * checks documents when they are put. */
#define CALL_POLICY_ALLOWS_ITSELF 2
int call_policy_says(struct call *call, struct str policy, struct str action, struct str resource);

/* The same of a resource that belongs to `owner`. To somebody of another account it says
 * CALL_POLICY_LETS_STRANGER, when it allows him or his account: his own policies have to allow it
 * as well; otherwise -EPERM. policy may be absent. */
#define CALL_POLICY_LETS_STRANGER 3
int call_policy_says_of(struct call *call, struct str owner, struct str policy, struct str action,
                        struct str resource);

/* Credentials for a role session, made without a trust check by the cloud itself (function
 * execution, stack service roles). Expire after duration_s. */
struct session_credentials {
    struct str access_key, secret_key, token;
    int64_t expires_ms;
};
int call_role_credentials(struct call *call, struct str role_arn, struct str session_name,
                          int64_t duration_s, struct session_credentials *ret);
/* Whom such a session would be, for calls from inside, without credentials. -ENOENT, -EINVAL. */
int call_role_principal(struct call *call, struct str role_arn, struct str session_name,
                        struct principal *ret);

/* Runs work(user) on libuv's pool, then done(call, user, result) on the loop: for hashing. */
void call_offload(struct call *call, int (*work)(void *user),
                  void (*done)(struct call *call, void *user, int result), void *user);

/* ARNs: arn:aws:SERVICE:REGION:ACCOUNT:rest with this call's region and account. */
struct str call_arn(struct call *call, const char *service, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Records: structs, shapes in models/<service>.extra.json "roots", kept as JSON in the store. */
/* -ENOENT when there is none. */
int record_get(struct call *call, struct str key, const struct shape *shape, void *ret);
int record_put(struct call *call, struct str key, const struct shape *shape, const void *record);
int record_delete(struct call *call, struct str key);

/* A service: one folder, one of these, named <id>_service. With the line `ready_services += '<id>'`
 * in the folder's meson.build the daemon serves it; without, its operations are NotImplemented. */
struct service {
    const struct service_model *model;
    const struct handler *const *handlers; /* NULL-terminated list of handler arrays */
    /* Called once at start (data dir open, loop not running) and at the end. *ret_state is
     * call->state. */
    int (*open)(struct cloud *cloud, struct store *store, uv_loop_t *loop, void **ret_state);
    void (*close)(void *state);
    /* The cloud is about to leave: what runs is ended in order, while everything still answers, and
     * nothing is begun any more. done(user) when nothing runs, perhaps at once; it is not waited
     * for longer than some seconds. NULL: nothing runs. */
    void (*end)(void *state, void (*done)(void *user), void *user);
    /* The cloud leaves: the last moment to call other services, which are all still open; what is
     * sent runs before the first close(). NULL: nothing is to be said. */
    void (*leave)(void *state);
    /* Service-specific authorization on top of the identity's policies (bucket policy, function
     * policy); NULL: none. Returns what call_policy_says() or call_policy_says_of() does. */
    int (*resource_policy)(struct call *call, struct str action, struct str resource);
    /* The store was rolled back behind the service's back (a commit failed): forget everything that
     * was read from it. NULL: nothing is kept in memory. */
    void (*reset)(void *state);
    /* Requests below /_lamina/<id>/, which is not AWS's: downloads behind links that the service
     * has given out. It answers by http_reply(), at once. NULL: there are none. */
    void (*serve)(void *state, struct http_request *req);
    /* Requests for /_lamina/<id>/inspect and /_lamina/<id>/drop: what this machine's own programs
     * may see of the service's inside and throw away of it, and functions may not. As serve(). */
    void (*inspect)(void *state, struct http_request *req);
    /* Requests that no operation models: to function URLs. call->op is NULL, call->who anonymous;
     * result as a handler's, and call_answer() or call_stream_begin() before it. path: behind what
     * names the URL. NULL: the service has none. */
    int (*answer)(struct call *call, const struct wire_request *req, struct str url_id,
                  struct str path);
};

/* What services may ask of the daemon itself. */
struct str cloud_data_dir(struct cloud *cloud);
struct str cloud_endpoint(struct cloud *cloud); /* http://127.0.0.1:4566 */
int cloud_port(struct cloud *cloud);
/* Serves the cloud on one more listening socket (taken over): the one inside an environment. The
 * caller ends it with http_listener_free(). */
struct http_listener;
int cloud_serve(struct cloud *cloud, int fd, struct http_listener **ret);
struct spawner *cloud_spawner(struct cloud *cloud); /* NULL: no environments can be made */
/* What `up` says of Lambda. */
struct cloud_mount {
    struct str function, dir; /* dir: absolute */
};
struct cloud_lambda {
    int64_t concurrency;              /* of an account in a region: --concurrency */
    int64_t idle_timeout_ms;          /* of environments: --idle-timeout */
    const struct cloud_mount *mounts; /* folders instead of packages: --mount FUNCTION=DIR */
    size_t n_mounts;
    double time_scale; /* of the waiting times of asynchronous events: --time-scale */
    /* Hears each event of functions' logs on its way, whether they may write any or not. */
    void (*on_log)(void *user, struct str text);
    void *log_user;
};
const struct cloud_lambda *cloud_lambda(struct cloud *cloud);
/* The interpreter given with `up --runtime NAME=PATH`; absent: none was. */
struct str cloud_runtime(struct cloud *cloud, struct str name);
