/* test_logs_sweep - expired and deleted events go, in bounded steps, and nothing else does. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "service/logs/record.h"

#define NOW (INT64_C(100) * LOGS_DAY_MS)
#define GROUP 7
#define STREAM 8

static void put_record(struct store *s, struct str key, const struct shape *shape,
                       const void *record)
{
    auto_buf struct buf b;
    buf_init(&b, 4096);
    wire_json_write(&b, shape, record);
    assert_int_equal(store_put(s, key, buf_view(&b)), 0);
}

static int64_t events(struct store *s, struct arena *a, int64_t stream)
{
    int64_t n;
    assert_int_equal(store_count(s, logs_event_prefix(a, stream), &n), 0);
    return n;
}

/* Ten events, one a day, the newest of today; a retention of three days. */
static struct store *fill(struct arena *a)
{
    struct store *s;
    assert_int_equal(store_open(&(struct store_options){0}, &s, NULL), 0);
    struct logs_group_record group = {
        .id = opt_int(GROUP), .name = S("g"), .retention = opt_int(3)};
    struct logs_stream_record stream = {.id = opt_int(STREAM),
                                        .name = S("s"),
                                        .first = opt_int(NOW - 9 * LOGS_DAY_MS),
                                        .last = opt_int(NOW)};
    put_record(s, store_key(a, 4, S("logs-group"), S("0"), S("r"), S("g")),
               &logs_group_record_shape, &group);
    put_record(s, logs_stream_key(a, GROUP, S("s")), &logs_stream_record_shape, &stream);
    for (int i = 0; i < 10; i++)
        store_put(s, logs_event_key(a, STREAM, NOW - i * LOGS_DAY_MS, i), S("x"));
    return s;
}

static void expired_events_go_in_steps(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct store *s = fill(&a);
    assert_true(logs_sweep(s, NOW, 4));
    assert_int_equal(events(s, &a, STREAM), 6);
    assert_false(logs_sweep(s, NOW, 100));
    assert_int_equal(events(s, &a, STREAM), 4); /* today and three days, to the millisecond */
    assert_false(logs_sweep(s, NOW, 100));
    assert_int_equal(events(s, &a, STREAM), 4);
    store_close(s);
}

static void events_of_deleted_streams_go(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct store *s = fill(&a);
    store_put(s, logs_event_key(&a, 9, NOW, 1), S("y"));
    store_put(s, logs_event_key(&a, 9, NOW, 2), S("y"));
    store_put(s, logs_dead_key(&a, 9), S(""));
    assert_true(logs_sweep(s, NOW, 1));
    assert_int_equal(events(s, &a, 9), 1);
    assert_true(store_has(s, logs_dead_key(&a, 9)));
    logs_sweep(s, NOW, 100);
    assert_int_equal(events(s, &a, 9), 0);
    assert_false(store_has(s, logs_dead_key(&a, 9)));
    store_close(s);
}

static void names_in_arns(void **state)
{
    static const struct {
        const char *arn, *name;
    } cases[] = {
        {"arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f", "/aws/lambda/f"},
        {"arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*", "/aws/lambda/f"},
        {"arn:aws:logs:us-east-1:000000000000:log-group:g:log-stream:s", NULL},
        {"arn:aws:s3:::bucket", NULL},
        {"g", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str name = logs_arn_group(str_from(cases[i].arn));
        if (!str_eq(name, str_from(cases[i].name)))
            fail_msg("%s: %.*s", cases[i].arn, STR(name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expired_events_go_in_steps),
        cmocka_unit_test(events_of_deleted_streams_go),
        cmocka_unit_test(names_in_arns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
