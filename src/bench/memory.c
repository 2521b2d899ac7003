/* memory - see memory.h. */
#include "bench/memory.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "bench/lamina.h"
#include "bench/stats.h"

#define DEFAULT_N 50
#define DEFAULT_LEAST 20
#define DEFAULT_NARROW .05
#define TURN 10       /* requests of a size in a row */
#define LEAD_IN_MS 50 /* of each turn, not counted: two slices of 20 ms and a half */
#define HOPELESS 3    /* that many failures, and nothing else: the size is given up */

struct memories {
    struct arena *arena;
    struct aws_client *aws;
    const struct memory_options *options;
    const struct bench_plan *plan;
    struct bench_run *run;
    struct bench_session *session;
    struct change *change;
    struct str endpoint; /* of a Lamina */
    struct str name;
    struct stats_random random;
    int64_t n, least;
    double narrow;
    struct memory_result *result;
};

static bool stopped(const struct memories *m)
{
    return m->plan->stop && *m->plan->stop;
}

/* ---- versions ---- */

/* What the size itself is to blame for becomes a row; the rest ends the run. */
static bool is_of_size(const struct aws_error *err)
{
    return str_is(err->code, "InvalidParameterValueException") ||
           str_is(err->code, "ValidationException");
}

static int make_version(struct memories *m, struct memory_size *size, struct aws_error *err)
{
    int r = change_configure(m->change, size->mb, err);
    if (r < 0 && is_of_size(err)) {
        size->hopeless = true;
        size->why = err->message;
        return 0;
    }
    return r < 0 ? r : change_publish(m->change, &size->version, err);
}

/* One for each size that is still measured; then $LATEST is what it was. */
static int make_versions(struct memories *m, struct aws_error *err)
{
    int r = 0;
    for (size_t i = 0; i < m->result->n_sizes && r == 0; i++) {
        struct memory_size *size = &m->result->sizes[i];
        if (size->narrow || size->hopeless)
            continue;
        r = stopped(m) ? -ECANCELED : make_version(m, size, err);
    }
    if (r < 0)
        return r;
    return change_put_back(m->change, &m->result->report, err);
}

static int drop_versions(struct memories *m, struct aws_error *err)
{
    int r = 0;
    for (size_t i = 0; i < m->result->n_sizes && r == 0; i++)
        if (str_has(m->result->sizes[i].version)) {
            r = change_drop_version(m->change, m->result->sizes[i].version, err);
            m->result->sizes[i].version = (struct str){0};
        }
    return r;
}

/* ---- when a size is known ---- */

/* The interval of the median of what REPORT lines tell as Duration, as a share of it. */
static bool is_narrow(const struct memories *m, size_t series)
{
    const struct bench_run *run = m->run;
    auto_free double *values = malloc((run->n_samples + 1) * sizeof(*values));
    size_t n = 0;
    for (size_t i = 0; values && i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if (s->series == series && s->outcome == BENCH_OK && s->handler_us > 0 &&
            s->cold == m->options->only_cold)
            values[n++] = s->handler_us + (s->cold && s->init_us > 0 ? s->init_us : 0);
    }
    if (n < (size_t)m->least)
        return false;
    stats_sort(values, n);
    struct figure median = stats_quantile_interval(values, n, .5);
    return figure_known(&median) && median.high - median.low < m->narrow * median.value;
}

static const struct bench_error *error_of(const struct memories *m, const struct bench_sample *s)
{
    return s->error && s->error < m->run->n_errors ? &m->run->errors[s->error] : NULL;
}

static void count_one(struct memories *m, struct memory_size *size, const struct bench_sample *s)
{
    size->sent++;
    if (s->outcome == BENCH_OK)
        return;
    const struct bench_error *e = error_of(m, s);
    size->failed++;
    if (!str_has(size->why))
        size->why = s->outcome == BENCH_TIMED_OUT ? S("timed out")
                    : e && e->type.n              ? e->type
                                                  : str_from(bench_outcome_name(s->outcome));
}

