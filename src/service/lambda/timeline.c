/* timeline - see timeline.h: what is kept of events. */
#include "base/clock.h"
#include "base/mem.h"
#include "service/lambda/timeline_own.h"

#define ENTRIES_MAX 32
#define ENDED_MAX 256

/* ---- figures ---- */

static size_t bucket_of(int64_t ns)
{
    size_t octave = 0;
    int64_t us = ns / 1000;
    if (us < 1)
        return 0;
    while (us >> (octave + 1))
        octave++;
    size_t quarter = (size_t)((us << 2 >> octave) & 3);
    size_t bucket = octave * 4 + quarter;
    return bucket < FIGURES_BUCKETS ? bucket : FIGURES_BUCKETS - 1;
}

void figures_add(struct figures *f, int64_t duration_ns)
{
    f->min_ns = f->invocations == 0 || duration_ns < f->min_ns ? duration_ns : f->min_ns;
    f->max_ns = duration_ns > f->max_ns ? duration_ns : f->max_ns;
    f->invocations++;
    f->duration_ns += duration_ns;
    f->buckets[bucket_of(duration_ns)]++;
}

int64_t figures_quantile_ns(const struct figures *f, double part)
{
    int64_t wanted = (int64_t)(part * (double)f->invocations + .999999), seen = 0;
    for (size_t i = 0; i < FIGURES_BUCKETS; i++) {
        seen += f->buckets[i];
        if (!f->buckets[i] || seen < wanted)
            continue;
        double octave_us = (double)(1LL << (i / 4));
        int64_t ns = (int64_t)(octave_us * (1 + ((double)(i % 4) + .5) / 4) * 1000);
        return ns < f->min_ns ? f->min_ns : ns > f->max_ns ? f->max_ns : ns;
    }
    return f->max_ns;
}

static char *copy_text(const char *p, size_t n)
{
    char *text = mem_alloc(n + 1);
    memcpy(text, p, n);
    text[n] = 0;
    return text;
}

static void copy_into(char *to, size_t max, struct str text)
{
    size_t n = text.n < max ? text.n : max - 1;
    if (n)
        memcpy(to, text.p, n);
    to[n] = 0;
}

static struct figures *figures_get(struct known *k, struct str version)
{
    for (size_t i = 0; i < k->n_figures; i++)
        if (str_eq(k->figures[i]->version, version))
            return k->figures[i];
    if (k->n_figures == VERSIONS_MAX) { /* the oldest makes room */
        free((char *)k->figures[0]->version.p);
        free(k->figures[0]);
        memmove(k->figures, k->figures + 1, (VERSIONS_MAX - 1) * sizeof(*k->figures));
        k->n_figures--;
    }
    struct figures *f = MEM_NEW(struct figures);
    f->version = str_of(copy_text(version.p, version.n), version.n);
    k->figures[k->n_figures++] = f;
    return f;
}

/* ---- what is kept ---- */

struct timeline *timeline_new(void)
{
    struct timeline *t = MEM_NEW(struct timeline);
    map_init(&t->functions);
    list_init(&t->ended);
    return t;
}

static void track_free(struct timeline *t, struct track *k)
{
    list_remove(&k->link);
    if (k->ended_link.next)
        t->n_ended--;
    list_remove(&k->ended_link);
    free(k->id);
    free(k->version);
    free(k->entries);
    free(k);
}

void timeline_free(struct timeline *t)
{
    size_t pos = 0;
    void *value;
    if (!t)
        return;
    while (map_next(&t->functions, &pos, NULL, &value)) {
        struct known *k = value;
        LIST_EACH(&k->tracks, struct track, link, track)
            track_free(t, track);
        for (size_t i = 0; i < k->n_figures; i++) {
            free((char *)k->figures[i]->version.p);
            free(k->figures[i]);
        }
        free((char *)k->key.p);
        free(k);
    }
    map_done(&t->functions);
    free(t);
}

static struct known *known_get(struct lambda_state *lambda, const struct target *t)
{
    char key[256];
    int n =
        snprintf(key, sizeof(key), "%.*s/%.*s/%.*s", STR(t->account), STR(t->region), STR(t->name));
    struct str name = str_of(key, n < (int)sizeof(key) ? (size_t)n : sizeof(key) - 1);
    if (!lambda->timeline)
        lambda->timeline = timeline_new();
    struct known *k = map_find(&lambda->timeline->functions, name);
    if (k)
        return k;
    k = MEM_NEW(struct known);
    k->key = str_of(copy_text(name.p, name.n), name.n);
    list_init(&k->tracks);
    map_put(&lambda->timeline->functions, k->key, k);
    return k;
}

static struct track *track_new(struct instance *in, const struct report_facts *facts)
{
    struct track *k = MEM_NEW(struct track);
    k->function = known_get(in->lambda, in->target);
    k->in = in;
    k->id = copy_text(in->stream.p, in->stream.n);
    k->version = copy_text(facts->version.p, facts->version.n);
    k->provisioned = facts->provisioned;
    k->memory_mb = facts->memory_mb;
    list_append(&k->function->tracks, &k->link);
    return k;
}

