/* timeline - see timeline.h. */
#include "service/lambda/timeline.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "service/lambda/instance.h"
#include "wire/request.h"

#define ENTRIES_MAX 32
#define ENDED_MAX 256
#define VERSIONS_MAX 64 /* with figures of their own, a function */

enum entry_kind { ENTRY_INIT, ENTRY_INVOKE, ENTRY_FROZEN };

struct entry {
    enum entry_kind kind;
    enum report_status status;
    bool open, failed; /* failed: the function's answer was an error */
    bool again;        /* again: an init that was repeated in an invocation */
    int64_t start_ms, start_ns, duration_ns, billed_ms, init_ns;
    char error_type[40], request_id[40];
};

struct known;
struct track {
    struct list link;       /* of known->tracks */
    struct list ended_link; /* of timeline->ended */
    struct known *function;
    struct instance *in; /* NULL: it has ended */
    char *id, *version;
    char why[64];
    bool provisioned;
    int64_t started_ms, ended_ms, memory_mb, peak_bytes, cpu_us, invocations;
    struct entry *entries; /* the last ones, oldest first */
    size_t n, cap;
};

/* A function. */
struct known {
    struct str key; /* account/region/name */
    struct list tracks;
    struct figures *figures[VERSIONS_MAX];
    size_t n_figures;
};

struct timeline {
    struct map functions;
    struct list ended; /* the first is the oldest */
    size_t n_ended;
};

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

