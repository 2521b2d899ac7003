/* stream - answers that leave while they are made, and those that no operation models. */
#include <errno.h>
#include "cloud/internal.h"

static void on_drain(struct http_request *req)
{
    struct frame *f = req->user;
    if (f->call.on_drain)
        f->call.on_drain(&f->call);
}

void call_stream_begin(struct call *call, const struct wire_response *head)
{
    struct frame *f = frame_of(call);
    struct wire_response encoded;
    if (!head) {
        wire_encode_output(&f->route, call->out, call->request_id, call->arena, &encoded);
        head = &encoded;
    }
    f->streaming = true;
    if (!f->request)
        return;
    struct http_header *headers = ARENA_ARRAY(call->arena, struct http_header, head->n_headers + 1);
    size_t n = head->n_headers;
    for (size_t i = 0; i < n; i++)
        headers[i] = (struct http_header){head->headers[i].name, head->headers[i].value};
    if (call->trace_id.n)
        headers[n++] = (struct http_header){S("X-Amzn-Trace-Id"), call->trace_id};
    f->request->on_drain = on_drain;
    http_reply_start(f->request, head->status, headers, n);
}

bool call_stream(struct call *call, struct str bytes)
{
    struct frame *f = frame_of(call);
    return !f->request || http_write(f->request, bytes);
}

void stream_end(struct frame *f)
{
    if (!f->request)
        frame_release(f);
    else if (f->call.result < 0)
        http_abort(f->request);
    else
        http_end(f->request);
}

static void lose_client(struct frame *f)
{
    f->request->on_drain = NULL;
    f->request = NULL;
    f->call.http = NULL;
    if (f->call.on_gone)
        f->call.on_gone(&f->call);
}

bool stream_client_left(struct frame *f)
{
    if (!f->streaming || f->finished)
        return false;
    lose_client(f);
    return true;
}

/* The head has not left, and will not: what the stream says next is for nobody. */
void stream_turn_failed(struct frame *f)
{
    struct http_request *req = f->request;
    if (!req)
        return;
    req->on_done = NULL;
    http_reply(req, 500, NULL, 0, body_mem(S("the data directory cannot be written\n")));
    if (f->finished)
        frame_release(f);
    else
        lose_client(f);
}

void call_answer(struct call *call, const struct wire_response *answer)
{
    frame_of(call)->answer = answer;
}

int call_identify(struct call *call, bool *ret_anonymous)
{
    struct frame *f = frame_of(call);
    struct wire_error err = {0};
    int r = identity_verify(f, &err);
    *ret_anonymous = f->auth.anonymous;
    if (r == 0 || f->auth.anonymous)
        return 0;
    return call_fail_code(call, err.code, err.status, err.message);
}
