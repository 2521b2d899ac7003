/* test_coverage_html - nothing of a project, an object or a name becomes markup or script. */
#include "base/fs.h"
#include "base/json.h"
#include "check.h"
#include "coverage/report_html.h"

static const char *const hostile[] = {
    "</code><script>alert(1)</script>",
    "\" onmouseover=\"alert(1)",
    "' onfocus='alert(1)",
    "<!--",
    "]]>",
    "&lt;script&gt;",
    "javascript:alert(1)",
    "\\u003cscript\\u003e</script><script>",
    "\xe2\x80\xa8\xe2\x80\xae\xef\xbb\xbf",
    "\xff\xfe<b>\xc0\x80\xed\xa0\x80",
    "a\tb\x01\x1b[31m\x7f\r",
    "<img src=x onerror=alert(1)>/../..//x",
};
#define N_HOSTILE (sizeof hostile / sizeof *hostile)

static struct str escaped(struct arena *a, struct str text)
{
    auto_buf struct buf b;
    buf_init(&b, 1 << 20);
    html_text(&b, text);
    return buf_copy(&b, a);
}

static void text_is_escaped(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    assert_true(str_is(escaped(&a, S("a < b && \"c\" > 'd'\n")),
                       "a &lt; b &amp;&amp; &quot;c&quot; &gt; &#39;d&#39;\n"));
    assert_true(str_is(escaped(&a, S("h\xc3\xa9 \xf0\x9f\x98\x80")), "h\xc3\xa9 \xf0\x9f\x98\x80"));
    assert_true(str_is(escaped(&a, S("\xff\xc3")), "&#xfffd;&#xfffd;"));
    /* what turns text round is shown as what it is */
    assert_true(str_is(escaped(&a, S("x\xe2\x80\xaey")), "x[U+202E]y"));
    assert_true(str_is(escaped(&a, str_of("\0\x1b\t", 3)), "&#x2400;&#x241b;\t"));
    for (size_t i = 0; i < N_HOSTILE; i++) {
        struct str s = escaped(&a, str_from(hostile[i]));
        for (size_t k = 0; k < s.n; k++)
            assert_null(strchr("<>\"'", s.p[k]));
    }
}

static void scripts_hold_only_harmless_letters(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < N_HOSTILE; i++) {
        auto_buf struct buf b;
        struct json *v;
        buf_init(&b, 1 << 16);
        html_script_text(&b, str_from(hostile[i]));
        for (size_t k = 0; k < b.n; k++)
            assert_true(b.p[k] >= 0x20 && b.p[k] < 0x7f && !strchr("<>&'`", b.p[k]));
        assert_int_equal(json_parse(&a, buf_view(&b), &v, NULL), 0);
        assert_true(json_is(v, JSON_STRING));
        if (i < 8)
            assert_true(str_is(v->text, hostile[i]));
    }
}

/* The text behind the marks; fails when there are other tags than those of marks, or crossed ones.
 */
static struct str unmarked(struct arena *a, struct str html)
{
    static const char *const tags[] = {"b", "i", "u", "var", "dfn"};
    char *out = arena_alloc(a, html.n + 1);
    size_t n = 0;
    const char *open = NULL;
    for (size_t i = 0; i < html.n; i++) {
        if (html.p[i] != '<') {
            assert_true(html.p[i] != '>');
            out[n++] = html.p[i];
            continue;
        }
        struct str rest = str_slice(html, i, html.n), tag = {0};
        ssize_t end = str_find_byte(rest, '>');
        assert_true(end > 0);
        tag = str_slice(rest, 1, (size_t)end);
        bool close = str_starts(tag, S("/"));
        tag = str_slice(tag, close, tag.n);
        const char *known = NULL;
        for (size_t k = 0; k < sizeof tags / sizeof *tags; k++)
            known = str_is(tag, tags[k]) ? tags[k] : known;
        assert_non_null(known);
        assert_true(close ? open == known : !open);
        open = close ? NULL : known;
        i += (size_t)end;
    }
    assert_null(open);
    return str_of(out, n);
}

