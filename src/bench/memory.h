/* memory - a function measured at several memory sizes: `lamina bench memory`.
 *
 * Every size is a version of its own (published, and deleted at the end), so that requests to the
 * sizes can take turns: what changes on the machine meanwhile changes all of them. $LATEST is as it
 * was before anything is measured. May use base/, wire/ and aws/. */
#pragma once
#include "bench/bench.h"
#include "bench/change.h"

#define MEMORY_SIZES_MAX 64
#define MEMORY_MIN_MB 128
#define MEMORY_MAX_MB 10240
#define MEMORY_FULL_CPU_MB 1769 /* one processor; more memory is proportionally more of them */

struct memory_options {
    const int *sizes; /* MB, ascending, without doubles */
    size_t n_sizes;
    int64_t n;         /* requests a size at most; 0: 50 */
    bool only_cold;    /* each in a new environment; otherwise the first of each size is cold */
    double narrow;     /* stop a size when the interval of its median is narrower, as a share;
                          0: 0.05; negative: never */
    int64_t least;     /* but not before so many; 0: 20 */
    struct str folder; /* of journals; absent: the usual one */
    struct str profile;
};

/* Of each size; series i of the run is size i. */
struct memory_size {
    int mb;
    double vcpu; /* what AWS gives */
    bool beyond; /* more processors than this machine has: measured with fewer */
    int64_t sent, failed;
    bool narrow;    /* stopped early: known well enough */
    bool hopeless;  /* stopped early: it only fails */
    struct str why; /* it could not be made, or fails; or absent */
    struct str version;
};

struct memory_result {
    struct memory_size *sizes;
    size_t n_sizes;
    int was_mb; /* MemorySize of $LATEST */
    struct change_report report;
};

/* "512,1024,1536"; "1024-2048" in steps of 128, "1024-2048:256"; "ALL": 128 to 3008 in steps of 64,
 * as aws-lambda-power-tuning has it. Mixed by commas. Sorted, without doubles. -EINVAL with *why.
 */
int memory_sizes_parse(struct arena *a, struct str text, int **ret, size_t *ret_n, struct str *why);

/* As bench_execute(). What could not be put back is in ret->report (failed), whatever is returned.
 */
int bench_memory(struct arena *a, struct aws_client *aws, const struct bench_plan *plan,
                 const struct memory_options *options, struct bench_run *run,
                 struct bench_progress *progress, struct memory_result *ret, struct aws_error *err);
