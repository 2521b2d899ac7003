/* bench_fake - runs whose truth is known: samples drawn from distributions, no sockets. */
#pragma once
#include <math.h>
#include "bench/bench.h"
#include "bench/summary.h"

struct bench_fake {
    const char *mode;
    uint64_t seed;
    size_t n;
    double median_ms, sigma;    /* of the handler: lognormal; sigma 0: constant */
    double slow_share, slow_by; /* one in so many takes so many times as long */
    double error_share, throttle_share;
    double cold_share, init_ms; /* lognormal too, sigma 0.2 */
    double rate;                /* open loop; 0: closed */
    int environments;           /* at once */
    size_t series;              /* memory sizes 128, 256, 512, ... ; 0: one */
};

static inline double fake_lognormal(struct stats_random *r, double median, double sigma)
{
    return sigma > 0 ? median * exp(sigma * stats_random_normal(r)) : median;
}

static inline void fake_span(struct bench_run *run, uint32_t at, enum bench_span_kind kind,
                             int64_t from, int64_t to)
{
    struct bench_environment *e = &run->environments[at];
    if (e->n_spans == e->cap_spans) {
        e->cap_spans = e->cap_spans ? 2 * e->cap_spans : 16;
        e->spans = realloc(e->spans, e->cap_spans * sizeof(*e->spans));
    }
    e->spans[e->n_spans++] = (struct bench_span){kind, from, to};
    e->ended_ns = to;
}

static inline void fake_function(struct arena *a, const struct bench_fake *f, struct bench_run *run)
{
    run->mode = str_from(f->mode ? f->mode : "load");
    run->target = S("local");
    run->endpoint = S("http://127.0.0.1:4566");
    run->region = S("us-east-1");
    run->lamina = S("0.1.0");
    run->function = (struct bench_function){.name = S("orders"),
                                            .runtime = S("python3.11"),
                                            .architecture = S("x86_64"),
                                            .init_type = S("on-demand"),
                                            .version = S("$LATEST"),
                                            .memory_mb = 512,
                                            .timeout_s = 3,
                                            .code_bytes = 48213};
    run->seed = f->seed;
    run->loop = f->rate > 0 ? BENCH_OPEN : BENCH_CLOSED;
    run->rate = f->rate;
    run->connections = f->environments ? f->environments : 1;
    run->started_ms = 1763765000000;
    run->machine = (struct bench_machine){.cores = 2,
                                          .cpu = S("Example CPU"),
                                          .load_before = 0.4,
                                          .load_after = 1.2,
                                          .steal = 0.01,
                                          .others = 0.02,
                                          .client = 0.2,
                                          .loop_late_p99_us = 90};
    for (size_t i = 0; i < (f->series ? f->series : 1); i++) {
        struct bench_series *s = bench_run_series(run);
        s->name = f->series ? str_printf(a, "%d MB", 128 << i) : run->function.name;
        s->memory_mb = f->series ? 128 << i : 0;
        s->extrapolated = s->memory_mb > 3538;
    }
}

/* One request: how long its parts take, and how it ends. */
static inline void fake_sample(struct arena *a, const struct bench_fake *f, struct bench_run *run,
                               struct stats_random *r, struct bench_sample *s)
{
    double u = stats_random_unit(r), mb = f->series ? run->series[s->series].memory_mb : 1769;
    double handler = fake_lognormal(r, f->median_ms, f->sigma) * (mb < 1769 ? 1769 / mb : 1);
    if (stats_random_unit(r) < f->slow_share)
        handler *= f->slow_by;
    double init = s->cold ? fake_lognormal(r, f->init_ms, 0.2) : 0, rest = 0.2;
    s->status = 200;
    s->queue_us = 20;
    s->sandbox_us = s->cold ? 900 : 0;
    s->init_us = s->cold ? (int32_t)(init * 1e3) : 0;
    s->response_us = 30;
    s->after_us = 0;
    s->memory_mb = 38 + (int32_t)(stats_random_unit(r) * 6);
    if (u < f->throttle_share) {
        s->outcome = BENCH_THROTTLED;
        s->status = 429;
        s->error = bench_run_error(run, a, BENCH_THROTTLED,
                                   S("ReservedFunctionConcurrentInvocationLimitExceeded"),
                                   S("Rate Exceeded."));
        s->queue_us = s->sandbox_us = s->init_us = s->response_us = s->after_us = -1;
        s->memory_mb = -1;
        handler = 0;
        rest = 0.8;
    } else {
        s->handler_us = (int32_t)(handler * 1e3);
        s->billed_ms = (int32_t)ceil(handler + init);
        if (u < f->throttle_share + f->error_share) {
            s->outcome = BENCH_FUNCTION_ERROR;
            s->error = bench_run_error(run, a, BENCH_FUNCTION_ERROR, S("ValueError"),
                                       S("<script>alert('no such \x1b[31morder')</script>"));
        }
    }
    double all = rest + handler + init + (s->queue_us > 0 ? 0.05 : 0) + (s->cold ? 0.9 : 0);
    s->done_ns = s->sent_ns + (int64_t)(all * 1e6);
    s->first_ns = s->done_ns - 10000;
}

/* As many environments as connections take turns; some invocations start a new one. */
static inline void bench_fake_run(struct arena *a, const struct bench_fake *f,
                                  struct bench_run *run)
{
    struct stats_random r = {f->seed * 77 + 1};
    int slots = f->environments ? f->environments : 1;
    int64_t *free_at = arena_alloc(a, sizeof(*free_at) * (size_t)slots);
    uint32_t *lives = arena_alloc(a, sizeof(*lives) * (size_t)slots);
    bench_run_init(run);
    fake_function(a, f, run);
    for (size_t i = 0; i < f->n; i++) {
        struct bench_sample *s = bench_run_sample(run);
        int slot = 0;
        for (int k = 1; k < slots; k++)
            slot = free_at[k] < free_at[slot] ? k : slot;
        s->due_ns = f->rate > 0 ? (int64_t)((double)i * 1e9 / f->rate) : free_at[slot];
        s->sent_ns = s->due_ns > free_at[slot] ? s->due_ns : free_at[slot];
        run->late_sends += s->sent_ns - s->due_ns > 1000000;
        s->series = (uint16_t)(f->series ? i % f->series : 0);
        s->cold = f->cold_share > 0 && (!lives[slot] || stats_random_unit(&r) < f->cold_share);
        if (!lives[slot] || (s->cold && f->n < 100000)) {
            lives[slot] =
                bench_run_environment(run, a, str_printf(a, "2026/11/21/[$LATEST]%zu", i));
            run->environments[lives[slot]].started_ns = s->sent_ns;
            run->environments[lives[slot]].started_here = true;
        }
        fake_sample(a, f, run, &r, s);
        s->environment = lives[slot];
        int64_t inited = s->sent_ns + (s->init_us > 0 ? (int64_t)s->init_us * 1000 : 0);
        if (s->outcome != BENCH_THROTTLED && f->n < 100000) {
            if (s->init_us > 0)
                fake_span(run, lives[slot], BENCH_SPAN_INIT, s->sent_ns, inited);
            fake_span(run, lives[slot], BENCH_SPAN_INVOKE, inited, s->done_ns);
        }
        free_at[slot] = s->done_ns;
        run->elapsed_ns = s->done_ns > run->elapsed_ns ? s->done_ns : run->elapsed_ns;
    }
    run->environments_started = (int64_t)run->n_environments - 1;
    run->peak_concurrency = slots;
}
