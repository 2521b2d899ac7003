/* run - what one run of `lamina bench` measured: the model that statistics, gates, reports and
 * prices read.
 *
 * Nothing in it is computed or invented: figures that were not known are -1, 0 or absent, as each
 * member says. Texts live in the arena of the run; the arrays samples, errors and environments are
 * on the heap and go with bench_run_done(). Times named ..._ns are nanoseconds since the run
 * started (monotonic clock) unless they are called durations. May use base/, wire/ and aws/. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/str.h"

struct json;

#define BENCH_SAMPLES_MAX 20000000 /* a run ends with them: 1.9 GB */
#define BENCH_ERRORS_MAX 1000      /* kinds; what comes after them is "(others)" */

enum bench_outcome {
    BENCH_OK,
    BENCH_FUNCTION_ERROR, /* the function said so, whatever the HTTP status: an error, or an answer
                             whose statusCode is 400 or more */
    BENCH_THROTTLED,      /* TooManyRequestsException; the error's type is its Reason */
    BENCH_TIMED_OUT,      /* the function's own timeout */
    BENCH_REFUSED,        /* another 4xx/5xx of the service */
    BENCH_TRANSPORT,      /* connect, reset, truncated answer, the client's deadline */
};
#define BENCH_OUTCOMES (BENCH_TRANSPORT + 1)
const char *bench_outcome_name(enum bench_outcome outcome); /* "ok", "function-error", ... */

/* One request. Client latency = done - due (corrected) or done - sent (uncorrected). The phases are
 * parts of done - sent; what they leave over is the rest (network, client, service). */
struct bench_sample {
    int64_t due_ns;       /* when it should have left (open loop); = sent_ns in a closed loop */
    int64_t sent_ns;      /* the request's first byte was handed to the connection */
    int64_t first_ns;     /* the answer's first byte came; 0: none came */
    int64_t done_ns;      /* the answer's last byte came, or the failure was seen */
    uint8_t outcome;      /* enum bench_outcome */
    bool cold;            /* its environment was made for it, as far as is known */
    uint16_t status;      /* HTTP; 0: no answer */
    uint16_t series;      /* index in run->series: memory size, A/B, payload file... */
    uint16_t error;       /* index in run->errors, 0: none */
    uint32_t environment; /* index in run->environments, 0: not known */
    int32_t queue_us, sandbox_us, init_us, handler_us, response_us, after_us; /* -1: not known */
    int32_t billed_ms, memory_mb; /* of the REPORT line: billed, max used; -1: not known */
    uint8_t request[16]; /* its id, where only the logs can tell its environment; 0: not known */
};

/* What samples are kept apart by. Index 0 always exists. */
struct bench_series {
    struct str name;                  /* "1024 MB", "A", "order.json", or the function's name */
    int memory_mb;                    /* 0: that of the function */
    struct str architecture, version; /* absent: those of the function */
    bool extrapolated;                /* beyond what this machine can give */
    struct str note;                  /* for the table's last column, or absent */
    struct str payload;               /* name of the payload, when the series is one; or absent */
    double weight;                    /* its share of the requests by plan; 0: not planned */
};

/* Index 0 is "none". */
struct bench_error {
    struct str type;    /* errorType, throttle's Reason, service's code, "ECONNRESET" */
    struct str message; /* of the first one */
    uint64_t count;
    uint8_t outcome; /* enum bench_outcome of them all */
};

enum bench_span_kind { BENCH_SPAN_INIT, BENCH_SPAN_INVOKE, BENCH_SPAN_FROZEN };
struct bench_span {
    enum bench_span_kind kind;
    int64_t from_ns, to_ns;
};

/* Index 0 is "not known". */
struct bench_environment {
    struct str id;                /* log stream */
    int64_t started_ns, ended_ns; /* as far as was seen: first request sent, last answer done */
    bool started_here;            /* during the run */
    bool ended;                   /* ended_ns is its end, not only the last that was seen of it */
    uint64_t requests;
    uint16_t series;
    struct bench_span *spans; /* for the Gantt; in the order of time */
    size_t n_spans, cap_spans;
};

/* One stage of a ramp, or one round of an interleaved run. */
struct bench_stage {
    double rate; /* wanted, requests a second; 0: closed loop */
    int connections;
    int64_t from_ns, to_ns;         /* samples that were due in it */
    size_t first, n;                /* samples[first .. first + n) */
    bool passed;                    /* a ramp's conditions held */
    double p99_ms, achieved;        /* latency from the due time; successes a second */
    double p99_low_ms, p99_high_ms; /* its interval; NAN: no end is known */
    bool close;                     /* the limit is within it: the point has decided */
    int64_t pause_ns;               /* between its parts, when it was made longer */
    struct str why;                 /* not passed: because of what */
};

