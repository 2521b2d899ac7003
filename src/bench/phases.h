/* phases - where the time of one request went, as the answer tells: the REPORT line in its log
 * tail, and a Lamina's X-Lamina-Phases. Pure. May use base/. */
#pragma once
#include "bench/answer.h"
#include "bench/report_line.h"
#include "bench/run.h"

struct phases {
    struct str environment; /* log stream, or absent */
    struct str status;      /* of the REPORT line; absent: success, or there was none */
    bool cold;
};
/* Fills the sample's phases, cold, billed and memory. Texts of ret live in the arena or the answer.
 */
void phases_read(struct arena *a, const struct answer *answer, struct bench_sample *sample,
                 struct phases *ret);
/* What the line tells, into the sample: handler, init, billed, memory, cold. */
void phases_report(const struct report_line *r, struct bench_sample *sample);
