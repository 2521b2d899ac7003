/* test_json - texts in, trees and texts out; jansson has the second opinion. */
#include <dlfcn.h>
#include "base/cleanup.h"
#include "base/json.h"
#include "check.h"

/* jansson is loaded by hand: its names clash with those of base/json.h. */
typedef void *loadb_fn(const char *p, size_t n, size_t flags, void *error);
typedef char *dumps_fn(const void *v, size_t flags);
typedef void delete_fn(void *v);
#define DECODE_ANY 0x4
#define COMPACT_ANY (0x20 | 0x200)

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

struct good {
    struct str in;
    const char *out; /* written on one line */
};
static const struct good good[] = {
    {S_INIT("null"), "null"},
    {S_INIT(" [ true , false ]\n"), "[true,false]"},
    {S_INIT("{\"b\":1,\"a\":{\"b\":[]},\"b\":2}"), "{\"b\":1,\"a\":{\"b\":[]},\"b\":2}"},
    {S_INIT("[0,-0,1.50,1E+2,0.1e-7,123456789012345678901234567890]"),
     "[0,-0,1.50,1E+2,0.1e-7,123456789012345678901234567890]"},
    {S_INIT("\"\\u0041\\n\\/\\\\\\\"\\b\\f\\r\\t\""), "\"A\\n/\\\\\\\"\\b\\f\\r\\t\""},
    {S_INIT("\"\\u0000\\u001f\\u007f\""), "\"\\u0000\\u001f\x7f\""},
    {S_INIT("\"\\ud83d\\ude00 \\u20ac \\u00e9\""), "\"\xf0\x9f\x98\x80 \xe2\x82\xac \xc3\xa9\""},
    {S_INIT("\"\xf4\x8f\xbf\xbf\""), "\"\xf4\x8f\xbf\xbf\""},
    {S_INIT("{\"\":\"\"}"), "{\"\":\"\"}"},
};

static void test_good(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct json *v;
        struct json_error err;
        if (json_parse(&arena, good[i].in, &v, &err) < 0)
            fail_msg("%.*s: %d:%d %s", STR(good[i].in), err.line, err.column, err.message);
        assert_str(json_text(&arena, v, -1), good[i].out);
        struct json *again;
        assert_int_equal(json_parse(&arena, json_text(&arena, v, 2), &again, NULL), 0);
        assert_true(json_equal(v, again));
        assert_true(json_equal(v, json_copy(&arena, v)));
    }
}

struct wrong {
    struct str in;
    int line, column;
    const char *message;
};
static const struct wrong wrong[] = {
    {S_INIT(""), 1, 1, "unexpected end"},
    {S_INIT("{\"a\":1,\n \"b\" 2}"), 2, 6, "expected ':'"},
    {S_INIT("[1 2]"), 1, 4, "expected ',' or ']'"},
    {S_INIT("{\"a\":1 \"b\":2}"), 1, 8, "expected ',' or '}'"},
    {S_INIT("[1,]"), 1, 4, "unexpected character"},
    {S_INIT("{\"a\":1,}"), 1, 8, "expected a member name in quotes"},
    {S_INIT("{a:1}"), 1, 2, "expected a member name in quotes"},
    {S_INIT("01"), 1, 1, "invalid number"},
    {S_INIT("-"), 1, 1, "invalid number"},
    {S_INIT("1."), 1, 1, "invalid number"},
    {S_INIT("1e"), 1, 1, "invalid number"},
    {S_INIT(".5"), 1, 1, "unexpected character"},
    {S_INIT("+1"), 1, 1, "unexpected character"},
    {S_INIT("NaN"), 1, 1, "unexpected character"},
    {S_INIT("tru"), 1, 1, "unexpected character"},
    {S_INIT("1 1"), 1, 3, "unexpected text after the value"},
    {S_INIT("\"a"), 1, 3, "unterminated string"},
    {S_INIT("\"a\\"), 1, 4, "unterminated string"},
    {S_INIT("\"a\nb\""), 1, 3, "control character in string"},
    {S_INIT("\"a\0b\""), 1, 3, "control character in string"},
    {S_INIT("\"\\x41\""), 1, 2, "invalid escape"},
    {S_INIT("\"\\u12g4\""), 1, 2, "invalid \\u escape"},
    {S_INIT("\"\\ud800\""), 1, 2, "lone surrogate in \\u escape"},
    {S_INIT("\"\\udc00\""), 1, 2, "lone surrogate in \\u escape"},
    {S_INIT("\"\\ud800\\u0041\""), 1, 2, "lone surrogate in \\u escape"},
    {S_INIT("\"\xff\""), 1, 2, "invalid UTF-8"},
    {S_INIT("\"\xc0\x80\""), 1, 2, "invalid UTF-8"},
    {S_INIT("\"\xed\xa0\x80\""), 1, 2, "invalid UTF-8"},
    {S_INIT("\"\xf4\x90\x80\x80\""), 1, 2, "invalid UTF-8"},
    {S_INIT("\"\xe2\x82"), 1, 2, "invalid UTF-8"},
    {S_INIT("\xef\xbb\xbf{}"), 1, 1, "unexpected character"},
};

