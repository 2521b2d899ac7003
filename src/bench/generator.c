/* generator - one pass: requests leave when they are due, answers are recorded as they come.
 *
 * Closed loop: as many requests are under way as there are connections; the next one is due when an
 * answer is there. Open loop: the schedule alone says when a request is due; one that finds no free
 * connection waits, and that wait counts, because its caller would have waited too. */
#include "bench/generator.h"
#include <errno.h>
#include <sys/epoll.h>
#include "base/clock.h"

#define EVENTS 256
#define PAUSE_NS 20000000        /* closed loop: before a refused connection is tried again */
#define CONNECT_NS 10000000000ll /* a connection that takes longer has failed */
#define GRACE_NS 2000000000ll    /* after Ctrl-C: for what is under way */
#define BACKLOG_NS 1000000000ll  /* open loop: for what was due and found no connection */
#define PENDING 255              /* outcome of a sample whose answer is not there yet */

static void issue(struct pass *p, struct connection *c, int64_t due_ns);

/* Open loop: what was due before the end still leaves, as long as that is not long ago. */
static bool more(const struct pass *p, int64_t now_ns)
{
    if (p->stopped || p->issued >= p->n || p->run->n_samples >= BENCH_SAMPLES_MAX)
        return false;
    if (!p->open)
        return now_ns < p->end_ns;
    return p->due_ns < p->end_ns && (p->end_ns == INT64_MAX || now_ns < p->end_ns + BACKLOG_NS);
}

/* ---- a request ends ---- */

static void next_or_idle(struct pass *p, struct connection *c, bool refused)
{
    int64_t now = clock_mono_ns();
    generator_give(p->g, c);
    if (p->open || !more(p, now))
        return;
    if (refused) { /* not as fast as the machine can fail */
        list_remove(&c->link);
        list_append(&p->g->paused, &c->link);
        c->resume_ns = now + PAUSE_NS;
        return;
    }
    struct connection *next = generator_take(p->g, p->connections);
    if (next)
        issue(p, next, now);
}

static void fail(struct pass *p, struct connection *c)
{
    record_failure(p, c);
    next_or_idle(p, c, c->sent_ns == 0);
}

/* Takes the connection on until it waits for its socket. */
static void advance(struct pass *p, struct connection *c, uint32_t events)
{
    enum connection_event e = connection_step(c);
    if (e == CONNECTION_READY && c->busy && c->request) {
        struct request_head *head = c->request;
        const struct bench_payload *payload = p->requests.items[c->payload].payload;
        connection_send(c, str_of(head->p, head->n), payload->body);
        e = connection_step(c);
    }
    if (e == CONNECTION_ANSWERED) {
        if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) && c->state == CONNECTION_IDLE)
            connection_close(c); /* it has ended behind its answer */
        record_answer(p, c);
        next_or_idle(p, c, false);
    } else if (e == CONNECTION_FAILED && c->busy) {
        fail(p, c);
    } else if (e == CONNECTION_ENDED && !c->busy) { /* those that are connected come first */
        list_remove(&c->link);
        list_append(&p->g->idle, &c->link);
    }
}

/* ---- a request begins ---- */

static int prepare(struct pass *p, struct connection *c)
{
    struct request_head *head;
    c->payload = schedule_payload(&p->schedule);
    int r = request_head_get(&p->requests, &p->requests.items[c->payload], clock_now_ms(), &head,
                             p->err);
    if (r < 0)
        return r;
    c->request = head;
    return 0;
}

static void issue(struct pass *p, struct connection *c, int64_t due_ns)
{
    int r = prepare(p, c);
    if (r < 0) { /* nothing more can be signed */
        p->failed = r;
        p->stopped = true;
        generator_give(p->g, c);
        return;
    }
    struct bench_sample *s = bench_run_sample(p->run);
    c->sample = p->run->n_samples - 1;
    s->outcome = PENDING;
    s->series = (uint16_t)(p->segment->series + (p->segment->series_by_payload ? c->payload : 0));
    c->due_ns = due_ns;
    c->assigned_ns = clock_mono_ns();
    c->sent_ns = c->first_ns = c->done_ns = c->bytes_in = c->bytes_out = 0;
    p->issued++;
    if (p->g->in_flight > p->run->peak_concurrency)
        p->run->peak_concurrency = p->g->in_flight;
    if (c->state == CONNECTION_CLOSED)
        connection_start(c);
    if (c->state == CONNECTION_CLOSED)
        fail(p, c);
    else if (c->state == CONNECTION_IDLE)
        advance(p, c, 0);
}

static void note_late(struct generator *g, int64_t late_ns)
{
    size_t n = sizeof(g->late) / sizeof(g->late[0]), at = (size_t)(late_ns / 10000);
    g->late[at < n ? at : n - 1]++;
    g->n_late++;
}

/* Open loop: all that is due and finds a connection. */
static void issue_due(struct pass *p)
{
    for (int64_t now = clock_mono_ns(); more(p, now) && p->due_ns <= now; now = clock_mono_ns()) {
        struct connection *c = generator_take(p->g, p->connections);
        if (!c)
            return;
        int64_t due = p->due_ns;
        note_late(p->g, now - due);
        p->due_ns = p->start_ns + schedule_due(&p->schedule);
        issue(p, c, due);
    }
}

