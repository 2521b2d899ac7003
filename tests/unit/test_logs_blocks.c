/* test_logs_blocks - events in blocks and singly are read in order, both ways, before and after
 * they are packed. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/clock.h"
#include "service/logs/cursor.h"
#include "service/logs/pack.h"
#include "service/logs/record.h"

#define STREAM 8

struct world {
    struct store *store;
    struct arena arena;
    uint64_t random;
    int64_t sequence, last;
    struct log_item all[4000];
    size_t n;
};

static uint64_t next_random(struct world *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

static void put_block(struct world *w, const struct log_item *items, size_t n)
{
    struct str key = logs_block_key(&w->arena, STREAM, items[n - 1].place);
    assert_int_equal(store_put(w->store, key, log_block_make(&w->arena, items, n)), 0);
}

/* As PutLogEvents does it. */
static void put(struct world *w, int64_t time, size_t n)
{
    struct log_item items[64];
    bool in_order = time >= w->last;
    for (size_t i = 0; i < n; i++) {
        struct log_item *item = &items[i];
        item->place = (struct log_place){time, ++w->sequence};
        item->message = str_printf(&w->arena, "%.*s %" PRId64, (int)(next_random(w) % 40),
                                   "................................................", w->sequence);
        w->all[w->n++] = *item;
        if (time > w->last)
            w->last = time;
        if (!in_order)
            store_put(w->store,
                      logs_event_key(&w->arena, STREAM, item->place.time, item->place.sequence),
                      item->message);
        time += (int64_t)(next_random(w) % 3);
    }
    if (in_order)
        put_block(w, items, n);
}

static int by_place(const void *x, const void *y)
{
    return log_place_cmp(((const struct log_item *)x)->place, ((const struct log_item *)y)->place);
}

static void check_reading(struct world *w, struct log_place from, bool back)
{
    struct log_cursor c;
    struct log_run run;
    size_t at = 0;
    int r;
    if (!back) {
        while (at < w->n && log_place_cmp(w->all[at].place, from) <= 0)
            at++;
    } else {
        at = w->n;
        while (at > 0 && log_place_cmp(w->all[at - 1].place, from) >= 0)
            at--;
    }
    log_cursor_init(&c, w->store, STREAM, from, back);
    while ((r = log_cursor_next(&c, &run)) > 0) {
        assert_true(run.from < run.to);
        for (size_t k = 0; k < run.to - run.from; k++) {
            size_t i = back ? run.to - 1 - k : run.from + k;
            assert_true(back ? at > 0 : at < w->n);
            const struct log_item *want = &w->all[back ? --at : at++];
            assert_int_equal(log_place_cmp(log_block_place(&run.block, i), want->place), 0);
            assert_true(str_eq(log_block_message(&run.block, i), want->message));
        }
    }
    assert_int_equal(r, 0);
    assert_int_equal(at, back ? 0 : w->n);
    log_cursor_done(&c);
}

static void check_all(struct world *w)
{
    static const struct log_place first = {INT64_MIN, INT64_MIN}, last = {INT64_MAX, INT64_MAX};
    qsort(w->all, w->n, sizeof *w->all, by_place);
    check_reading(w, first, false);
    check_reading(w, last, true);
    for (int i = 0; i < 20; i++) {
        struct log_place p = w->all[next_random(w) % w->n].place;
        check_reading(w, p, false);
        check_reading(w, p, true);
        p.sequence = i % 2 ? INT64_MIN : INT64_MAX;
        check_reading(w, p, false);
        check_reading(w, p, true);
    }
}

static int64_t count(struct world *w, struct str prefix)
{
    int64_t n;
    assert_int_equal(store_count(w->store, prefix, &n), 0);
    return n;
}

static void pack(struct world *w)
{
    struct log_place at = {INT64_MIN, INT64_MIN};
    bool more = true;
    while (more)
        assert_int_equal(logs_pack_stream(w->store, STREAM, &at, &more), 0);
}

