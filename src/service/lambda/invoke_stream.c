/* invoke_stream - the InvokeWithResponseStream operation: the answer as an event stream, while it
 * is made. Errors before its first event are answers of their own. */
#include "base/digest.h"
#include "service/lambda/invoke.h"
#include "service/lambda/pool.h"
#include "service/lambda/recursion.h"
#include "wire/eventstream.h"
#include "wire/walk.h"

#define PIECE_MAX (128 * 1024) /* of an answer that was not streamed */

struct streaming {
    struct invocation inv; /* first */
    struct call *call;
    bool begun;
};

static void begin(struct invocation *inv, struct str content_type)
{
    struct streaming *s = (struct streaming *)inv;
    struct lambda_invoke_with_response_stream_output *out = s->call->out;
    out->status_code = opt_int(200);
    out->executed_version = str_copy(s->call->arena, inv->target->version);
    out->response_stream_content_type = S("application/vnd.amazon.eventstream");
    s->begun = true;
    call_stream_begin(s->call, NULL);
}

static bool send_event(struct streaming *s, const char *type, const char *content_type,
                       struct str payload)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    eventstream_write_event(&b, type, content_type, payload);
    return call_stream(s->call, buf_view(&b));
}

static bool data(struct invocation *inv, struct str bytes)
{
    return send_event((struct streaming *)inv, "PayloadChunk", "application/octet-stream", bytes);
}

static void complete(struct streaming *s)
{
    const struct lambda_invoke_with_response_stream_input *in = s->call->in;
    struct lambda_invoke_with_response_stream_complete_event e = {0};
    if (s->inv.failed) {
        e.error_code = S("Unhandled");
        e.error_details = s->inv.answer;
    }
    if (str_is(in->log_type, "Tail"))
        e.log_result = base64_encode(s->call->arena, s->inv.log);
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    wire_json_write(&b, &lambda_invoke_with_response_stream_complete_event_shape, &e);
    send_event(s, "InvokeComplete", "application/json", buf_view(&b));
}

static void done(struct invocation *inv)
{
    struct streaming *s = (struct streaming *)inv;
    struct call *call = s->call;
    int r = invoke_outcome(call, inv);
    if (r == 0 || s->begun) {
        struct str rest = inv->failed ? S("") : inv->answer;
        if (!s->begun)
            begin(inv, S(""));
        for (; rest.n; rest = str_slice(rest, PIECE_MAX, rest.n))
            data(inv, str_slice(rest, 0, PIECE_MAX));
        complete(s);
        r = 0;
    }
    target_drop(inv->target);
    call_finish(call, r);
}

static const struct response_sink sink = {begin, data};

static void on_drain(struct call *call)
{
    invocation_drained(call->gone_user);
}

static int invoke_with_response_stream(struct call *call,
                                       const struct lambda_invoke_with_response_stream_input *in,
                                       struct lambda_invoke_with_response_stream_output *out)
{
    struct invoke_request q = {in->function_name, in->qualifier,      in->invocation_type,
                               in->log_type,      in->client_context, in->payload};
    struct streaming *s = ARENA_NEW(call->arena, struct streaming);
    struct invocation *inv = &s->inv;
    struct function_ref ref;
    int r = invoke_prepare(call, &q, inv, &ref);
    if (r == INVOKE_DRY) {
        out->status_code = opt_int(204);
        return 0;
    }
    if (r < 0)
        return r;
    s->call = call;
    inv->sink = &sink;
    inv->done = done;
    call->gone_user = inv;
    call->on_drain = call->on_gone = on_drain; /* nobody is never full */
    return invoke_begin(call, ref.name, inv);
}

const struct handler lambda_invoke_stream_handlers[] = {
    {lambda_invoke_with_response_stream_run(invoke_with_response_stream), "InvokeFunction",
     "function:{FunctionName}"},
    {0},
};