static void resume_paused(struct pass *p)
{
    int64_t now = clock_mono_ns();
    while (!list_empty(&p->g->paused)) {
        struct connection *c = LIST_ENTRY(p->g->paused.next, struct connection, link);
        if (c->resume_ns > now && !p->stopped && now < p->end_ns)
            return;
        list_remove(&c->link);
        list_append(&p->g->idle, &c->link);
        if (more(p, now) && (c = generator_take(p->g, p->connections)))
            issue(p, c, now);
    }
}

/* ---- time passes ---- */

static void check_deadlines(struct pass *p, int64_t now)
{
    LIST_EACH(&p->g->busy, struct connection, link, c) {
        if (now - c->assigned_ns > p->timeout_ns) {
            connection_abort(c, "deadline", "no answer within the client's deadline");
            fail(p, c);
        } else if (connection_is_opening(c) && now - c->began_ns > CONNECT_NS) {
            connection_abort(c, "ETIMEDOUT", "no connection within 10 seconds");
            fail(p, c);
        } else if (now - c->assigned_ns < CONNECT_NS && now - c->assigned_ns < p->timeout_ns) {
            return; /* those behind it are younger */
        }
    }
}

static int64_t wake_ns(const struct pass *p, int64_t now, bool starved)
{
    int64_t at = now + 50000000; /* progress, deadlines, Ctrl-C */
    if (p->open && !starved && more(p, now) && p->due_ns < at)
        at = p->due_ns;
    if (!list_empty(&p->g->paused)) {
        const struct connection *c = LIST_ENTRY(p->g->paused.next, struct connection, link);
        at = c->resume_ns < at ? c->resume_ns : at;
    }
    return at;
}

/* Nothing is sent any more. */
static bool is_over(struct pass *p, int64_t now, int64_t *stop_ns)
{
    bool asked = p->g->plan->stop && *p->g->plan->stop;
    if (asked || p->failed < 0) {
        p->stopped = true;
        *stop_ns = *stop_ns ? *stop_ns : now;
    }
    if (more(p, now))
        return false;
    if (p->g->in_flight == 0)
        return true;
    return *stop_ns && now - *stop_ns > GRACE_NS;
}

static void loop(struct pass *p)
{
    struct epoll_event events[EVENTS];
    int64_t stop_ns = 0;
    for (;;) {
        if (p->open)
            issue_due(p);
        resume_paused(p);
        int64_t now = clock_mono_ns();
        if (is_over(p, now, &stop_ns))
            return;
        pass_watch(p, now);
        check_deadlines(p, now);
        int n = generator_wait(p->g, wake_ns(p, now, (size_t)p->g->in_flight >= p->connections),
                               events, EVENTS);
        for (int i = 0; i < n; i++)
            advance(p, events[i].data.ptr, events[i].events);
    }
}

/* ---- a pass ---- */

/* What was under way when it was stopped has no result: neither a success nor a failure. */
static void abandon(struct pass *p)
{
    struct bench_run *run = p->run;
    size_t kept = p->first_sample;
    LIST_EACH(&p->g->busy, struct connection, link, c) {
        connection_abort(c, "", "");
        generator_give(p->g, c);
        run->abandoned++;
    }
    for (size_t i = p->first_sample; i < run->n_samples; i++)
        if (run->samples[i].outcome != PENDING)
            run->samples[kept++] = run->samples[i];
    run->n_samples = kept;
}

/* Open loop: due, but the client had no room for them. */
static void count_dropped(struct pass *p)
{
    int64_t now = clock_mono_ns(), end = now < p->end_ns ? now : p->end_ns;
    while (p->issued < p->n && p->due_ns < end) {
        p->run->dropped++;
        p->issued++;
        p->due_ns = p->start_ns + schedule_due(&p->schedule);
    }
}

int pass_run(struct pass *p)
{
    struct generator *g = p->g;
    size_t ready = p->connections;
    if (p->open && !g->plan->connections) /* so many are under way if answers take 20 ms */
        ready = 8 + (size_t)(p->schedule.rate / 50);
    if (ready > p->connections)
        ready = p->connections;
    if (p->n < (int64_t)ready)
        ready = (size_t)p->n;
    generator_connect(g, ready);
    p->first_sample = p->run->n_samples;
    p->start_ns = p->window_ns = clock_mono_ns();
    p->end_ns = p->end_ns == INT64_MAX ? INT64_MAX : p->start_ns + p->end_ns;
    p->now.p50_ms = -1;
    p->due_ns = p->start_ns + schedule_due(&p->schedule);
    for (size_t i = 0; !p->open && i < p->connections && more(p, clock_mono_ns()); i++) {
        struct connection *c = generator_take(g, p->connections);
        if (c)
            issue(p, c, clock_mono_ns());
    }
    bool precise = p->open && generator_precise(true);
    loop(p);
    if (precise)
        generator_precise(false);
    if (p->open)
        count_dropped(p);
    abandon(p);
    return p->failed < 0 ? p->failed : p->stopped ? -ECANCELED : 0;
}
