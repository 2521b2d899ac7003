/* output_tuning - what aws-lambda-power-tuning's state machine answers (output.h). */
#include <errno.h>
#include <math.h>
#include "base/digest.h"
#include "base/json.h"
#include "bench/output.h"
#include "bench/pareto.h"

static void put_little(struct buf *b, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_byte(b, (char)(v >> (8 * i)));
}

static struct str floats(struct arena *a, const double *values, size_t n)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        float f = (float)values[i];
        uint32_t bits;
        memcpy(&bits, &f, sizeof(bits));
        put_little(&b, bits, 4);
    }
    return base64_encode(a, buf_view(&b));
}

struct str bench_tuning_fragment(struct arena *a, const double *sizes, const double *times,
                                 const double *costs, size_t n)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    for (size_t i = 0; i < n; i++)
        put_little(&b, (uint32_t)sizes[i] & 0xffff, 2);
    return str_printf(a, "%.*s;%.*s;%.*s", STR(base64_encode(a, buf_view(&b))),
                      STR(floats(a, times, n)), STR(floats(a, costs, n)));
}

static void put_pair(struct buf *b, const char *name, double v)
{
    buf_printf(b, "\"%s\":%.9g", name, v);
}

int bench_write_tuning(struct buf *b, const struct bench_summary *sum, struct str strategy,
                       double weight)
{
    auto_arena struct arena a;
    arena_init(&a);
    size_t n = 0, room = sum->n_groups + 1;
    double *sizes = ARENA_ARRAY(&a, double, room), *times = ARENA_ARRAY(&a, double, room),
           *costs = ARENA_ARRAY(&a, double, room), spent = 0;
    struct pareto_point *points = ARENA_ARRAY(&a, struct pareto_point, room);
    const struct bench_group *groups = sum->n_groups ? sum->groups : &sum->all;
    for (size_t i = 0; i < (sum->n_groups ? sum->n_groups : 1); i++) {
        const struct bench_group *g = &groups[i];
        double time = bench_sweep_time(g), cost = g->all.cost.value / 1e6;
        spent += isnan(g->cost_usd) ? 0 : g->cost_usd;
        /* A size that fails now and then is no candidate, however cheap its failures are. */
        if ((g->series && g->series->extrapolated) || !g->memory_mb || !(time > 0) || !(cost > 0) ||
            g->outcomes[BENCH_OK] < g->n)
            continue;
        sizes[n] = g->memory_mb;
        times[n] = time;
        costs[n] = cost;
        points[n++] = (struct pareto_point){.cost = cost, .time = time, .p99 = NAN, .usable = true};
    }
    if (!n)
        return -ENODATA;
    enum pareto_strategy by = str_is(strategy, "speed")      ? PARETO_SPEED
                              : str_is(strategy, "balanced") ? PARETO_BALANCED
                                                             : PARETO_COST;
    size_t best = pareto_best(points, n, by, weight);
    buf_byte(b, '{');
    put_pair(b, "power", sizes[best]);
    buf_byte(b, ',');
    put_pair(b, "cost", costs[best]);
    buf_byte(b, ',');
    put_pair(b, "duration", times[best]);
    /* No state machine ran, so none has cost anything. */
    buf_text(b, ",\"stateMachine\":{\"executionCost\":0,");
    put_pair(b, "lambdaCost", spent);
    buf_text(b, ",\"visualization\":\"https://lambda-power-tuning.show/#");
    buf_str(b, bench_tuning_fragment(&a, sizes, times, costs, n));
    buf_text(b, "\"},\"stats\":[");
    for (size_t i = 0; i < n; i++) {
        buf_text(b, i ? ",{" : "{");
        put_pair(b, "value", sizes[i]);
        buf_byte(b, ',');
        put_pair(b, "averagePrice", costs[i]);
        buf_byte(b, ',');
        put_pair(b, "averageDuration", times[i]);
        buf_byte(b, '}');
    }
    buf_text(b, "]}\n");
    return 0;
}