static void read_meters(struct track *k)
{
    if (!k->in || !k->in->env)
        return;
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
        read_meters(k);
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

/* ---- what is shown ---- */

static void set_int(struct arena *a, struct json *o, const char *name, int64_t value)
{
    json_set(a, o, str_from(name), json_new_int(a, value));
}

static void set_text(struct arena *a, struct json *o, const char *name, struct str value)
{
    json_set(a, o, str_from(name), json_new_str(a, str_copy(a, value)));
}

/* Milliseconds with three decimals, as a number. */
static void set_ms(struct arena *a, struct json *o, const char *name, int64_t ns)
{
    struct json *v = json_new(a, JSON_NUMBER);
    v->text = str_printf(a, "%.3f", (double)ns / 1e6);
    json_set(a, o, str_from(name), v);
}

static struct json *show_figures(struct arena *a, const struct figures *f)
{
    struct json *o = json_new(a, JSON_OBJECT), *d = json_new(a, JSON_OBJECT);
    set_text(a, o, "version", f->version);
    set_int(a, o, "invocations", f->invocations);
    set_int(a, o, "errors", f->errors);
    set_int(a, o, "timeouts", f->timeouts);
    set_int(a, o, "throttles", f->throttles);
    set_int(a, o, "concurrent", f->concurrent);
    set_int(a, o, "maxConcurrent", f->max_concurrent);
    set_int(a, o, "coldStarts", f->cold_starts);
    set_int(a, o, "billedMs", f->billed_ms);
    set_int(a, o, "maxMemoryMB", (f->max_memory_bytes + (1 << 20) - 1) >> 20);
    if (f->cold_starts) {
        set_ms(a, o, "meanInitMs", f->init_ns / f->cold_starts);
        set_ms(a, o, "maxInitMs", f->max_init_ns);
    }
    if (f->invocations) {
        set_ms(a, d, "min", f->min_ns);
        set_ms(a, d, "mean", f->duration_ns / f->invocations);
        set_ms(a, d, "p50", figures_quantile_ns(f, .5));
        set_ms(a, d, "p90", figures_quantile_ns(f, .9));
        set_ms(a, d, "p99", figures_quantile_ns(f, .99));
        set_ms(a, d, "max", f->max_ns);
        json_set(a, o, S("durationMs"), d);
    }
    return o;
}

static struct json *show_entry(struct arena *a, const struct entry *e, int64_t now_ns)
{
    static const char *const kinds[] = {"init", "invoke", "frozen"};
    struct json *o = json_new(a, JSON_OBJECT);
    set_text(a, o, "kind", str_from(kinds[e->kind]));
    set_int(a, o, "startMs", e->start_ms);
    set_ms(a, o, "durationMs", e->open ? now_ns - e->start_ns : e->duration_ns);
    if (e->open)
        json_set(a, o, S("open"), json_new_bool(a, true));
    if (e->again)
        json_set(a, o, S("repeated"), json_new_bool(a, true));
    if (e->kind != ENTRY_FROZEN && !e->open)
        set_text(a, o, "status", str_from(report_status_name(e->status)));
    if (e->failed)
        json_set(a, o, S("failed"), json_new_bool(a, true));
    if (e->error_type[0])
        set_text(a, o, "errorType", str_from(e->error_type));
    if (e->kind == ENTRY_INVOKE) {
        set_text(a, o, "requestId", str_from(e->request_id));
        if (!e->open)
            set_int(a, o, "billedMs", e->billed_ms);
    }
    return o;
}

static const char *state_of(const struct track *k)
{
    if (!k->in)
        return "ended";
    const struct entry *e = k->n ? &k->entries[k->n - 1] : NULL;
    if (!e || !e->open)
        return k->in->inv ? "starting" : k->in->state == INSTANCE_STOPPED ? "stopped" : "idle";
    return e->kind == ENTRY_INIT ? "init" : e->kind == ENTRY_INVOKE ? "busy" : "frozen";
}

static struct json *show_track(struct arena *a, struct track *k, int64_t now_ns)
{
    struct json *o = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
    read_meters(k);
    set_text(a, o, "id", str_from(k->id));
    set_text(a, o, "version", str_from(k->version));
    set_text(a, o, "initializationType",
             k->provisioned ? S("provisioned-concurrency") : S("on-demand"));
    set_text(a, o, "state", str_from(state_of(k)));
    set_int(a, o, "startedMs", k->started_ms);
    if (!k->in) {
        set_int(a, o, "endedMs", k->ended_ms);
        set_text(a, o, "why", str_from(k->why));
    }
    set_int(a, o, "memoryMB", k->memory_mb);
    set_int(a, o, "memoryPeakMB", (k->peak_bytes + (1 << 20) - 1) >> 20);
    set_ms(a, o, "cpuMs", k->cpu_us * 1000);
    set_int(a, o, "invocations", k->invocations);
    for (size_t i = 0; i < k->n; i++)
        json_add(list, show_entry(a, &k->entries[i], now_ns));
    json_set(a, o, S("events"), list);
    return o;
}

static struct json *show_function(struct arena *a, struct known *k, bool environments)
{
    struct json *o = json_new(a, JSON_OBJECT), *versions = json_new(a, JSON_ARRAY);
    struct json *list = json_new(a, JSON_ARRAY);
    ssize_t slash = str_find_last_byte(k->key, '/');
    int64_t now_ns = clock_mono_ns();
    set_text(a, o, "function", str_slice(k->key, (size_t)slash + 1, k->key.n));
    set_int(a, o, "nowMs", clock_now_ms());
    for (size_t i = 0; i < k->n_figures; i++)
        json_add(versions, show_figures(a, k->figures[i]));
    json_set(a, o, S("versions"), versions);
    if (!environments)
        return o;
    LIST_EACH(&k->tracks, struct track, link, track)
        json_add(list, show_track(a, track, now_ns));
    json_set(a, o, S("environments"), list);
    return o;
}

static struct json *show_all(struct lambda_state *lambda, struct arena *a, struct str prefix)
{
    struct json *list = json_new(a, JSON_ARRAY);
    size_t pos = 0;
    void *value;
    while (lambda->timeline && map_next(&lambda->timeline->functions, &pos, NULL, &value)) {
        struct known *k = value;
        if (str_starts(k->key, prefix))
            json_add(list, show_function(a, k, false));
    }
    return list;
}

void timeline_serve(void *state, struct http_request *req)
{
    static const struct http_header headers[] = {
        {S_INIT("Content-Type"), S_INIT("application/json")},
        {S_INIT("Cache-Control"), S_INIT("no-store")},
    };
    struct lambda_state *lambda = state;
    struct arena *a = req->arena;
    struct str function = wire_query_get(a, req->query, S("function"));
    struct str region = wire_query_get(a, req->query, S("region"));
    struct str account = wire_query_get(a, req->query, S("account"));
    if (!account.n)
        account = S("000000000000");
    struct str prefix = str_printf(a, "%.*s/%.*s/", STR(account), STR(region));
    struct json *o;
    if (!str_is(req->method, "GET")) {
        http_reply(req, 405, NULL, 0, body_mem(S("only GET\n")));
        return;
    }
    if (function.n) {
        struct str key = str_printf(a, "%.*s%.*s", STR(prefix), STR(function));
        struct known *k = lambda->timeline ? map_find(&lambda->timeline->functions, key) : NULL;
        struct known none = {.key = key};
        list_init(&none.tracks);
        o = show_function(a, k ? k : &none, true);
    } else {
        o = json_new(a, JSON_OBJECT);
        json_set(a, o, S("functions"), show_all(lambda, a, prefix));
    }
    http_reply(req, 200, headers, 2, body_mem(json_text(a, o, -1)));
}