static void count(struct memories *m, size_t i, size_t first)
{
    struct memory_size *size = &m->result->sizes[i];
    for (size_t at = first; at < m->run->n_samples; at++)
        count_one(m, size, &m->run->samples[at]);
    size->hopeless = size->failed == size->sent && size->failed >= HOPELESS;
    size->narrow = m->narrow > 0 && !size->failed && is_narrow(m, i);
}

/* ---- rounds ---- */

/* Turns are as long as they are for what a size is given of a processor: while the others have
 * theirs, its share is saved up, and a single request would always find a whole slice. */
static int64_t turn_of(const struct memories *m, const struct memory_size *size)
{
    if (m->options->only_cold || !size->sent || size->failed)
        return 1;
    int64_t left = m->n - size->sent;
    return left < TURN ? left : TURN;
}

/* The slices that were saved up are used up before anything counts. */
static int lead_in(struct memories *m, const struct memory_size *size, struct bench_segment segment,
                   struct aws_error *err)
{
    if (m->options->only_cold || size->vcpu >= 1 || size->failed)
        return 0;
    segment.phase = "lead-in";
    segment.discard = true;
    segment.n = 0;
    segment.duration_ms = LEAD_IN_MS;
    return bench_segment(m->session, &segment, err);
}

static int send_turn(struct memories *m, size_t i, bool discard, struct aws_error *err)
{
    struct memory_size *size = &m->result->sizes[i];
    struct bench_segment segment = {.phase = discard ? "warm-up" : "measuring",
                                    .function = change_function(m->change),
                                    .qualifier = size->version,
                                    .series = (uint16_t)i,
                                    .n = discard ? 1 : turn_of(m, size),
                                    .connections = 1,
                                    .closed = true,
                                    .discard = discard,
                                    .turn = size->sent};
    int r = 0;
    if (m->options->only_cold && m->endpoint.n) {
        struct lamina_dropped dropped;
        r = lamina_drop(m->arena, m->endpoint, aws_client_region(m->aws), m->name, size->version,
                        &dropped);
        if (r < 0) {
            *err = (struct aws_error){.r = r, .message = S("environments cannot be dropped")};
            return r;
        }
    }
    if (!discard)
        r = lead_in(m, size, segment, err);
    size_t first = m->run->n_samples;
    if (r == 0)
        r = bench_segment(m->session, &segment, err);
    if (!discard)
        count(m, i, first);
    return r < 0 ? r : stopped(m) ? -ECANCELED : 0;
}

/* Another order each time: a size is not always behind the same other one. */
static void shuffle(struct memories *m, size_t *order, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)(stats_random_unit(&m->random) * (double)i), other = order[j];
        order[j] = order[i - 1];
        order[i - 1] = other;
    }
}

static bool wants_more(const struct memories *m, const struct memory_size *size)
{
    return !size->narrow && !size->hopeless && size->sent < m->n;
}

static bool any_wants_more(const struct memories *m)
{
    for (size_t i = 0; i < m->result->n_sizes; i++)
        if (wants_more(m, &m->result->sizes[i]))
            return true;
    return false;
}

static int round_of(struct memories *m, bool discard, struct aws_error *err)
{
    size_t order[MEMORY_SIZES_MAX], n = 0;
    int r = 0;
    for (size_t i = 0; i < m->result->n_sizes; i++)
        if (wants_more(m, &m->result->sizes[i]))
            order[n++] = i;
    shuffle(m, order, n);
    for (size_t i = 0; i < n && r == 0; i++)
        r = send_turn(m, order[i], discard, err);
    return r;
}

static int64_t warmup_of(const struct memories *m)
{
    return m->options->only_cold ? 0 : m->plan->warmup > 0 ? m->plan->warmup : 1;
}

static int rounds(struct memories *m, struct aws_error *err)
{
    bool new_ones = m->options->only_cold && !m->endpoint.n;
    int r = new_ones ? 0 : make_versions(m, err);
    /* The first of each size is cold, and no part of what the size takes otherwise. */
    for (int64_t i = 0; i < warmup_of(m) && r == 0; i++)
        r = round_of(m, true, err);
    while (r == 0 && any_wants_more(m)) {
        r = new_ones ? make_versions(m, err) : 0;
        if (r == 0)
            r = round_of(m, false, err);
        if (r == 0 && new_ones)
            r = drop_versions(m, err);
    }
    return r;
}

