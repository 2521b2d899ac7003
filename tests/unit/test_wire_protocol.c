/* test_wire_protocol - the protocols' features, one folder each in tests/vectors/protocol:
 *
 *   case.txt      SERVICE OPERATION
 *   request.txt   an HTTP request; it must be routed to OPERATION and give
 *   input.json      the input, every member by its model name, or
 *   error.txt       the refusal: "STATUS CODE\nMESSAGE\n"
 *   encoded.txt   what our client sends for that input
 *   output.json   an output, or failure.json: {"code", "message", "detail"?}; it is answered as
 *   response.txt  this response, which our client reads back as the same
 *
 * UPDATE_VECTORS=1 writes the files that follow from request.txt, output.json and failure.json
 * anew: look at the difference before you keep it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/fs.h"
#include "wire/client.h"
#include "wire/cloudformation.h"
#include "wire/iam.h"
#include "wire/lambda.h"
#include "wire/logs.h"
#include "wire/s3.h"
#include "wire/server.h"
#include "wire/sts.h"
#include "wire/text.h"
#include "wire/walk.h"

#define MAX (1024 * 1024)
#define REQUEST_ID "11111111-2222-3333-4444-555555555555"

static const struct service_model *const services[] = {
    &sts_model, &iam_model, &s3_model, &logs_model, &lambda_model, &cloudformation_model};

struct vector {
    struct arena *a;
    struct str dir;
    const struct operation *op;
    struct wire_router *router;
};

static struct str path_of(struct vector *v, const char *name)
{
    return str_printf(v->a, "%s/protocol/%.*s%s", TEST_VECTORS, STR(v->dir), name);
}

/* Absent when there is no such file. */
static struct str load(struct vector *v, const char *name)
{
    struct str text;
    return fs_read(path_of(v, name).p, MAX, v->a, &text) < 0 ? (struct str){0} : text;
}

static void check(struct vector *v, const char *name, struct str got)
{
    if (getenv("UPDATE_VECTORS")) {
        assert_int_equal(fs_write(path_of(v, name).p, got, 0644), 0);
        return;
    }
    struct str want = load(v, name);
    if (!want.p)
        fail_msg("%.*s: there is no %s; it would be\n%.*s", STR(v->dir), name, STR(got));
    if (!str_eq(got, want))
        fail_msg("%.*s: %s\n got  %.*s\n want %.*s", STR(v->dir), name, STR(got), STR(want));
}

/* ---- structs as JSON, every member whatever its place ---- */

/* A slot outside the body as JSON: lists and maps of text, and scalars. */
static struct json *outside_dump(struct arena *a, const struct member *m, const struct shape *shape,
                                 const void *slot)
{
    const struct any_list *list = slot;
    if (shape->type == SHAPE_STRING)
        return json_new_str(a, *(const struct str *)slot);
    if (shape->type != SHAPE_LIST && shape->type != SHAPE_MAP) {
        enum timestamp_format format = text_timestamp(m, shape, TIMESTAMP_UNIX);
        auto_buf struct buf b;
        struct json *v;
        buf_init(&b, MAX);
        text_write(&b, shape, format, false, slot);
        if (shape->type == SHAPE_TIMESTAMP && format != TIMESTAMP_UNIX)
            return json_new_str(a, buf_copy(&b, a));
        assert_int_equal(json_parse(a, buf_copy(&b, a), &v, NULL), 0);
        return v;
    }
    struct json *all = json_new(a, shape->type == SHAPE_LIST ? JSON_ARRAY : JSON_OBJECT);
    for (size_t i = 0; i < list->n; i++) {
        const char *item = (const char *)list->items + i * shape->stride;
        const char *inner = item + (shape->type == SHAPE_MAP ? shape->value_offset : 0);
        struct json *v = outside_dump(a, m, shape_element(shape), inner);
        if (shape->type == SHAPE_LIST)
            json_add(all, v);
        else
            json_set(a, all, *(const struct str *)(const void *)item, v);
    }
    return all;
}

static void outside_undump(struct arena *a, const struct member *m, const struct shape *shape,
                           const struct json *v, void *slot)
{
    struct text_items items = {.list = slot};
    if (shape->type == SHAPE_STREAM) {
        *(struct body *)slot = body_mem(json_str(v));
    } else if (shape->type == SHAPE_LIST || shape->type == SHAPE_MAP) {
        JSON_EACH(v, item) {
            char *into = text_items_push(a, shape, &items);
            if (shape->type == SHAPE_MAP)
                *(struct str *)(void *)into = item->key;
            outside_undump(a, m, shape_element(shape), item,
                           into + (shape->type == SHAPE_MAP ? shape->value_offset : 0));
        }
    } else {
        struct str text = v->type == JSON_STRING ? json_str(v) : json_text(a, v, -1);
        enum timestamp_format format = text_timestamp(m, shape, TIMESTAMP_UNIX);
        assert_int_equal(text_read(a, shape, format, text, slot), 0);
    }
}

