/* gate_parts - what gate.c and gate_compare.c share. */
#pragma once
#include "bench/gate.h"

struct gate_result *gate_add(struct arena *a, struct gate_report *report);
/* Are the series of this run to be judged one by one? */
bool gate_by_series(const struct bench_summary *sum);
