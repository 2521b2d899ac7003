/* invoke - the Invoke operation. */
#include <errno.h>
#include "base/clock.h"
#include "base/digest.h"
#include "http/server.h"
#include "service/lambda/event.h"
#include "service/lambda/invoke.h"
#include "service/lambda/json_check.h"
#include "service/lambda/pool.h"
#include "service/lambda/recursion.h"

#define CLIENT_CONTEXT_MAX 3583

int invoke_check_payload(struct call *call, struct str payload, bool async)
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
    return lambda_fail(call, LAMBDA_INVALID_REQUEST_CONTENT,
                       "Could not parse request body into json: Could not parse payload into json: "
                       "%s\n at [Source: (byte[])\"%.*s\"; line: 1, column: %zu]",
                       why, (int)(payload.n < 500 ? payload.n : 500), payload.p, at + 1);
}

int invoke_client_context(struct call *call, struct str encoded, struct str *ret)
{
    size_t at;
    const char *why;
    *ret = (struct str){0};
    if (!encoded.n)
        return 0;
    if (encoded.n > (CLIENT_CONTEXT_MAX + 2) / 3 * 4)
        return lambda_fail(call, LAMBDA_INVALID_REQUEST_CONTENT,
                           "Client context exceeds the maximum allowed size of %d bytes",
                           CLIENT_CONTEXT_MAX);
    if (base64_decode(call->arena, encoded, ret) < 0 || !json_check(*ret, &at, &why))
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
        out->executed_version = str_copy(call->arena, inv->target->version);
        if (inv->failed)
            out->function_error = S("Unhandled");
        if (str_is(in->log_type, "Tail"))
            out->log_result = base64_encode(call->arena, inv->log);
    }
    target_drop(inv->target);
    call_finish(call, r);
}

static int invoke(struct call *call, const struct lambda_invoke_input *in,
                  struct lambda_invoke_output *out)
{
    struct function_ref ref;
    int r = function_ref_get(call, in->function_name, in->qualifier, &ref);
    if (r < 0)
        return r;
    bool async = str_is(in->invocation_type, "Event");
    struct invocation *inv = ARENA_NEW(call->arena, struct invocation);
    inv->arn = function_arn(call, ref.name, ref.qualifier);
    struct function_ref wanted = {ref.name, ref.qualifier.n ? ref.qualifier : S("$LATEST")};
    r = target_get(call, &wanted, &inv->target);
    if (r < 0)
        return r;
    r = invoke_check_payload(call, in->payload, async);
    if (r == 0 && !async)
        r = invoke_client_context(call, in->client_context, &inv->client_context);
    if (r < 0 || str_is(in->invocation_type, "DryRun")) {
        target_drop(inv->target);
        out->status_code = opt_int(204);
        return r;
    }
    inv->arena = call->arena;
    inv->request_id = call->request_id;
    inv->trace_id = call->trace_id = invoke_trace_id(call);
    inv->payload = in->payload.n ? in->payload : S("{}");
    inv->wants_log = str_is(in->log_type, "Tail");
    inv->times.received = call->received_ns;
    inv->done = invoked;
    inv->user = call;
    if (async) {
        target_drop(inv->target);
        struct event_request e = {ref.name,        ref.qualifier, inv->arn,
                                  inv->request_id, inv->trace_id, inv->payload};
        out->status_code = opt_int(202);
        return event_accept(call, &e);
    }
    r = recursion_check(call, ref.name, &inv->trace_id);
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

const struct handler lambda_invoke_handlers[] = {
    {lambda_invoke_run(invoke), "InvokeFunction", "function:{FunctionName}"},
    {0},
};
