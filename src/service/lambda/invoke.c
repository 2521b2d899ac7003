/* invoke - the Invoke operation, and what InvokeWithResponseStream has in common with it. */
#include <errno.h>
#include "base/clock.h"
#include "base/digest.h"
#include "http/server.h"
#include "service/lambda/event.h"
#include "service/lambda/invoke.h"
#include "service/lambda/json_check.h"
#include "service/lambda/pool.h"
#include "service/lambda/recursion.h"

#define CLIENT_CONTEXT_MAX 3583 /* as it comes, in base64 */
#define INVOKE_OLD_ASYNC_MAX 262144

static int check_payload(struct call *call, struct str payload, bool async)
{
    size_t limit = async ? INVOKE_ASYNC_MAX : INVOKE_SYNC_MAX;
    if (payload.n > limit)
        return lambda_fail(call, LAMBDA_REQUEST_TOO_LARGE,
                           "%zu byte payload is too large for the %s invocation type (limit %zu "
                           "bytes)",
                           payload.n, async ? "Event" : "RequestResponse", limit);
    size_t at;
    const char *why;
    if (payload.n == 0 || json_check(payload, &at, &why))
        return 0;
    size_t line = 1, column = at + 1;
    for (size_t i = 0; i < at; i++)
        if (payload.p[i] == '\n') {
            line++;
            column = at - i;
        }
    return lambda_fail(call, LAMBDA_INVALID_REQUEST_CONTENT,
                       "Could not parse request body into json: Could not parse payload into json: "
                       "%s\n at [Source: (byte[])\"%.*s\"; line: %zu, column: %zu]",
                       why, (int)(payload.n < 500 ? payload.n : 500), payload.p, line, column);
}

/* Decoded and checked; absent when none is given. */
static int read_client_context(struct call *call, struct str encoded, struct str *ret)
{
    size_t at;
    const char *why;
    *ret = (struct str){0};
    if (!encoded.n)
        return 0;
    if (encoded.n > CLIENT_CONTEXT_MAX)
        return lambda_fail(call, LAMBDA_INVALID_REQUEST_CONTENT,
                           "Client context exceeds the maximum allowed size of %d bytes",
                           CLIENT_CONTEXT_MAX);
    if (base64_decode(call->arena, encoded, ret) < 0 || !json_check(*ret, &at, &why) ||
        !str_starts(str_trim(*ret), S("{")))
        return lambda_fail(call, LAMBDA_INVALID_REQUEST_CONTENT,
                           "Client context must be a valid Base64-encoded JSON object.");
    /* It becomes a header: what JSON allows between values must not end the line. */
    char *text = str_c(call->arena, *ret);
    for (size_t i = 0; i < ret->n; i++)
        if (text[i] == '\n' || text[i] == '\r')
            text[i] = ' ';
    *ret = str_of(text, ret->n);
    return 0;
}

struct str invoke_trace_id(struct call *call)
{
    struct str given =
        call->http ? http_header_get(call->http, "X-Amzn-Trace-Id") : (struct str){0};
    if (!call->http && call->parent) /* a destination: the chain goes on */
        given = call->parent->trace_id;
    struct arena *a = call->arena;
    if (str_starts(given, S("Root=")) && str_find(given, S("Parent=")) > 0)
        return str_copy(a, given);
    struct str root = str_starts(given, S("Root="))
                          ? given
                          : str_printf(a, "Root=1-%08llx-%.*s", (long long)(call->now_ms / 1000),
                                       STR(random_hex(a, 24)));
    struct str only, rest;
    str_cut(root, ';', &only, &rest);
    return str_printf(a, "%.*s;Parent=%.*s;Sampled=0", STR(only), STR(random_hex(a, 16)));
}

int invoke_outcome(struct call *call, const struct invocation *inv)
{
    if (inv->outcome == OUTCOME_NO_RUNTIME)
        return lambda_fail(call, LAMBDA_INVALID_RUNTIME, "%.*s", STR(inv->answer));
    if (inv->outcome == OUTCOME_NO_SANDBOX)
        return lambda_fail(call, LAMBDA_SERVICE, "%.*s", STR(inv->answer));
    return 0;
}

