/* bench_sweeps - options of `lamina bench cold|memory|compare|restore`, and what they share. */
#pragma once
#include "bench/change.h"
#include "cli/bench_options.h"

struct bench_sweep_options {
    struct str method; /* cold */
    int64_t warm;
    struct str memory; /* sizes */
    struct str strategy, balanced_weight;
    bool only_cold, apply;
    int64_t below_ms; /* --p99-below */
    struct str stop_at;
    int64_t block; /* compare */
    bool same_answers;
    struct str journal; /* folder */
    bool forget;        /* restore */
};
/* Each action has rows of its own, and the members of those alone. */
extern const struct option_row bench_cold_rows[], bench_memory_rows[], bench_compare_rows[],
    bench_journal_rows[], bench_restore_rows[];
#define BENCH_SWEEP_SET(rows)                                                                      \
    {                                                                                              \
        rows, sizeof(struct bench_sweep_options)                                                   \
    }

/* Of the action that runs: cold, memory, compare or restore. */
const struct bench_sweep_options *bench_sweeps_of(const struct verb_run *run);
/* Options that mean nothing to cold, memory and compare. 0 or 2 after a message. */
int bench_sweep_check(struct verb_run *run);
struct str bench_journal_folder(const struct verb_run *run);

int bench_cold_run(struct verb_run *run);
int bench_memory_run(struct verb_run *run);
int bench_compare_run(struct verb_run *run);
int bench_restore_run(struct verb_run *run);

/* What earlier runs have left changed at this endpoint is put back, and said on stderr: at the
 * start of every action, so that nothing is measured on top of it. */
void bench_recover(struct verb_run *run, struct aws_client *aws);
/* The notes of a run's own end, on stderr. */
void bench_sweep_tell(const struct verb_run *run, const struct change_report *report);
