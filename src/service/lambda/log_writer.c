/* log_writer - see log_writer.h.
 *
 *     ABSENT --CreateLogStream--> READY --PutLogEvents--> READY
 *       |  ResourceNotFound: CreateLogGroup, and again
 *       +--AccessDenied, anything else--> events of this batch are dropped */
#include "service/lambda/log_writer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/logs.h"

#define EVENT_MAX (256 * 1024)
#define EVENT_COST 256                /* of memory and work, beside the text */
#define PENDING_FULL (1024 * 1024)    /* who prints waits */
#define PENDING_MAX (8 * 1024 * 1024) /* what cannot wait is lost */
#define BATCH_BYTES (1000 * 1000)     /* of 1048576 */
#define BATCH_EVENTS 250              /* of 10000: a batch is written in one turn of the loop */
#define DELAY_MS 20
/* Of a stream that prints without end: a tenth of the loop, in pieces that nobody notices who waits
 * for an answer meanwhile. */
#define FLOOD_EVENTS 32
#define FLOOD_REST_MS 1
#define ARENA_BYTES 448 /* names */

struct event {
    struct list link;
    int64_t time_ms;
    size_t n;
    char text[];
};

struct log_stream {
    struct lambda_state *state;
    struct arena arena;
    struct str group, name, account, region;
    struct principal who; /* the function's role */
    struct list events;
    size_t pending_bytes;
    int64_t last_ms;
    uv_timer_t timer;
    bool exists, group_tried, closing;
    bool warned;
    bool flooded;               /* who prints waits, or has waited and not all of it is written */
    int64_t n_lost, lost_bytes; /* and not told yet */
    int64_t output_bytes;       /* taken, ever */
    void (*on_room)(void *user);
    void *room_user;
    /* The batch on its way. */
    struct call *call;
    const struct logs_put_log_events_input *batch;
};

struct str log_stream_name(struct arena *a, const struct target *t, int64_t now_ms)
{
    struct str day = clock_iso8601_s(a, now_ms);
    struct str usual = str_printf(a, "/aws/lambda/%.*s", STR(t->name));
    bool custom = !str_eq(usual, t->c->logging_config->log_group);
    return str_printf(a, "%.4s/%.2s/%.2s/%.*s[%.*s]%.*s", day.p, day.p + 5, day.p + 8,
                      custom ? (int)t->name.n : 0, t->name.p, STR(t->version),
                      STR(random_hex(a, 32)));
}

static void flush(struct log_stream *s);

static void on_timer(uv_timer_t *timer)
{
    flush(timer->data);
}

struct log_stream *log_stream_new(struct lambda_state *state, const struct target *t,
                                  struct str name)
{
    struct log_stream *s = MEM_NEW(struct log_stream);
    arena_init_small(&s->arena, ARENA_BYTES);
    struct arena *a = &s->arena;
    s->state = state;
    s->group = str_copy(a, t->c->logging_config->log_group);
    s->name = str_copy(a, name);
    s->account = str_copy(a, t->account);
    s->region = str_copy(a, t->region);
    struct str role = t->c->role;
    ssize_t slash = str_find_last_byte(role, '/');
    s->who.type = PRINCIPAL_ROLE_SESSION;
    s->who.account = s->account;
    s->who.role_name = str_copy(a, str_slice(role, (size_t)(slash + 1), role.n));
    s->who.arn = str_printf(a, "arn:aws:sts::%.*s:assumed-role/%.*s/%.*s", STR(s->account),
                            STR(s->who.role_name), STR(t->name));
    list_init(&s->events);
    uv_timer_init(state->loop, &s->timer);
    s->timer.data = s;
    uv_unref((uv_handle_t *)&s->timer);
    return s;
}

static void drop_events(struct log_stream *s)
{
    LIST_EACH(&s->events, struct event, link, e) {
        list_remove(&e->link);
        free(e);
    }
    s->pending_bytes = 0;
}

static void closed(uv_handle_t *handle)
{
    struct log_stream *s = handle->data;
    drop_events(s);
    arena_done(&s->arena);
    free(s);
}

static void batch_over(struct log_stream *s)
{
    call_close(s->call);
    s->call = NULL;
    s->batch = NULL;
    if (s->on_room && !log_stream_full(s)) {
        void (*on_room)(void *) = TAKE(s->on_room);
        on_room(s->room_user);
    }
    if (list_empty(&s->events))
        s->flooded = false;
    if (!list_empty(&s->events) && s->closing)
        flush(s);
    else if (!list_empty(&s->events)) /* others have a turn in between */
        uv_timer_start(&s->timer, on_timer, s->flooded ? FLOOD_REST_MS : 0, 0);
    else if (s->closing)
        uv_close((uv_handle_t *)&s->timer, closed);
}

static void batch_failed(struct log_stream *s, struct call *child)
{
    if (!s->warned) {
        s->warned = true;
        log_debug("lambda: logs of %.*s are not written: %.*s", STR(s->group), STR(child->message));
    }
    batch_over(s);
}

static void put_batch(struct log_stream *s);

static bool failed_with(struct call *child, const char *code)
{
    return child->result < 0 && child->error && str_is(str_from(child->error->code), code);
}

static void stream_made(struct call *child, void *user);

static void make_stream(struct log_stream *s)
{
    struct logs_create_log_stream_input *in =
        ARENA_NEW(s->call->arena, struct logs_create_log_stream_input);
    in->log_group_name = s->group;
    in->log_stream_name = s->name;
    call_send_as(s->call, &s->who, &logs_create_log_stream_op, in, stream_made, s);
}