/* ---- a run ---- */

static void describe(struct memories *m)
{
    bool local = m->endpoint.n;
    for (size_t i = 0; i < m->result->n_sizes; i++) {
        struct memory_size *size = &m->result->sizes[i];
        struct bench_series *series = i ? bench_run_series(m->run) : &m->run->series[0];
        size->mb = m->options->sizes[i];
        size->vcpu = (double)size->mb / MEMORY_FULL_CPU_MB;
        size->beyond = local && m->run->machine.cores > 0 && size->vcpu > m->run->machine.cores;
        series->name = str_printf(m->arena, "%d MB", size->mb);
        series->memory_mb = size->mb;
        series->extrapolated = size->beyond;
        if (size->beyond)
            series->note = str_printf(m->arena, "this machine has %d vCPU, AWS gives %.1f",
                                      m->run->machine.cores, size->vcpu);
    }
}

/* What became of a size, behind what was said of it before. */
static void tell(struct memories *m)
{
    for (size_t i = 0; i < m->result->n_sizes; i++) {
        const struct memory_size *size = &m->result->sizes[i];
        struct bench_series *series = &m->run->series[i];
        struct str more = {0};
        if (size->hopeless)
            more = str_printf(m->arena, "%.*s", STR(size->why));
        else if (size->failed)
            more = str_printf(m->arena, "%lld of %lld failed: %.*s", (long long)size->failed,
                              (long long)size->sent, STR(size->why));
        if (more.n)
            series->note = series->note.n
                               ? str_printf(m->arena, "%.*s; %.*s", STR(more), STR(series->note))
                               : more;
    }
}

static int prepare(struct memories *m, struct aws_error *err)
{
    const struct bench_function *f = &m->run->function;
    if (f->version.n && !str_is(f->version, "$LATEST")) {
        *err = (struct aws_error){
            .r = -EINVAL,
            .message = S("a published version has the memory that it has: measure $LATEST, "
                         "without a qualifier")};
        return -EINVAL;
    }
    m->endpoint = lamina_endpoint(m->arena, m->aws);
    m->name = f->name;
    m->result->was_mb = f->memory_mb;
    describe(m);
    struct change_options options = {.function = f->name,
                                     .folder = m->options->folder,
                                     .profile = m->options->profile,
                                     .stop = m->plan->stop};
    return change_open(m->arena, m->aws, &options, &m->change, err);
}

int bench_memory(struct arena *a, struct aws_client *aws, const struct bench_plan *plan,
                 const struct memory_options *options, struct bench_run *run,
                 struct bench_progress *progress, struct memory_result *ret, struct aws_error *err)
{
    struct memories m = {.arena = a, .aws = aws, .options = options, .plan = plan, .run = run};
    *ret = (struct memory_result){.n_sizes = options->n_sizes};
    ret->sizes = ARENA_ARRAY(a, struct memory_size, options->n_sizes);
    m.result = ret;
    m.n = options->n > 0 ? options->n : DEFAULT_N;
    m.least = options->least > 0 ? options->least : DEFAULT_LEAST;
    m.narrow = options->narrow != 0 ? options->narrow : DEFAULT_NARROW;
    m.random.state = plan->seed;
    struct bench_plan own = *plan;
    own.mode = BENCH_MEMORY;
    own.n = m.n * (int64_t)options->n_sizes;
    own.no_log = false;
    own.warmup = warmup_of(&m);
    int r = bench_open(a, aws, &own, run, progress, &m.session, err);
    if (r < 0)
        return r;
    r = prepare(&m, err);
    if (r == 0)
        r = rounds(&m, err);
    if (r == -ECANCELED) {
        run->interrupted = true;
        r = 0;
    }
    tell(&m);
    struct aws_error other = {0};
    change_close(m.change, &ret->report, &other); /* ret->report tells what it could not do */
    bench_close(m.session);
    return r;
}