static struct str marked(struct arena *a, struct html_syntax *s, struct str line)
{
    auto_buf struct buf b;
    buf_init(&b, 1 << 20);
    html_code(&b, s, line);
    return buf_copy(&b, a);
}

static void words_are_marked(void **state)
{
    auto_arena struct arena a;
    struct html_syntax s;
    arena_init(&a);
    html_syntax_begin(&s, S("x.py"));
    assert_true(str_is(marked(&a, &s, S("def f(x=1):  # <no>")),
                       "<b>def</b> <dfn>f</dfn>(x=<var>1</var>):  <i># &lt;no&gt;</i>"));
    assert_true(str_is(marked(&a, &s, S("x = rb'a\\'b' + f\"{y['k']}\"")),
                       "x = <u>rb&#39;a\\&#39;b&#39;</u> + <u>f&quot;{y[&#39;k&#39;]}&quot;</u>"));
    assert_true(str_is(marked(&a, &s, S("s = \"\"\"one")), "s = <u>&quot;&quot;&quot;one</u>"));
    assert_true(str_is(marked(&a, &s, S("def # no")), "<u>def # no</u>"));
    assert_true(
        str_is(marked(&a, &s, S("\"\"\"; return")), "<u>&quot;&quot;&quot;</u>; <b>return</b>"));
    html_syntax_begin(&s, S("x.mjs"));
    assert_true(str_is(marked(&a, &s, S("const a = 1 / 2 // no")),
                       "<b>const</b> a = <var>1</var> / <var>2</var> <i>// no</i>"));
    assert_true(str_is(marked(&a, &s, S("/* a")), "<i>/* a</i>"));
    assert_true(str_is(marked(&a, &s, S("b */ let")), "<i>b */</i> <b>let</b>"));
}

static void marks_change_no_text(void **state)
{
    static const char letters[] = "\"'`\\#/*{}f<>&@ \n19adef_r\xc3\xa9\xff";
    static const char *const names[] = {"a.py", "a.js", "a.c", "a.txt"};
    unsigned seed = 7;
    for (int round = 0; round < 4000; round++) {
        auto_arena struct arena a;
        struct html_syntax s;
        arena_init(&a);
        html_syntax_begin(&s, str_from(names[round % 4]));
        for (int lines = 0; lines < 3; lines++) {
            char line[24];
            size_t n = (size_t)(rand_r(&seed) % (int)sizeof line);
            for (size_t i = 0; i < n; i++)
                line[i] = letters[(size_t)rand_r(&seed) % (sizeof letters - 1)];
            struct str text = str_of(line, n);
            /* Marks may stand between the bytes of a broken sequence only. */
            if (!memchr(line, 0xc3, n) && !memchr(line, 0xa9, n))
                assert_true(str_eq(unmarked(&a, marked(&a, &s, text)), escaped(&a, text)));
            else
                unmarked(&a, marked(&a, &s, text));
        }
    }
}

