/* run - the arrays of a run grow here: see run.h. */
#include "bench/run.h"
#include <stdlib.h>
#include "base/mem.h"
#include "bench/bench.h"

const char *bench_outcome_name(enum bench_outcome outcome)
{
    static const char *const names[] = {"ok",        "function-error", "throttled",
                                        "timed-out", "refused",        "transport"};
    return (size_t)outcome < BENCH_OUTCOMES ? names[outcome] : "unknown";
}

const char *bench_mode_name(enum bench_mode mode)
{
    static const char *const names[] = {"warm",  "load", "rate",   "ramp",
                                        "burst", "cold", "memory", "compare"};
    return (size_t)mode <= BENCH_COMPARE ? names[mode] : "unknown";
}

/* One more element at the end, zeroed. */
static void *grow(void *items, size_t *n, size_t *cap, size_t size, void **ret_items)
{
    if (*n == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        items = mem_realloc(items, *cap * size);
    }
    void *element = (char *)items + (*n)++ * size;
    memset(element, 0, size);
    *ret_items = items;
    return element;
}
#define GROW(run, what)                                                                            \
    grow((run)->what, &(run)->n_##what, &(run)->cap_##what, sizeof(*(run)->what),                  \
         (void **)&(run)->what)

void bench_run_init(struct bench_run *run)
{
    *run = (struct bench_run){.server_concurrency = -1,
                              .environments_started = -1,
                              .server_cpu_ns = -1,
                              .function = {.code_bytes = -1},
                              .machine = {.load_before = -1,
                                          .load_after = -1,
                                          .steal = -1,
                                          .others = -1,
                                          .client = -1,
                                          .loop_late_p99_us = -1}};
    GROW(run, errors);
    GROW(run, environments);
}

void bench_run_done(struct bench_run *run)
{
    for (size_t i = 0; i < run->n_environments; i++)
        free(run->environments[i].spans);
    free(run->samples);
    free(run->series);
    free(run->errors);
    free(run->environments);
    free(run->stages);
    *run = (struct bench_run){0};
}

struct bench_sample *bench_run_sample(struct bench_run *run)
{
    struct bench_sample *s = GROW(run, samples);
    s->queue_us = s->sandbox_us = s->init_us = -1;
    s->handler_us = s->response_us = s->after_us = -1;
    s->billed_ms = s->memory_mb = -1;
    return s;
}

struct bench_series *bench_run_series(struct bench_run *run)
{
    return GROW(run, series);
}

struct bench_stage *bench_run_stage(struct bench_run *run)
{
    return GROW(run, stages);
}

static size_t find_error(const struct bench_run *run, enum bench_outcome outcome, struct str type)
{
    size_t i = 1;
    while (i < run->n_errors &&
           (run->errors[i].outcome != outcome || !str_eq(run->errors[i].type, type)))
        i++;
    return i;
}

uint16_t bench_run_error(struct bench_run *run, struct arena *a, enum bench_outcome outcome,
                         struct str type, struct str message)
{
    size_t i = find_error(run, outcome, type);
    if (i == run->n_errors && i >= BENCH_ERRORS_MAX) {
        type = S("(others)");
        i = find_error(run, outcome, type);
    }
    if (i == run->n_errors) {
        struct bench_error *e = GROW(run, errors);
        *e = (struct bench_error){.type = str_copy(a, type),
                                  .message = str_copy(a, message),
                                  .outcome = (uint8_t)outcome};
    }
    run->errors[i].count++;
    return (uint16_t)i;
}

uint32_t bench_run_environment(struct bench_run *run, struct arena *a, struct str id)
{
    if (!id.n)
        return 0;
    for (size_t i = run->n_environments; i-- > 1;)
        if (str_eq(run->environments[i].id, id))
            return (uint32_t)i;
    struct bench_environment *e = GROW(run, environments);
    e->id = str_copy(a, id);
    return (uint32_t)(run->n_environments - 1);
}