static void invoked(struct invocation *inv)
{
    struct call *call = inv->user;
    const struct lambda_invoke_input *in = call->in;
    struct lambda_invoke_output *out = call->out;
    int r = invoke_outcome(call, inv);
    if (r == 0) {
        out->status_code = opt_int(200);
        out->payload = inv->answer;
        call->phases = inv->phases;
        out->executed_version = str_copy(call->arena, inv->target->version);
        if (inv->failed)
            out->function_error = S("Unhandled");
        if (str_is(in->log_type, "Tail"))
            out->log_result = base64_encode(call->arena, inv->log);
    }
    target_drop(inv->target);
    call_finish(call, r);
}

int invoke_prepare(struct call *call, const struct invoke_request *q, struct invocation *inv,
                   struct function_ref *ret)
{
    int r = function_ref_get(call, q->name, q->qualifier, ret);
    if (r < 0)
        return r;
    struct function_ref wanted = {ret->name, ret->qualifier.n ? ret->qualifier : S("$LATEST")};
    r = target_get(call, &wanted, &inv->target);
    if (r < 0)
        return r;
    bool async = str_is(q->type, "Event");
    r = check_payload(call, q->payload, async);
    if (r == 0 && !async)
        r = read_client_context(call, q->client_context, &inv->client_context);
    if (r < 0 || str_is(q->type, "DryRun")) {
        target_drop(inv->target);
        return r < 0 ? r : INVOKE_DRY;
    }
    inv->arena = call->arena;
    inv->arn = function_arn(call, ret->name, ret->qualifier);
    inv->request_id = call->request_id;
    inv->trace_id = call->trace_id = invoke_trace_id(call);
    inv->payload = q->payload.n ? q->payload : S("{}");
    inv->wants_log = str_is(q->log_type, "Tail");
    inv->wants_phases = call->http && str_has(http_header_get(call->http, "X-Lamina-Phases"));
    inv->times.received = call->received_ns;
    inv->user = call;
    return 0;
}

int invoke_begin(struct call *call, struct str name, struct invocation *inv)
{
    int r = recursion_check(call, name, &inv->trace_id);
    if (r < 0) {
        target_drop(inv->target);
        return r;
    }
    call->trace_id = inv->trace_id;
    r = pool_invoke(lambda_state(call)->pool, inv);
    if (r < 0) {
        target_drop(inv->target);
        return pool_refused(call, r);
    }
    return CALL_LATER;
}

/* Into the function's queue. */
static int enqueue(struct call *call, const struct invoke_request *q)
{
    struct invocation inv = {0};
    struct function_ref ref;
    int r = invoke_prepare(call, q, &inv, &ref);
    if (r < 0)
        return r;
    target_drop(inv.target);
    struct event_request e = {ref.name,       ref.qualifier, inv.arn,
                              inv.request_id, inv.trace_id,  inv.payload};
    return event_accept(call, &e);
}

static int invoke(struct call *call, const struct lambda_invoke_input *in,
                  struct lambda_invoke_output *out)
{
    struct invoke_request q = {in->function_name, in->qualifier,      in->invocation_type,
                               in->log_type,      in->client_context, in->payload};
    if (str_is(in->invocation_type, "Event")) {
        out->status_code = opt_int(202);
        return enqueue(call, &q);
    }
    struct invocation *inv = ARENA_NEW(call->arena, struct invocation);
    struct function_ref ref;
    int r = invoke_prepare(call, &q, inv, &ref);
    if (r == INVOKE_DRY) {
        out->status_code = opt_int(204);
        return 0;
    }
    if (r < 0)
        return r;
    inv->done = invoked;
    return invoke_begin(call, ref.name, inv);
}

/* The operation of before Invoke had types. It has no errors of its own for what is too large. */
static int invoke_async(struct call *call, const struct lambda_invoke_async_input *in,
                        struct lambda_invoke_async_output *out)
{
    struct str payload;
    int r = body_load(&in->invoke_args, INVOKE_OLD_ASYNC_MAX, call->arena, &payload);
    if (r < 0)
        return call_fail_code(call, S("RequestEntityTooLargeException"), 413,
                              str_printf(call->arena,
                                         "Request must be smaller than %d bytes for the "
                                         "InvokeAsync operation",
                                         INVOKE_OLD_ASYNC_MAX));
    struct invoke_request q = {.name = in->function_name, .type = S("Event"), .payload = payload};
    out->status = opt_int(202);
    return enqueue(call, &q);
}

const struct handler lambda_invoke_handlers[] = {
    {lambda_invoke_run(invoke), "InvokeFunction", "function:{FunctionName}"},
    {lambda_invoke_async_run(invoke_async), "InvokeFunction", "function:{FunctionName}"},
    {0},
};
