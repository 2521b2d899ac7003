/* test_wire_roundtrip - every operation of every model with random values: what the client side
 * writes the server side reads back equal, and the other way round. The seed is printed on failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "wire/client.h"
#include "wire/cloudformation.h"
#include "wire/iam.h"
#include "wire/lambda.h"
#include "wire/logs.h"
#include "wire/pattern.h"
#include "wire/s3.h"
#include "wire/sts.h"
#include "wire/walk.h"

static uint64_t state;

static uint32_t roll(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static bool make_object(struct arena *a, const struct shape *shape, void *object, int depth);

static struct str some_text(struct arena *a, enum location where)
{
    static const char *const pieces[] = {"a",
                                         "B",
                                         "0",
                                         "-",
                                         "_",
                                         "/",
                                         " ",
                                         "%",
                                         "+",
                                         "&",
                                         "=",
                                         "?",
                                         "\"",
                                         "\\",
                                         "<",
                                         ">",
                                         "'",
                                         "\xc3\xa9",
                                         "\xf0\x9f\x8d\xb5",
                                         "\n",
                                         "\t",
                                         "\r",
                                         "]]>",
                                         "."};
    struct str s = S("x"); /* neither blank ends nor empty: headers and URIs cannot hold them */
    size_t n = roll(12), kinds = where == LOCATION_BODY || where == LOCATION_QUERY ? 24 : 19;
    for (size_t i = 0; i < n; i++)
        s = str_printf(a, "%.*s%s", STR(s), pieces[roll((uint32_t)kinds)]);
    return str_printf(a, "%.*sz", STR(s));
}

static bool make_slot(struct arena *a, const struct shape *shape, enum location where, void *slot,
                      int depth)
{
    switch (shape->type) {
    case SHAPE_STRUCTURE: {
        void *object = arena_alloc(a, shape->size);
        if (depth > 6 || !make_object(a, shape, object, depth + 1))
            return false;
        *(void **)slot = object;
        return true;
    }
    case SHAPE_LIST:
    case SHAPE_MAP: {
        struct any_list *list = slot;
        size_t n = 1 + roll(3);
        char *items = arena_alloc(a, n * shape->stride);
        for (size_t i = 0; i < n; i++) {
            char *item = items + i * shape->stride;
            bool made;
            struct str key = some_text(a, LOCATION_HEADER);
            if (shape->type == SHAPE_MAP) {
                *(struct str *)(void *)item = where == LOCATION_HEADERS
                                                  ? str_printf(a, "key%zu", i)
                                                  : str_printf(a, "k%zu%.*s", i, STR(key));
                made = make_slot(a, shape_element(shape), where, item + shape->value_offset,
                                 depth + 1);
            } else if (shape_element(shape)->type == SHAPE_STRUCTURE) {
                made = depth <= 6 && make_object(a, shape_element(shape), item, depth + 1);
            } else if (where == LOCATION_HEADER && shape_element(shape)->type == SHAPE_STRING) {
                *(struct str *)(void *)item = str_printf(a, "item%u", roll(100));
                made = true;
            } else {
                made = make_slot(a, shape_element(shape), where, item, depth + 1);
            }
            if (!made)
                return false;
        }
        *list = (struct any_list){items, n};
        return true;
    }
    case SHAPE_STRING:
        *(struct str *)slot = some_text(a, where);
        return true;
    case SHAPE_BLOB:
        *(struct str *)slot = str_printf(a, "blob%c%u", 1 + (int)roll(255), roll(1000));
        return true;
    case SHAPE_BOOLEAN:
        *(struct opt_bool *)slot = opt_bool(roll(2));
        return true;
    case SHAPE_INTEGER:
        *(struct opt_int *)slot =
            opt_int((int64_t)((uint64_t)roll(UINT32_MAX) << 31 | roll(1000)) * (roll(2) ? 1 : -1));
        return true;
    case SHAPE_DOUBLE:
        *(struct opt_double *)slot = opt_double((double)roll(1000000) / (1 + roll(1000)));
        return true;
    case SHAPE_TIMESTAMP: /* whole seconds: HTTP dates have no more */
        *(struct opt_time *)slot = opt_time((int64_t)roll(2000000000) * 1000);
        return true;
    case SHAPE_STREAM:
        *(struct body *)slot = body_mem(some_text(a, LOCATION_BODY));
        return true;
    case SHAPE_DOCUMENT:
        return json_parse(a, S("{\"a\":[1,2.50,null,\"x\"]}"), slot, NULL) == 0;
    }
    return false;
}

