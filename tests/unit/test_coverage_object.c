/* What an environment leaves in S3: what is written is read again, any bytes are survived, and the
 * union of many is exact in every order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "coverage/data.h"

static struct bits set_of(struct arena *a, const uint32_t *lines, size_t n)
{
    uint32_t max = 0;
    for (size_t i = 0; i < n; i++)
        max = lines[i] > max ? lines[i] : max;
    uint8_t *p = arena_alloc(a, bits_size(max));
    for (size_t i = 0; i < n; i++)
        bits_set(p, lines[i]);
    return (struct bits){p, bits_size(max)};
}
#define LINES(a, ...)                                                                              \
    set_of((a), (const uint32_t[]){__VA_ARGS__},                                                   \
           sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* Two contexts, two files, one of a kind that nobody knows. */
static struct object sample(struct arena *a)
{
    static const struct object_meta meta[] = {{S_INIT("function"), S_INIT("api")},
                                              {S_INIT("version"), S_INIT("7")},
                                              {S_INIT("branch"), S_INIT("1")},
                                              {S_INIT("mechanism"), S_INIT("settrace")}};
    static const struct object_context contexts[] = {{S_INIT("init"), 1000},
                                                     {S_INIT("request-1"), 2000}};
    static const struct object_arc arcs[] = {{-7, 8}, {8, 10}, {10, -7}};
    struct object_hits *hits = ARENA_ARRAY(a, struct object_hits, 2);
    hits[0] = (struct object_hits){.context = 0, .lines = LINES(a, 1, 7)};
    hits[1] =
        (struct object_hits){.context = 1, .lines = LINES(a, 8, 10), .arcs = arcs, .n_arcs = 3};
    struct object_file *files = ARENA_ARRAY(a, struct object_file, 2);
    files[0] = (struct object_file){.path = S("/var/task/app.py"),
                                    .has_sha256 = true,
                                    .raw = LINES(a, 1, 7, 8, 9, 10),
                                    .hits = hits,
                                    .n_hits = 2};
    memset(files[0].sha256, 0xab, 32);
    files[1] = (struct object_file){
        .path = S("/var/task/x.js"), .kind = 77, .payload = S("\x01\x02\x03 payload")};
    return (struct object){meta, 4, contexts, 2, files, 2};
}

static struct str bytes_of(struct arena *a, const struct object *o)
{
    uint8_t *p;
    size_t n;
    assert_int_equal(object_write(o, &p, &n), 0);
    struct str s = {arena_copy(a, p, n), n};
    free(p);
    return s;
}

static void what_is_written_is_read(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct object in = sample(&a), o;
    struct str bytes = bytes_of(&a, &in);
    struct object_error err;
    struct object_reader *reader = object_reader_new();
    for (int round = 0; round < 2; round++) {
        assert_int_equal(object_read(reader, bytes, &a, &o, &err), 0);
        assert_true(str_is(object_meta_find(&o, "function"), "api"));
        assert_false(str_has(object_meta_find(&o, "nothing")));
        assert_int_equal(o.n_contexts, 2);
        assert_true(str_is(o.contexts[1].name, "request-1"));
        assert_int_equal(o.contexts[1].start_ms, 2000);
        assert_int_equal(o.n_files, 2);
        assert_true(o.files[0].has_sha256);
        assert_int_equal(o.files[0].sha256[31], 0xab);
        assert_true(bits_equal(o.files[0].raw, in.files[0].raw));
        assert_int_equal(o.files[0].n_hits, 2);
        assert_true(bits_equal(o.files[0].hits[1].lines, in.files[0].hits[1].lines));
        assert_int_equal(o.files[0].hits[1].n_arcs, 3);
        assert_int_equal(o.files[0].hits[1].arcs[2].to, -7);
        assert_int_equal(o.files[1].kind, 77);
        assert_true(str_is(o.files[1].payload, "\x01\x02\x03 payload"));
        assert_false(o.files[1].has_sha256);
    }
    object_reader_free(reader);
}

/* The example of docs/coverage-format.md. */
static void the_documented_example_is_what_is_written(void **state)
{
    static const char expected[] = "\x02\x08"
                                   "function\x01"
                                   "f\x06"
                                   "branch\x01"
                                   "1\x01\x04"
                                   "init\x00\x01\x1d\x10/var/task/app.py"
                                   "\x00\x00\x00\x01\x00\x01\x06\x02\x01\x04\x04\x02";
    auto_arena struct arena a;
    arena_init(&a);
    struct object_meta meta[] = {{S("function"), S("f")}, {S("branch"), S("1")}};
    struct object_context context = {S("init"), 0};
    struct object_arc arcs[] = {{-1, 1}, {1, 2}};
    struct object_hits hits = {0, LINES(&a, 1, 2), arcs, 2};
    struct object_file file = {.path = S("/var/task/app.py"), .hits = &hits, .n_hits = 1};
    struct object o = {meta, 2, &context, 1, &file, 1};
    struct str bytes = bytes_of(&a, &o);
    uint8_t body[100];
    uLong n = sizeof body;
    assert_int_equal(
        uncompress(body, &n, (const Bytef *)bytes.p + OBJECT_HEAD, (uLong)(bytes.n - OBJECT_HEAD)),
        Z_OK);
    assert_int_equal(n, sizeof expected - 1);
    assert_memory_equal(body, expected, n);
}

