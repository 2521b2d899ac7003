/* session - a run from its first look at the function to its last figures: see bench.h. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "bench/generator.h"
#include "bench/machine.h"
#include "bench/session.h"
#include "bench/streams.h"

#define OPEN_CONNECTIONS 1000
#define N_WHEN_NOTHING_IS_SAID 100

static int refuse(struct aws_error *err, int r, const char *message)
{
    *err = (struct aws_error){.r = r, .message = str_from(message)};
    return r;
}

static int check_plan(const struct bench_plan *plan, struct aws_error *err)
{
    if (plan->rate < 0 || plan->n < 0 || plan->duration_ms < 0 || plan->connections < 0)
        return refuse(err, -EINVAL, "a rate, a number or a time below 0");
    if (plan->connections > GENERATOR_CONNECTIONS_MAX)
        return refuse(err, -EINVAL, "more than 20000 connections");
    for (size_t i = 0; i < plan->n_payloads; i++)
        if (!(plan->payloads[i].weight > 0))
            return refuse(err, -EINVAL, "a payload's weight is not above 0");
    return 0;
}

static int64_t thread_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Of all payloads, their shares, and where they go. */
static struct str payloads_said(struct bench_session *s)
{
    const struct bench_plan *plan = s->plan;
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    if (!plan->n_payloads)
        buf_text(&b, "1 2\n{}");
    for (size_t i = 0; i < plan->n_payloads; i++) {
        double share = plan->n_payloads > 1 ? plan->payloads[i].weight : 1;
        buf_printf(&b, "%g %zu\n", share, plan->payloads[i].body.n);
        buf_str(&b, plan->payloads[i].body);
    }
    if (str_has(plan->url))
        buf_printf(&b, "\n%.*s", STR(str_has(plan->method) ? plan->method : S("POST")));
    return sha256_hex(s->arena, buf_view(&b));
}

/* What the run says of itself. */
static void describe(struct bench_session *s)
{
    struct bench_run *run = s->run;
    const struct bench_plan *plan = s->plan;
    run->mode = str_from(bench_mode_name(plan->mode));
    run->target = aws_client_is_local(s->aws) ? S("local") : S("aws");
    run->endpoint =
        str_has(plan->url) ? plan->url : aws_client_endpoint(s->aws, &lambda_model, s->arena);
    run->region = aws_client_region(s->aws);
    run->lamina = S(LAMINA_VERSION);
    run->seed = plan->seed;
    run->loop = plan->rate > 0 ? BENCH_OPEN : BENCH_CLOSED;
    run->poisson = plan->poisson;
    run->connections = plan->connections          ? plan->connections
                       : plan->mode == BENCH_RAMP ? RAMP_CONNECTIONS
                       : plan->rate > 0           ? OPEN_CONNECTIONS
                                                  : 1;
    run->rate = plan->rate;
    run->duration_ms = plan->duration_ms;
    run->n = plan->n ? plan->n : plan->duration_ms ? 0 : N_WHEN_NOTHING_IS_SAID;
    run->warmup = plan->warmup;
    run->payloads = payloads_said(s);
    run->logs = !plan->no_log && !str_has(plan->url);
}

int bench_open(struct arena *a, struct aws_client *aws, const struct bench_plan *plan,
               struct bench_run *run, struct bench_progress *progress, struct bench_session **ret,
               struct aws_error *err)
{
    bench_run_init(run);
    int r = check_plan(plan, err);
    if (r < 0)
        return r;
    struct bench_session *s = MEM_NEW(struct bench_session);
    *s = (struct bench_session){
        .arena = a, .aws = aws, .plan = plan, .run = run, .progress = progress};
    describe(s);
    r = facts_read(s, err);
    if (r == 0)
        r = generator_open(&s->generator, a, aws, plan, err);
    else
        s->generator.place.epoll = -1;
    if (r < 0) {
        generator_close(&s->generator);
        free(s);
        return r;
    }
    bench_run_series(run)->name = run->function.name;
    facts_lamina(s);
    s->generator.phases = s->lamina.n && !plan->no_phases;
    machine_begin(&s->machine, s->server_pid, &run->machine);
    s->cpu_ns = thread_cpu_ns();
    run->started_ms = clock_now_ms();
    run->started_mono_ns = clock_mono_ns();
    *ret = s;
    return 0;
}

