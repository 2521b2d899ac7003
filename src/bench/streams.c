/* streams - see streams.h. */
#include "bench/streams.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bench/phases.h"
#include "bench/report_line.h"
#include "wire/logs.h"

#define STREAMS_WAIT_MS 10000
#define STREAMS_MOST_MS 60000
#define PAUSE_MOST_MS 1000
#define CLOCKS_APART_MS 2000 /* of AWS's machines, and of this one after its skew */

struct wanted {
    uint8_t id[16];
    size_t sample;
};

struct search {
    struct bench_session *s;
    struct bench_run *run;
    struct arena page;
    struct map known; /* log stream -> index in run->environments */
    struct wanted *wanted;
    size_t n, missing;
    int64_t begun_ms, found_ms; /* monotonic: of the search, of the last that was found */
    struct str group;           /* the last one that was read */
    bool no_group;
    struct aws_error err;
};

/* ---- what is looked for ---- */

void streams_watch(struct bench_session *s, const struct lambda_function_configuration *c)
{
    const struct lambda_logging_config *l = c->logging_config;
    struct bench_logs logs = {.json = l && str_is(l->log_format, "JSON"),
                              .warnings_only = l && str_is(l->system_log_level, "WARN")};
    logs.group = l && str_has(l->log_group)
                     ? str_copy(s->arena, l->log_group)
                     : str_printf(s->arena, "/aws/lambda/%.*s", STR(c->function_name));
    for (size_t i = 0; i < s->n_logs; i++)
        if (str_eq(s->logs[i].group, logs.group) && s->logs[i].json == logs.json)
            return;
    if (s->n_logs < ARRAY_LEN(s->logs))
        s->logs[s->n_logs++] = logs;
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

void streams_request(struct str id, uint8_t ret[16])
{
    size_t n = 0;
    memset(ret, 0, 16);
    bool good = id.n == 36;
    for (size_t i = 0; good && i < id.n; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            good = id.p[i] == '-';
            continue;
        }
        good = digit(id.p[i]) >= 0;
        ret[n / 2] = (uint8_t)(ret[n / 2] << 4 | (digit(id.p[i]) & 15));
        n++;
    }
    if (!good)
        memset(ret, 0, 16);
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* Did the function run for it? Only then there is a REPORT line. */
static bool has_report(const struct bench_sample *s)
{
    static const uint8_t none[16] = {0};
    return (s->outcome == BENCH_OK || s->outcome == BENCH_FUNCTION_ERROR ||
            s->outcome == BENCH_TIMED_OUT) &&
           !s->environment && memcmp(s->request, none, 16) != 0;
}

static void want(struct search *q)
{
    q->wanted = mem_alloc((q->run->n_samples + 1) * sizeof(*q->wanted));
    for (size_t i = 0; i < q->run->n_samples; i++)
        if (has_report(&q->run->samples[i])) {
            struct wanted *w = &q->wanted[q->n++];
            memcpy(w->id, q->run->samples[i].request, 16);
            w->sample = i;
        }
    qsort(q->wanted, q->n, sizeof(*q->wanted), by_id);
    q->missing = q->n;
}

/* ---- what is found ---- */

static uint32_t environment_of(struct search *q, struct str stream)
{
    uintptr_t index = (uintptr_t)map_find(&q->known, stream);
    if (!index) {
        index = bench_run_environment(q->run, q->s->arena, stream);
        map_put(&q->known, stream, (void *)index);
    }
    return (uint32_t)index;
}

static void take(struct search *q, const struct logs_filtered_log_event *event)
{
    struct report_line report;
    uint8_t id[16];
    if (!event->log_stream_name.n || !report_line_parse(&q->page, event->message, &report))
        return;
    streams_request(report.request_id, id);
    const struct wanted *w = bsearch(id, q->wanted, q->n, sizeof(*q->wanted), by_id);
    struct bench_sample *s = w ? &q->run->samples[w->sample] : NULL;
    if (!s || s->environment)
        return;
    s->environment = environment_of(q, event->log_stream_name);
    if (s->handler_us < 0)
        phases_report(&report, s);
    q->missing--;
    q->found_ms = clock_mono_ns() / 1000000;
}

/* ---- reading ---- */

static bool is_over(const struct search *q)
{
    int64_t now = clock_mono_ns() / 1000000;
    return !q->missing || now - q->begun_ms > STREAMS_MOST_MS ||
           now - q->found_ms > STREAMS_WAIT_MS || (q->s->plan->stop && *q->s->plan->stop);
}

/* When the first of those left to find was sent, by AWS's clock. */
static int64_t from_ms(const struct search *q)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < q->n; i++) {
        const struct bench_sample *s = &q->run->samples[q->wanted[i].sample];
        if (!s->environment && s->sent_ns < first)
            first = s->sent_ns;
    }
    int64_t ms =
        q->run->started_ms + first / 1000000 + aws_client_skew_ms(q->s->aws) - CLOCKS_APART_MS;
    return ms > 0 ? ms : 0;
}