static struct entry *open_entry(struct track *k, enum entry_kind kind,
                                const struct platform_event *e)
{
    if (k->n == k->cap && k->cap < ENTRIES_MAX) {
        k->cap = k->cap ? k->cap * 2 : 4;
        k->entries = mem_realloc(k->entries, k->cap * sizeof(*k->entries));
    } else if (k->n == k->cap) {
        memmove(k->entries, k->entries + 1, (k->n - 1) * sizeof(*k->entries));
        k->n--;
    }
    struct entry *entry = &k->entries[k->n++];
    *entry =
        (struct entry){.kind = kind, .open = true, .start_ms = e->time_ms, .start_ns = e->mono_ns};
    copy_into(entry->request_id, sizeof(entry->request_id), e->request_id);
    return entry;
}

static struct entry *last_open(struct track *k, enum entry_kind kind)
{
    for (size_t i = k->n; i > 0; i--)
        if (k->entries[i - 1].kind == kind && k->entries[i - 1].open)
            return &k->entries[i - 1];
    return NULL;
}

static void close_entry(struct entry *entry, const struct platform_event *e, int64_t duration_ns)
{
    if (!entry)
        return;
    entry->open = false;
    entry->status = e->status;
    entry->duration_ns = duration_ns;
    copy_into(entry->error_type, sizeof(entry->error_type), e->error_type);
}

static void count_report(struct track *k, const struct report_facts *facts,
                         const struct platform_event *e)
{
    struct figures *f = figures_get(k->function, facts->version);
    struct entry *entry = last_open(k, ENTRY_INVOKE);
    int64_t billed_ms = report_billed_ms(e->duration_ns, e->init_ns);
    close_entry(entry, e, e->duration_ns);
    if (entry) {
        entry->billed_ms = billed_ms;
        entry->failed = e->failed;
        entry->init_ns = e->init_ns;
    }
    k->invocations++;
    k->peak_bytes = facts->peak_bytes;
    figures_add(f, e->duration_ns);
    f->concurrent -= f->concurrent > 0;
    f->errors += e->failed || e->status != REPORT_SUCCESS;
    f->timeouts += e->status == REPORT_TIMEOUT;
    f->billed_ms += billed_ms;
    if (facts->peak_bytes > f->max_memory_bytes)
        f->max_memory_bytes = facts->peak_bytes;
}

static void end_track(struct track *k, struct str why)
{
    struct timeline *t = k->in->lambda->timeline;
    struct entry *frozen = last_open(k, ENTRY_FROZEN);
    if (frozen)
        close_entry(frozen, &(struct platform_event){0}, clock_mono_ns() - frozen->start_ns);
    k->ended_ms = clock_now_ms();
    copy_into(k->why, sizeof(k->why), why);
    k->in->track = NULL;
    k->in = NULL;
    list_append(&t->ended, &k->ended_link);
    if (++t->n_ended > ENDED_MAX)
        track_free(t, LIST_ENTRY(t->ended.next, struct track, ended_link));
}

void track_read_meters(struct track *k)
{
    if (!k->in || !k->in->env)
        return;
    if (environment_pid(k->in->env) > 0) {
        k->met = true;
        k->spare = environment_from_spare(k->in->env);
    }
    environment_memory_peak(k->in->env, &k->peak_bytes);
    environment_cpu_usage(k->in->env, &k->cpu_us);
}

static void init_over(struct track *k, const struct report_facts *facts,
                      const struct platform_event *e)
{
    struct figures *f = figures_get(k->function, facts->version);
    close_entry(last_open(k, ENTRY_INIT), e, e->duration_ns);
    f->cold_starts++;
    f->init_ns += e->duration_ns;
    if (e->duration_ns > f->max_init_ns)
        f->max_init_ns = e->duration_ns;
}

void timeline_event(struct instance *in, const struct report_facts *facts,
                    const struct platform_event *e)
{
    if (!in->track)
        in->track = track_new(in, facts);
    struct track *k = in->track;
    struct entry *frozen;
    if (!k->started_ms)
        k->started_ms = e->time_ms;
    switch (e->type) {
    case PLATFORM_INIT_START:
        open_entry(k, ENTRY_INIT, e)->again = e->phase == PLATFORM_PHASE_INVOKE;
        break;
    case PLATFORM_INIT_REPORT:
        init_over(k, facts, e);
        break;
    case PLATFORM_START: {
        struct figures *f = figures_get(k->function, facts->version);
        open_entry(k, ENTRY_INVOKE, e);
        if (++f->concurrent > f->max_concurrent)
            f->max_concurrent = f->concurrent;
        break;
    }
    case PLATFORM_REPORT:
        count_report(k, facts, e);
        break;
    case PLATFORM_ENV_FROZEN:
        open_entry(k, ENTRY_FROZEN, e);
        break;
    case PLATFORM_ENV_THAWED:
        frozen = last_open(k, ENTRY_FROZEN);
        close_entry(frozen, e, frozen ? e->mono_ns - frozen->start_ns : 0);
        break;
    case PLATFORM_ENV_ENDED:
        track_read_meters(k);
        end_track(k, e->text);
        break;
    default:
        break;
    }
}

void timeline_leave(struct instance *in)
{
    if (in->track)
        end_track(in->track, S("could not be made"));
}

void timeline_throttled(struct lambda_state *lambda, const struct target *t)
{
    figures_get(known_get(lambda, t), t->version)->throttles++;
}
