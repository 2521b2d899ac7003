/* session - what a run keeps while it goes on. Internal to bench/. */
#pragma once
#include "bench/generator.h"
#include "bench/machine.h"
#include "wire/lambda.h"

/* Where REPORT lines go. */
struct bench_logs {
    struct str group;
    bool json, warnings_only;
};

struct bench_session {
    struct arena *arena;
    struct aws_client *aws;
    const struct bench_plan *plan;
    struct bench_run *run;
    struct bench_progress *progress;
    struct generator generator;
    struct bench_run scratch; /* where warm-ups go */
    uint64_t segments;        /* each draws other numbers */
    struct machine_watch machine;
    int64_t cpu_ns;
    struct str lamina; /* its address, when the endpoint is one */
    pid_t server_pid;
    struct bench_logs logs[2];
    size_t n_logs;
    int64_t cold_starts; /* as the cloud counted before the run; -1 */
};

/* facts.c: run->function by GetFunction (GetFunctionConfiguration when that is not allowed). 0 or
 * -errno with *err. Of a function URL nothing is asked. */
int facts_read(struct bench_session *s, struct aws_error *err);
/* Whether the endpoint is a Lamina, its process, and what it has counted so far. */
void facts_lamina(struct bench_session *s);
/* Counting begins again: what was before was no part of the run. */
void facts_count(struct bench_session *s);
/* What it has counted since. */
void facts_after(struct bench_session *s);

/* ramp.c. Each request that waits for an answer takes an environment, on this machine or of the
 * account's quota: looking for the limit of one function must not fill either unasked. */
#define RAMP_CONNECTIONS 100
int ramp_run(struct bench_session *s, struct aws_error *err);
