/* compare - two functions, versions or aliases measured in turns: `lamina bench compare`.
 *
 * Requests come in blocks; in each block both sides have as many, in an order drawn anew: what
 * changes on the machine meanwhile changes both. Figures of the two sides are then told apart by
 * the interval of their ratio, not by their points. May use base/, wire/ and aws/. */
#pragma once
#include "bench/bench.h"

struct compare_side {
    struct str label; /* "A", "blue", ... */
    struct str function, qualifier;
};

struct compare_options {
    struct compare_side sides[2];
    int64_t n;     /* requests a side; 0: 100 */
    int64_t block; /* requests a side and block; 0: 5 */
    bool same_answers;
};

/* One payload's answers, when they were asked for. */
struct compare_answer {
    struct str payload;
    bool same;
    struct str answers[2]; /* as they came; a function's error too */
    bool failed[2];        /* it is a function's error */
};

struct compare_result {
    struct bench_function functions[2];
    struct compare_answer *answers;
    size_t n_answers, n_different;
};

/* As bench_execute(); series 0 and 1 of the run are the sides. */
int bench_compare(struct arena *a, struct aws_client *aws, const struct bench_plan *plan,
                  const struct compare_options *options, struct bench_run *run,
                  struct bench_progress *progress, struct compare_result *ret,
                  struct aws_error *err);
