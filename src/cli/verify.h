/* verify - the production check of `lamina verify`: what is wanted (the plan), what was found
 * (rows), and reports of it. docs/verify.md describes file and report. */
#pragma once
#include <signal.h>
#include "aws/client.h"
#include "base/buf.h"
#include "base/json.h"
#include "bench/bench.h"
#include "bench/gate.h"
#include "cli/verb.h"
#include "wire/lambda.h"

#define VERIFY_FORMAT "lamina-verify/1"
#define VERIFY_EXIT_FAILED 3 /* a check failed; 1: it could not be carried out, 2: wrong usage */

/* ---- the plan ---- */

struct verify_function {
    struct str name;            /* as given: logical id, name or ARN */
    struct str physical;        /* what calls name */
    struct bench_payload event; /* body absent: that of the plan */
};

struct verify_step { /* cold, warm, load, memory */
    bool off;        /* "warm: false" */
    bool given;      /* stands in the file */
    int64_t n, connections, duration_ms;
    struct str rate, sizes; /* load; memory */
    struct gate_threshold gates[GATE_MAX];
    size_t n_gates;
};

struct verify_range { /* both 0: not asked for */
    int64_t low, high;
};

struct verify_plan {
    struct str file; /* absent: defaults */
    struct str stack;
    struct verify_function *functions; /* none: all of the stack */
    size_t n_functions, cap_functions;
    struct str payload; /* the event of all functions */
    /* configuration */
    struct verify_range memory_mb, timeout_s, log_retention_days;
    int64_t package_bytes;                         /* zipped, with layers; 0: only AWS's quota */
    struct str architecture, tracing, concurrency; /* "Active"; "reserved", "unreserved" */
    bool configuration_off;
    struct verify_step cold, warm, load, memory;
    /* cost */
    double invocations_per_month, max_usd_per_month, max_usd_per_million; /* 0: not asked for */
    bool free_tier;
    /* baselines: a folder of reports, FUNCTION.STEP.json */
    struct str baseline;
    double max_regression;
};

enum verify_mode { VERIFY_NORMAL, VERIFY_QUICK, VERIFY_FULL };
/* Defaults of the mode; then the file over them, if there is one. 0, or an exit code after a
 * message with line and suggestion. path absent: verify.yaml when it is there. */
int verify_plan_read(struct verb_run *run, struct str path, enum verify_mode mode,
                     struct verify_plan *ret);
/* The same of a tree. -EINVAL with *why, which names file and line. Reads payload files. */
int verify_plan_parse(struct arena *a, const struct json *root, struct str file,
                      struct verify_plan *ret, struct str *why);

/* ---- what was found ---- */

enum verify_verdict { VERIFY_PASS, VERIFY_WARN, VERIFY_FAIL, VERIFY_SKIPPED };
const char *verify_verdict_name(enum verify_verdict v); /* "pass", "warn", ... */

struct verify_row {
    struct str function; /* as it was named */
    const char *group;   /* "configuration", "cold", "warm", "load", "memory", "cost", "baseline" */
    struct str check;    /* "timeout", "p95<500ms" */
    enum verify_verdict verdict;
    struct str message; /* what was found: one sentence; never absent */
    struct str advice;  /* what to do; absent: nothing */
};

/* The figures of a step that was measured. */
struct verify_measured {
    struct str function;
    const char *step;
    struct bench_run *run;
    struct bench_summary *summary;
    double seconds;
};

struct verify {
    struct verb_run *run;
    struct arena *a;
    struct aws_client *aws;
    struct verify_plan *plan;
    enum verify_mode mode;
    const volatile sig_atomic_t *stop;
    bool update_baseline;
    struct verify_row *rows;
    size_t n, cap;
    struct verify_measured *measured;
    size_t n_measured, cap_measured;
    size_t unanswered; /* functions that nobody answered for: the cloud is not there */
    int64_t started_ms;
    double seconds;
    struct str subject, target, region, mode_name;
    void (*on_step)(struct verify *v, struct str function, const char *step); /* progress */
};

void verify_add(struct verify *v, struct str function, const char *group, struct str check,
                enum verify_verdict verdict, struct str message, struct str advice);
size_t verify_count(const struct verify *v, enum verify_verdict verdict);

/* Limits, retention, concurrency, tracing, runtime: what the configuration says. f: NULL with *why:
 * it could not be read, which is a failure. */
void verify_configuration(struct verify *v, const struct verify_function *f,
                          const struct lambda_function_configuration *c);
/* Somebody who asks for times, or for one kind of failure, has not said that others are right. */
size_t verify_unasked_failures(const struct verify_step *step, const struct bench_group *g);
/* All measured steps of a function, their gates, cost and baselines. */
void verify_measure(struct verify *v, const struct verify_function *f,
                    const struct lambda_function_configuration *c);

/* ---- reports ---- */
/* width 0: lines as long as they are. */
void verify_write_text(struct buf *b, const struct verify *v, size_t width, bool colour);
void verify_write_markdown(struct buf *b, const struct verify *v);
void verify_write_junit(struct buf *b, const struct verify *v);
void verify_write_html(struct buf *b, const struct verify *v);
struct json *verify_json(struct arena *a, const struct verify *v);
