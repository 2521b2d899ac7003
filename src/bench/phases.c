/* phases - reads what answers tell of their time: see phases.h. */
#include "bench/phases.h"
#include "base/digest.h"

static int32_t us_of(double ms)
{
    return ms < 0 || ms > 2e6 ? -1 : (int32_t)(ms * 1000 + .5);
}

void phases_report(const struct report_line *r, struct bench_sample *sample)
{
    sample->handler_us = us_of(r->duration_ms);
    sample->init_us = us_of(r->restore_ms >= 0 ? r->restore_ms : r->init_ms);
    sample->billed_ms = r->billed_ms < INT32_MAX ? (int32_t)r->billed_ms : -1;
    sample->memory_mb = r->max_memory_mb < INT32_MAX ? (int32_t)r->max_memory_mb : -1;
    sample->cold = sample->init_us >= 0;
}

static void read_log(struct arena *a, struct str encoded, struct bench_sample *sample,
                     struct phases *ret)
{
    struct str log;
    struct report_line r;
    if (!encoded.n || base64_decode(a, encoded, &log) < 0)
        return;
    report_line_find(a, log, &r);
    if (!r.found)
        return;
    phases_report(&r, sample);
    ret->cold = sample->cold;
    ret->status = r.status;
}

/* "environment=2026/11/21/[$LATEST]0123;cold=1;queue=12;sandbox=900;..." in microseconds. */
static void read_header(struct str text, struct bench_sample *sample, struct phases *ret)
{
    struct str part, name, value;
    const struct {
        const char *name;
        int32_t *into;
    } figures[] = {{"queue", &sample->queue_us},       {"sandbox", &sample->sandbox_us},
                   {"init", &sample->init_us},         {"handler", &sample->handler_us},
                   {"response", &sample->response_us}, {"after", &sample->after_us}};
    while (text.n) {
        int64_t n;
        str_cut(text, ';', &part, &text);
        if (!str_cut(part, '=', &name, &value))
            continue;
        if (str_is(name, "environment"))
            ret->environment = value;
        if (str_is(name, "status"))
            ret->status = value;
        if (str_to_int64(value, &n) < 0 || n < 0 || n > INT32_MAX)
            continue;
        if (str_is(name, "cold"))
            ret->cold = n != 0;
        for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
            if (str_is(name, figures[i].name))
                *figures[i].into = (int32_t)n;
    }
}

void phases_read(struct arena *a, const struct answer *answer, struct bench_sample *sample,
                 struct phases *ret)
{
    *ret = (struct phases){0};
    read_log(a, answer->log_result, sample, ret);
    int32_t log_handler = sample->handler_us, log_init = sample->init_us;
    read_header(answer->phases, sample, ret);
    /* A runtime that was started again inside of the invocation: its Duration has all of that. */
    if (sample->init_us >= 0 && log_init < 0 && sample->handler_us >= 0)
        log_handler = -1;
    if (log_handler >= 0) { /* Duration: it has the time after the answer in it */
        sample->handler_us = log_handler;
        sample->after_us = -1;
    }
    sample->cold = ret->cold;
}