static void test_wrong(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct json *v;
        struct json_error err = {0};
        if (json_parse(&arena, wrong[i].in, &v, &err) == 0)
            fail_msg("%.*s was accepted", STR(wrong[i].in));
        if (err.line != wrong[i].line || err.column != wrong[i].column ||
            strcmp(err.message, wrong[i].message) != 0)
            fail_msg("%.*s: %d:%d %s", STR(wrong[i].in), err.line, err.column, err.message);
    }
}

static void test_depth(void **state)
{
    char text[2 * JSON_DEPTH + 2];
    struct json *v;
    memset(text, '[', JSON_DEPTH);
    memset(text + JSON_DEPTH, ']', JSON_DEPTH);
    assert_int_equal(json_parse(&arena, str_of(text, 2 * JSON_DEPTH), &v, NULL), 0);
    memset(text, '[', JSON_DEPTH + 1);
    memset(text + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
    assert_true(json_parse(&arena, str_of(text, 2 * JSON_DEPTH + 2), &v, NULL) < 0);
}

static struct json *parse(const char *text)
{
    struct json *v = NULL;
    assert_int_equal(json_parse(&arena, str_from(text), &v, NULL), 0);
    return v;
}

static void test_equal(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"1", "1.0", true},
        {"100", "1e2", true},
        {"0.05", "5E-2", true},
        {"-0", "0.00", true},
        {"12.50", "1.25e1", true},
        {"1", "-1", false},
        {"1e400", "1e401", false},
        {"10", "1", false},
        {"0.1", "0.01", false},
        {"9007199254740993", "9007199254740992", false},
        {"1e99999999999999999999", "1", false},
        {"{\"a\":1,\"b\":2}", "{\"b\":2.0,\"a\":1}", true},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"[1,2]", "[2,1]", false},
        {"\"1\"", "1", false},
        {"null", "false", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (json_equal(parse(rows[i].a), parse(rows[i].b)) != rows[i].equal)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
        assert_true(json_equal(parse(rows[i].b), parse(rows[i].a)) == rows[i].equal);
    }
}

static void test_read(void **state)
{
    struct json *v = parse("{\"s\":\"x\",\n \"n\":-12,\"f\":1.5,\"a\":[1,[2]],\"s\":\"second\"}");
    int64_t n;
    assert_str(json_get_str(v, "s"), "x");
    assert_false(str_has(json_get_str(v, "n")));
    assert_false(str_has(json_get_str(NULL, "s")));
    assert_int_equal(json_int(json_get(v, "n"), &n), 0);
    assert_int_equal(n, -12);
    assert_int_equal(json_int(json_get(v, "f"), &n), -22);
    assert_int_equal(json_get(v, "n")->line, 2);
    assert_int_equal(json_get(v, "n")->key_column, 2);
    assert_int_equal(json_get(v, "n")->column, 6);
    assert_int_equal(json_at(json_get(v, "a"), 1)->n, 1);
    assert_null(json_at(json_get(v, "a"), 2));
}

