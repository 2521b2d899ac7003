/* bench - measuring a function: what is to be done (the plan), and doing it.
 *
 *     struct bench_run run;
 *     struct bench_plan plan = {.mode = BENCH_LOAD, .function = S("hello"), .connections = 8,
 *                               .n = 1000, .payloads = &payload, .n_payloads = 1};
 *     r = bench_execute(arena, aws, &plan, &run, NULL, &err);
 *     bench_run_done(&run);
 *
 * or in pieces, for runs that change something between them (memory sizes, A and B, cold starts):
 *
 *     bench_open(arena, aws, &plan, &run, progress, &session, &err);
 *     series = bench_run_series(&run); ...
 *     bench_segment(session, &(struct bench_segment){.series = 1, .n = 10, ...}, &err);
 *     bench_close(session);     completes the run: machine, environments, counts
 *
 * One thread; many connections; nothing is ever sent twice: a generator that retries hides what it
 * should show. May use base/, wire/ and aws/. */
#pragma once
#include <signal.h>
#include "aws/client.h"
#include "bench/run.h"

enum bench_mode {
    BENCH_WARM,    /* closed loop, one connection, after a warm-up */
    BENCH_LOAD,    /* closed loop */
    BENCH_RATE,    /* open loop */
    BENCH_RAMP,    /* open loop, stages, the highest rate that holds */
    BENCH_BURST,   /* n at once */
    BENCH_COLD,    /* on top of segments: a new environment each */
    BENCH_MEMORY,  /* on top of segments: several memory sizes */
    BENCH_COMPARE, /* on top of segments: A and B */
};
const char *bench_mode_name(enum bench_mode mode);

struct bench_payload {
    struct str name; /* the file's name, or "payload" */
    struct str body;
    double weight; /* > 0; shares of the requests */
};

struct bench_plan {
    enum bench_mode mode;
    struct str function;  /* name, name:qualifier or ARN, as Invoke takes it */
    struct str qualifier; /* or absent */
    struct str url;       /* function URL; absent: Invoke */
    bool unsigned_url;    /* do not sign requests to it (AuthType NONE) */
    struct str method;    /* to a URL; absent: POST */
    int connections;      /* 0: 1 in a closed loop; at most 1000 in an open one, 100 in
                             a ramp */
    double rate;          /* requests a second, open loop; 0: closed */
    bool poisson;         /* arrivals: exponential gaps instead of equal ones */
    int64_t n;            /* requests, or 0 */
    int64_t duration_ms;  /* or 0; the sooner of both ends the run. Both 0: n = 100 */
    int64_t warmup;       /* requests before that are not counted */
    int64_t warmup_ms;    /* ... or for so long */
    int64_t timeout_ms;   /* the client's deadline of one request; 0: the function's timeout and a
                             minute */
    uint64_t seed;        /* 0 is a seed like any other */
    bool random_payloads; /* drawn by weight; otherwise in turn, by weight */
    bool no_log;          /* do not ask for REPORT lines */
    bool no_phases;       /* do not ask a Lamina for its phases */
    const struct bench_payload *payloads;
    size_t n_payloads; /* 0: one, "{}". More than one: each is a series */
    /* BENCH_RAMP */
    double ramp_from, ramp_to;         /* rates; 0: 10, and as far as it goes */
    double ramp_precision;             /* share of the rate; 0: 0.05 */
    double ramp_p99_ms;                /* a stage fails at and above; 0: 1000 */
    int64_t ramp_stage_ms;             /* 0: 5000 */
    const volatile sig_atomic_t *stop; /* set by a signal handler: end orderly; or NULL */
};

/* What is shown while it runs; about ten times a second, from the thread that measures. */
struct bench_progress_now {
    const struct bench_run *run;
    const char *phase; /* "warm-up", "measuring", "stage 3" */
    int64_t elapsed_ns;
    int64_t sent, done, wanted; /* wanted 0: by time */
    int64_t outcomes[BENCH_OUTCOMES];
    int in_flight;
    double rate, p50_ms, p99_ms; /* of the last second or so; p50 < 0: nothing yet */
    bool aside;                  /* nothing is measured now: phase is all */
};
struct bench_progress {
    void (*on_progress)(void *user, const struct bench_progress_now *now);
    void *user;
};

/* 0, also when requests failed (that is a result) and when it was stopped (run->interrupted).
 * -errno with *err when nothing could be measured: no such function, no credentials, bad plan.
 * progress may be NULL. run is initialized here, and valid whatever is returned. Series: one with
 * the function's name, or one for each payload. */
int bench_execute(struct arena *a, struct aws_client *aws, const struct bench_plan *plan,
                  struct bench_run *ret, struct bench_progress *progress, struct aws_error *err);

/* ---- in pieces ---- */

struct bench_session;
/* Describes the function (run->function), looks at the machine, starts the clock. Makes series 0,
 * named as the function. The plan and what it points to must live as long as the session. */
int bench_open(struct arena *a, struct aws_client *aws, const struct bench_plan *plan,
               struct bench_run *run, struct bench_progress *progress, struct bench_session **ret,
               struct aws_error *err);

/* Sends requests until n or the duration is reached and all are answered, and appends their samples
 * to the run. What is 0 or absent is as in the plan; series counts as it is. */
struct bench_segment {
    const char *phase; /* for the progress; NULL: "measuring" */
    struct str function, qualifier;
    uint16_t series;        /* of its samples */
    bool series_by_payload; /* series + index of the payload instead */
    int64_t n, duration_ms;
    int connections;
    double rate;
    bool closed;  /* closed loop whatever the plan's rate */
    bool discard; /* warm-up: measured, not kept; with stage: the lead-in of one */
    bool stage;   /* make a row of run->stages of it */
    int64_t turn; /* payloads go on as if so many requests had been sent before */
    /* Ends early when one in twenty of all that it would send has failed or taken as long; 0: never
     */
    int64_t lost_ms;
};
/* 0; -ECANCELED when plan->stop is set (samples are kept); otherwise -errno with *err. */
int bench_segment(struct bench_session *session, const struct bench_segment *segment,
                  struct aws_error *err);
/* Completes the run and frees the session; accepts NULL. */
void bench_close(struct bench_session *session);
