/* telemetry - see telemetry.h. */
#include "service/lambda/telemetry.h"
#include <errno.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "service/lambda/instance.h"
#include "service/lambda/telemetry_send.h"

#define SUBSCRIBERS_MAX 10
#define HELD_MAX 20
#define TOTAL_MAX (64 * 1024 * 1024) /* of what all subscribers have not got yet */

struct subscriber {
    struct list link;
    struct instance *in;
    struct arena arena;
    struct str name;
    enum telemetry_api api;
    struct telemetry_request want;
    struct sender *sender;
    struct buf queue; /* events with what separates them, without brackets */
    int64_t n_queued, n_sent, bytes_sent;
    int64_t dropped_records, dropped_bytes;
    struct str why_dropped;
    bool due; /* deliver as soon as it can be */
    uv_timer_t timer;
};

static int64_t total; /* bytes in queues */

static void deliver(struct subscriber *s);

void telemetry_init(struct telemetry *t)
{
    *t = (struct telemetry){0};
    list_init(&t->subscribers);
}

static void timer_closed(uv_handle_t *handle)
{
    struct subscriber *s = handle->data;
    total -= (int64_t)s->queue.n;
    buf_done(&s->queue);
    arena_done(&s->arena);
    free(s);
}

void telemetry_done(struct telemetry *t)
{
    LIST_EACH(&t->subscribers, struct subscriber, link, s) {
        list_remove(&s->link);
        sender_free(s->sender);
        s->sender = NULL;
        uv_close((uv_handle_t *)&s->timer, timer_closed);
    }
}

/* ---- queues ---- */

static void on_timer(uv_timer_t *timer)
{
    deliver(timer->data);
}

static void drop(struct subscriber *s, int64_t records, int64_t bytes, struct str why)
{
    s->dropped_records += records;
    s->dropped_bytes += bytes;
    s->why_dropped = str_eq(s->why_dropped, why) ? s->why_dropped : str_copy(&s->arena, why);
}

static void queue_event(struct subscriber *s, struct str event)
{
    size_t before = s->queue.n;
    if (s->n_queued)
        buf_byte(&s->queue, s->want.tcp ? '\n' : ',');
    buf_str(&s->queue, event);
    s->n_queued++;
    total += (int64_t)(s->queue.n - before);
}

/* One that has fallen behind keeps up to two batches; what comes then is lost. */
static void push(struct subscriber *s, struct str event)
{
    bool full = (int64_t)(s->queue.n + event.n) > 2 * s->want.max_bytes ||
                s->n_queued >= 2 * s->want.max_items || total + (int64_t)event.n > TOTAL_MAX;
    if (full && (s->n_queued || sender_busy(s->sender))) {
        drop(s, 1, (int64_t)event.n,
             S("Consumer seems to have fallen behind as it has not acknowledged receipt of logs."));
        return;
    }
    queue_event(s, event);
    if (s->n_queued >= s->want.max_items || (int64_t)s->queue.n >= s->want.max_bytes)
        deliver(s);
    else if (!uv_is_active((uv_handle_t *)&s->timer))
        uv_timer_start(&s->timer, on_timer, (uint64_t)s->want.timeout_ms, 0);
}

static void tell_dropped(struct subscriber *s)
{
    struct platform_event e = {
        .type = PLATFORM_LOGS_DROPPED,
        .name = s->name,
        .text = s->why_dropped,
        .dropped_records = s->dropped_records,
        .dropped_bytes = s->dropped_bytes,
    };
    if (!s->dropped_records)
        return;
    s->dropped_records = s->dropped_bytes = 0;
    if (s->want.types & TYPE_PLATFORM) {
        struct report_facts none = {0};
        struct buf b;
        buf_init(&b, 4096);
        e.time_ms = clock_now_ms();
        report_json(&b, &none, &e, s->want.schema);
        queue_event(s, buf_view(&b));
        buf_done(&b);
    }
    platform_emit(s->in, &e); /* for the log */
}

static void deliver(struct subscriber *s)
{
    if (s->in->telemetry.frozen || sender_busy(s->sender)) {
        s->due = true;
        return;
    }
    tell_dropped(s);
    s->due = false;
    uv_timer_stop(&s->timer);
    if (!s->n_queued)
        return;
    struct buf body;
    buf_init(&body, 8 << 20);
    if (!s->want.tcp)
        buf_byte(&body, '[');
    buf_str(&body, buf_view(&s->queue));
    buf_byte(&body, s->want.tcp ? '\n' : ']');
    total -= (int64_t)s->queue.n;
    s->n_sent = s->n_queued;
    s->bytes_sent = (int64_t)s->queue.n;
    s->n_queued = 0;
    buf_done(&s->queue);
    buf_init(&s->queue, 4 << 20);
    sender_send(s->sender, &body);
    buf_done(&body);
}

static int ask_socket(void *user)
{
    struct subscriber *s = user;
    return s->in->env ? environment_ask_socket(s->in->env) : -ESRCH;
}

