/* route - which operation a request asks for. */
#include <errno.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "wire/server.h"

#define SEGMENTS_MAX 12
#define LITERALS_MAX 4
#define KEYS_MAX 64

struct segment {
    const char *text; /* of a literal, or {Label} */
    uint16_t n;
    bool label, greedy;
};

struct literal {
    struct str name, value;
    bool has_value;
};

/* Of one operation. All of a service lie close together: each request looks at each of them. */
struct template
{
    const struct operation *op;
    struct str method;
    const struct segment *segments;
    const struct literal *literals;
    /* Required members that tell operations apart which share a route. */
    const struct member *const *required;
    uint16_t n_segments, n_literals, n_required;
    bool greedy;
};

struct wire_router {
    const struct service_model *service;
    struct arena arena;
    struct template *templates;
    size_t n;
};

static void compile_path(struct arena *a, struct template *t, struct str path)
{
    struct segment segments[SEGMENTS_MAX];
    struct str part, rest = path;
    while (rest.n && t->n_segments < SEGMENTS_MAX) {
        str_cut(rest, '/', &part, &rest);
        if (!part.n)
            continue;
        bool label = part.p[0] == '{', greedy = label && str_ends(part, S("+}"));
        segments[t->n_segments++] = (struct segment){part.p, (uint16_t)part.n, label, greedy};
        t->greedy |= greedy;
    }
    t->segments = arena_copy(a, segments, t->n_segments * sizeof(*segments));
}

static void compile_query(struct arena *a, struct template *t, struct str query)
{
    struct literal literals[LITERALS_MAX];
    struct str part, name, value;
    while (query.n && t->n_literals < LITERALS_MAX) {
        str_cut(query, '&', &part, &query);
        bool has = str_cut(part, '=', &name, &value);
        literals[t->n_literals++] = (struct literal){name, value, has};
    }
    t->literals = arena_copy(a, literals, t->n_literals * sizeof(*literals));
}

static bool is_required(const struct member *m)
{
    return m->required && (m->location == LOCATION_QUERY || m->location == LOCATION_HEADER);
}

static void compile_required(struct arena *a, struct template *t)
{
    const struct shape *input = operation_input(t->op);
    for (uint32_t i = 0; input && i < input->n_members; i++)
        t->n_required += is_required(shape_member(input, i));
    const struct member **list = ARENA_ARRAY(a, const struct member *, t->n_required);
    t->required = list;
    for (uint32_t i = 0; input && i < input->n_members; i++)
        if (is_required(shape_member(input, i)))
            *list++ = shape_member(input, i);
}

static void compile(struct arena *a, struct template *t, const struct operation *op)
{
    struct str path, query;
    t->op = op;
    t->method = str_from(operation_method(op));
    str_cut(str_from(operation_uri(op)), '?', &path, &query);
    compile_path(a, t, path);
    compile_query(a, t, query);
    compile_required(a, t);
}

struct wire_router *wire_router_new(const struct service_model *service)
{
    struct wire_router *r = MEM_NEW(struct wire_router);
    r->service = service;
    arena_init(&r->arena);
    if (service->protocol == PROTOCOL_REST_JSON || service->protocol == PROTOCOL_REST_XML) {
        r->templates = ARENA_ARRAY(&r->arena, struct template, service->n_operations);
        r->n = service->n_operations;
        for (size_t i = 0; i < r->n; i++)
            compile(&r->arena, &r->templates[i], &service->operations[i]);
    }
    return r;
}

void wire_router_free(struct wire_router *router)
{
    if (!router)
        return;
    arena_done(&router->arena);
    free(router);
}

/* ---- rest ---- */

struct asked {
    const struct wire_request *req;
    struct str segments[SEGMENTS_MAX + 1]; /* raw; the last is the whole rest when there are more */
    size_t n_segments;
    struct str after[SEGMENTS_MAX + 1]; /* the path from that segment on, for greedy labels */
    struct literal keys[KEYS_MAX];
    size_t n_keys;
};