static void show(struct search *q)
{
    struct bench_progress *p = q->s->progress;
    if (!p)
        return;
    int64_t now = clock_mono_ns() / 1000000;
    char phase[128];
    snprintf(phase, sizeof(phase),
             "reading logs: the environments of %zu of %zu requests are known  %.1f s",
             q->n - q->missing, q->n, (double)(now - q->begun_ms) / 1e3);
    struct bench_progress_now shown = {.run = q->run, .phase = phase, .aside = true, .p50_ms = -1};
    p->on_progress(p->user, &shown);
}

/* All pages of a group, as long as something is missing. 0 or -errno with q->err. */
static int read_group(struct search *q, const struct bench_logs *logs)
{
    struct logs_filter_log_events_input in = {
        .log_group_name = logs->group,
        .start_time = opt_int(from_ms(q)),
        .filter_pattern = logs->json ? S("\"platform.report\"") : S("\"REPORT RequestId\"")};
    auto_arena struct arena token;
    arena_init(&token);
    do {
        struct logs_filter_log_events_output *out;
        show(q);
        arena_reset(&q->page);
        q->err = (struct aws_error){0};
        int r =
            aws_call(q->s->aws, &q->page, &logs_filter_log_events_op, &in, (void **)&out, &q->err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < out->events.n; i++)
            take(q, &out->events.items[i]);
        arena_reset(&token);
        in.next_token = str_copy(&token, out->next_token);
    } while (in.next_token.n && !is_over(q));
    return 0;
}

/* A group is made with the first line in it, which may be late, too. */
static int read_groups(struct search *q)
{
    q->no_group = false;
    for (size_t i = 0; i < q->s->n_logs && q->missing; i++) {
        q->group = q->s->logs[i].group;
        int r = read_group(q, &q->s->logs[i]);
        if (r < 0 && !str_is(q->err.code, "ResourceNotFoundException"))
            return r;
        q->no_group = q->no_group || r < 0;
    }
    return 0;
}

static int read_all(struct search *q)
{
    int pause_ms = 50;
    q->begun_ms = q->found_ms = clock_mono_ns() / 1000000;
    for (;;) {
        int r = read_groups(q);
        if (r < 0 || is_over(q))
            return r;
        poll(NULL, 0, pause_ms); /* lines come some seconds after the answers */
        pause_ms = pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
    }
}

/* ---- what the run is told ---- */

static void note_environments(struct bench_run *run)
{
    int64_t started = 0;
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        struct bench_environment *e = &run->environments[s->environment];
        if (!s->environment)
            continue;
        if (!e->requests++) {
            e->started_ns = s->sent_ns;
            e->series = s->series;
        }
        started += s->cold && !e->started_here;
        e->started_here = e->started_here || s->cold;
        e->ended_ns = s->done_ns > e->ended_ns ? s->done_ns : e->ended_ns;
    }
    run->environments_started = started;
}

static void tell_missing(struct search *q, int r)
{
    struct arena *a = q->s->arena;
    struct str what = q->missing == q->n ? S("which environment answered a request is not known")
                                         : str_printf(a,
                                                      "which environments answered %zu of %zu "
                                                      "requests is not known",
                                                      q->missing, q->n);
    struct str why;
    if (r == -ECANCELED || (q->s->plan->stop && *q->s->plan->stop))
        why = S("reading logs was interrupted");
    else if (r < 0)
        why =
            str_printf(a, "logs:FilterLogEvents of %.*s: %.*s", STR(q->group), STR(q->err.message));
    else if (q->no_group)
        why = str_printf(a, "there is no log group %.*s", STR(q->group));
    else if (q->s->logs->warnings_only)
        why = S("SystemLogLevel WARN leaves REPORT lines out");
    else
        why = str_printf(a, "their REPORT lines were not in %.*s within %d s", STR(q->group),
                         STREAMS_WAIT_MS / 1000);
    q->run->streams_why = str_printf(a, "%.*s: %.*s", STR(what), STR(why));
}

void streams_read(struct bench_session *s)
{
    struct search q = {.s = s, .run = s->run};
    if (s->lamina.n || !str_is(s->run->target, "aws") || s->plan->no_log || !s->n_logs)
        return;
    want(&q);
    arena_init(&q.page);
    map_init(&q.known);
    int r = 0;
    if (q.n && s->run->interrupted)
        r = -ECANCELED;
    else if (q.n && !s->logs[0].warnings_only)
        r = read_all(&q);
    if (q.missing)
        tell_missing(&q, r);
    if (q.missing < q.n)
        note_environments(s->run);
    map_done(&q.known);
    arena_done(&q.page);
    free(q.wanted);
}
