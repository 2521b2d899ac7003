/* instance - one execution environment of a function version, and the invocation it works on.
 *
 *   NEW --instance_invoke, instance_prepare--> STARTING --on_start(-errno)--> LOST
 *                                                 | on_start(0)      (instance_refused)
 *                                                 v
 *   +-----------------------------------------> INIT --instance_failed------------------+
 *   |                                             | instance_init_over                  |
 *   |                                             v                                     |
 *   |    +----------------------------------> IDLE (frozen) --instance_failed---------->|
 *   |    |                                        | instance_deliver                    |
 *   |    |                                        v                                     |
 *   |    |                                     BUSY ------------instance_failed-------->|
 *   |    |                                        | answer                              |
 *   |    |                                        v                                     v
 *   |    +--work_over------------------------ ANSWERED ---------instance_failed----> ENDING
 *   |                                                                                   |
 *   +------- STARTING <--instance_repeat-- STOPPED <--instance_ended--------------------+
 *
 * INIT: external extensions are started, then the runtime, and each asks for its first event. BUSY:
 * the runtime has not answered yet. ANSWERED: the client has its answer, the runtime or extensions
 * have not asked for the next event yet (instance_progress). ENDING: everything is being shut down
 * (shutdown.c), because something ended, failed, or took too long (instance_failed, and
 * instance_timed_out, instance_runtime_exited, instance_extension_exited which call it). STOPPED:
 * nothing runs; /tmp is kept. The first time that an init fails it is repeated at once, inside of
 * the invocation. instance_lost: the environment is gone from any state, or instance_retire has it
 * RETIRING: shut down, and freed by instance_ended.
 *
 * An invocation may also come in ANSWERED and ENDING: it waits for that to end, and is passed on to
 * another instance (pool_pass_on) when that takes long. LOST instances are freed by the pool. An
 * instance has at most one invocation; it is told its outcome exactly once, by invocation->done. */
#pragma once
#include "base/list.h"
#include "http/server.h"
#include "sandbox/sandbox.h"
#include "service/lambda/extension.h"
#include "service/lambda/log_writer.h"
#include "service/lambda/platform.h"
#include "service/lambda/report.h"
#include "service/lambda/target.h"
#include "service/lambda/telemetry.h"

#define INIT_LIMIT_MS 10000
#define RESPONSE_MAX 6291556
#define LOG_TAIL 4096

enum instance_state {
    INSTANCE_NEW,
    INSTANCE_STARTING,
    INSTANCE_INIT,
    INSTANCE_IDLE,
    INSTANCE_BUSY,
    INSTANCE_ANSWERED,
    INSTANCE_ENDING,
    INSTANCE_STOPPED,
    INSTANCE_LOST,
    INSTANCE_RETIRING,
};

/* Why it is made before there is anything to do: nobody's invocation pays for the init. */
enum init_type { INIT_ON_DEMAND, INIT_PROVISIONED };

/* Why it is ended: extensions are told. */
enum shutdown_reason { SHUTDOWN_SPINDOWN, SHUTDOWN_TIMEOUT, SHUTDOWN_FAILURE };

/* When an invocation came to which point: monotonic clock, ns; 0 while it has not. `sandbox_` and
 * `init_done` stay 0 when the environment was ready. */
struct invocation_times {
    int64_t received;      /* by the daemon: whoever makes the invocation sets it */
    int64_t queued;        /* given to an instance */
    int64_t sandbox_asked; /* the plan is on its way to the spawner */
    int64_t sandbox_ready; /* the runtime's execve() */
    int64_t init_done;     /* the runtime and all extensions have asked for their first event */
    int64_t delivered;     /* the event has been handed to the runtime */
    int64_t answered;      /* its answer is complete */
    int64_t runtime_done;  /* the runtime has asked for the next event, or has ended */
    int64_t done;          /* the extensions, too: the environment is free */
};

struct invocation;
typedef void invocation_done_fn(struct invocation *inv);

/* Where an answer goes piece by piece, while it is made. After begin() and any number of data()
 * comes invocation->done(); then `answer` is empty, or, with `failed`, the error object of a
 * failure on the way. An answer that is not streamed by the function comes in one piece. */
struct response_sink {
    void (*begin)(struct invocation *inv, struct str content_type);
    /* False: no more before invocation_drained(). */
    bool (*data)(struct invocation *inv, struct str bytes);
};

/* Made by who invokes; its memory is theirs, and must last until done() has been called. */
struct invocation {
    struct target *target; /* held by the invocation */
    struct arena *arena;   /* the outcome is put there */
    struct str request_id, arn, trace_id, client_context, payload;
    const struct response_sink *sink; /* NULL: the answer is collected */
    struct response_stream *stream;   /* response_stream.c's, while the answer comes */
    bool async;                       /* of a queue: the rate of requests is not limited */
    bool wants_log;                   /* done() comes after REPORT, for `log` to have it */
    bool wants_phases;                /* `phases` is wanted */
    invocation_done_fn *done;
    void *user;
    struct invocation_times times;

    /* The outcome. */
    enum { OUTCOME_ANSWER, OUTCOME_NO_RUNTIME, OUTCOME_NO_SANDBOX } outcome;
    struct str answer; /* the function's bytes, or the platform's error object, or a sentence */
    bool failed;       /* X-Amz-Function-Error */
    struct str log;    /* the last 4 KB */
    struct str phases; /* times_phases(); absent when it met no environment */
};

/* What an environment works on. It begins before its invocation is told anything, and may last
 * longer than that. */
