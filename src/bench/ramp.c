/* ramp - the highest rate that holds: stages of constant rate, doubled until one fails, then halved
 * between the highest that passed and the lowest that failed. */
#include <errno.h>
#include <stdlib.h>
#include "base/mem.h"
#include "bench/session.h"

#define FROM 10
#define TO 1000000
#define PRECISION .05
#define P99_MS 1000
#define STAGE_MS 5000
#define STAGES_MAX 40

struct ramp {
    double from, to, precision, p99_ms;
    int64_t stage_ms;
};

static struct ramp read_plan(const struct bench_plan *p)
{
    return (struct ramp){.from = p->ramp_from > 0 ? p->ramp_from : FROM,
                         .to = p->ramp_to > 0 ? p->ramp_to : TO,
                         .precision = p->ramp_precision > 0 ? p->ramp_precision : PRECISION,
                         .p99_ms = p->ramp_p99_ms > 0 ? p->ramp_p99_ms : P99_MS,
                         .stage_ms = p->ramp_stage_ms > 0 ? p->ramp_stage_ms : STAGE_MS};
}

static int compare(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return a < b ? -1 : a > b;
}

/* Nearest rank, of all that were due, failures too; -1: none. */
static double p99_ms(const struct bench_sample *samples, size_t n)
{
    if (!n)
        return -1;
    int64_t *values = mem_alloc(n * sizeof(*values));
    for (size_t i = 0; i < n; i++)
        values[i] = samples[i].done_ns - samples[i].due_ns;
    qsort(values, n, sizeof(*values), compare);
    size_t rank = (n * 99 + 99) / 100;
    double ms = (double)values[rank - 1] / 1e6;
    free(values);
    return ms;
}

static void judge(struct bench_session *s, const struct ramp *r, struct bench_stage *stage,
                  uint64_t dropped)
{
    size_t counts[BENCH_OUTCOMES] = {0};
    const struct bench_sample *samples = s->run->samples + stage->first;
    for (size_t i = 0; i < stage->n; i++)
        counts[samples[i].outcome]++;
    stage->p99_ms = p99_ms(samples, stage->n);
    double seconds = (double)(stage->to_ns - stage->from_ns) / 1e9;
    stage->achieved = seconds > 0 ? (double)counts[BENCH_OK] / seconds : 0;
    stage->passed = false;
    if (!stage->n)
        stage->why = S("no request was sent");
    else if (counts[BENCH_THROTTLED])
        stage->why = str_printf(s->arena, "%zu throttled", counts[BENCH_THROTTLED]);
    else if (counts[BENCH_OK] < stage->n)
        stage->why = str_printf(s->arena, "%zu failed", stage->n - counts[BENCH_OK]);
    else if (dropped)
        stage->why = str_printf(s->arena, "%llu not sent: all connections were busy",
                                (unsigned long long)dropped);
    else if (stage->p99_ms >= r->p99_ms)
        stage->why = str_printf(s->arena, "p99 %.1f ms", stage->p99_ms);
    else
        stage->passed = true;
}

/* Environments that a higher rate needs are started before it is judged. */
static int lead_in(struct bench_session *s, const struct ramp *r, double rate,
                   struct aws_error *err)
{
    struct bench_segment segment = {.phase = "lead-in",
                                    .rate = rate,
                                    .duration_ms = r->stage_ms / 5,
                                    .stage = true,
                                    .discard = true};
    return bench_segment(s, &segment, err);
}

static int run_stage(struct bench_session *s, const struct ramp *r, double rate, bool *ret_passed,
                     struct aws_error *err)
{
    uint64_t dropped = s->run->dropped;
    struct str phase = str_printf(s->arena, "%.4g/s", rate);
    struct bench_segment segment = {.phase = phase.p,
                                    .rate = rate,
                                    .duration_ms = r->stage_ms,
                                    .stage = true,
                                    .series_by_payload = s->plan->n_payloads > 1};
    /* At least two requests, however slow the rate is. */
    if (rate * (double)r->stage_ms < 2000)
        segment.duration_ms = (int64_t)(2000 / rate) + 1;
    int e = bench_segment(s, &segment, err);
    struct bench_stage *stage = &s->run->stages[s->run->n_stages - 1];
    judge(s, r, stage, s->run->dropped - dropped);
    *ret_passed = stage->passed && e == 0;
    if (e == -ECANCELED) {
        stage->passed = false;
        stage->why = S("interrupted");
    }
    return e;
}

int ramp_run(struct bench_session *s, struct aws_error *err)
{
    struct ramp r = read_plan(s->plan);
    double low = 0, high = 0, rate = r.from;
    int e = 0;
    s->run->loop = BENCH_OPEN;
    for (int i = 0; i < STAGES_MAX && e == 0; i++) {
        bool passed;
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