struct bench_function {
    struct str name, arn, qualifier, runtime, architecture, handler, package_type;
    struct str version;   /* $LATEST, 7 */
    struct str init_type; /* on-demand, provisioned-concurrency; absent: not known */
    int memory_mb;        /* 0: not known */
    int timeout_s;
    int64_t code_bytes; /* -1: not known */
    struct str url;     /* function URL, when that was asked instead of Invoke */
};

/* What the figures were measured on. A value that could not be read is -1. */
struct bench_machine {
    int cores;
    struct str cpu;                 /* model name */
    double load_before, load_after; /* one-minute averages */
    double steal;                   /* share of all processor time, 0..1 */
    double others; /* processor time of tasks that are neither the client nor the server, 0..1 of
                      the machine */
    double client; /* the client's own, 0..1 of one core */
    double loop_late_p99_us; /* how late the client's own timers ran */
    bool noisy;
    struct str why; /* noisy because of what */
};

enum bench_loop { BENCH_CLOSED, BENCH_OPEN };

struct bench_run {
    struct str mode; /* "warm", "load", "rate", "ramp", "burst", "cold", "memory", "compare" */
    struct bench_function function;
    struct str target; /* "local": an embedded cloud; "aws"; "other": an endpoint that is neither */
    struct str endpoint, region, account;
    struct str lamina; /* version of this program */
    uint64_t seed;
    /* The plan. */
    enum bench_loop loop;
    bool poisson;
    int connections;
    double rate;             /* requests a second; 0: closed loop */
    int64_t duration_ms;     /* 0: by n */
    int64_t n;               /* 0: by duration */
    int64_t warmup;          /* requests before the run that are not in samples */
    struct str payloads;     /* SHA-256 of what was sent: names no secret, tells runs apart */
    bool logs;               /* REPORT lines were asked for */
    int64_t started_ms;      /* wall clock, since 1970 */
    int64_t started_mono_ns; /* what all ..._ns count from */
    int64_t elapsed_ns;      /* from the first due time to the last answer */
    bool interrupted;        /* Ctrl-C: what was measured until then */

    struct bench_sample *samples; /* in the order in which they were due */
    size_t n_samples, cap_samples;
    struct bench_series *series;
    size_t n_series, cap_series;
    struct bench_error *errors;
    size_t n_errors, cap_errors;
    struct bench_environment *environments;
    size_t n_environments, cap_environments;
    struct bench_stage *stages;
    size_t n_stages, cap_stages;

    int peak_concurrency;       /* most requests under way at once, as the client saw it */
    int64_t server_concurrency; /* most invocations at once, as the cloud counted; -1: not known */
    int64_t environments_started; /* during the run; -1: not known */
    struct str streams_why;       /* environments are not known, or not all: because of what */
    uint64_t late_sends;          /* open loop: left more than 1 ms after they were due */
    uint64_t dropped;             /* open loop: never sent, the client had no room for them */
    uint64_t abandoned;           /* under way when it was stopped: they have no sample */
    double knee_rate;             /* ramp: highest rate that passed; 0: none, or no ramp */
    double knee_precision;        /* ramp: the next higher rate that failed is at most so much
                                     higher, as a share; 0: no ramp,
                                    or none failed */
    int64_t client_cpu_ns;        /* of the generator's thread */
    int64_t server_cpu_ns;        /* of the embedded cloud's own process; -1: not known */
    int64_t bytes_sent, bytes_received;
    struct bench_machine machine;
    /* What only this mode knows (cold, memory, compare): goes into the JSON report as it is, under
     * the mode's name. NULL: nothing. */
    const struct json *details;
};

void bench_run_init(struct bench_run *run);
void bench_run_done(struct bench_run *run); /* frees the arrays; the arena is the caller's */
/* Room for one more, zeroed (phases -1, names absent); the index is n - 1. */
struct bench_sample *bench_run_sample(struct bench_run *run);
struct bench_series *bench_run_series(struct bench_run *run);
struct bench_stage *bench_run_stage(struct bench_run *run);
/* The index of this kind of error, counted once more. BENCH_ERRORS_MAX kinds
 * are told apart. */
uint16_t bench_run_error(struct bench_run *run, struct arena *a, enum bench_outcome outcome,
                         struct str type, struct str message);
/* The index of the environment, made when it is new; 0 for an absent id. */
uint32_t bench_run_environment(struct bench_run *run, struct arena *a, struct str id);