/* false: nothing could be put in. */
static bool make_object(struct arena *a, const struct shape *shape, void *object, int depth)
{
    bool any = false;
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        if (shape->is_union && any)
            break;
        if (!m->required && any && roll(3) == 0)
            continue;
        if (m->location == LOCATION_STATUS) {
            *(struct opt_int *)wire_slot(m, object) = opt_int(200 + roll(4));
            any = true;
            continue;
        }
        if (m->location == LOCATION_URI && member_shape(m)->type != SHAPE_STRING) {
            *(struct opt_int *)wire_slot(m, object) = opt_int(1 + roll(1000));
            any = true;
            continue;
        }
        any |= make_slot(a, member_shape(m), m->location, wire_slot(m, object), depth);
    }
    return any;
}

static struct str dump(struct arena *a, const struct shape *shape, const void *object)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    if (object)
        wire_json_write(&b, shape, object);
    return buf_copy(&b, a);
}

static void compare(struct arena *a, const struct operation *op, const char *end,
                    const struct shape *shape, const void *made, const void *got, struct str wire)
{
    if (wire_equal(shape, made, got))
        return;
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        if (wire_slot_absent(member_shape(m), wire_slot(m, made)) !=
            wire_slot_absent(member_shape(m), wire_slot(m, got)))
            fprintf(stderr, "# member %s is %s\n", member_name(m),
                    wire_slot_absent(member_shape(m), wire_slot(m, got)) ? "lost" : "made up");
    }
    fail_msg("%s.%s %s differs\n made %.*s\n got  %.*s\n wire %.*s", operation_service(op)->id,
             operation_name(op), end, STR(dump(a, shape, made)), STR(dump(a, shape, got)),
             STR(wire));
}

static void input_direction(const struct wire_router *router, const struct operation *op)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct wire_error err = {0};
    struct wire_request req;
    struct wire_route route;
    void *made = NULL, *got = NULL;
    if (operation_input(op)) {
        made = arena_alloc(&a, operation_input(op)->size);
        make_object(&a, operation_input(op), made, 0);
    }
    if (wire_encode_input(op, made, NULL, &a, &req, &err) < 0)
        fail_msg("%s: %.*s", operation_name(op), STR(err.message));
    if (wire_route(router, &req, &a, &route, &err) < 0)
        fail_msg("%s: no route for %.*s %.*s?%.*s: %.*s", operation_name(op), STR(req.method),
                 STR(req.path), STR(req.query), STR(err.message));
    if (route.op != op)
        fail_msg("%s: %.*s %.*s?%.*s went to %s", operation_name(op), STR(req.method),
                 STR(req.path), STR(req.query), operation_name(route.op));
    if (wire_decode_input(&route, &req, &a, &got, &err) < 0)
        fail_msg("%s: %.*s: %.*s\n%.*s", operation_name(op), STR(err.code), STR(err.message),
                 STR(req.body.mem));
    if (operation_input(op)) {
        /* An empty token is filled by the client: take it over. */
        for (uint32_t i = 0; i < operation_input(op)->n_members; i++) {
            const struct member *m = shape_member(operation_input(op), i);
            if (m->idempotency_token && wire_slot_absent(member_shape(m), wire_slot(m, made)))
                *(struct str *)wire_slot(m, made) = *(struct str *)wire_slot(m, got);
            /* the digest the client adds */
            if (op->checksum_required && str_is(str_from(member_name(m)), "ContentMD5"))
                *(struct str *)wire_slot(m, made) = *(struct str *)wire_slot(m, got);
        }
        compare(&a, op, "input", operation_input(op), made, got,
                req.body.has ? req.body.mem : str_printf(&a, "%.*s", STR(req.query)));
    }
    struct wire_error check = {0};
    wire_check_input(&route, got, &a, &check); /* whatever it says: it must not fall over */
}

