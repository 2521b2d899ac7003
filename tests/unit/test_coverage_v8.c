/* V8's ranges: unions in any order; lines of scripts; source maps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/buf.h"
#include "coverage/scripts.h"
#include "coverage/sourcemap.h"
#include "coverage/v8.h"

static struct str run_of(struct arena *a, struct v8_hits *h)
{
    struct buf b;
    buf_init(&b, 4096);
    size_t n;
    struct v8_range *run = v8_hits_run(h, &n);
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%u-%u", i ? " " : "", run[i].from, run[i].to);
    free(run);
    struct str s = buf_copy(&b, a);
    buf_done(&b);
    return s;
}

static void is_run(struct v8_hits *h, const char *want)
{
    auto_arena struct arena a;
    arena_init(&a);
    assert_string_equal(str_c(&a, run_of(&a, h)), want);
}

/* f has run up to 50 in one environment, from 40 on in another; g inside of it only in the second.
 */
static const char *const payloads[] = {
    "[[\"\",0,200,[0,200],[]],[\"f\",10,100,[10,50],[50,100]],[\"g\",60,80,[],[]]]",
    "[[\"f\",10,100,[10,20,40,100],[20,40]],[\"g\",60,80,[60,70],[70,80]]]",
    "[[\"g\",60,80,[75,80],[]]]",
};

static void the_innermost_function_decides(void **state)
{
    struct v8_hits *h = v8_hits_new();
    assert_int_equal(v8_hits_add(h, str_from(payloads[0])), 0);
    is_run(h, "0-50 100-200");
    assert_int_equal(v8_hits_add(h, str_from(payloads[1])), 0);
    is_run(h, "0-70 80-200");
    v8_hits_free(h);
}

static void no_order_and_no_repetition_matters(void **state)
{
    static const int orders[][4] = {{0, 1, 2, 0}, {2, 1, 0, 1}, {1, 1, 2, 0}, {2, 0, 1, 2}};
    for (size_t i = 0; i < 4; i++) {
        struct v8_hits *h = v8_hits_new(), *half = v8_hits_new();
        for (int k = 0; k < 4; k++)
            assert_int_equal(v8_hits_add(k % 2 ? h : half, str_from(payloads[orders[i][k]])), 0);
        v8_hits_join(h, half);
        is_run(h, "0-70 75-200");
        size_t n;
        const struct v8_function *all = v8_hits_functions(h, &n);
        assert_int_equal(n, 3);
        assert_true(str_is(all[1].name, "f") && all[1].n_blocks == 2);
        assert_int_equal(all[1].blocks[0].from, 20);
        assert_true(v8_run_at(&all[1], 99) && !v8_run_at(&all[1], 100) && !v8_run_at(&all[2], 72));
        v8_hits_free(half);
        v8_hits_free(h);
    }
}

static void what_is_no_payload_is_refused_whole(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[1]",
        "[[\"f\",1,2,[]]]",
        "[[\"f\",3,2,[],[]]]",
        "[[\"f\",0,9,[1],[]]]",
        "[[\"f\",0,9,[1,1],[]]]",
        "[[\"f\",0,9,[1,10],[]]]",
        "[[\"f\",5,9,[],[4,6]]]",
        "[[\"f\",0,-9,[],[]]]",
        "[[\"f\",0,99999999999,[],[]]]",
        "[[\"good\",0,9,[1,2],[]],[7,0,9,[],[]]]",
    };
    struct v8_hits *h = v8_hits_new();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (v8_hits_add(h, str_from(bad[i])) == 0)
            fail_msg("taken: %s", bad[i]);
    is_run(h, "");
    v8_hits_free(h);
}