static void delivered(void *user, int error, int status)
{
    struct subscriber *s = user;
    char why[128];
    if (error < 0)
        snprintf(why, sizeof(why), "The subscriber did not take them: %s.", strerror(-error));
    else
        snprintf(why, sizeof(why), "The subscriber answered with status %d.", status);
    if (error < 0 || (!s->want.tcp && (status < 200 || status > 299)))
        drop(s, s->n_sent, s->bytes_sent, str_from(why));
    if (s->due || s->dropped_records)
        uv_timer_start(&s->timer, on_timer, s->due ? 0 : (uint64_t)s->want.timeout_ms, 0);
}

bool telemetry_holds(struct telemetry *t)
{
    bool busy = false;
    LIST_EACH(&t->subscribers, struct subscriber, link, s)
        busy = busy || sender_busy(s->sender);
    return busy && t->held++ < HELD_MAX;
}

void telemetry_socket(struct environment *env, int fd, void *user)
{
    (void)env;
    struct instance *in = user;
    LIST_EACH(&in->telemetry.subscribers, struct subscriber, link, s) {
        if (!sender_asks(s->sender))
            continue;
        sender_socket(s->sender, fd);
        return;
    }
    if (fd >= 0)
        close(fd);
}

/* ---- events ---- */

static bool is_subscribed(const struct telemetry *t)
{
    return t->subscribers.next && !list_empty(&t->subscribers);
}

/* What the Logs API tells of a failure beside everything else. */
static void push_fault(struct subscriber *s, const struct report_facts *facts,
                       const struct platform_event *e)
{
    struct platform_event fault = {.type = PLATFORM_FAULT, .time_ms = e->time_ms};
    struct buf text, b;
    buf_init(&text, 4096);
    buf_init(&b, 8192);
    buf_printf(&text, "RequestId: %.*s Status: %s", STR(e->request_id),
               report_status_name(e->status));
    if (e->error_type.n)
        buf_printf(&text, "\tErrorType: %.*s", STR(e->error_type));
    fault.text = buf_view(&text);
    report_json(&b, facts, &fault, s->want.schema);
    push(s, buf_view(&b));
    buf_done(&text);
    buf_done(&b);
}

static void push_event(struct subscriber *s, const struct report_facts *facts,
                       const struct platform_event *e)
{
    struct buf b;
    if (!(s->want.types & TYPE_PLATFORM))
        return;
    buf_init(&b, 1 << 20);
    if (e->type == PLATFORM_RUNTIME_DONE && e->status != REPORT_SUCCESS && s->api == API_LOGS)
        push_fault(s, facts, e);
    if (e->type == PLATFORM_REPORT && s->api == API_LOGS) {
        report_json_end(&b, e);
        push(s, buf_view(&b));
        buf_clear(&b);
    }
    if (report_json(&b, facts, e, s->want.schema))
        push(s, buf_view(&b));
    buf_done(&b);
}

static void freeze_all(struct telemetry *t, bool frozen)
{
    t->frozen = frozen;
    LIST_EACH(&t->subscribers, struct subscriber, link, s) {
        sender_freeze(s->sender, frozen);
        if (!frozen && (s->n_queued || s->due))
            deliver(s);
    }
}

void telemetry_event(struct instance *in, const struct report_facts *facts,
                     const struct platform_event *e)
{
    struct telemetry *t = &in->telemetry;
    if (e->type == PLATFORM_INIT_START) {
        t->began = true;
        t->closed = t->frozen = false;
        t->init_start = *e; /* it has no texts */
    } else if (e->type == PLATFORM_INIT_REPORT) {
        t->closed = true;
    } else if (e->type == PLATFORM_START) {
        t->held = 0;
    } else if (e->type == PLATFORM_ENV_FROZEN || e->type == PLATFORM_ENV_THAWED) {
        freeze_all(t, e->type == PLATFORM_ENV_FROZEN);
        return;
    }
    if (e->type >= PLATFORM_ENV_FROZEN || e->type == PLATFORM_LOGS_DROPPED || !is_subscribed(t))
        return;
    bool flush = e->type == PLATFORM_INIT_REPORT || e->type == PLATFORM_RUNTIME_DONE ||
                 e->type == PLATFORM_REPORT;
    LIST_EACH(&t->subscribers, struct subscriber, link, s) {
        push_event(s, facts, e);
        if (flush)
            deliver(s);
    }
}

void telemetry_output(struct instance *in, enum platform_source source, int64_t time_ms,
                      struct str text, bool is_object)
{
    if (!is_subscribed(&in->telemetry))
        return;
    unsigned type = source == PLATFORM_FUNCTION ? TYPE_FUNCTION : TYPE_EXTENSION;
    struct buf b;
    buf_init(&b, 4 << 20);
    LIST_EACH(&in->telemetry.subscribers, struct subscriber, link, s) {
        if (!(s->want.types & type))
            continue;
        buf_clear(&b);
        report_json_output(&b, source, time_ms, text,
                           is_object && s->want.schema >= SCHEMA_TELEMETRY_2022_12_13);
        push(s, buf_view(&b));
    }
    buf_done(&b);
}

/* ---- subscribing ---- */

