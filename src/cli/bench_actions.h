/* bench_actions - one function an action of `lamina bench`, and the option sets they take. */
#pragma once
#include "cli/bench_options.h"

/* Bits of verb_action.sets, in the order of bench_verb.sets. */
#define BENCH_COMMON (1u << 0) /* bench_options */
#define BENCH_LOADS (1u << 1)  /* bench_load_options */
#define BENCH_RAMPS (1u << 2)  /* bench_ramp_options */
#define BENCH_COLD_OWN (1u << 3)
#define BENCH_MEMORY_OWN (1u << 4)
#define BENCH_COMPARE_OWN (1u << 5)
#define BENCH_JOURNAL (1u << 6)
#define BENCH_RESTORE_OWN (1u << 7)
#define BENCH_TARGET (1u << 8)

struct bench_ramp_options {
    struct str from, to, precision;
    int64_t p99_ms, stage_ms;
};

int bench_warm_run(struct verb_run *run);
int bench_load_run(struct verb_run *run);
int bench_rate_run(struct verb_run *run);
int bench_ramp_run(struct verb_run *run);
int bench_burst_run(struct verb_run *run);