/* ---- segments ---- */

static void plan_payloads(struct pass *p, struct arena *a, uint64_t seed)
{
    const struct bench_plan *plan = p->g->plan;
    size_t n = p->requests.n;
    p->weights = ARENA_ARRAY(a, double, n);
    p->credit = ARENA_ARRAY(a, double, n);
    for (size_t i = 0; i < n; i++)
        p->weights[i] = p->requests.items[i].payload->weight;
    schedule_init(&p->schedule, seed, p->open ? p->schedule.rate : 0, plan->poisson, p->weights,
                  p->credit, n, plan->random_payloads);
    for (int64_t i = 0; i < p->segment->turn; i++)
        schedule_payload(&p->schedule);
}

static int64_t deadline_ns(const struct bench_session *s)
{
    if (s->plan->timeout_ms)
        return s->plan->timeout_ms * 1000000;
    /* As long as the function may run, and a minute for its start and its way here. */
    int64_t seconds = s->run->function.timeout_s ? s->run->function.timeout_s + 60 : 910;
    return seconds * 1000000000;
}

/* How much, and how many at once: the segment's word, or the plan's. */
static void limits(struct pass *p, const struct bench_session *s, const struct bench_segment *in)
{
    bool own = in->n || in->duration_ms;
    int64_t n = own ? in->n : s->plan->n, ms = own ? in->duration_ms : s->plan->duration_ms;
    int connections = in->connections ? in->connections : s->plan->connections;
    p->schedule.rate = in->closed ? 0 : in->rate > 0 ? in->rate : s->plan->rate;
    p->open = p->schedule.rate > 0;
    if (!n && !ms)
        n = N_WHEN_NOTHING_IS_SAID;
    p->n = n ? n : INT64_MAX;
    p->end_ns = ms ? ms * 1000000 : INT64_MAX;
    p->connections = connections ? (size_t)connections : p->open ? OPEN_CONNECTIONS : 1;
    p->timeout_ns = deadline_ns(s);
}

static struct bench_run *scratch_run(struct bench_session *s)
{
    if (!s->scratch.errors)
        bench_run_init(&s->scratch);
    s->scratch.n_samples = 0;
    s->scratch.started_mono_ns = s->run->started_mono_ns;
    return &s->scratch;
}

/* Figures of a stage that anybody may want; its verdict is the caller's. */
static void note_stage(const struct pass *p, int64_t end_ns)
{
    struct bench_run *run = p->run;
    struct bench_stage *stage = bench_run_stage(run);
    stage->rate = p->schedule.rate;
    stage->connections = (int)p->connections;
    stage->from_ns = p->start_ns - run->started_mono_ns;
    stage->to_ns = end_ns - run->started_mono_ns;
    stage->first = p->first_sample;
    stage->n = run->n_samples - p->first_sample;
    stage->passed = true;
    stage->p99_ms = -1;
}

