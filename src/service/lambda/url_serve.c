/* url_serve - requests to function URLs: rules and permission, event, invocation, answer. */
#include <errno.h>
#include "base/digest.h"
#include "service/lambda/http_event.h"
#include "service/lambda/invoke.h"
#include "service/lambda/pool.h"
#include "service/lambda/recursion.h"
#include "service/lambda/url.h"

#define FORBIDDEN                                                                                  \
    "{\"Message\":\"Forbidden. For troubleshooting Function URL authorization issues, see: "       \
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html\"}"

struct served {
    struct invocation inv; /* first */
    struct call *call;
    const struct wire_request *req;
    struct lambda_function_url_record url;
    bool aside; /* it was asked for at the cloud's own host */
    bool begun;
    bool prelude;    /* a streamed answer begins with its head, which is not whole yet */
    bool broken;     /* that head is none */
    struct buf head; /* of the answer, while it comes */
};

/* ---- answers ---- */

static void add_usual(struct served *s, struct wire_headers *h)
{
    struct arena *a = s->call->arena;
    cors_apply(a, s->url.config ? s->url.config->cors : NULL, s->req, h);
    wire_headers_add(a, h, S("x-amzn-RequestId"), s->call->request_id);
    /* Under this address a browser would take the function's page for one of the cloud's own: the
     * page is to have no origin. Under the URL's own host it has one of its own. */
    if (s->aside)
        wire_headers_add(a, h, S("Content-Security-Policy"),
                         S("sandbox allow-scripts allow-forms allow-popups allow-downloads"));
}

static int answer(struct served *s, int status, const struct wire_headers *headers, struct str body)
{
    struct arena *a = s->call->arena;
    struct wire_response *resp = ARENA_NEW(a, struct wire_response);
    struct wire_headers h = {0};
    for (size_t i = 0; headers && i < headers->n; i++)
        wire_headers_add(a, &h, headers->items[i].name, headers->items[i].value);
    add_usual(s, &h);
    *resp = (struct wire_response){
        .status = status, .headers = h.items, .n_headers = h.n, .body = body_mem(body)};
    call_answer(s->call, resp);
    return 0;
}

static int answer_json(struct served *s, int status, const char *error_type, struct str body)
{
    struct wire_headers h = {0};
    wire_headers_add(s->call->arena, &h, S("Content-Type"), S("application/json"));
    if (error_type)
        wire_headers_add(s->call->arena, &h, S("x-amzn-ErrorType"), str_from(error_type));
    return answer(s, status, &h, body);
}

static int forbid(struct served *s)
{
    return answer_json(s, 403, "AccessDeniedException", S(FORBIDDEN));
}

static void begin_stream(struct served *s, int status, struct wire_headers *h)
{
    add_usual(s, h);
    struct wire_response head = {.status = status, .headers = h->items, .n_headers = h->n};
    s->begun = true;
    call_stream_begin(s->call, &head);
}

static void on_begin(struct invocation *inv, struct str content_type)
{
    struct served *s = (struct served *)inv;
    struct arena *a = s->call->arena;
    if (str_is(content_type, HTTP_PRELUDE_TYPE)) {
        s->prelude = true;
        buf_init(&s->head, SIZE_MAX / 2);
        return;
    }
    struct wire_headers h = {0};
    wire_headers_add(a, &h, S("Content-Type"),
                     content_type.n ? str_copy(a, content_type) : S("application/octet-stream"));
    begin_stream(s, 200, &h);
}

static bool on_prelude(struct served *s, struct str bytes)
{
    struct http_answer head;
    size_t size;
    if (s->broken)
        return true;
    buf_str(&s->head, bytes);
    int r = http_prelude(s->call->arena, buf_view(&s->head), &head, &size);
    s->broken = r < 0;
    if (r <= 0)
        return true;
    s->prelude = false;
    begin_stream(s, head.status, &head.headers);
    struct str rest = str_slice(buf_view(&s->head), size, s->head.n);
    bool room = !rest.n || call_stream(s->call, rest);
    buf_done(&s->head);
    return room;
}

static bool on_data(struct invocation *inv, struct str bytes)
{
    struct served *s = (struct served *)inv;
    return s->prelude ? on_prelude(s, bytes) : call_stream(s->call, bytes);
}

static const struct response_sink sink = {on_begin, on_data};

static int answer_result(struct served *s)
{
    struct http_answer a;
    s->call->phases = s->inv.phases;
    bool bad = s->inv.outcome != OUTCOME_ANSWER || s->inv.failed || s->prelude;
    if (!bad && s->inv.sink) /* it does not stream: its bytes as they are */
        return answer_json(s, 200, NULL, s->inv.answer);
    if (bad || http_answer_of(s->call->arena, s->inv.answer, &a) < 0)
        return answer_json(s, 502, NULL, S("Internal Server Error"));
    return answer(s, a.status, &a.headers, a.body);
}

static void on_done(struct invocation *inv)
{
    struct served *s = (struct served *)inv;
    int r = 0;
    if (!s->begun)
        r = answer_result(s);
    else if (inv->failed)
        r = CALL_FAILED; /* what has left cannot be taken back: the client sees it break off */
    if (s->prelude)
        buf_done(&s->head);
    target_drop(inv->target);
    call_finish(s->call, r);
}

/* ---- permission ---- */

/* Of another account: the function's policy has to say yes as well. */
static bool policy_lets_in(struct call *call, struct served *s, struct str action, struct str arn)
{
    struct lambda_policy_record policy = {0};
    return policy_load(call, s->url.function_name, s->url.qualifier, &policy) == 0 &&
           call_policy_says_of(call, s->url.account, policy.policy, action, arn) > 0;
}

