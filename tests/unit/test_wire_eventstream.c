/* test_wire_eventstream - messages as bytes and back; the bytes are those other implementations
 * make (the first four stand in the format's own test suite). */
#include "check.h"
#include <errno.h>
#include "base/digest.h"
#include "wire/eventstream.h"

static struct arena arena;

static int setup(void **state)
{
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    arena_done(&arena);
    return 0;
}

static const struct eventstream_header event_id[] = {
    {.name = S_INIT("event-id"), .type = EVENTSTREAM_INT, .number = 40972}};
static const struct eventstream_header content_type[] = {{.name = S_INIT("content-type"),
                                                          .type = EVENTSTREAM_STRING,
                                                          .text = S_INIT("application/json")}};
static const struct eventstream_header all_types[] = {
    {.name = S_INIT("a"), .type = EVENTSTREAM_TRUE},
    {.name = S_INIT("b"), .type = EVENTSTREAM_FALSE},
    {.name = S_INIT("c"), .type = EVENTSTREAM_BYTE, .number = -1},
    {.name = S_INIT("d"), .type = EVENTSTREAM_SHORT, .number = -2},
    {.name = S_INIT("e"), .type = EVENTSTREAM_INT, .number = 70000},
    {.name = S_INIT("f"), .type = EVENTSTREAM_LONG, .number = -5000000000},
    {.name = S_INIT("g"), .type = EVENTSTREAM_BYTES, .text = S_INIT("\0\1\2")},
    {.name = S_INIT("h"), .type = EVENTSTREAM_STRING, .text = S_INIT("hi")},
    {.name = S_INIT("i"), .type = EVENTSTREAM_TIMESTAMP, .number = 1700000000123},
    {.name = S_INIT("j"),
     .type = EVENTSTREAM_UUID,
     .text = S_INIT("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17")},
};
static const struct {
    const char *hex;
    struct eventstream_message message;
} vectors[] = {
    {"000000100000000005c248eb7d98c8ff", {NULL, 0, S_INIT("")}},
    {"0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936",
     {NULL, 0, S_INIT("{'foo':'bar'}")}},
    {"0000002b0000000e348bec7b086576656e742d6964040000a00c7b27666f6f273a27626172277dd3890285",
     {event_id, 1, S_INIT("{'foo':'bar'}")}},
    {"0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b27"
     "666f6f273a27626172277d8d9c08b1",
     {content_type, 1, S_INIT("{'foo':'bar'}")}},
    {"0000005f0000004e4e05ebe4016100016201016302ff016403fffe01650400011170016605fffffffed5fa0e0001"
     "67060003000102016807000268690169080000018bcfe5687b016a09000102030405060708090a0b0c0d0e0f7836"
     "defc9a",
     {all_types, 10, S_INIT("x")}},
};

static struct str bytes_of(const char *hex)
{
    struct str bytes;
    assert_int_equal(hex_decode(&arena, str_from(hex), &bytes), 0);
    return bytes;
}

static void assert_same(const struct eventstream_message *got,
                        const struct eventstream_message *wanted)
{
    assert_true(str_eq(got->payload, wanted->payload));
    assert_int_equal(got->n_headers, wanted->n_headers);
    for (size_t i = 0; i < wanted->n_headers; i++) {
        assert_true(str_eq(got->headers[i].name, wanted->headers[i].name));
        assert_int_equal(got->headers[i].type, wanted->headers[i].type);
        assert_true(str_eq(got->headers[i].text, wanted->headers[i].text));
        assert_int_equal(got->headers[i].number, wanted->headers[i].number);
    }
}

static void test_vectors(void **state)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct str bytes = bytes_of(vectors[i].hex);
        struct eventstream_message m;
        size_t size;
        auto_buf struct buf b;
        buf_init(&b, SIZE_MAX / 2);
        assert_true(eventstream_write(&b, &vectors[i].message));
        assert_str(hex_encode(&arena, b.p, b.n), vectors[i].hex);
        assert_int_equal(eventstream_parse(&arena, bytes, &m, &size), 1);
        assert_int_equal(size, bytes.n);
        assert_same(&m, &vectors[i].message);
        for (size_t n = 0; n < bytes.n; n++) /* not yet, at every length before its own */
            assert_int_equal(eventstream_parse(&arena, str_slice(bytes, 0, n), &m, &size), 0);
    }
}

static void test_one_after_another(void **state)
{
    auto_buf struct buf b;
    struct eventstream_message m;
    size_t size, n = 0;
    buf_init(&b, SIZE_MAX / 2);
    eventstream_write_event(&b, "PayloadChunk", "application/octet-stream", S("hello"));
    eventstream_write_event(&b, "InvokeComplete", "application/json", S("{}"));
    struct str rest = buf_view(&b);
    assert_true(str_starts(
        hex_encode(&arena, b.p, b.n),
        S("0000006f0000005af5fe871f0b3a6576656e742d7479706507000c5061796c6f61644368756e6b0d3a636f6e"
          "74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d6573736167"
          "652d747970650700056576656e7468656c6c6f29e71260")));
    static const char *const kinds[] = {"PayloadChunk", "InvokeComplete"};
    for (; eventstream_parse(&arena, rest, &m, &size) == 1; n++) {
        assert_str(eventstream_text(&m, ":event-type"), kinds[n]);
        assert_str(eventstream_text(&m, ":message-type"), "event");
        rest = str_slice(rest, size, rest.n);
    }
    assert_int_equal(n, 2);
    assert_int_equal(rest.n, 0);
}

/* Any changed byte is noticed. */
static void test_damage(void **state)
{
    struct str bytes = bytes_of(vectors[4].hex);
    struct eventstream_message m;
    size_t size;
    char *copy = str_c(&arena, bytes);
    for (size_t i = 0; i < bytes.n; i++) {
        memcpy(copy, bytes.p, bytes.n);
        copy[i] = (char)(copy[i] ^ 0x10);
        assert_int_equal(eventstream_parse(&arena, str_of(copy, bytes.n), &m, &size), -EBADMSG);
    }
}

static void test_bounds(void **state)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    struct eventstream_header h = {.name = S(""), .type = EVENTSTREAM_TRUE};
    struct eventstream_message m = {&h, 1, S("")};
    assert_false(eventstream_write(&b, &m)); /* a header without a name */
    h = (struct eventstream_header){
        .name = S("n"), .type = EVENTSTREAM_STRING, .text = str_of(calloc(1, 65536), 65536)};
    assert_false(eventstream_write(&b, &m));
    h.text.n = 65535;
    assert_true(eventstream_write(&b, &m));
    free((char *)h.text.p);
    h = (struct eventstream_header){.name = S("n"), .type = EVENTSTREAM_BYTE, .number = 128};
    assert_false(eventstream_write(&b, &m));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(test_vectors),
        CASE(test_one_after_another),
        CASE(test_damage),
        CASE(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