struct work {
    struct arena arena;
    bool open; /* no REPORT yet */
    bool runtime_done_told;
    struct str request_id, arn, trace_id;
    struct invocation_times times;
    int64_t began_ns; /* its Duration counts from here */
    int64_t deadline_ms;
    int64_t first_byte_ns; /* of the runtime's answer; 0: it has sent none */
    int64_t produced_bytes;
    bool failed;               /* the answer is an error */
    enum report_status status; /* of an answer that the platform made an error of */
    struct str error_type;
};

struct group;
struct instance {
    struct lambda_state *lambda;
    struct group *group;
    struct list link, idle_link; /* of the group */
    struct target *target;
    struct arena arena;
    enum instance_state state;
    enum init_type init_type; /* set by the pool before the start */
    bool outdated;            /* the pool's: its files have changed since it began */
    bool dropped;             /* the pool's: somebody wants the next one to be new */
    bool prepared;            /* the pool's: a provisioned one that is ready */
    struct environment *env;
    struct invocation *inv;
    struct str stream; /* name of the log stream */
    struct log_stream *log;
    struct str runtime_version;
    const char *program; /* argv[0] */

    struct http_listener *runtime_listener, *cloud_listener;
    struct http_listener *local_listener; /* the Runtime API's for our python runtime */
    struct http_request *poll;        /* the `next` that waits */
    struct response_stream *response; /* the answer that is under way, in pieces */
    struct extensions extensions;
    const char *const *envp; /* of the runtime */

    struct work work;
    bool answer_held; /* inv has its answer, and is told when the work is over */
    bool frozen;
    bool settled;                     /* it was frozen after an invocation */
    bool runtime_asked, runtime_runs; /* it is being started; it has been */
    bool runtime_ready;               /* it has asked for the next event */
    bool init_again;                  /* this init runs inside an invocation */
    bool preparing;                   /* this init has no invocation that waits for it */
    bool retire;                      /* when its work is over */
    enum { TURN_FIRST, TURN_YIELDED, TURN_TAKEN } turn; /* among the others: instance_claim() */
    int64_t init_began_ns, init_ns;   /* init_ns: what the next REPORT shows, then 0 */
    int64_t idle_since_ms;

    struct {
        enum {
            ENDING_NOT,
            ENDING_RUNTIME,
            ENDING_RUNTIME_KILLED,
            ENDING_EXTENSIONS,
            ENDING_KILLED
        } stage;
        enum shutdown_reason why;
        int64_t deadline_ms;
        uv_timer_t timer;
        bool open; /* the timer */
    } ending;      /* shutdown.c */

    /* What init/error said. */
    bool init_error;
    struct str init_error_body, init_error_type;
    struct arena error_arena;

    uv_timer_t timer;
    struct telemetry telemetry;
    struct track *track;    /* timeline.c */
    const char *end_reason; /* why the pool gave it up; static */
    struct list outputs;    /* output.h: of the runtime and of extensions */
    struct buf tail;        /* the end of the current invocation's log */
    int handles;            /* open libuv handles; freed with the last one */
};

struct instance *instance_new(struct lambda_state *lambda, struct group *group,
                              struct target *target);
/* Kills it; its invocation must be over. */
void instance_free(struct instance *in);
/* Begins INIT without an invocation. It ends in pool_instance_prepared(in, ok); with ok it is IDLE.
 */
void instance_prepare(struct instance *in);
/* Ends it in order: extensions are told why, then signals, then it is freed. The pool has unlinked
 * it; it has no invocation. */
void instance_retire(struct instance *in, enum shutdown_reason why);
/* IDLE, ANSWERED, ENDING, STOPPED or NEW, and without an invocation. */
void instance_invoke(struct instance *in, struct invocation *inv);

/* response_stream.c: whoever consumes a streamed answer has room again. */
void invocation_drained(struct invocation *inv);

/* output.c: of all processes of the environment */
void instance_read_output(struct instance *in); /* what is in the pipes now */
void instance_flush_line(struct instance *in);  /* a line without end becomes an event */
void instance_end_output(struct instance *in);  /* the runtime has ended: read, and flushed */
void instance_watch_output(struct instance *in);
void instance_close_output(struct instance *in);

/* instance_plan.c: makes the sandbox. -ENOENT and the invocation's outcome set when the function
 * can't run here; *ret_fault names an error of the function itself. */
int instance_make_sandbox(struct instance *in, const struct environment_events *events,
                          struct str *ret_fault);

/* What the Runtime API and the Extensions API call. */
/* A runtime that was started again may be quicker than the word of its start (STARTING). */
bool instance_in_init(const struct instance *in);
void instance_next(struct instance *in);
void instance_answer(struct instance *in, struct str body, bool failed);
void instance_answer_too_large(struct instance *in);
/* The platform's own error: {"errorType": type, "errorMessage": message}. */
void instance_answer_error(struct instance *in, struct str type, struct str message);
void instance_init_error(struct instance *in, struct str body, struct str type);
/* No connection of its processes can be accepted, for a reason of the daemon's (-EMFILE ...). */
void instance_starved(struct instance *in, int error);
void instance_extension_registered(struct instance *in);
void instance_extension_next(struct instance *in, struct extension *e);
void instance_extension_error(struct instance *in); /* init/error, exit/error */

/* The daemon ends: whoever waits for its outcome gets an error, then it is ended in order, as by
 * instance_retire() but whatever it is doing. The pool has unlinked it between the two. */
void work_cancel(struct instance *in, const char *why);
void instance_end(struct instance *in);

/* runtime_api.c */
int runtime_api_listen(struct instance *in, int fd, struct http_listener **ret);
void runtime_api_deliver(struct instance *in);
