/* bench_options - the options that all actions of `lamina bench` take, and what is done with them
 * before a run (payloads, plan) and after it (outputs, gates).
 *
 * How an action goes:
 *
 *     struct bench_call call;
 *     int code = bench_call_open(run, BENCH_LOAD, &call);       reads options, opens the client
 *     if (!code)
 *         code = bench_call_execute(&call);                     or bench_open(...), segments, ...
 *     if (!code)
 *         code = bench_call_report(&call);                      writes outputs; gates: exit code
 *     bench_call_close(&call);
 */
#pragma once
#include "base/progress.h"
#include "bench/bench.h"
#include "cli/target.h"

struct bench_options {
    /* what is sent */
    struct str payload;  /* JSON */
    struct str payloads; /* folder or file; a folder may have weights: see bench_payloads_read() */
    bool random;
    struct str qualifier, stack_name;
    bool log; /* ask for REPORT lines */
    /* how much */
    int64_t n, duration_ms, warmup, timeout_ms, seed;
    /* what comes out, beside the terminal; "-" is stdout */
    struct str csv, markdown, html, out;
    /* gates */
    struct option_list threshold; /* 'p99<500ms' */
    struct str min_success;       /* 95% */
    struct str baseline;          /* file written by --out or --json before */
    struct str max_regression;    /* 10% */
    bool quiet;                   /* no progress, no table */
};
extern const struct option_row bench_rows[];
#define BENCH_SET                                                                                  \
    {                                                                                              \
        bench_rows, sizeof(struct bench_options)                                                   \
    }

/* Of load, rate, ramp, burst, and what else sends over several connections. */
struct bench_load_options {
    int64_t connections;
    struct str rate; /* requests a second */
    struct str arrivals;
    struct str url, http_method;
    bool sign;
};
extern const struct option_row bench_load_rows[];
#define BENCH_LOAD_SET                                                                             \
    {                                                                                              \
        bench_load_rows, sizeof(struct bench_load_options)                                         \
    }

struct bench_call {
    struct verb_run *run;
    const struct bench_options *options;
    const struct bench_load_options *load; /* NULL: the action does not take them */
    struct aws_client *aws;
    struct bench_plan plan; /* of the options; the action may change it before it executes */
    struct bench_run result;
    struct bench_progress progress; /* draws on a terminal; quiet otherwise */
    struct progress line;
};

/* Payloads, function (a stack's logical id too), plan, client; Ctrl-C from now on sets plan.stop.
 * 0 or an exit code after a message. */
int bench_call_open(struct verb_run *run, enum bench_mode mode, struct bench_call *ret);
/* bench_execute() into call->result. 0 or an exit code after a message. */
int bench_call_execute(struct bench_call *call);
/* The exit code for an error of bench_open() and the like, after a message. */
int bench_call_fail(struct bench_call *call, const struct aws_error *err);
/* Gates and baseline can be read: before anything is measured. 0 or an exit code. */
int bench_report_check(struct bench_call *call);
/* Everything that comes out. 0; 1: something could not be
 * written; BENCH_EXIT_GATE: a gate failed; 130: Ctrl-C. */
int bench_call_report(struct bench_call *call);
void bench_call_close(struct bench_call *call);

/* --payload, --payloads: one file, or all *.json of a folder, in order of name; weights of
 * weights.json ({"order.json": 3}) there. Without either "{}". 0 or an exit code. */
int bench_payloads_read(struct verb_run *run, const struct bench_options *o,
                        struct bench_payload **ret, size_t *ret_n);
/* "95%" or "0.95" to 0.95; -EINVAL. */
int bench_share_parse(struct str text, double *ret);
/* "250", "0.5", "1e3" a second; -EINVAL unless above 0. */
int bench_rate_parse(struct str text, double *ret);
