/* cold - one new environment a sample: `lamina bench cold`.
 *
 * What was not cold is not counted: a successful sample without an Init Duration in its REPORT line
 * is taken out of the run again, and told in the result. May use base/, wire/ and aws/. */
#pragma once
#include "bench/bench.h"
#include "bench/change.h"
#include "bench/cold_starts.h"

enum cold_method {
    COLD_AUTO,        /* drop where a Lamina answers; otherwise description */
    COLD_DROP,        /* idle environments are dropped; nothing of the function changes */
    COLD_DESCRIPTION, /* another description of $LATEST each time, put back at the end */
    COLD_VERSION,     /* a version published for each sample, and deleted; $LATEST is put back
                         before anything is measured */
};
const char *cold_method_name(enum cold_method method);

struct cold_options {
    enum cold_method method;
    int64_t n;         /* cold samples wanted; 0: 10 */
    int64_t warm;      /* requests to the same environment after each, in series 1 */
    struct str folder; /* of journals; absent: the usual one */
    struct str profile;
};

struct cold_result {
    enum cold_method method;   /* that was used */
    int64_t counted;           /* samples: cold ones, and failures of which that is not known */
    int64_t cold;              /* of them the cold ones */
    int64_t not_cold;          /* answered by an environment that was there: not counted */
    int64_t provisioned;       /* environments that could not be dropped */
    struct cold_starts starts; /* on a Lamina */
    struct change_report report;
};

/* As bench_execute(). What could not be put back is in ret->report (failed), whatever is returned.
 * -ENODATA with *err: no sample was cold, and none is expected to be. */
int bench_cold(struct arena *a, struct aws_client *aws, const struct bench_plan *plan,
               const struct cold_options *options, struct bench_run *run,
               struct bench_progress *progress, struct cold_result *ret, struct aws_error *err);