/* 'x' in front of a line: it is code. */
static void lines_of_code(void **state)
{
    static const char *const lines[] = {
        "-#!/usr/bin/env node",
        "-",
        "-// const a = 1;",
        "-/* const b = 2;",
        "-   const c = 3; */",
        "xconst url = 'http://x'; // a comment",
        "xif (url) {",
        "x  go(/[/*]\\/*'/.exec(url), 1 / 2 / 3);",
        "-}",
        "xconst t = `one",
        "xtwo // ${ f(`/* ${ {a: 1}.a } `) } no comment",
        "x*/`;",
        "-});",
        "x} else if (a) /* why */ {",
        "- /* nothing */ }",
        "xreturn /`/.test(s);",
        "-/* c8 ignore next 2 */",
        "xa();",
        "xb();",
        "xc(); // é and 😀",
        "-// node:coverage disable",
        "xd();",
        "-// node:coverage enable",
    };
    auto_arena struct arena a;
    arena_init(&a);
    struct buf b;
    buf_init(&b, 4096);
    size_t n = sizeof lines / sizeof *lines;
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%s", i ? "\n" : "\xef\xbb\xbf", lines[i] + 1);
    struct script_text s;
    script_read(&a, buf_view(&b), &s);
    assert_int_equal(s.n_lines, n);
    for (uint32_t l = 1; l <= n; l++) {
        if (bits_has(s.code, l) != (lines[l - 1][0] == 'x'))
            fail_msg("line %u: %s", l, lines[l - 1]);
        bool ignored = l == 18 || l == 19 || (l >= 21 && l <= 23);
        assert_int_equal(bits_has(s.ignored, l), ignored);
    }
    /* offsets are UTF-16: é is one, the face two */
    assert_int_equal(s.start[21] - s.start[20], 17);
    assert_int_equal(script_line(&s, 0), 1);
    assert_int_equal(script_line(&s, s.start[7]), 7);
    assert_int_equal(script_line(&s, s.start[7] - 1), 6);
    assert_int_equal(script_line(&s, 1u << 29), n);
    buf_done(&b);
}

/* Of esbuild: two sources, the second with another column and a name; a segment of no source. */
static void source_maps(void **state)
{
    static const char text[] =
        "{\"version\":3,\"sourceRoot\":\"../src\",\"sources\":[\"a.ts\",\"/"
        "b.ts\"],\"names\":[\"x\"],"
        "\"sourcesContent\":[\"one\",null],\"mappings\":\"AAAA,IAAM;;gBCEFA,E\"}";
    auto_arena struct arena a;
    arena_init(&a);
    struct source_map m;
    assert_int_equal(sourcemap_parse(&a, str_from(text), &m), 0);
    assert_true(str_is(m.sources[0], "../src/a.ts") && str_is(m.sources[1], "/b.ts"));
    assert_true(str_is(m.contents[0], "one") && !str_has(m.contents[1]));
    assert_int_equal(m.n_segments, 4);
    static const struct source_segment want[] = {
        {1, 0, 0, 1, -1}, {1, 4, 0, 1, -1}, {3, 16, 1, 3, 0}, {3, 18, -1, 0, -1}};
    for (size_t i = 0; i < 4; i++)
        assert_memory_equal(&m.segments[i], &want[i], sizeof want[i]);
    static const char *const bad[] = {
        "",
        "[]",
        "{\"version\":3,\"sources\":[],\"mappings\":\"AAAA\"}",
        "{\"version\":3,\"sources\":[\"a\"],\"mappings\":\"D\"}",
        "{\"version\":3,\"sources\":[\"a\"],\"mappings\":\"A!\"}",
        "{\"version\":3,\"sources\":[\"a\"],\"mappings\":\"gggggggggB\"}",
        "{\"version\":2,\"sources\":[\"a\"],\"mappings\":\"\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sourcemap_parse(&a, str_from(bad[i]), &m) == 0)
            fail_msg("taken: %s", bad[i]);
}

static void where_the_map_is(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str url = sourcemap_url(S("x\n//# sourceMappingURL=old.map\ny\n"
                                     "//# sourceMappingURL=data:application/json;base64,e30=\r\n"));
    struct str text;
    assert_true(str_is(url, "data:application/json;base64,e30="));
    assert_int_equal(sourcemap_inline(&a, url, &text), 0);
    assert_true(str_is(text, "{}"));
    assert_int_equal(sourcemap_inline(&a, S("data:application/json,%7B%7d"), &text), 0);
    assert_true(str_is(text, "{}"));
    assert_int_not_equal(sourcemap_inline(&a, S("data:x,%7"), &text), 0);
    assert_false(str_has(sourcemap_url(S("const s = '# sourceMappingURL=no'"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_innermost_function_decides),
        cmocka_unit_test(no_order_and_no_repetition_matters),
        cmocka_unit_test(what_is_no_payload_is_refused_whole),
        cmocka_unit_test(lines_of_code),
        cmocka_unit_test(source_maps),
        cmocka_unit_test(where_the_map_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