/* The envelope of any body, as another version of us might write it. */
static struct str wrap(struct arena *a, struct str body)
{
    uLong n = compressBound((uLong)body.n);
    uint8_t *p = arena_alloc(a, OBJECT_HEAD + n);
    assert_int_equal(compress2(p + OBJECT_HEAD, &n, (const Bytef *)body.p, (uLong)body.n, 6), Z_OK);
    memcpy(p, OBJECT_MAGIC, 8);
    for (int i = 0; i < 4; i++)
        p[12 + i] = (uint8_t)(body.n >> (8 * i));
    uint32_t crc = (uint32_t)crc32(0, p + 12, (uInt)(n + 4));
    for (int i = 0; i < 4; i++)
        p[8 + i] = (uint8_t)(crc >> (8 * i));
    return str_of((char *)p, OBJECT_HEAD + n);
}

static void what_a_later_version_adds_is_skipped(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    /* no meta, a context "i" at 5, a file "f" without hash of kind 0: no raw lines, one hit */
    static const char body[] = "\x00"
                               "\x01\x01i\x05"
                               "\x01"
                               "\x0d\x01"
                               "f\x00\x00\x00\x01\x00\x01\x04\x00new"
                               "!"
                               "more";
    struct object o;
    struct object_error err;
    struct object_reader *reader = object_reader_new();
    assert_int_equal(object_read(reader, wrap(&a, str_of(body, sizeof body - 1)), &a, &o, &err), 0);
    assert_int_equal(o.n_files, 1);
    assert_true(str_is(o.files[0].path, "f"));
    assert_true(bits_has(o.files[0].hits[0].lines, 2));
    assert_int_equal(bits_count(o.files[0].hits[0].lines), 1);
    object_reader_free(reader);
}

static enum object_fault fault_of(struct arena *a, struct str bytes)
{
    struct object o;
    struct object_error err = {0};
    struct object_reader *reader = object_reader_new();
    int r = object_read(reader, bytes, a, &o, &err);
    object_reader_free(reader);
    assert_true(r == 0 || err.reason);
    return r == 0 ? 0 : err.fault;
}

static void what_is_wrong_is_told(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct object in = sample(&a);
    struct str good = bytes_of(&a, &in);
    assert_int_equal(fault_of(&a, good), 0);
    assert_int_equal(fault_of(&a, S("")), OBJECT_EMPTY);
    assert_int_equal(fault_of(&a, S("SQLite format 3")), OBJECT_FOREIGN);
    assert_int_equal(fault_of(&a, S("LAMCOV2\nwhat a later one may say")), OBJECT_VERSION);
    assert_int_equal(fault_of(&a, S("LAMC")), OBJECT_TRUNCATED);
    /* cut anywhere, and changed anywhere: told, never read as something else */
    for (size_t n = 8; n < good.n; n++) {
        enum object_fault fault = fault_of(&a, str_slice(good, 0, n));
        assert_true(fault == OBJECT_TRUNCATED || fault == OBJECT_CORRUPT);
    }
    for (size_t i = 0; i < good.n; i++) {
        struct str bad = str_copy(&a, good);
        ((char *)(uintptr_t)bad.p)[i] ^= 0x10;
        assert_int_not_equal(fault_of(&a, bad), 0);
    }
    /* a right checksum over a wrong body */
    assert_int_equal(fault_of(&a, wrap(&a, S("\xff\xff\xff\x7f"))), OBJECT_CORRUPT);
    assert_int_equal(fault_of(&a, wrap(&a, S("\x00\x00\x01\x02"))), OBJECT_CORRUPT);
    /* a hit of a context that is not there */
    assert_int_equal(fault_of(&a, wrap(&a, S("\x00\x00\x01\x09\x01"
                                             "f\x00\x00\x00\x01\x00\x00\x00"))),
                     OBJECT_CORRUPT);
}

static void a_wrong_object_is_not_written(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct object_hits hit = {.context = 3};
    struct object_file file = {.path = S("f"), .hits = &hit, .n_hits = 1};
    struct object o = {.files = &file, .n_files = 1};
    uint8_t *p;
    size_t n;
    assert_int_equal(object_write(&o, &p, &n), -22);
}

/* ---- unions ---- */

#define RUNS 12
#define MAX_LINE 200

