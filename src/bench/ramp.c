/* ramp - the highest rate that holds: stages of constant rate, doubled until one fails, then halved
 * between the highest that passed and the lowest that failed. A stage whose p99 may as well be on
 * the other side of the limit is made longer; one that is lost for certain ends early. */
#include <errno.h>
#include <math.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "bench/serial.h"
#include "bench/session.h"
#include "bench/stats.h"

#define FROM 10
#define TO 1000000
#define PRECISION .05
#define P99_MS 1000
#define STAGE_MS 5000
#define STAGES_MAX 40
#define LONGER_MAX 3 /* times as long again, at most, until an interval decides */

struct ramp {
    double from, to, precision, p99_ms;
    int64_t stage_ms;
    int connections;
};

static struct ramp read_plan(const struct bench_session *s)
{
    const struct bench_plan *p = s->plan;
    size_t most = s->generator.max_connections;
    int unasked = most < RAMP_CONNECTIONS ? (int)most : RAMP_CONNECTIONS;
    return (struct ramp){.connections = p->connections ? p->connections : unasked,
                         .from = p->ramp_from > 0 ? p->ramp_from : FROM,
                         .to = p->ramp_to > 0 ? p->ramp_to : TO,
                         .precision = p->ramp_precision > 0 ? p->ramp_precision : PRECISION,
                         .p99_ms = p->ramp_p99_ms > 0 ? p->ramp_p99_ms : P99_MS,
                         .stage_ms = p->ramp_stage_ms > 0 ? p->ramp_stage_ms : STAGE_MS};
}

/* Nearest rank, of all that were due, failures too, with its interval. */
static struct figure p99_of(const struct bench_sample *samples, size_t n)
{
    auto_free double *in_time = mem_alloc((2 * n + 1) * sizeof(*in_time));
    double *sorted = in_time + n;
    for (size_t i = 0; i < n; i++)
        sorted[i] = in_time[i] = (double)(samples[i].done_ns - samples[i].due_ns) / 1e6;
    stats_sort(sorted, n);
    return n ? stats_quantile_worth(sorted, n, 0.99,
                                    serial_of_quantile(in_time, sorted, n, 0.99).worth)
             : figure_none();
}

static struct str range_of(struct arena *a, const struct bench_stage *stage)
{
    if (isnan(stage->p99_high_ms))
        return isnan(stage->p99_low_ms) ? S("no interval")
                                        : str_printf(a, "at least %.1f ms", stage->p99_low_ms);
    return str_printf(a, "%.1f to %.1f ms", stage->p99_low_ms, stage->p99_high_ms);
}

/* All of the interval decides; as long as it has the limit in it, the point does, and it is said.
 */
static void judge_p99(struct bench_session *s, const struct ramp *r, struct bench_stage *stage)
{
    struct figure p99 = p99_of(s->run->samples + stage->first, stage->n);
    stage->p99_ms = figure_known(&p99) ? p99.value : -1;
    stage->p99_low_ms = p99.low;
    stage->p99_high_ms = p99.high;
    stage->close = !(p99.high < r->p99_ms) && !(p99.low >= r->p99_ms);
}

/* One request in twenty had to wait for a connection: then it is -c that a higher rate needs. */
static const char *waited(const struct bench_sample *samples, size_t n)
{
    size_t late = 0;
    for (size_t i = 0; i < n; i++)
        late += samples[i].sent_ns - samples[i].due_ns > 1000000;
    return late * 20 > n ? "; all connections were busy (-c)" : "";
}

static void judge(struct bench_session *s, const struct ramp *r, struct bench_stage *stage,
                  uint64_t dropped)
{
    size_t counts[BENCH_OUTCOMES] = {0};
    const struct bench_sample *samples = s->run->samples + stage->first;
    for (size_t i = 0; i < stage->n; i++)
        counts[samples[i].outcome]++;
    judge_p99(s, r, stage);
    double seconds = (double)(stage->to_ns - stage->from_ns - stage->pause_ns) / 1e9;
    stage->achieved = seconds > 0 ? (double)counts[BENCH_OK] / seconds : 0;
    stage->passed = false;
    if (!stage->n)
        stage->why = S("no request was sent");
    else if (counts[BENCH_THROTTLED])
        stage->why = str_printf(s->arena, "%zu throttled", counts[BENCH_THROTTLED]);
    else if (counts[BENCH_OK] < stage->n)
        stage->why = str_printf(s->arena, "%zu failed", stage->n - counts[BENCH_OK]);
    else if (dropped)
        stage->why = str_printf(s->arena, "%llu not sent: all connections were busy (-c)",
                                (unsigned long long)dropped);
    else if (stage->p99_ms >= r->p99_ms)
        stage->why = str_printf(s->arena, "p99 %.1f ms (%.*s)%s%s", stage->p99_ms,
                                STR(range_of(s->arena, stage)), stage->close ? ", close" : "",
                                waited(samples, stage->n));
    else
        stage->passed = true;
    stage->close = stage->close && (stage->passed || stage->p99_ms >= r->p99_ms) &&
                   counts[BENCH_OK] == stage->n && !dropped;
    if (stage->passed && stage->close)
        stage->why = str_printf(s->arena, "close: p99 %.*s", STR(range_of(s->arena, stage)));
}

