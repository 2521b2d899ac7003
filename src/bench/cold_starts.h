/* cold_starts - which environments of a run an embedded cloud has made of a spare, whose
 * interpreter was running already, and which by executing it. May use base/. */
#pragma once
#include "bench/run.h"

struct cold_starts {
    int64_t spare, exec, unknown; /* cold samples */
};
/* inspect: what /_lamina/lambda/inspect answers. Where both kinds are among the samples of series
 * 0, the executed ones become a series of their own. */
void cold_starts_tell(struct arena *a, struct bench_run *run, struct str inspect,
                      struct cold_starts *ret);