static void answer_error(struct http_request *req, int status, enum telemetry_api api,
                         const char *type, struct str message)
{
    static const struct http_header json[] = {{S_INIT("Content-Type"), S_INIT("application/json")}};
    struct arena *a = req->arena;
    struct json *o = json_new(a, JSON_OBJECT);
    json_set(a, o, S("errorMessage"), json_new_str(a, message));
    json_set(a, o, S("errorType"),
             json_new_str(a, str_printf(a, "%s.%s", api == API_LOGS ? "Logs" : "Telemetry", type)));
    struct str text = json_text(a, o, -1);
    http_reply(req, status, json, 1, body_mem(str_printf(a, "%.*s\n", STR(text))));
}

static struct subscriber *find(struct telemetry *t, struct str name)
{
    LIST_EACH(&t->subscribers, struct subscriber, link, s)
        if (str_eq(s->name, name))
            return s;
    return NULL;
}

static size_t count(const struct telemetry *t)
{
    size_t n = 0;
    LIST_EACH(&t->subscribers, struct subscriber, link, s) {
        (void)s;
        n++;
    }
    return n;
}

static struct subscriber *subscriber_new(struct instance *in, struct str name,
                                         enum telemetry_api api)
{
    struct subscriber *s = MEM_NEW(struct subscriber);
    arena_init(&s->arena);
    s->in = in;
    s->api = api;
    s->name = str_copy(&s->arena, name);
    buf_init(&s->queue, 4 << 20);
    uv_timer_init(in->lambda->loop, &s->timer);
    uv_unref((uv_handle_t *)&s->timer);
    s->timer.data = s;
    list_append(&in->telemetry.subscribers, &s->link);
    return s;
}

static void take_request(struct subscriber *s, const struct telemetry_request *want)
{
    struct arena *a = &s->arena;
    s->want = *want;
    s->want.method = s->want.host = s->want.path = (struct str){0}; /* of the request */
    struct sender_options options = {
        .loop = s->in->lambda->loop,
        .tcp = want->tcp,
        .port = want->port,
        .ask = ask_socket,
        .done = delivered,
        .user = s,
    };
    if (!want->tcp) {
        options.method = str_c(a, str_copy(a, want->method));
        options.host = str_c(a, str_copy(a, want->host));
        options.path = str_c(a, str_copy(a, want->path));
    }
    sender_free(s->sender);
    s->sender = sender_new(&options);
}

#define LOGS_PATH "/2020-08-15/logs"
#define TELEMETRY_PATH "/2022-07-01/telemetry"

bool telemetry_wants(struct str path)
{
    return str_is(path, LOGS_PATH) || str_is(path, LOGS_PATH "/") || str_is(path, TELEMETRY_PATH) ||
           str_is(path, TELEMETRY_PATH "/");
}

void telemetry_subscribe(struct instance *in, struct http_request *req, struct str extension)
{
    struct telemetry *t = &in->telemetry;
    enum telemetry_api api = str_starts(req->path, S(LOGS_PATH)) ? API_LOGS : API_TELEMETRY;
    struct telemetry_request want;
    struct str body = {0}, wrong = {0};
    if (t->closed) {
        answer_error(req, 403, api, "SubscriptionClosed",
                     api == API_LOGS ? S("Logs API subscription is closed already")
                                     : S("Telemetry API subscription is closed already"));
        return;
    }
    if (req->body.has && body_load(&req->body, 1 << 20, req->arena, &body) < 0)
        wrong = S("the body is too large");
    if (wrong.n || telemetry_request_parse(req->arena, api, body, &want, &wrong) < 0) {
        answer_error(req, 400, api, "ValidationError", wrong);
        return;
    }
    struct subscriber *s = find(t, extension);
    if (s && s->api != api) {
        answer_error(req, 400, api, "ValidationError",
                     str_printf(req->arena, "the extension has subscribed to the %s API already",
                                api == API_LOGS ? "Telemetry" : "Logs"));
        return;
    }
    if (!s && count(t) >= SUBSCRIBERS_MAX) {
        answer_error(req, 400, api, "ValidationError", S("there are too many subscribers"));
        return;
    }
    bool is_new = !s;
    if (is_new)
        s = subscriber_new(in, extension, api);
    if (is_new || !sender_busy(s->sender))
        take_request(s, &want);
    if (is_new && t->began) { /* it has missed the beginning */
        struct report_facts facts;
        platform_facts(in, &facts);
        push_event(s, &facts, &t->init_start);
    }
    platform_emit(in, &(struct platform_event){
                          .type = api == API_LOGS ? PLATFORM_LOGS_SUBSCRIPTION
                                                  : PLATFORM_TELEMETRY_SUBSCRIPTION,
                          .name = s->name,
                          .state = is_new ? S("Subscribed") : S("Already subscribed"),
                          .items = want.type_list,
                          .n_items = want.n_types,
                      });
    static const struct http_header text[] = {
        {S_INIT("Content-Type"), S_INIT("text/plain; charset=utf-8")}};
    http_reply(req, 200, text, 1, body_mem(S("\"OK\"")));
}
