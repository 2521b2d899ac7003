/* record - what came of a request becomes a sample. */
#include "base/clock.h"
#include "bench/generator.h"
#include "bench/outcome.h"
#include "bench/phases.h"
#include "bench/streams.h"

static uint32_t environment_of(struct pass *p, struct str id)
{
    struct generator *g = p->g;
    if (!id.n)
        return 0;
    uintptr_t known = p->segment->discard ? 0 : (uintptr_t)map_find(&g->environments, id);
    if (known)
        return (uint32_t)known;
    uint32_t index = bench_run_environment(p->run, g->arena, id);
    if (!p->segment->discard)
        map_put(&g->environments, id, (void *)(uintptr_t)index);
    return index;
}

static void note_environment(struct pass *p, struct bench_sample *s)
{
    struct bench_environment *e = &p->run->environments[s->environment];
    if (!s->environment)
        return;
    if (!e->requests++) {
        e->started_ns = s->sent_ns;
        e->series = s->series;
    }
    e->started_here = e->started_here || s->cold;
    if (s->done_ns > e->ended_ns)
        e->ended_ns = s->done_ns;
}

static void times(struct pass *p, const struct connection *c, struct bench_sample *s)
{
    int64_t zero = p->run->started_mono_ns;
    int64_t sent = c->sent_ns ? c->sent_ns : c->done_ns; /* never left */
    s->sent_ns = sent - zero;
    s->due_ns = p->open ? c->due_ns - zero : s->sent_ns;
    s->first_ns = c->first_ns ? c->first_ns - zero : 0;
    s->done_ns = c->done_ns - zero;
    p->run->bytes_sent += c->bytes_out;
    p->run->bytes_received += c->bytes_in;
    if (p->open && s->sent_ns - s->due_ns > 1000000)
        p->run->late_sends++;
}

void record_answer(struct pass *p, struct connection *c)
{
    struct bench_sample *s = &p->run->samples[c->sample];
    struct phases phases;
    struct verdict v;
    times(p, c, s);
    s->status = (uint16_t)c->answer.status;
    s->response_us = s->done_ns - s->first_ns < 2000000000 * 1000ll
                         ? (int32_t)((s->done_ns - s->first_ns) / 1000)
                         : -1;
    phases_read(&p->g->scratch, &c->answer, s, &phases);
    outcome_judge(&p->g->scratch, &c->answer, str_has(p->g->plan->url), phases.status, &v);
    s->outcome = (uint8_t)v.outcome;
    if (v.outcome != BENCH_OK)
        s->error = bench_run_error(p->run, p->g->arena, v.outcome, v.type, v.message);
    s->environment = environment_of(p, phases.environment);
    if (!s->environment)
        streams_request(c->answer.request_id, s->request);
    note_environment(p, s);
    arena_reset(&p->g->scratch);
    pass_count(p, s);
}

void record_failure(struct pass *p, struct connection *c)
{
    struct bench_sample *s = &p->run->samples[c->sample];
    if (!c->done_ns)
        c->done_ns = clock_mono_ns();
    times(p, c, s);
    s->outcome = BENCH_TRANSPORT;
    s->error =
        bench_run_error(p->run, p->g->arena, BENCH_TRANSPORT, str_from(c->error), str_from(c->why));
    pass_count(p, s);
}