static void output_direction(const struct wire_router *router, const struct operation *op)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct wire_error err = {0};
    struct wire_route route = {
        .service = operation_service(op), .op = op, .protocol = operation_service(op)->protocol};
    struct wire_response response;
    void *made = NULL, *got = NULL;
    if (operation_output(op)) {
        made = arena_alloc(&a, operation_output(op)->size);
        make_object(&a, operation_output(op), made, 0);
    }
    wire_encode_output(&route, made, S("id-1"), &a, &response);
    /* Content-Length is what HTTP says of the body, not what a service answers. */
    for (uint32_t i = 0;
         operation_output(op) && response.body.has && i < operation_output(op)->n_members; i++)
        if (strcmp(member_wire_name(shape_member(operation_output(op), i)), "Content-Length") == 0)
            *(struct opt_int *)wire_slot(shape_member(operation_output(op), i), made) =
                (struct opt_int){0};
    if (wire_decode_output(op, &response, &a, &got, &err) < 0)
        fail_msg("%s: %d %.*s\n%.*s", operation_name(op), response.status, STR(err.message),
                 STR(response.body.mem));
    if (operation_output(op))
        compare(&a, op, "output", operation_output(op), made, got, response.body.mem);
}

static void error_direction(const struct operation *op)
{
    for (size_t i = 0; i < op->n_errors; i++) {
        const struct error_shape *error = operation_error(op, i);
        auto_arena struct arena a;
        arena_init(&a);
        struct wire_error sent = {.code = str_from(error->code),
                                  .message = S("a <b> \"c\""),
                                  .status = error->status,
                                  .shape = error},
                          got = {0};
        struct wire_route route = {.service = operation_service(op),
                                   .op = op,
                                   .protocol = operation_service(op)->protocol};
        struct wire_response response;
        void *out;
        wire_encode_error(&route, NULL, &sent, S("id-2"), &a, &response);
        assert_int_equal(response.status, error->status);
        if (response.status < 300)
            continue;
        assert_true(wire_decode_output(op, &response, &a, &out, &got) < 0);
        assert_true(str_eq(got.code, sent.code));
        assert_true(str_eq(got.message, sent.message));
        assert_true(str_is(got.request_id, "id-2"));
    }
}

static bool is_streamed(const struct operation *op)
{
    const struct member *payload =
        operation_output(op) ? shape_payload(operation_output(op)) : NULL;
    return payload && member_shape(payload)->event_stream;
}

static void every_operation(const struct service_model *service)
{
    struct wire_router *router = wire_router_new(service);
    size_t seen = 0;
    for (uint32_t i = 0; i < service->n_operations; i++) {
        const struct operation *op = &service->operations[i];
        if (!op->modelled)
            continue;
        for (int round = 0; round < 20; round++) {
            state = (uint64_t)round * 7919 + i + 1;
            input_direction(router, op);
            if (!is_streamed(op)) /* those come in messages: test_wire_eventstream */
                output_direction(router, op);
        }
        error_direction(op);
        seen++;
    }
    assert_true(seen > 0);
    wire_router_free(router);
}

static void sts(void **unused)
{
    every_operation(&sts_model);
}
static void iam(void **unused)
{
    every_operation(&iam_model);
}
static void cloudformation(void **unused)
{
    every_operation(&cloudformation_model);
}
static void logs(void **unused)
{
    every_operation(&logs_model);
}
static void lambda(void **unused)
{
    every_operation(&lambda_model);
}
static void s3(void **unused)
{
    every_operation(&s3_model);
}

/* A pattern that PCRE2 does not understand would check nothing. */
static void patterns_of(const struct shape *shape, int depth)
{
    if (depth > 12)
        return;
    if (shape->pattern && !pattern_compiles(shape_pattern(shape)))
        fail_msg("%s: %s", shape_name(shape), shape_pattern(shape));
    if (shape->element)
        patterns_of(shape_element(shape), depth + 1);
    if (shape->key)
        patterns_of(shape_key(shape), depth + 1);
    for (uint32_t i = 0; i < shape->n_members; i++)
        patterns_of(member_shape(shape_member(shape, i)), depth + 1);
}

static void patterns(void **unused)
{
    static const struct service_model *const all[] = {
        &sts_model, &iam_model, &cloudformation_model, &logs_model, &lambda_model, &s3_model};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        for (uint32_t k = 0; k < all[i]->n_operations; k++)
            if (operation_input(&all[i]->operations[k]))
                patterns_of(operation_input(&all[i]->operations[k]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sts),      cmocka_unit_test(iam),    cmocka_unit_test(cloudformation),
        cmocka_unit_test(logs),     cmocka_unit_test(lambda), cmocka_unit_test(s3),
        cmocka_unit_test(patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
