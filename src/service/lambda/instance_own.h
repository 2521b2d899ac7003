/* instance_own - what the rooms of the instance share: instance.c (its states and events),
 * instance_init.c (from nothing to its first event), instance_end.c (how work ends, well or not),
 * shutdown.c (how its processes end), extension_*.c, response_stream.c. Nobody else includes it. */
#pragma once
#include "service/lambda/instance.h"
#include "service/lambda/platform.h"
#include "service/lambda/pool.h"

/* How long one that has told an error may take to end. */
#define END_WAIT_MS 1000
/* Freezing takes the kernel up to milliseconds: not between events that follow each other. */
#define FREEZE_DELAY_MS 3
/* After the first one a zygote's child gives back memory that it has not needed: frozen within, it
 * would keep that. Many may do so at once. */
#define SETTLE_MS 100

/* Something went wrong, and everything that runs in the environment is ended for it. */
struct failure {
    enum report_status status;
    struct str type;         /* "Error Type" of REPORT; none for timeouts */
    struct str payload_type; /* errorType of what the client gets; without n: the same */
    struct str text;         /* its errorMessage, behind "RequestId: ... Error: " */
    struct str payload;      /* when it has n: instead of those two */
    enum shutdown_reason why;
    bool lost; /* the environment is gone, too */
};

/* instance.c */
void instance_release(struct instance *in); /* one of its handles is closed */
void instance_arm(struct instance *in, int64_t ms);
void instance_deliver(struct instance *in); /* in->inv, to a runtime that waits */
void instance_thaw(struct instance *in);
/* What it had before its invocation became a long one. */
void instance_claim(struct instance *in);
/* The init is over when the runtime and all extensions have asked for an event; so is the work. */
void instance_progress(struct instance *in);

/* instance_init.c */
extern const struct environment_events instance_events;
void instance_begin(struct instance *in);  /* NEW */
void instance_repeat(struct instance *in); /* STOPPED: the init again, inside in->inv */
void instance_runtime_initialized(struct instance *in); /* its first `next` */
void instance_init_over(struct instance *in);
void instance_init_wait_over(struct instance *in); /* the timer, in INIT */
void instance_tell_init_failed(struct instance *in, const struct failure *f);

/* instance_end.c */
int64_t instance_limit_ms(const struct instance *in);
void work_begin(struct instance *in);              /* of in->inv */
void work_start(struct instance *in);              /* its time runs; tells START */
void work_produced(struct instance *in, size_t n); /* bytes of an answer have come */
void work_runtime_done(struct instance *in, enum report_status status, struct str type);
void work_over(struct instance *in);    /* all have asked for the next event */
void work_abandon(struct instance *in); /* before that, with the instance */
/* In any state: answers the invocation, unless it has been; tells; ends what runs. */
void instance_failed(struct instance *in, const struct failure *f);
void instance_timed_out(struct instance *in);
void instance_runtime_exited(struct instance *in, const struct environment_exit *how);
void instance_extension_exited(struct instance *in, struct extension *e,
                               const struct environment_exit *how);
/* Without a process: a sentence for who invokes, or (fault) an error of the function. */
void instance_refused(struct instance *in, struct str type, struct str fault);

/* shutdown.c: on the way to ENDING or RETIRING, which ends in instance_ended(). */
void shutdown_begin(struct instance *in, enum shutdown_reason why);
void shutdown_runtime_gone(struct instance *in);
void shutdown_extension_gone(struct instance *in);
void shutdown_close(struct instance *in); /* its timer, with the instance */
void instance_ended(struct instance *in);
/* The environment is gone: so is the instance. */
void instance_lost(struct instance *in);