static uint32_t seed = 7;
static uint32_t roll(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

/* An environment that ran some lines and arcs of three files of two functions. */
static struct object random_object(struct arena *a, int number)
{
    struct object_meta *meta = ARENA_ARRAY(a, struct object_meta, 2);
    meta[0] = (struct object_meta){S("function"), number % 2 ? S("api") : S("worker")};
    meta[1] = (struct object_meta){S("branch"), S("1")};
    struct object_context *contexts = ARENA_ARRAY(a, struct object_context, 3);
    for (int i = 0; i < 3; i++)
        contexts[i] = (struct object_context){str_printf(a, "r%d-%d", number, i),
                                              1000 + (int64_t)roll(50) * (i ? 1 : 0)};
    struct object_file *files = ARENA_ARRAY(a, struct object_file, 3);
    for (int f = 0; f < 3; f++) {
        struct object_hits *hits = ARENA_ARRAY(a, struct object_hits, 3);
        for (uint32_t c = 0; c < 3; c++) {
            uint8_t *lines = arena_alloc(a, bits_size(MAX_LINE));
            struct object_arc *arcs = ARENA_ARRAY(a, struct object_arc, 20);
            for (int i = 0; i < 20; i++) {
                bits_set(lines, 1 + roll(MAX_LINE));
                arcs[i] = (struct object_arc){(int32_t)roll(40) - 20, 1 + (int32_t)roll(20)};
            }
            hits[c] = (struct object_hits){c, {lines, bits_size(MAX_LINE)}, arcs, 20};
        }
        files[f] = (struct object_file){
            .path = str_printf(a, "/var/task/f%d.py", f), .hits = hits, .n_hits = 3};
    }
    return (struct object){meta, 2, contexts, 3, files, 3};
}

/* The union as text: files, lines, arcs, who was first, groups. */
static struct str text_of(struct arena *a, struct data *d)
{
    struct data_view v;
    data_finish(d, &v);
    auto_buf struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < v.n_files; i++) {
        const struct data_file *f = &v.files[i];
        buf_printf(&b, "%.*s %.*s\n", STR(f->function), STR(f->path));
        for (int64_t l = bits_next(f->lines, 0); l >= 0; l = bits_next(f->lines, (uint32_t)l + 1)) {
            assert_true((size_t)l < f->n_first && f->first[l]);
            buf_printf(&b, " %d:%.*s", (int)l, STR(v.contexts[f->first[l] - 1].name));
        }
        for (size_t k = 0; k < f->n_arcs; k++)
            buf_printf(&b, " (%d,%d)", f->arcs[k].from, f->arcs[k].to);
        size_t in_groups = 0;
        for (size_t k = 0; k < f->n_groups; k++)
            in_groups += bits_count(f->groups[k].lines) + f->groups[k].n_arcs;
        buf_printf(&b, "\n groups %zu\n", in_groups);
    }
    assert_false(buf_failed(&b));
    return buf_copy(&b, a);
}

static void a_union_is_exact_in_any_order(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str objects[RUNS], names[RUNS];
    for (int i = 0; i < RUNS; i++) {
        struct object o = random_object(&a, i);
        objects[i] = bytes_of(&a, &o);
        names[i] = str_printf(&a, "o%d", i);
    }
    struct str expected = {0};
    for (int round = 0; round < 40; round++) {
        int order[RUNS], n = RUNS;
        for (int i = 0; i < RUNS; i++)
            order[i] = i;
        for (int i = RUNS - 1; i > 0; i--) {
            int k = (int)roll((uint32_t)i + 1), t = order[i];
            order[i] = order[k];
            order[k] = t;
        }
        /* in several parts that are joined, some of them twice */
        struct data *all = data_new(DATA_BY_CONTEXT), *part = data_new(DATA_BY_CONTEXT);
        struct object_error err;
        for (int i = 0; i < n; i++) {
            struct data *to = round && roll(2) ? part : all;
            assert_int_equal(data_add(to, names[order[i]], objects[order[i]], &err), 0);
            if (round && roll(3) == 0)
                assert_int_equal(data_add(all, names[order[i]], objects[order[i]], &err), 0);
        }
        data_join(all, part);
        data_free(part);
        struct str text = text_of(&a, all);
        if (!round)
            expected = text;
        assert_true(expected.n > 1000);
        assert_true(str_eq(text, expected));
        data_free(all);
    }
}

static void sources_of_one_path_stay_apart(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct object o = sample(&a);
    struct data *d = data_new(DATA_BY_VERSION);
    data_add_object(d, S("one"), &o);
    ((struct object_file *)(uintptr_t)o.files)[0].sha256[0] = 0;
    data_add_object(d, S("two"), &o);
    struct data_view v;
    data_finish(d, &v);
    assert_int_equal(v.n_files, 3);
    assert_true(str_is(v.files[0].path, "/var/task/app.py"));
    assert_true(str_is(v.files[1].path, "/var/task/app.py"));
    assert_true(v.has_arcs);
    assert_int_equal(v.n_groups, 1);
    assert_true(str_is(v.groups[0], "api:7"));
    data_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_documented_example_is_what_is_written),
        cmocka_unit_test(what_a_later_version_adds_is_skipped),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(a_wrong_object_is_not_written),
        cmocka_unit_test(a_union_is_exact_in_any_order),
        cmocka_unit_test(sources_of_one_path_stay_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
