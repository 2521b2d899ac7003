/* histogram_layout - what histogram.c and histogram_code.c share. */
#pragma once
#include "bench/histogram.h"

#define HISTOGRAM_BUCKETS_MAX (UINT64_C(4) << 20)

/* Fills all but the counts; -EBADMSG for values HdrHistogram does not have. */
int histogram_layout(struct histogram *h, int64_t lowest, int64_t highest, int digits);