static void take_apart(struct arena *a, const struct wire_request *req, struct asked *q)
{
    struct str rest = req->path, part;
    q->req = req;
    if (rest.n && rest.p[0] == '/')
        rest = str_slice(rest, 1, rest.n);
    while (rest.n && q->n_segments <= SEGMENTS_MAX) {
        q->after[q->n_segments] = rest;
        str_cut(rest, '/', &part, &rest);
        q->segments[q->n_segments++] = part;
    }
    rest = req->query;
    while (rest.n && q->n_keys < KEYS_MAX) {
        struct literal *k = &q->keys[q->n_keys];
        str_cut(rest, '&', &part, &rest);
        if (!part.n)
            continue;
        k->has_value = str_cut(part, '=', &k->name, &k->value);
        k->name = wire_percent_decode(a, k->name, true);
        k->value = wire_percent_decode(a, k->value, true);
        q->n_keys++;
    }
}

static const struct literal *key_find(const struct asked *q, struct str name)
{
    for (size_t i = 0; i < q->n_keys; i++)
        if (str_eq(q->keys[i].name, name))
            return &q->keys[i];
    return NULL;
}

static bool path_fits(const struct template *t, const struct asked *q)
{
    if (!str_eq(t->method, q->req->method))
        return false;
    if (t->greedy ? q->n_segments < t->n_segments : q->n_segments != t->n_segments)
        return false;
    for (size_t i = 0; i < t->n_segments; i++) {
        const struct segment *s = &t->segments[i];
        if (s->greedy)
            break;
        if (s->label ? !q->segments[i].n : !str_eq((struct str){s->text, s->n}, q->segments[i]))
            return false;
    }
    return true;
}

static bool literals_fit(const struct template *t, const struct asked *q)
{
    for (size_t i = 0; i < t->n_literals; i++) {
        const struct literal *k = key_find(q, t->literals[i].name);
        if (!k || (t->literals[i].has_value && !str_eq(k->value, t->literals[i].value)))
            return false;
    }
    return true;
}

static bool required_there(const struct template *t, const struct asked *q)
{
    for (size_t i = 0; i < t->n_required; i++) {
        const struct member *m = t->required[i];
        if (m->location == LOCATION_QUERY ? !key_find(q, str_from(member_wire_name(m)))
                                          : !wire_header(q->req, member_wire_name(m)).p)
            return false;
    }
    return true;
}

static bool required_query_there(const struct template *t, const struct asked *q)
{
    for (size_t i = 0; i < t->n_required; i++)
        if (t->required[i]->location == LOCATION_QUERY &&
            !key_find(q, str_from(member_wire_name(t->required[i]))))
            return false;
    return true;
}

/* How well a template that fits describes the request: literal path segments first, then the
 * query's literals, then whether all that it requires is there and how much that is. */
static size_t score(const struct template *t, const struct asked *q)
{
    size_t literal_segments = 0;
    for (size_t i = 0; i < t->n_segments; i++)
        literal_segments += !t->segments[i].label;
    bool there = required_there(t, q);
    return literal_segments << 24 | (size_t)t->n_literals << 16 | (size_t)there << 12 |
           (there ? (size_t)t->n_required << 4 : 0) | (size_t)t->op->modelled << 1 | 1;
}

static void take_labels(struct arena *a, const struct template *t, const struct asked *q,
                        struct wire_route *ret)
{
    for (size_t i = 0; i < t->n_segments && ret->n_labels < WIRE_LABELS_MAX; i++) {
        if (!t->segments[i].label)
            continue;
        struct str raw = t->segments[i].greedy ? q->after[i] : q->segments[i];
        ret->labels[ret->n_labels++] = wire_percent_decode(a, raw, false);
    }
}