static void fill(struct world *w, uint64_t seed)
{
    *w = (struct world){.random = seed};
    arena_init(&w->arena);
    assert_int_equal(store_open(&(struct store_options){0}, &w->store, NULL), 0);
    int64_t time = 1000;
    while (w->n < 1500) {
        bool late = next_random(w) % 5 == 0;
        put(w, late ? time - (int64_t)(next_random(w) % 900) : time, 1 + next_random(w) % 20);
        time = w->last + (int64_t)(next_random(w) % 4);
    }
}

static void events_are_read_in_order(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        fill(w, seed * UINT64_C(0x9e3779b97f4a7c15));
        check_all(w);
        assert_true(count(w, logs_event_prefix(&w->arena, STREAM)) > 0);
        pack(w);
        assert_int_equal(count(w, logs_event_prefix(&w->arena, STREAM)), 0);
        assert_true(count(w, logs_block_prefix(&w->arena, STREAM)) < 20);
        check_all(w);
        put(w, w->last - 500, 20); /* late, into what has been packed */
        put(w, w->last + 1, 20);
        check_all(w);
        pack(w);
        check_all(w);
        store_close(w->store);
        arena_done(&w->arena);
    }
    free(w);
}

static void damaged_blocks_are_refused(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct log_item items[] = {{{1, 1}, S("one")}, {{1, 2}, S("")}, {{2, 3}, S("three")}};
    struct str good = log_block_make(&a, items, 3);
    struct log_block b;
    assert_int_equal(log_block_parse(good, &b), 0);
    assert_true(str_eq(log_block_message(&b, 2), S("three")));
    assert_int_equal(log_block_at(&b, 2), 0);
    assert_int_equal(log_block_at(&b, 3), 2); /* the empty one has no byte */
    for (size_t n = 0; n < good.n; n++)
        assert_int_not_equal(log_block_parse(str_slice(good, 0, n), &b), 0);
    struct str bad = str_copy(&a, good);
    ((char *)bad.p)[LOG_BLOCK_HEAD + 16] = 100; /* a message that ends behind the next one's end */
    assert_int_not_equal(log_block_parse(bad, &b), 0);
    bad = str_copy(&a, good);
    ((char *)bad.p)[LOG_BLOCK_HEAD] = 9; /* out of order */
    assert_int_not_equal(log_block_parse(bad, &b), 0);
}

/* The loop ends when its last timer sleeps: run for ever, it would not come back. */
static void packing_sleeps_until_there_is_something_to_join(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    uv_loop_t loop;
    *w = (struct world){.random = 1};
    arena_init(&w->arena);
    assert_int_equal(store_open(&(struct store_options){0}, &w->store, NULL), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    struct logs_state logs = {.store = w->store, .pack = logs_pack_new()};
    logs.packer.data = &logs;
    uv_timer_init(&loop, &logs.packer);
    logs_pack_start(&logs);
    uv_run(&loop, UV_RUN_DEFAULT); /* looks at all streams, of which there is none */
    for (int i = 0; i < 8; i++) {
        assert_false(uv_is_active((uv_handle_t *)&logs.packer));
        put(w, 1000 + i, 1);
        logs_pack_note(&logs, STREAM, clock_now_ms() - 60000);
    }
    assert_int_equal(count(w, logs_block_prefix(&w->arena, STREAM)), 8);
    assert_true(uv_is_active((uv_handle_t *)&logs.packer));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(count(w, logs_block_prefix(&w->arena, STREAM)), 1);
    check_all(w);
    for (int i = 0; i < 300; i++) /* more than are remembered, none with much */
        logs_pack_note(&logs, 100 + i, clock_now_ms());
    assert_false(uv_is_active((uv_handle_t *)&logs.packer));
    uv_close((uv_handle_t *)&logs.packer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    logs_pack_free(logs.pack);
    store_close(w->store);
    arena_done(&w->arena);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read_in_order),
        cmocka_unit_test(damaged_blocks_are_refused),
        cmocka_unit_test(packing_sleeps_until_there_is_something_to_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