/* Environments that a higher rate needs are started before it is judged. */
static int lead_in(struct bench_session *s, const struct ramp *r, double rate,
                   struct aws_error *err)
{
    struct bench_segment segment = {.phase = "lead-in",
                                    .rate = rate,
                                    .duration_ms = r->stage_ms / 5,
                                    .connections = r->connections,
                                    .stage = true,
                                    .discard = true};
    return bench_segment(s, &segment, err);
}

/* More of the same for a stage whose interval has the limit in it: its samples and the new ones are
 * one. Only where so much more can tell. */
static int run_longer(struct bench_session *s, const struct ramp *r, struct bench_segment segment,
                      size_t at, uint64_t dropped, struct aws_error *err)
{
    int e = 0;
    for (int i = 0; i < LONGER_MAX && e == 0; i++) {
        struct bench_stage *stage = &s->run->stages[at];
        if (!stage->close || segment.rate * (double)r->stage_ms * LONGER_MAX < 368e3)
            break;
        e = bench_segment(s, &segment, err);
        if (s->run->n_stages == at + 1) /* refused before anything was sent */
            break;
        const struct bench_stage *more = &s->run->stages[--s->run->n_stages];
        stage = &s->run->stages[at];
        stage->n += more->n;
        stage->pause_ns += more->from_ns - stage->to_ns;
        stage->to_ns = more->to_ns;
        judge(s, r, stage, s->run->dropped - dropped);
    }
    return e;
}

static int run_stage(struct bench_session *s, const struct ramp *r, double rate, bool *ret_passed,
                     struct aws_error *err)
{
    uint64_t dropped = s->run->dropped;
    struct str phase = str_printf(s->arena, "%.4g/s", rate);
    struct bench_segment segment = {.phase = phase.p,
                                    .rate = rate,
                                    .duration_ms = r->stage_ms,
                                    .connections = r->connections,
                                    .stage = true,
                                    .lost_ms = (int64_t)ceil(r->p99_ms),
                                    .series_by_payload = s->plan->n_payloads > 1};
    /* At least two requests, however slow the rate is. */
    if (rate * (double)r->stage_ms < 2000)
        segment.duration_ms = (int64_t)(2000 / rate) + 1;
    int e = bench_segment(s, &segment, err);
    size_t at = s->run->n_stages - 1;
    judge(s, r, &s->run->stages[at], s->run->dropped - dropped);
    if (e == 0)
        e = run_longer(s, r, segment, at, dropped, err);
    struct bench_stage *stage = &s->run->stages[at];
    *ret_passed = stage->passed && e == 0;
    if (e == -ECANCELED) {
        stage->passed = false;
        stage->why = S("interrupted");
    }
    return e;
}

int ramp_run(struct bench_session *s, struct aws_error *err)
{
    struct ramp r = read_plan(s);
    double low = 0, high = 0, rate = r.from;
    int e = 0;
    s->run->loop = BENCH_OPEN;
    for (int i = 0; i < STAGES_MAX && e == 0; i++) {
        bool passed = false;
        e = lead_in(s, &r, rate, err);
        if (e == 0)
            e = run_stage(s, &r, rate, &passed, err);
        if (e < 0)
            break;
        if (passed)
            low = rate;
        else
            high = rate;
        if ((high > 0 && low > 0 && high <= low * (1 + r.precision)) || low >= r.to ||
            (low == 0 && rate < 2)) /* not even one a second holds */
            break;
        rate = high == 0  ? (low * 2 < r.to ? low * 2 : r.to)
               : low == 0 ? high / 2
                          : low + (high - low) / 2;
    }
    s->run->knee_rate = low;
    s->run->knee_precision = low > 0 && high > 0 ? high / low - 1 : 0;
    return e;
}