static void group_made(struct call *child, void *user)
{
    struct log_stream *s = user;
    if (child->result < 0 && !failed_with(child, "ResourceAlreadyExistsException"))
        batch_failed(s, child);
    else
        make_stream(s);
}

static void make_group(struct log_stream *s)
{
    struct logs_create_log_group_input *in =
        ARENA_NEW(s->call->arena, struct logs_create_log_group_input);
    in->log_group_name = s->group;
    call_send_as(s->call, &s->who, &logs_create_log_group_op, in, group_made, s);
}

static void stream_made(struct call *child, void *user)
{
    struct log_stream *s = user;
    if (failed_with(child, "ResourceNotFoundException") && !s->group_tried) {
        s->group_tried = true;
        make_group(s);
    } else if (child->result < 0 && !failed_with(child, "ResourceAlreadyExistsException")) {
        batch_failed(s, child);
    } else {
        s->exists = true;
        put_batch(s);
    }
}

static void batch_put(struct call *child, void *user)
{
    struct log_stream *s = user;
    if (failed_with(child, "ResourceNotFoundException") && !s->group_tried) {
        s->exists = false; /* somebody has deleted it */
        make_stream(s);
    } else if (child->result < 0) {
        batch_failed(s, child);
    } else {
        batch_over(s);
    }
}

static void put_batch(struct log_stream *s)
{
    call_send_as(s->call, &s->who, &logs_put_log_events_op, s->batch, batch_put, s);
}

static void flush(struct log_stream *s)
{
    if (s->call || list_empty(&s->events))
        return;
    s->call = call_open(s->state->cloud, s->account, s->region, &s->who);
    struct arena *a = s->call->arena;
    struct logs_put_log_events_input *in = ARENA_NEW(a, struct logs_put_log_events_input);
    in->log_group_name = s->group;
    in->log_stream_name = s->name;
    size_t n = 0, bytes = 0, most = s->flooded && !s->closing ? FLOOD_EVENTS : BATCH_EVENTS;
    for (struct list *l = s->events.next; l != &s->events && n < most; l = l->next, n++)
        ;
    in->log_events.items = ARENA_ARRAY(a, struct logs_input_log_event, n);
    LIST_EACH(&s->events, struct event, link, e) {
        if (in->log_events.n == n || bytes + e->n + 26 > BATCH_BYTES)
            break;
        bytes += e->n + 26;
        in->log_events.items[in->log_events.n++] =
            (struct logs_input_log_event){opt_int(e->time_ms), str_copy(a, str_of(e->text, e->n))};
        s->pending_bytes -= e->n + EVENT_COST;
        list_remove(&e->link);
        free(e);
    }
    s->batch = in;
    s->group_tried = false;
    if (s->exists)
        put_batch(s);
    else
        make_stream(s);
}

static void add(struct log_stream *s, int64_t time_ms, struct str text)
{
    struct event *e = mem_alloc(sizeof(*e) + text.n);
    e->link = (struct list){0};
    e->time_ms = time_ms;
    e->n = text.n;
    memcpy(e->text, text.p, text.n);
    list_append(&s->events, &e->link);
    s->pending_bytes += text.n + EVENT_COST;
}

/* What was lost is told where it is missing. */
static void tell_lost(struct log_stream *s, int64_t time_ms)
{
    char text[160];
    if (!s->n_lost)
        return;
    int n = snprintf(
        text, sizeof(text), "LAMINA: %lld log events (%lld bytes) are missing here: %s\n",
        (long long)s->n_lost, (long long)s->lost_bytes,
        s->output_bytes > LOG_OUTPUT_MAX ? "this environment has printed all that is kept of one"
                                         : "they came faster than they can be written");
    s->n_lost = s->lost_bytes = 0;
    add(s, time_ms, str_of(text, (size_t)n));
}

void log_stream_add(struct log_stream *s, int64_t time_ms, struct str message)
{
    if (time_ms < s->last_ms) /* events of a batch must be in order */
        time_ms = s->last_ms;
    s->last_ms = time_ms;
    while (message.n > 0) {
        size_t n = message.n < EVENT_MAX ? message.n : EVENT_MAX;
        if (s->pending_bytes + n + EVENT_COST > PENDING_MAX) {
            s->n_lost++;
            s->lost_bytes += (int64_t)n;
        } else {
            tell_lost(s, time_ms);
            add(s, time_ms, str_slice(message, 0, n));
        }
        message = str_slice(message, n, message.n);
    }
    if (!s->call && !uv_is_active((uv_handle_t *)&s->timer))
        uv_timer_start(&s->timer, on_timer, DELAY_MS, 0);
}

void log_stream_add_output(struct log_stream *s, int64_t time_ms, struct str message)
{
    s->output_bytes += (int64_t)message.n;
    if (s->output_bytes <= LOG_OUTPUT_MAX) {
        log_stream_add(s, time_ms, message);
    } else {
        s->n_lost++;
        s->lost_bytes += (int64_t)message.n;
    }
}

bool log_stream_full(const struct log_stream *s)
{
    return s->pending_bytes > PENDING_FULL;
}

void log_stream_when_room(struct log_stream *s, void (*on_room)(void *user), void *user)
{
    s->flooded = s->flooded || on_room;
    s->on_room = on_room;
    s->room_user = user;
}

void log_stream_close(struct log_stream *s)
{
    if (!s || s->closing)
        return;
    s->closing = true;
    s->on_room = NULL;
    uv_timer_stop(&s->timer);
    tell_lost(s, s->last_ms);
    if (s->call)
        return; /* batch_over() goes on */
    if (list_empty(&s->events))
        uv_close((uv_handle_t *)&s->timer, closed);
    else
        flush(s);
}