static bool may_invoke(struct served *s, struct str arn)
{
    static const char *const actions[] = {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"};
    struct call *call = s->call;
    struct str why;
    bool stranger =
        call->who->type != PRINCIPAL_ANONYMOUS && !str_eq(call->who->account, s->url.account);
    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
        struct str action = str_from(actions[i]);
        if (call_allowed(call, call->who, action, arn, &why) < 0 ||
            (stranger && !policy_lets_in(call, s, action, arn)))
            return false;
    }
    return true;
}

/* 1: the invocation may begin. Otherwise the call's result: it has been answered. */
static int admit(struct served *s, struct str arn)
{
    struct call *call = s->call;
    const struct lambda_function_url_config *c = s->url.config;
    bool anonymous = true;
    if (str_is(c->auth_type, "AWS_IAM")) {
        int r = call_identify(call, &anonymous);
        if (r < 0)
            return r;
        if (anonymous || !str_eq(call->region, s->url.region))
            return forbid(s);
    }
    call->account = s->url.account;
    call->region = s->url.region;
    struct wire_pair *conditions = ARENA_ARRAY(call->arena, struct wire_pair, 2);
    conditions[0] = (struct wire_pair){S("lambda:FunctionUrlAuthType"), c->auth_type};
    conditions[1] = (struct wire_pair){S("lambda:InvokedViaFunctionUrl"), S("true")};
    call->conditions = conditions;
    call->n_conditions = 2;
    return may_invoke(s, arn) ? 1 : forbid(s);
}

/* ---- requests ---- */

static struct str event_of(struct served *s, struct str path, struct str body)
{
    struct call *call = s->call;
    struct str host = wire_header(s->req, "Host"), name, port, root, rest;
    str_cut(host, ':', &name, &port);
    str_cut(s->inv.trace_id, ';', &root, &rest);
    struct http_event_request r = {
        .method = s->req->method,
        .path = path,
        .query = s->req->query,
        .headers = s->req->headers,
        .n_headers = s->req->n_headers,
        .body = body,
        .source_ip = call->source_ip,
        .request_id = call->request_id,
        .trace_id = root,
        .now_ms = call->now_ms,
        .domain_name = name,
        .api_id = s->url.url_id,
        .scheme = S("http"),
        .port = port.n ? port : S("80"),
    };
    if (call->who->type != PRINCIPAL_ANONYMOUS) {
        r.account_id = call->who->account;
        r.access_key = call->who->access_key;
        r.caller_account = call->who->account;
        r.caller_id = call->who->user_id;
        r.caller_arn = call->who->arn;
    }
    return http_event(call->arena, &r);
}

static void go_on(struct call *call)
{
    invocation_drained(call->gone_user);
}

static int begin(struct served *s, struct str arn, struct str path)
{
    struct call *call = s->call;
    struct invocation *inv = &s->inv;
    struct str body = S(""), qualifier = s->url.qualifier;
    inv->trace_id = call->trace_id = invoke_trace_id(call);
    int r = body_load(&s->req->body, INVOKE_SYNC_MAX, call->arena, &body);
    if (r == 0)
        inv->payload = event_of(s, path, body);
    if (r < 0 || inv->payload.n > INVOKE_SYNC_MAX)
        return answer_json(s, 413, "RequestEntityTooLargeException",
                           S("{\"Message\":\"Request must be smaller than 6291456 bytes for the "
                             "InvokeFunction operation\"}"));
    struct function_ref ref = {s->url.function_name, qualifier.n ? qualifier : S("$LATEST")};
    if (target_get(call, &ref, &inv->target) < 0)
        return forbid(s); /* its alias is gone */
    r = recursion_check(call, ref.name, &inv->trace_id);
    if (r < 0) {
        target_drop(inv->target);
        return r;
    }
    call->trace_id = inv->trace_id;
    inv->arn = arn;
    inv->arena = call->arena;
    inv->times.received = call->received_ns;
    inv->request_id = call->request_id;
    inv->wants_phases = str_has(wire_header(s->req, "X-Lamina-Phases"));
    if (str_is(s->url.config->invoke_mode, "RESPONSE_STREAM"))
        inv->sink = &sink;
    inv->done = on_done;
    call->gone_user = inv;
    call->on_drain = call->on_gone = go_on; /* nobody is never full */
    r = pool_invoke(lambda_state(call)->pool, inv);
    if (r < 0) {
        target_drop(inv->target);
        return pool_refused(call, r);
    }
    return CALL_LATER;
}

int url_answer(struct call *call, const struct wire_request *req, struct str url_id,
               struct str path)
{
    struct served *s = ARENA_NEW(call->arena, struct served);
    struct wire_headers headers;
    s->call = call;
    s->req = req;
    s->aside = str_starts(req->path, S("/_lamina/url/")) && !str_eq(req->path, path);
    int r = url_find(call, url_id, &s->url);
    if (r < 0)
        return r == -ENOENT ? answer_json(s, 403, "AccessDeniedException", S("{\"Message\":null}"))
                            : r;
    if (cors_preflight(call->arena, s->url.config->cors, req, &headers)) {
        s->url.config->cors = NULL;
        return answer(s, 200, &headers, S(""));
    }
    struct str arn = s->url.config->function_arn;
    r = admit(s, arn);
    return r == 1 ? begin(s, arn, path) : r;
}
