/* response_stream - see response_stream.h. */
#include "service/lambda/response_stream.h"
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "service/lambda/instance_own.h"
#include "service/lambda/json_check.h"

#define NS_PER_S 1000000000LL

/* Freed when its timer is closed. */
struct response_stream {
    struct instance *in;
    struct invocation *inv;
    struct http_request *req;
    int64_t bytes;
    bool sink_full, too_fast;
    struct token_bucket bucket;
    double scale; /* of its time */
    uv_timer_t timer;
};

/* ---- the rate ---- */

void token_bucket_init(struct token_bucket *b, int64_t capacity, int64_t rate, int64_t now_ns)
{
    *b = (struct token_bucket){.capacity = capacity, .rate = rate, .last_ns = now_ns};
    b->level_ns = capacity * NS_PER_S / rate;
}

int64_t token_bucket_take(struct token_bucket *b, int64_t n, int64_t now_ns)
{
    int64_t full = b->capacity * NS_PER_S / b->rate;
    b->level_ns += now_ns - b->last_ns;
    b->last_ns = now_ns;
    if (b->level_ns > full)
        b->level_ns = full;
    b->level_ns -= n * NS_PER_S / b->rate;
    return b->level_ns < 0 ? -b->level_ns : 0;
}

/* ---- the stream ---- */

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Nobody streams any more; the request lives on. */
static void detach(struct response_stream *s)
{
    if (s->inv && s->inv->stream == s)
        s->inv->stream = NULL;
    if (s->in->response == s)
        s->in->response = NULL;
    if (s->req) {
        s->req->user = NULL;
        s->req->on_gone = NULL;
    }
    uv_close((uv_handle_t *)&s->timer, timer_closed);
}

static void go_on(struct response_stream *s)
{
    if (!s->sink_full && !s->too_fast)
        http_resume(s->req); /* may end the stream */
}

static void on_timer(uv_timer_t *timer)
{
    struct response_stream *s = timer->data;
    s->too_fast = false;
    go_on(s);
}

void invocation_drained(struct invocation *inv)
{
    struct response_stream *s = inv->stream;
    if (!s || !s->sink_full)
        return;
    s->sink_full = false;
    go_on(s);
}

static void refuse_body(struct http_request *req, int status, const char *type, struct str message)
{
    static const struct http_header json[] = {{S_INIT("Content-Type"), S_INIT("application/json")}};
    http_reply(req, status, json, 1,
               body_mem(str_printf(req->arena, "{\"errorMessage\":\"%.*s\",\"errorType\":\"%s\"}\n",
                                   STR(message), type)));
}

static void too_long(struct response_stream *s)
{
    struct instance *in = s->in;
    struct http_request *req = s->req;
    struct str text = str_printf(
        req->arena, "Response payload size exceeded maximum allowed payload size (%lld bytes).",
        STREAM_MAX);
    detach(s);
    refuse_body(
        req, 413, "RequestEntityTooLarge",
        str_printf(req->arena, "Exceeded maximum allowed payload size (%lld bytes).", STREAM_MAX));
    instance_answer_error(in, S("Function.ResponseSizeTooLarge"), text);
}

/* The bucket's clock: tests compress its time. */
static int64_t bucket_now(const struct response_stream *s)
{
    return (int64_t)((double)clock_mono_ns() / s->scale);
}

static void on_data(struct http_request *req, struct str data)
{
    struct response_stream *s = req->user;
    if (!s)
        return; /* cut off: what is still on its way */
    s->bytes += (int64_t)data.n;
    work_produced(s->in, data.n);
    if (s->bytes > STREAM_MAX) {
        too_long(s);
        return;
    }
    int64_t debt_ns = token_bucket_take(&s->bucket, (int64_t)data.n, bucket_now(s));
    int64_t wait_ms = (int64_t)((double)debt_ns * s->scale) / 1000000;
    if (wait_ms > 0) {
        s->too_fast = true;
        uv_timer_start(&s->timer, on_timer, (uint64_t)wait_ms, 0);
    }
    s->sink_full = !s->inv->sink->data(s->inv, data);
    if (s->sink_full || s->too_fast)
        http_pause(req);
}