/* Every member by its model name, whatever its place. */
static struct str dump(struct arena *a, const struct shape *shape, const void *object)
{
    auto_buf struct buf b;
    struct json *body, *all = json_new(a, JSON_OBJECT);
    buf_init(&b, MAX);
    wire_json_write(&b, shape, object);
    assert_int_equal(json_parse(a, buf_copy(&b, a), &body, NULL), 0);
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        const void *slot = wire_slot(m, object);
        if (member_shape(m)->type == SHAPE_STREAM || wire_slot_absent(member_shape(m), slot))
            continue;
        struct json *v = m->location == LOCATION_BODY
                             ? json_copy(a, json_get(body, member_wire_name(m)))
                             : outside_dump(a, m, member_shape(m), slot);
        json_set(a, all, str_from(member_name(m)), v);
    }
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        const struct body *stream = wire_slot(m, object);
        if (member_shape(m)->type == SHAPE_STREAM && stream->has)
            json_set(a, all, str_from(member_name(m)),
                     json_new_str(a, stream->mem.p ? stream->mem : S("")));
    }
    return str_printf(a, "%.*s\n", STR(json_text(a, all, 1)));
}

static void *undump(struct arena *a, const struct shape *shape, struct str text)
{
    struct json *all, *body = json_new(a, JSON_OBJECT);
    struct wire_read_error e;
    void *object = arena_alloc(a, shape->size);
    assert_int_equal(json_parse(a, text, &all, NULL), 0);
    JSON_EACH(all, v) {
        const struct member *m = member_find(shape, v->key);
        if (!m)
            fail_msg("%s has no %.*s", shape_name(shape), STR(v->key));
        if (m->location == LOCATION_BODY && member_shape(m)->type != SHAPE_STREAM)
            json_set(a, body, str_from(member_wire_name(m)), json_copy(a, v));
        else
            outside_undump(a, m, member_shape(m), v, wire_slot(m, object));
    }
    if (wire_json_read(a, json_text(a, body, -1), shape, object, &e) < 0)
        fail_msg("%s at %zu of %.*s", e.message, e.offset, STR(text));
    return object;
}

/* ---- HTTP as text ---- */

static void parse_request(struct arena *a, struct str text, struct wire_request *ret)
{
    struct wire_headers h = {0};
    struct str line, target, name, value;
    *ret = (struct wire_request){0};
    str_cut(text, '\n', &line, &text);
    str_cut(line, ' ', &ret->method, &line);
    str_cut(line, ' ', &target, &line);
    str_cut(target, '?', &ret->path, &ret->query);
    while (str_cut(text, '\n', &line, &text) && line.n) {
        str_cut(line, ':', &name, &value);
        wire_headers_add(a, &h, name, str_trim(value));
    }
    ret->headers = h.items;
    ret->n_headers = h.n;
    ret->body = text.n ? body_mem(text) : (struct body){0};
}

static void print_headers(struct buf *b, const struct wire_header *headers, size_t n,
                          const struct body *body)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%.*s: %.*s\n", STR(headers[i].name), STR(headers[i].value));
    buf_byte(b, '\n');
    if (body->has)
        buf_str(b, body->mem);
}

/* ---- the three walks ---- */

static void decode(struct vector *v, struct str text)
{
    struct wire_request req, again;
    struct wire_route route;
    struct wire_error err = {0};
    void *in = NULL;
    parse_request(v->a, text, &req);
    int r = wire_route(v->router, &req, v->a, &route, &err);
    if (r == 0 && route.op != v->op)
        fail_msg("%.*s: went to %s", STR(v->dir), operation_name(route.op));
    if (r == 0)
        r = wire_decode_input(&route, &req, v->a, &in, &err);
    if (r == 0)
        r = wire_check_input(&route, in, v->a, &err);
    if (r < 0) {
        assert_int_equal(r, -EBADMSG);
        check(v, "error.txt",
              str_printf(v->a, "%d %.*s\n%.*s\n", err.status, STR(err.code), STR(err.message)));
        return;
    }
    if (!in)
        return;
    check(v, "input.json", dump(v->a, operation_input(v->op), in));
    if (wire_encode_input(v->op, in, NULL, v->a, &again, &err) < 0)
        fail_msg("%.*s: %.*s", STR(v->dir), STR(err.message));
    auto_buf struct buf b;
    buf_init(&b, MAX);
    buf_printf(&b, "%.*s %.*s%s%.*s HTTP/1.1\n", STR(again.method), STR(again.path),
               again.query.n ? "?" : "", STR(again.query));
    print_headers(&b, again.headers, again.n_headers, &again.body);
    check(v, "encoded.txt", buf_copy(&b, v->a));
}

