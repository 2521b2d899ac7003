/* request - signed requests as bytes: see request.h. */
#include "bench/request.h"
#include <stdlib.h>
#include "base/digest.h"
#include "base/mem.h"
#include "wire/lambda.h"

static const struct bench_payload nothing = {
    .name = S_INIT("payload"), .body = S_INIT("{}"), .weight = 1};

void request_head_release(struct request_head *head)
{
    if (head && --head->refs == 0)
        free(head);
}

void request_set_init(struct request_set *s, struct arena *a, const struct bench_plan *plan)
{
    s->arena = a;
    s->plan = plan;
    s->n = plan->n_payloads ? plan->n_payloads : 1;
    s->items = ARENA_ARRAY(a, struct request, s->n);
    for (size_t i = 0; i < s->n; i++) {
        s->items[i].payload = plan->n_payloads ? &plan->payloads[i] : &nothing;
        s->items[i].payload_sha256 = sha256_hex(a, s->items[i].payload->body);
    }
}

void request_set_done(struct request_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        request_head_release(s->items[i].head);
        s->items[i].head = NULL;
    }
}

/* Method, path, query and the headers that say what is wanted. */
static int describe(struct request_set *s, const struct request *r, struct arena *a,
                    struct wire_request *ret, struct aws_error *err)
{
    struct wire_error wire = {0};
    if (str_has(s->plan->url)) {
        struct wire_headers h = {0};
        if (r->payload->body.n)
            wire_headers_add(a, &h, S("Content-Type"), S("application/json"));
        *ret = (struct wire_request){
            .method = str_has(s->plan->method) ? s->plan->method : S("POST"),
            .path = s->address->path.n ? s->address->path : S("/"),
            .query = s->address->query,
            .headers = h.items,
            .n_headers = h.n,
            .body = body_mem(r->payload->body),
        };
        return 0;
    }
    struct lambda_invoke_input in = {
        .function_name = s->function,
        .qualifier = s->qualifier,
        .payload = r->payload->body,
        .log_type = s->plan->no_log ? (struct str){0} : S("Tail"),
    };
    struct wire_encode_options options = {.base_path = s->address->path};
    int e = wire_encode_input(&lambda_invoke_op, &in, &options, a, ret, &wire);
    if (e < 0)
        *err = (struct aws_error){.r = e, .message = str_copy(s->arena, wire.message)};
    return e;
}

static struct wire_request with_headers(struct request_set *s, struct arena *a,
                                        const struct wire_request *plain)
{
    struct wire_request req = *plain;
    struct wire_headers h = {0};
    wire_headers_add(a, &h, S("Host"), s->address->authority);
    for (size_t i = 0; i < plain->n_headers; i++)
        wire_headers_add(a, &h, plain->headers[i].name, plain->headers[i].value);
    req.headers = h.items;
    req.n_headers = h.n;
    return req;
}

static struct request_head *write_head(const struct request_set *s, const struct wire_request *req,
                                       size_t body_n)
{
    auto_buf struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, req->method);
    buf_byte(&b, ' ');
    buf_str(&b, req->path);
    if (req->query.n)
        buf_printf(&b, "?%.*s", STR(req->query));
    buf_text(&b, " HTTP/1.1\r\n");
    for (size_t i = 0; i < req->n_headers; i++)
        buf_printf(&b, "%.*s: %.*s\r\n", STR(req->headers[i].name), STR(req->headers[i].value));
    buf_printf(&b, "User-Agent: lamina-bench/%s\r\n", LAMINA_VERSION);
    if (s->phases)
        buf_text(&b, "X-Lamina-Phases: 1\r\n");
    buf_printf(&b, "Content-Length: %zu\r\n\r\n", body_n);
    struct request_head *head = mem_alloc(sizeof(*head) + b.n);
    *head = (struct request_head){.refs = 1, .n = b.n};
    memcpy(head->p, b.p, b.n);
    return head;
}

static int make(struct request_set *s, struct request *r, int64_t now_ms, struct request_head **ret,
                struct aws_error *err)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct wire_request plain, req;
    struct sigv4_credentials credentials = {0};
    int e = describe(s, r, &a, &plain, err);
    if (e < 0)
        return e;
    req = with_headers(s, &a, &plain);
    bool sign = !(str_has(s->plan->url) && s->plan->unsigned_url);
    e = sign ? aws_client_credentials(s->aws, &credentials, err) : 0;
    if (e < 0)
        return e;
    struct sigv4_signer signer = {.credentials = &credentials,
                                  .region = aws_client_region(s->aws),
                                  .service = S("lambda"),
                                  .now_ms = now_ms + aws_client_skew_ms(s->aws),
                                  .payload_sha256 = r->payload_sha256};
    if (sign && credentials.access_key.n) {
        e = sigv4_sign(&signer, &req, &a);
        if (e < 0) {
            *err = (struct aws_error){.r = e, .message = S("the request cannot be signed")};
            return e;
        }
    }
    *ret = write_head(s, &req, r->payload->body.n);
    (*ret)->second = now_ms / 1000;
    return 0;
}

int request_head_get(struct request_set *s, struct request *r, int64_t now_ms,
                     struct request_head **ret, struct aws_error *err)
{
    if (!r->head || r->head->second != now_ms / 1000) {
        struct request_head *head;
        int e = make(s, r, now_ms, &head, err);
        if (e < 0)
            return e;
        request_head_release(r->head);
        r->head = head;
    }
    r->head->refs++;
    *ret = r->head;
    return 0;
}
