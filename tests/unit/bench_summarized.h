/* bench_summarized - what the tests of gates and outputs share: one run at a time, summarized. */
#pragma once
#include "bench_fake.h"

static struct bench_run run;

static inline int setup(void **state)
{
    *state = arena_new();
    return 0;
}

static inline int teardown(void **state)
{
    bench_run_done(&run);
    arena_free(*state);
    return 0;
}

static const struct bench_fake load = {.mode = "load",
                                       .seed = 3,
                                       .n = 800,
                                       .median_ms = 11,
                                       .sigma = 0.35,
                                       .slow_share = 0.02,
                                       .slow_by = 8,
                                       .error_share = 0.01,
                                       .throttle_share = 0.02,
                                       .cold_share = 0.03,
                                       .init_ms = 140,
                                       .environments = 4};

static inline struct bench_summary *summary_of(struct arena *a, struct bench_fake f)
{
    bench_fake_run(a, &f, &run);
    return bench_summarize(a, &run);
}
