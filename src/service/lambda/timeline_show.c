/* timeline_show - what `lamina inspect` asks for, as JSON. */
#include "base/clock.h"
#include "base/json.h"
#include "service/lambda/pool.h"
#include "service/lambda/timeline_own.h"
#include "wire/request.h"

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
    track_read_meters(k);
    set_text(a, o, "id", str_from(k->id));
    set_text(a, o, "version", str_from(k->version));
    set_text(a, o, "initializationType",
             k->provisioned ? S("provisioned-concurrency") : S("on-demand"));
    set_text(a, o, "state", str_from(state_of(k)));
    if (k->met)
        set_text(a, o, "start", k->spare ? S("spare") : S("exec"));
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

static struct str asked_account(struct http_request *req)
{
    struct str account = wire_query_get(req->arena, req->query, S("account"));
    return account.n ? account : S("000000000000");
}

static void reply_json(struct http_request *req, const struct json *o)
{
    static const struct http_header headers[] = {
        {S_INIT("Content-Type"), S_INIT("application/json")},
        {S_INIT("Cache-Control"), S_INIT("no-store")},
    };
    http_reply(req, 200, headers, 2, body_mem(json_text(req->arena, o, -1)));
}

void timeline_drop(void *state, struct http_request *req)
{
    struct lambda_state *lambda = state;
    struct arena *a = req->arena;
    struct pool_drop d = {
        .account = asked_account(req),
        .region = wire_query_get(a, req->query, S("region")),
        .function = wire_query_get(a, req->query, S("function")),
        .version = wire_query_get(a, req->query, S("version")),
    };
    if (!str_is(req->method, "POST")) {
        http_reply(req, 405, NULL, 0, body_mem(S("only POST\n")));
        return;
    }
    if (!d.region.n || !d.function.n) {
        http_reply(req, 400, NULL, 0, body_mem(S("region and function are needed\n")));
        return;
    }
    pool_drop_idle(lambda->pool, &d);
    struct json *o = json_new(a, JSON_OBJECT);
    set_int(a, o, "dropped", d.dropped);
    set_int(a, o, "busy", d.busy);
    set_int(a, o, "provisioned", d.provisioned);
    set_int(a, o, "ending", d.ending);
    reply_json(req, o);
}

void timeline_serve(void *state, struct http_request *req)
{
    struct lambda_state *lambda = state;
    struct arena *a = req->arena;
    struct str function = wire_query_get(a, req->query, S("function"));
    struct str region = wire_query_get(a, req->query, S("region"));
    struct str account = asked_account(req);
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
    reply_json(req, o);
}