static void print_response(struct vector *v, const struct wire_response *response)
{
    auto_buf struct buf b;
    buf_init(&b, MAX);
    buf_printf(&b, "HTTP/1.1 %d\n", response->status);
    print_headers(&b, response->headers, response->n_headers, &response->body);
    check(v, "response.txt", buf_copy(&b, v->a));
}

static void encode(struct vector *v, struct str text)
{
    struct wire_route route = {.service = operation_service(v->op),
                               .op = v->op,
                               .protocol = operation_service(v->op)->protocol};
    struct wire_response response;
    struct wire_error err = {0};
    void *out = undump(v->a, operation_output(v->op), text), *got;
    wire_encode_output(&route, out, S(REQUEST_ID), v->a, &response);
    print_response(v, &response);
    struct wire_headers h = {0};
    for (size_t i = 0; i < response.n_headers; i++)
        wire_headers_add(v->a, &h, response.headers[i].name, response.headers[i].value);
    if (response.body.has) /* what the HTTP server adds */
        wire_headers_add(v->a, &h, S("Content-Length"),
                         str_printf(v->a, "%lld", (long long)response.body.size));
    response.headers = h.items;
    response.n_headers = h.n;
    if (wire_decode_output(v->op, &response, v->a, &got, &err) < 0)
        fail_msg("%.*s: %.*s", STR(v->dir), STR(err.message));
    struct str back = dump(v->a, operation_output(v->op), got),
               sent = dump(v->a, operation_output(v->op), out);
    if (!str_eq(back, sent))
        fail_msg("%.*s: read back as %.*s", STR(v->dir), STR(back));
}

static void fail_with(struct vector *v, struct str text)
{
    struct wire_route route = {.service = operation_service(v->op),
                               .op = v->op,
                               .protocol = operation_service(v->op)->protocol};
    struct wire_response response;
    struct wire_error err, got = {0};
    struct wire_request req = {.method = str_from(operation_method(v->op)),
                               .path = S("/bucket/key")};
    struct json *f;
    void *out;
    assert_int_equal(json_parse(v->a, text, &f, NULL), 0);
    wire_error_set(&err, operation_service(v->op), json_get_str(f, "code"),
                   json_get_str(f, "message"));
    if (json_get(f, "detail"))
        err.detail =
            undump(v->a, error_members(err.shape), json_text(v->a, json_get(f, "detail"), -1));
    wire_encode_error(&route, &req, &err, S(REQUEST_ID), v->a, &response);
    print_response(v, &response);
    assert_int_equal(wire_decode_output(v->op, &response, v->a, &out, &got), -EBADMSG);
    assert_int_equal(got.status, err.status);
    assert_true(str_is(got.request_id, REQUEST_ID));
    if (response.body.has) {
        assert_true(str_eq(got.code, err.code));
        assert_true(str_eq(got.message, err.message));
    }
}

static void run(struct arena *a, struct str dir, struct wire_router *const *routers)
{
    struct vector v = {.a = a, .dir = dir};
    struct str service, operation, text = load(&v, "case.txt");
    str_cut(str_trim(text), ' ', &service, &operation);
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
        if (str_is(service, services[i]->id)) {
            v.router = routers[i];
            v.op = operation_find(services[i], operation);
        }
    if (!v.op)
        fail_msg("%.*s: case.txt names no operation: %.*s", STR(dir), STR(text));
    if ((text = load(&v, "request.txt")).p)
        decode(&v, text);
    if ((text = load(&v, "output.json")).p)
        encode(&v, text);
    if ((text = load(&v, "failure.json")).p)
        fail_with(&v, text);
}

static void vectors(void **unused)
{
    struct wire_router *routers[sizeof(services) / sizeof(services[0])];
    auto_arena struct arena names_arena;
    arena_init(&names_arena);
    struct str *names, root = str_printf(&names_arena, "%s/protocol", TEST_VECTORS);
    size_t n, seen = 0;
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
        routers[i] = wire_router_new(services[i]);
    assert_int_equal(fs_walk(&names_arena, root.p, &names, &n), 0);
    for (size_t i = 0; i < n; i++) {
        if (!str_ends(names[i], S("/")))
            continue;
        auto_arena struct arena a;
        arena_init(&a);
        run(&a, names[i], routers);
        seen++;
    }
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
        wire_router_free(routers[i]);
    assert_true(seen >= 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