static void truncated(struct instance *in, const struct http_request *req)
{
    /* The id: a body of an invocation that timed out says nothing about the next one. */
    if (in->inv && in->state == INSTANCE_BUSY && str_find(req->path, in->inv->request_id) > 0)
        instance_answer_error(in, S("Runtime.TruncatedResponse"),
                              str_printf(in->inv->arena,
                                         "RequestId: %.*s Error: Response is "
                                         "truncated",
                                         STR(in->inv->request_id)));
}

/* The process has closed its connection in the middle: by crashing, mostly. */
static void on_gone(struct http_request *req)
{
    struct response_stream *s = req->user;
    struct instance *in = s->in;
    s->req = NULL;
    detach(s);
    truncated(in, req);
}

static void collected_gone(struct http_request *req)
{
    truncated(req->listener_user, req);
}

bool response_stream_wants(struct instance *in, struct http_request *req)
{
    struct invocation *inv = in->inv;
    req->on_gone = collected_gone;
    if (!str_eq_nocase(http_header_get(req, "Lambda-Runtime-Function-Response-Mode"),
                       S("streaming")) ||
        in->response || !inv->sink)
        return false;
    struct response_stream *s = MEM_NEW(struct response_stream);
    s->in = in;
    s->inv = inv;
    s->req = req;
    s->scale = cloud_lambda(in->lambda->cloud)->time_scale;
    token_bucket_init(&s->bucket, STREAM_BURST, STREAM_RATE, bucket_now(s));
    uv_timer_init(in->lambda->loop, &s->timer);
    s->timer.data = s;
    in->response = inv->stream = s;
    req->user = s;
    req->on_data = on_data;
    req->on_gone = on_gone;
    req->max_body = INT64_MAX;
    inv->sink->begin(inv, http_header_get(req, "Content-Type"));
    return true;
}

void response_stream_end(struct http_request *req)
{
    static const struct http_header json[] = {{S_INIT("Content-Type"), S_INIT("application/json")}};
    struct response_stream *s = req->user;
    struct str type, body = S("");
    if (!s) { /* cut off before its end */
        refuse_body(req, 403, "InvalidStateTransition",
                    S("State transition from Ready to InvocationResponse failed for runtime. "
                      "Error: State transition is not allowed"));
        return;
    }
    struct instance *in = s->in;
    bool failed = response_trailers_error(req, &type, &body);
    detach(s);
    http_reply(req, 202, json, 1, body_mem(S("{\"status\":\"OK\"}\n")));
    instance_answer(in, body, failed);
}

void response_stream_refused(struct http_request *req)
{
    struct response_stream *s = req->user;
    struct instance *in = req->listener_user;
    bool collected = req->on_gone == collected_gone;
    req->on_gone = NULL;
    if (s)
        detach(s);
    if (s || collected)
        truncated(in, req);
}

void response_stream_cut(struct instance *in)
{
    struct response_stream *s = TAKE(in->response);
    if (!s)
        return;
    struct http_request *req = s->req;
    bool rests = s->sink_full || s->too_fast;
    detach(s);
    if (rests)
        http_resume(req); /* what comes is thrown away; its end is noticed again */
}

/* ---- trailers ---- */

static struct str trailer(const struct http_request *req, const char *name)
{
    for (size_t i = 0; i < req->n_trailers; i++)
        if (str_eq_nocase(req->trailers[i].name, str_from(name)))
            return req->trailers[i].value;
    return (struct str){0};
}

bool response_trailers_error(struct http_request *req, struct str *ret_type, struct str *ret_body)
{
    struct str type = trailer(req, "Lambda-Runtime-Function-Error-Type");
    struct str encoded = trailer(req, "Lambda-Runtime-Function-Error-Body"), body;
    if (!str_has(type) && !str_has(encoded))
        return false;
    size_t at;
    const char *why;
    if (!encoded.n || base64_decode(req->arena, encoded, &body) < 0 ||
        !json_check(body, &at, &why)) {
        struct json *o = json_new(req->arena, JSON_OBJECT);
        json_set(req->arena, o, S("errorType"),
                 json_new_str(req->arena, type.n ? type : S("Runtime.Unknown")));
        json_set(req->arena, o, S("errorMessage"), json_new_str(req->arena, S("")));
        body = json_text(req->arena, o, -1);
    }
    *ret_type = type;
    *ret_body = body;
    return true;
}
