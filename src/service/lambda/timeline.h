/* timeline - what the environments of each function have done, kept for a while in memory; and the
 * figures of each version. `lamina inspect` reads them, at /_lamina/lambda/inspect.
 *
 * An environment keeps its last ENTRIES_MAX entries and is remembered after its end, as long as it
 * is among the last ENDED_MAX. Figures stay until the daemon ends. */
#pragma once
#include "service/lambda/report.h"

struct http_request;
struct instance;
struct lambda_state;
struct target;
struct timeline;
struct track; /* of one environment */

/* Of a function version, since the daemon began. */
#define FIGURES_BUCKETS 96
struct figures {
    struct str version;
    int64_t invocations, errors, timeouts, throttles, cold_starts;
    int64_t concurrent, max_concurrent;
    int64_t billed_ms, duration_ns, init_ns; /* sums */
    int64_t min_ns, max_ns, max_init_ns, max_memory_bytes;
    /* Durations, four buckets an octave from 1 us on. */
    uint32_t buckets[FIGURES_BUCKETS];
};
/* The duration that this part (0..1) of all invocations did not exceed, by the middle of its
 * bucket. */
int64_t figures_quantile_ns(const struct figures *f, double part);
void figures_add(struct figures *f, int64_t duration_ns);

struct timeline *timeline_new(void);
void timeline_free(struct timeline *t);
void timeline_event(struct instance *in, const struct report_facts *facts,
                    const struct platform_event *e);
void timeline_leave(struct instance *in); /* it is freed */
/* An invocation of this version was refused, for its concurrency. */
void timeline_throttled(struct lambda_state *lambda, const struct target *t);
/* GET /_lamina/lambda/inspect?region=R&account=A[&function=NAME] */
void timeline_serve(void *lambda_state, struct http_request *req);
/* POST /_lamina/lambda/drop?region=R&account=A&function=NAME[&version=V]: gives up the environments
 * that wait for work (pool_drop_idle()). {"dropped":N,"busy":N,"provisioned":N,"ending":N} */
void timeline_drop(void *lambda_state, struct http_request *req);
