/* summary_parts - steps of bench_summarize() that have files of their own. */
#pragma once
#include "bench/summary.h"

void bench_find_prices(struct arena *a, struct bench_summary *sum);
void bench_group_size(struct bench_group *g, const struct bench_run *run); /* memory */
void bench_group_cost(const struct bench_summary *sum, struct bench_group *g);
/* Sums of the run that are sums of its groups, whose memory sizes may differ. */
void bench_add_groups(struct bench_summary *sum);
void bench_warn(struct arena *a, struct bench_summary *sum);
