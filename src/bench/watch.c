/* watch - figures of the last second, for those who look on. */
#include "base/clock.h"
#include "bench/generator.h"

#define SHOW_NS 100000000
#define WINDOW_NS 1000000000
#define LOST_MIN 5 /* so few say nothing */

static size_t bucket_of(int64_t us)
{
    if (us < 8)
        return us < 0 ? 0 : (size_t)us;
    int octave = 63 - __builtin_clzll((unsigned long long)us);
    size_t b = (size_t)(octave - 2) * 8 + (size_t)(us >> (octave - 3) & 7);
    return b < 320 ? b : 319;
}

static double middle_ms(size_t bucket)
{
    if (bucket < 8)
        return (double)bucket / 1000;
    return (double)((8 + bucket % 8) * 2 + 1) * (double)(1ll << (bucket / 8 - 1)) / 2 / 1000;
}

static double quantile_ms(const struct pass *p, double q)
{
    int64_t seen = 0;
    for (size_t i = 0; i < 320; i++) {
        seen += p->window[i];
        if (p->window_n && (double)seen >= q * (double)p->window_n)
            return middle_ms(i);
    }
    return -1;
}

/* Sending on to what cannot keep up any more would only make its queue, and the wait for its end,
 * longer. */
static void give_up(struct pass *p, const struct bench_sample *s)
{
    const struct bench_segment *g = p->segment;
    if (g->lost_ms <= 0 ||
        (s->outcome == BENCH_OK && s->done_ns - s->due_ns < g->lost_ms * 1000000))
        return;
    double wanted = g->rate * (double)g->duration_ms / 1e3;
    int64_t now = clock_mono_ns();
    if ((double)++p->lost > LOST_MIN + wanted / 20 && now < p->end_ns)
        p->end_ns = now;
}

void pass_count(struct pass *p, const struct bench_sample *s)
{
    p->answered++;
    give_up(p, s);
    p->now.outcomes[s->outcome]++;
    p->window[bucket_of((s->done_ns - s->due_ns) / 1000)]++;
    p->window_n++;
}

void pass_watch(struct pass *p, int64_t now_ns)
{
    if (!p->progress || now_ns - p->shown_ns < SHOW_NS)
        return;
    struct bench_progress_now *n = &p->now;
    p->shown_ns = now_ns;
    n->run = p->run;
    n->phase = p->segment->phase ? p->segment->phase : "measuring";
    n->elapsed_ns = now_ns - p->start_ns;
    n->sent = p->issued;
    n->done = p->answered;
    n->wanted = p->n == INT64_MAX ? 0 : p->n;
    n->in_flight = p->g->in_flight;
    if (now_ns - p->window_ns >= WINDOW_NS || n->p50_ms < 0) {
        n->rate = (double)p->window_n * 1e9 / (double)(now_ns - p->window_ns + 1);
        n->p50_ms = quantile_ms(p, .5);
        n->p99_ms = quantile_ms(p, .99);
    }
    if (now_ns - p->window_ns >= WINDOW_NS) {
        memset(p->window, 0, sizeof(p->window));
        p->window_n = 0;
        p->window_ns = now_ns;
    }
    p->progress->on_progress(p->progress->user, n);
}