static int route_rest(const struct wire_router *router, const struct wire_request *req,
                      struct arena *a, struct wire_route *ret, struct wire_error *err)
{
    struct asked *q = ARENA_NEW(a, struct asked);
    const struct template *best = NULL;
    size_t best_score = 0;
    take_apart(a, req, q);
    for (size_t i = 0; i < router->n; i++) {
        const struct template *t = &router->templates[i];
        if (!path_fits(t, q) || !literals_fit(t, q))
            continue;
        /* S3: ?uploadId is what makes POST on a key an operation at all. */
        if (router->service->protocol == PROTOCOL_REST_XML && !required_query_there(t, q))
            continue;
        size_t s = score(t, q);
        if (s > best_score) {
            best_score = s;
            best = t;
        }
    }
    if (best) {
        ret->op = best->op;
        take_labels(a, best, q, ret);
        return 0;
    }
    if (router->service->protocol == PROTOCOL_REST_XML)
        *err = (struct wire_error){
            .code = S("MethodNotAllowed"),
            .status = 405,
            .message = S("The specified method is not allowed against this resource.")};
    else
        *err = (struct wire_error){.code = S("UnknownOperationException"),
                                   .status = 404,
                                   .message = str_printf(a, "No operation of %s is %.*s %.*s",
                                                         router->service->name, STR(req->method),
                                                         STR(req->path))};
    return -EBADMSG;
}

/* ---- json, query ---- */

struct str wire_target_prefix(const struct wire_request *req)
{
    struct str target = wire_header(req, "X-Amz-Target");
    ssize_t dot = target.p ? str_find_last_byte(target, '.') : -1;
    return dot < 0 ? (struct str){0} : str_slice(target, 0, (size_t)dot);
}

static int route_json(const struct wire_request *req, struct arena *a, struct wire_route *ret,
                      struct wire_error *err)
{
    struct str target = wire_header(req, "X-Amz-Target"), prefix = wire_target_prefix(req);
    if (prefix.p && str_is(prefix, ret->service->target_prefix)) {
        ret->op = operation_find(ret->service, str_slice(target, prefix.n + 1, target.n));
        if (ret->op)
            return 0;
    }
    *err = (struct wire_error){.code = S("UnknownOperationException"), .status = 400};
    if (target.p)
        err->message = str_printf(a, "Unknown operation %.*s", STR(target));
    return -EBADMSG;
}

static int route_query(const struct wire_request *req, struct arena *a, struct wire_route *ret,
                       struct wire_error *err)
{
    struct str action = {0};
    if (!req->body.in_file && req->body.has)
        action = wire_query_get(a, req->body.mem, S("Action"));
    if (!action.p)
        action = wire_query_get(a, req->query, S("Action"));
    if (!action.p) {
        *err = (struct wire_error){
            .code = S("MissingAction"), .status = 400, .message = S("Missing Action")};
        return -EBADMSG;
    }
    ret->op = operation_find(ret->service, action);
    if (ret->op)
        return 0;
    *err =
        (struct wire_error){.code = S("InvalidAction"),
                            .status = 400,
                            .message = str_printf(a, "Could not find operation %.*s for version %s",
                                                  STR(action), ret->service->api_version)};
    return -EBADMSG;
}

int wire_route(const struct wire_router *router, const struct wire_request *req, struct arena *a,
               struct wire_route *ret, struct wire_error *err)
{
    const struct service_model *service = router->service;
    *ret = (struct wire_route){.service = service, .protocol = service->protocol};
    if (service->accepts_query && !wire_header(req, "X-Amz-Target").p)
        ret->protocol = PROTOCOL_QUERY;
    switch (ret->protocol) {
    case PROTOCOL_REST_JSON:
    case PROTOCOL_REST_XML:
        return route_rest(router, req, a, ret, err);
    case PROTOCOL_JSON_1_0:
    case PROTOCOL_JSON_1_1: {
        /* Either version of JSON is answered in the version it was asked in. */
        struct str type = wire_header(req, "Content-Type");
        if (type.p && str_starts(type, S("application/x-amz-json-1.0")))
            ret->protocol = PROTOCOL_JSON_1_0;
        return route_json(req, a, ret, err);
    }
    case PROTOCOL_QUERY:
        return route_query(req, a, ret, err);
    case PROTOCOL_CBOR:
        break;
    }
    *err = (struct wire_error){.code = S("UnknownOperationException"),
                               .status = 404,
                               .message = S("The rpc-v2-cbor protocol is not served")};
    return -EBADMSG;
}