/* A report in which everything that can be a text is one of those. */
static struct coverage_report *report_of(struct arena *a, struct str text)
{
    static const uint8_t one_to_three[] = {0x0e}, two[] = {0x04};
    struct analysis *an = ARENA_NEW(a, struct analysis);
    struct analysis_region *region = ARENA_NEW(a, struct analysis_region);
    struct analysis_arc *arc = ARENA_NEW(a, struct analysis_arc);
    struct report_context *context = ARENA_NEW(a, struct report_context);
    struct report_left_out *left = ARENA_NEW(a, struct report_left_out);
    struct report_file *f = ARENA_NEW(a, struct report_file);
    struct report_group_hits *hits = ARENA_NEW(a, struct report_group_hits);
    struct str *group = ARENA_NEW(a, struct str);
    struct coverage_report *r = ARENA_NEW(a, struct coverage_report);
    uint32_t *firsts = ARENA_ARRAY(a, uint32_t, 4);
    firsts[2] = 1;
    *arc = (struct analysis_arc){.arc = {2, 3}, .missing = text};
    *region = (struct analysis_region){.name = text, .start = 2, .lines = {two, 1}};
    *an = (struct analysis){.n_lines = 3,
                            .statements = {one_to_three, 1},
                            .arcs = arc,
                            .n_arcs = 1,
                            .regions = region,
                            .n_regions = 1};
    struct branch_arc *branch = ARENA_NEW(a, struct branch_arc);
    *branch = (struct branch_arc){.arc = {2, 3}, .counts_missing = true, .what = arc};
    *context = (struct report_context){
        .name = text, .function = text, .version = text, .log_stream = text, .start_ms = 1};
    *left = (struct report_left_out){text, text};
    *hits = (struct report_group_hits){0, {two, 1}};
    *group = text;
    *f = (struct report_file){.name = text,
                              .path = text,
                              .text = str_printf(a, "%.*s\n%.*s\n", STR(text), STR(text)),
                              .result = {.analysis = an,
                                         .executed = {two, 1},
                                         .has_branches = true,
                                         .branches = branch,
                                         .n_branches = 1,
                                         .numbers = {.files = 1, .statements = 3, .missing = 2}},
                              .first = firsts,
                              .n_first = 4,
                              .groups = hits,
                              .n_groups = 1};
    *r = (struct coverage_report){.files = f,
                                  .n_files = 1,
                                  .totals = f->result.numbers,
                                  .branches = true,
                                  .root = text,
                                  .contexts = context,
                                  .n_contexts = 1,
                                  .groups = group,
                                  .n_groups = 1,
                                  .left_out = left,
                                  .n_left_out = 1,
                                  .unreadable = left,
                                  .n_unreadable = 1,
                                  .missing = left,
                                  .n_missing = 1,
                                  .warning = text};
    return r;
}

static size_t count(struct str s, const char *what)
{
    size_t n = 0;
    ssize_t at;
    while ((at = str_find(s, str_from(what))) >= 0) {
        n++;
        s = str_slice(s, (size_t)at + 1, s.n);
    }
    return n;
}

static void a_report_of_hostile_texts_has_the_tags_of_any_other(void **state)
{
    static const char *const signs[] = {"<", ">", "\"", "<script", "</script", "<img", "onerror=x"};
    size_t expected[8] = {0};
    for (size_t i = 0; i <= N_HOSTILE; i++) {
        auto_arena struct arena a;
        auto_buf struct buf b;
        arena_init(&a);
        buf_init(&b, 1 << 24);
        struct str text = i ? str_from(hostile[i - 1]) : S("x");
        struct report_html_options o = {.title = text};
        coverage_write_html(&b, report_of(&a, text), &o);
        assert_false(buf_failed(&b));
        for (size_t k = 0; k < sizeof signs / sizeof *signs; k++) {
            size_t n = count(buf_view(&b), signs[k]);
            /* Names are given places where they may be broken; lines may be more. */
            if (i && !strpbrk(hostile[i - 1], "/_\r") && k > 1)
                assert_int_equal(n, expected[k]);
            else if (!i)
                expected[k] = n;
            if (k > 2)
                assert_int_equal(n, expected[k]);
        }
    }
}

static void names_of_pages_stay_in_the_folder(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    char dir[] = "/tmp/lamina-html-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct str *names;
    size_t n, before = 0;
    for (size_t i = 0; i < N_HOSTILE; i++) {
        struct report_html_options o = {.title = S("x")};
        struct report_html_result done;
        struct coverage_report *r = report_of(&a, str_from(hostile[i]));
        assert_int_equal(coverage_write_html_folder(&a, r, &o, dir, &done), 0);
        assert_int_equal(coverage_write_html_folder(&a, r, &o, dir, &done), 0);
        assert_int_equal(done.written, 0); /* the second time nothing has changed */
        assert_int_equal(fs_walk(&a, dir, &names, &n), 0);
        assert_true(!before || n == before); /* the last one's page is gone */
        before = n;
        for (size_t k = 0; k < n; k++)
            for (size_t c = 0; c < names[k].n; c++)
                assert_non_null(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_.-",
                                       names[k].p[c]));
    }
    fs_remove_tree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(scripts_hold_only_harmless_letters),
        cmocka_unit_test(words_are_marked),
        cmocka_unit_test(marks_change_no_text),
        cmocka_unit_test(a_report_of_hostile_texts_has_the_tags_of_any_other),
        cmocka_unit_test(names_of_pages_stay_in_the_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