static void test_edit(void **state)
{
    struct json *o = json_new(&arena, JSON_OBJECT);
    json_set(&arena, o, S("a"), json_new_int(&arena, INT64_MIN));
    json_set(&arena, o, S("b"), json_new_bool(&arena, true));
    json_set(&arena, o, S("c"), json_new_str(&arena, S("x\xff")));
    json_set(&arena, o, S("b"), json_new(&arena, JSON_ARRAY)); /* keeps its place */
    json_add(json_get(o, "b"), json_new(&arena, JSON_NULL));
    assert_str(json_text(&arena, o, -1),
               "{\"a\":-9223372036854775808,\"b\":[null],\"c\":\"x\xef\xbf\xbd\"}");
    assert_true(json_remove(o, S("c")));
    assert_false(json_remove(o, S("c")));
    json_set(&arena, o, S("d"), json_new(&arena, JSON_OBJECT));
    assert_true(json_remove(o, S("a")));
    assert_str(json_text(&arena, o, 2), "{\n  \"b\": [\n    null\n  ],\n  \"d\": {}\n}");
}

/* Texts made by chance out of pieces: what one library takes, the other must take. */
static void test_oracle(void **state)
{
    static const char *const pieces[] = {
        "{", "}",    "[",    "]", ",",  ":",  "\"a\"", "\"\\u00e9\"", "1",       "-2.5e3 ",
        "0", "true", "null", " ", "\"", "\\", "e",     ".",           "\xc3\xa9"};
    void *library = dlopen("libjansson.so.4", RTLD_NOW);
    if (!library)
        fail_msg("%s", dlerror());
    loadb_fn *loadb = (loadb_fn *)dlsym(library, "json_loadb");
    dumps_fn *dumps = (dumps_fn *)dlsym(library, "json_dumps");
    delete_fn *delete = (delete_fn *)dlsym(library, "json_delete");
    unsigned seed = 12345, accepted = 0;
    for (int i = 0; i < 60000; i++) {
        char text[128] = "", error[1024];
        size_t n = 0;
        unsigned length = 1 + (seed = seed * 1103515245 + 12345) / 65536 % 9;
        if (i % 2)
            text[n++] = '[';
        for (unsigned k = 0; k < length; k++) {
            seed = seed * 1103515245 + 12345;
            const char *piece = pieces[seed / 65536 % ARRAY_LEN(pieces)];
            memcpy(text + n, piece, strlen(piece));
            n += strlen(piece);
        }
        if (i % 2)
            text[n++] = ']';
        struct json *v;
        int mine = json_parse(&arena, str_of(text, n), &v, NULL);
        void *theirs = loadb(text, n, DECODE_ANY, error);
        if ((mine == 0) != (theirs != NULL))
            fail_msg("%.*s is %s here", (int)n, text, mine == 0 ? "accepted" : "refused");
        if (theirs) {
            accepted++;
            /* What is written here must mean the same to them. (They drop repeated keys.) */
            struct str back = json_text(&arena, v, i % 4 - 1);
            void *again = loadb(back.p, back.n, DECODE_ANY, error);
            assert_non_null(again);
            auto_free char *a = dumps(theirs, COMPACT_ANY);
            auto_free char *b = dumps(again, COMPACT_ANY);
            assert_string_equal(a, b);
            delete (theirs);
            delete (again);
        }
        arena_reset(&arena);
    }
    assert_true(accepted > 1000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(test_good), CASE(test_wrong), CASE(test_depth),  CASE(test_equal),
        CASE(test_read), CASE(test_edit),  CASE(test_oracle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