int bench_segment(struct bench_session *session, const struct bench_segment *segment,
                  struct aws_error *err)
{
    struct bench_session *s = session;
    auto_arena struct arena a;
    arena_init(&a);
    struct pass p = {.g = &s->generator,
                     .run = segment->discard ? scratch_run(s) : s->run,
                     .segment = segment,
                     .err = err,
                     .progress = s->progress};
    p.requests = (struct request_set){
        .aws = s->aws,
        .address = &s->generator.address,
        .function = str_has(segment->function) ? segment->function : s->plan->function,
        .qualifier = str_has(segment->qualifier) ? segment->qualifier : s->plan->qualifier,
        .phases = s->generator.phases};
    request_set_init(&p.requests, &a, s->plan);
    limits(&p, s, segment);
    if (p.connections > s->generator.max_connections) {
        bool asked = segment->connections || s->plan->connections;
        if (asked)
            return refuse(err, -EMFILE,
                          "so many connections are more files than this process may open (see "
                          "ulimit -n)");
        p.connections = s->generator.max_connections;
    }
    plan_payloads(&p, &a, s->plan->seed + 0x9e3779b97f4a7c15u * s->segments++);
    int r = pass_run(&p);
    int64_t end_ns = clock_mono_ns();
    request_set_done(&p.requests);
    if (r == -ECANCELED)
        s->run->interrupted = true;
    if (segment->discard && !segment->stage)
        facts_count(s);
    if (segment->stage && !segment->discard)
        note_stage(&p, end_ns);
    if (r < 0 && r != -ECANCELED)
        err->message = str_copy(s->arena, err->message);
    return r;
}

/* ---- the end ---- */

static void sum_up(struct bench_session *s)
{
    struct bench_run *run = s->run;
    int64_t first = INT64_MAX, last = 0;
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *x = &run->samples[i];
        first = x->due_ns < first ? x->due_ns : first;
        last = x->done_ns > last ? x->done_ns : last;
    }
    run->elapsed_ns = run->n_samples ? last - first : 0;
    run->client_cpu_ns = thread_cpu_ns() - s->cpu_ns;
    int64_t wall = clock_mono_ns() - run->started_mono_ns;
    run->machine.client = wall > 0 ? (double)run->client_cpu_ns / (double)wall : -1;
    run->machine.loop_late_p99_us = (double)generator_late_p99_us(&s->generator);
    run->server_cpu_ns = machine_end(
        &s->machine, s->arena, s->server_pid || !s->generator.address.loopback, &run->machine);
}

void bench_close(struct bench_session *session)
{
    struct bench_session *s = session;
    if (!s)
        return;
    facts_after(s);
    sum_up(s);
    streams_read(s);
    bench_run_done(&s->scratch);
    generator_close(&s->generator);
    free(s);
}

/* ---- whole runs ---- */

static void make_series(struct bench_session *s)
{
    const struct bench_plan *plan = s->plan;
    double total = 0;
    if (plan->n_payloads < 2)
        return;
    for (size_t i = 0; i < plan->n_payloads; i++)
        total += plan->payloads[i].weight;
    for (size_t i = 0; i < plan->n_payloads; i++) {
        struct bench_series *series = i ? bench_run_series(s->run) : &s->run->series[0];
        series->name = series->payload = plan->payloads[i].name;
        series->weight = plan->payloads[i].weight / total;
    }
}

static int warm_up(struct bench_session *s, struct aws_error *err)
{
    const struct bench_plan *plan = s->plan;
    if (!plan->warmup && !plan->warmup_ms)
        return 0;
    struct bench_segment segment = {.phase = "warm-up",
                                    .n = plan->warmup,
                                    .duration_ms = plan->warmup_ms,
                                    .closed = true,
                                    .discard = true,
                                    .connections = plan->connections ? plan->connections : 1};
    return bench_segment(s, &segment, err);
}

int bench_execute(struct arena *a, struct aws_client *aws, const struct bench_plan *plan,
                  struct bench_run *ret, struct bench_progress *progress, struct aws_error *err)
{
    struct bench_session *s;
    int r = bench_open(a, aws, plan, ret, progress, &s, err);
    if (r < 0)
        return r;
    make_series(s);
    r = warm_up(s, err);
    if (r == 0 && plan->mode == BENCH_RAMP)
        r = ramp_run(s, err);
    else if (r == 0)
        r = bench_segment(s, &(struct bench_segment){.series_by_payload = plan->n_payloads > 1},
                          err);
    bench_close(s);
    return r == -ECANCELED ? 0 : r;
}
