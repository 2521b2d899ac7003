/* test_logs_insights - queries over events: tests/vectors/insights/CASE/{query,events,expected}.
 *
 * events: a line an event, "MS TEXT", of the stream s in /aws/lambda/f; \n in the text is a line
 * end. expected: a line a row, "field=value" joined by two blanks; or "error BEGIN END MESSAGE".
 * With the name of a case as argument it prints what comes out. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "service/logs/insights_run.h"
#include "service/logs/insights_seen.h"

static struct str read_part(struct arena *a, const char *name, const char *part)
{
    char path[512];
    struct str text = {0};
    snprintf(path, sizeof path, TEST_VECTORS "/insights/%s/%s", name, part);
    FILE *f = fopen(path, "r");
    if (!f)
        return text;
    auto_buf struct buf b;
    buf_init(&b, 1 << 24);
    char piece[4096];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_add(&b, piece, n);
    fclose(f);
    return buf_copy(&b, a);
}

static struct str unescape(struct arena *a, struct str s)
{
    struct str ret = str_copy(a, s);
    char *to = (char *)ret.p;
    for (size_t i = 0; i < s.n; i++) {
        bool end = s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == 'n' || s.p[i + 1] == 't');
        *to++ = end ? (s.p[i + 1] == 'n' ? '\n' : '\t') : s.p[i];
        i += end;
    }
    ret.n = (size_t)(to - ret.p);
    return ret;
}

static size_t read_events(struct arena *a, struct str text, struct log_item *items, size_t max)
{
    struct str line, time;
    size_t n = 0;
    while (text.n && n < max) {
        str_cut(text, '\n', &line, &text);
        if (!line.n)
            continue;
        struct str message = S("");
        str_cut(line, ' ', &time, &message);
        if (str_to_int64(time, &items[n].place.time) < 0)
            fail_msg("not an event: %.*s", STR(line));
        items[n].place.sequence = (INT64_C(1700000000000) << 20) + (int64_t)n;
        items[n++].message = unescape(a, message);
    }
    return n;
}

static void run_query(struct arena *a, const struct insights_query *q, struct str events,
                      struct buf *out)
{
    struct log_item items[1000];
    size_t n = read_events(a, events, items, 1000);
    struct insights_run *run = insights_run_new(q, INT64_C(1700000000000), INSIGHTS_ROWS_MAX);
    struct insights_event source = {
        .group = S("/aws/lambda/f"), .stream = S("s"), .account = S("000000000000")};
    struct log_block block;
    if (n) {
        assert_int_equal(log_block_parse(log_block_make(a, items, n), &block), 0);
        insights_run_events(run, &source, &block, n / 2, n);
        insights_run_events(run, &source, &block, 0, n / 2);
    }
    const struct insights_row *rows;
    size_t n_rows;
    while (!insights_run_end(run, 0)) /* in as many pieces as it can */
        ;
    struct str why = insights_run_finish(run, &rows, &n_rows);
    if (why.n)
        buf_printf(out, "failed %.*s\n", STR(why));
    for (size_t i = 0; i < n_rows; i++) {
        const char *between = "";
        for (size_t k = 0; k < rows[i].n; k++) {
            if (str_is(rows[i].cells[k].field, "@ptr"))
                continue;
            buf_printf(out, "%s%.*s=%.*s", between, STR(rows[i].cells[k].field),
                       STR(rows[i].cells[k].value));
            between = "  ";
        }
        buf_byte(out, '\n');
    }
    insights_run_free(run);
}

static void run_case(struct arena *a, const char *name, struct buf *out)
{
    struct insights_query *q;
    struct insights_error err;
    struct str query = read_part(a, name, "query");
    assert_true(str_has(query));
    if (insights_parse(a, query, &q, &err) < 0) {
        buf_printf(out, "error %zu %zu %.*s\n", err.begin, err.end, STR(err.message));
        return;
    }
    struct str events = read_part(a, name, "events");
    if (!str_has(events))
        events = read_part(a, "", "events"); /* those of all */
    run_query(a, q, events, out);
}

static void cases(void **state)
{
    DIR *d = opendir(TEST_VECTORS "/insights");
    assert_non_null(d);
    int n = 0, wrong = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.' || e->d_type == DT_REG)
            continue;
        auto_arena struct arena a;
        arena_init(&a);
        auto_buf struct buf out;
        buf_init(&out, 1 << 24);
        run_case(&a, e->d_name, &out);
        struct str expected = read_part(&a, e->d_name, "expected");
        if (!str_eq(buf_view(&out), expected)) {
            wrong++;
            print_error("%s:\n%.*s", e->d_name, STR(buf_view(&out)));
        }
        n++;
    }
    closedir(d);
    assert_true(n > 20);
    assert_int_equal(wrong, 0);
}

static void deep_and_long_queries_are_refused(void **state)
{
    static const char *const parts[] = {"(", "not ", "-", "abs(", "1+", "a or ", "[", "`"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        auto_arena struct arena a;
        arena_init(&a);
        auto_buf struct buf b;
        buf_init(&b, 1 << 20);
        buf_text(&b, "filter ");
        while (b.n < 9990)
            buf_text(&b, parts[i]);
        struct insights_query *q;
        struct insights_error err;
        assert_true(insights_parse(&a, buf_view(&b), &q, &err) < 0);
        assert_true(err.end >= err.begin && err.end <= b.n);
    }
}

static struct str answer_of(struct arena *a, const char *text, struct str message, int n)
{
    struct insights_query *q;
    struct insights_error err;
    struct buf events, out;
    buf_init(&events, 1 << 24);
    buf_init(&out, 1 << 24);
    for (int i = 0; i < n; i++)
        buf_printf(&events, "%d %.*s\n", 1000 + i, STR(message));
    assert_int_equal(insights_parse(a, str_from(text), &q, &err), 0);
    run_query(a, q, buf_view(&events), &out);
    struct str ret = buf_copy(&out, a);
    buf_done(&events);
    buf_done(&out);
    return ret;
}

static struct str repeated(struct arena *a, char c, size_t n, const char *end)
{
    char *p = arena_alloc(a, n + strlen(end) + 1);
    memset(p, c, n);
    memcpy(p + n, end, strlen(end));
    return str_of(p, n + strlen(end));
}

static void assert_starts(struct str s, const char *with)
{
    if (!str_starts(s, str_from(with)))
        fail_msg("%.*s does not begin with %s", STR(s), with);
}

/* One event must not keep the thread: a regular expression whose steps grow with the square of a
 * line, or without a bound, ends the query, and says so rather than "no match". */
static void what_takes_too_long_fails(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str line = repeated(&a, 'a', 200000, "");
    assert_starts(answer_of(&a, "filter @message like /(?=[a-z]*[0-9])a/", line, 1),
                  "failed A regular expression takes too");
    assert_starts(answer_of(&a, "filter @message like /(a+)+[0-9][A-Z]/", line, 1),
                  "failed A regular expression takes too");
    assert_starts(answer_of(&a, "parse @message /(?=[a-z]*[0-9])(?<x>a)/", line, 1),
                  "failed A regular expression takes too");
}

static void long_lines_are_matched_everywhere(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    for (size_t n = 0; n < 5000; n += n < 300 ? 1 : 977) {
        struct str line = repeated(&a, 'b', n, "needle77 end");
        const char *query = "filter @message like /le[0-9]+ e/ | parse @message /n(?<x>e+)d/ | "
                            "display x";
        assert_true(str_is(answer_of(&a, query, line, 1), "x=ee\n"));
        assert_true(str_is(
            answer_of(&a, "filter @message like /^b*n/ | stats count(*) as n", line, 1), "n=1\n"));
        assert_true(
            str_is(answer_of(&a, "filter @message like /^n/ | stats count(*) as n", line, 1),
                   n ? "" : "n=1\n"));
    }
}

/* 100 ^ 4 rows of an event of a few hundred bytes; and texts that double. */
static void what_grows_too_much_fails(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str list = S("{\"l\":[0");
    for (int i = 1; i < 100; i++)
        list = str_printf(&a, "%.*s,%d", STR(list), i);
    list = str_printf(&a, "%.*s]}", STR(list));
    assert_starts(answer_of(&a,
                            "fields jsonParse(@message) as j | unnest j.l into a | unnest j.l "
                            "into b | unnest j.l into c | unnest j.l into d | stats count(*)",
                            list, 1),
                  "failed An event becomes more than 1,000,000 rows");
    struct str query = S("fields concat(@message, @message) as a0");
    for (int i = 0; i < 60; i++)
        query = str_printf(&a, "%.*s, concat(@message, @message, '%d') as b%d", STR(query), i, i);
    query = str_printf(&a, "%.*s | filter strlen(b59) > 0 | stats count(*) as n", STR(query));
    struct str line = repeated(&a, 'x', 1000000, "");
    assert_starts(answer_of(&a, query.p, line, 1), "failed An event becomes more than 64 MiB");
}

/* What was kept is given on in pieces. */
static void the_end_comes_in_pieces(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    const char *query = "sort @timestamp | stats count(*) as n by bin(300ms) | "
                        "stats count(*) as m, sum(n) as k";
    assert_true(str_is(answer_of(&a, query, S("x"), 1000), "m=4  k=1000\n"));
    query = "stats count(*) as n by @timestamp | stats count(*) as m";
    assert_true(str_is(answer_of(&a, query, S("x"), 1000), "m=1000\n"));
}

static int by_value(const void *x, const void *y)
{
    return *(const int *)x - *(const int *)y;
}

/* Sorting and percentiles, too: what comes first of each kind, and what stands at a rank. */
static void order_comes_in_pieces(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    auto_buf struct buf events, expected, got;
    buf_init(&events, 1 << 20);
    buf_init(&expected, 1 << 20);
    buf_init(&got, 1 << 20);
    enum { N = 999, KINDS = 7 };
    int values[N], first[KINDS], x = 1;
    for (int i = 0; i < N; i++) {
        values[i] = (x = x * 75 % 65537) % 5000;
        buf_printf(&events, "%d v=%d\n", i, values[i]);
    }
    qsort(values, N, sizeof *values, by_value);
    for (int i = N; i-- > 0;)
        first[values[i] % KINDS] = values[i];
    qsort(first, KINDS, sizeof *first, by_value);
    for (int i = 0; i < KINDS; i++)
        buf_printf(&expected, "v=%d\n", first[i]);
    buf_printf(&expected, "a=%d  b=%d  c=%d  d=%d\n", values[0], values[369], values[N / 2],
               values[N - 1]);
    const char *queries[] = {
        "parse @message 'v=*' as v | fields v % 7 as k | sort v asc | dedup k | display v",
        "parse @message 'v=*' as v | stats pct(v, 0) as a, pct(v, 37) as b, pct(v, 50) as c, "
        "pct(v, 100) as d",
    };
    for (int i = 0; i < 2; i++) {
        struct insights_query *q;
        struct insights_error err;
        if (insights_parse(&a, str_from(queries[i]), &q, &err) < 0)
            fail_msg("%.*s", STR(err.message));
        run_query(&a, q, buf_view(&events), &got);
    }
    assert_true(str_eq(buf_view(&got), buf_view(&expected)));
}

/* No key pays for all that came before it. */
static void a_new_key_moves_few_others(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    enum { N = 50000 };
    struct insights_seen seen = {0};
    char key[16];
    for (int i = 0; i < N; i++) {
        size_t before = seen.moved;
        struct str s = str_of(key, (size_t)snprintf(key, sizeof key, "k%d", i));
        assert_null(insights_seen_find(&seen, s));
        insights_seen_put(&seen, &a, s, &key[i % 16]);
        assert_true(seen.moved - before < 32);
    }
    for (int i = 0; i < N; i++)
        assert_ptr_equal(
            insights_seen_find(&seen, str_of(key, (size_t)snprintf(key, sizeof key, "k%d", i))),
            &key[i % 16]);
    assert_null(insights_seen_find(&seen, S("k")));
}

/* What was kept is freed in pieces, also when sorting it was left off. */
static void the_rest_is_freed_in_pieces(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    enum { N = 5000 };
    struct log_item *items = ARENA_ARRAY(&a, struct log_item, N);
    for (int i = 0; i < N; i++)
        items[i] = (struct log_item){.place = {i, i}, .message = S("x 1")};
    struct log_block block;
    assert_int_equal(log_block_parse(log_block_make(&a, items, N), &block), 0);
    struct insights_event source = {.group = S("g"), .stream = S("s"), .account = S("1")};
    struct insights_query *q;
    struct insights_error err;
    const char *query = "parse @message 'x *' as v | stats pct(v, 50) by bin(1ms)";
    assert_int_equal(insights_parse(&a, str_from(query), &q, &err), 0);
    for (int ends = 0; ends < 40; ends += 13) {
        struct insights_run *run = insights_run_new(q, N, INSIGHTS_ROWS_MAX);
        insights_run_events(run, &source, &block, 0, N);
        for (int i = 0; i < ends; i++)
            insights_run_end(run, 0);
        int pieces = 1;
        while (!insights_run_free_some(run))
            pieces++;
        assert_true(pieces >= 5);
    }
}

/* Of an expression: a text that must be there, or none that could be told. */
static void needed_texts(void **state)
{
    static const char *const cases[][2] = {
        {"ERR.R", "ERR"},
        {"id=[0-9]+ .*x?", "id="},
        {"abc?d", "ab"},
        {"ab+cde", "cde"},
        {"ab*", "a"},
        {"ab{0,3}xy", "xy"},
        {"a\\.b\\-c", "a.b-c"},
        {"a\\x41bcd", ""},
        {"a\\Qb.c\\E", ""},
        {"\\d\\dkey\\w", "key"},
        {"ab|cd", ""},
        {"x(ab|cd)yz", "yz"},
        {"x(?:ab|c(d)d)*yz", "yz"},
        {"(?i)error", ""},
        {"a(?i)error", ""},
        {"(a(?i)b)cde", ""},
        {"(*NO_JIT)abc", ""},
        {"[abc]def[^]x]g", "def"},
        {"[[:alpha:]]def", ""},
        {"[\\]a]bc", "bc"},
        {"^begin$", "begin"},
        {"a(?=bcd)", ""},
        {"", ""},
    };
    auto_arena struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str got = regex_literal(&a, str_from(cases[i][0]));
        if (!str_is(got, cases[i][1]))
            fail_msg("%s: %.*s", cases[i][0], STR(got));
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        auto_arena struct arena a;
        arena_init(&a);
        auto_buf struct buf out;
        buf_init(&out, 1 << 24);
        run_case(&a, argv[1], &out);
        printf("%.*s", STR(buf_view(&out)));
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases),
        cmocka_unit_test(deep_and_long_queries_are_refused),
        cmocka_unit_test(what_takes_too_long_fails),
        cmocka_unit_test(long_lines_are_matched_everywhere),
        cmocka_unit_test(what_grows_too_much_fails),
        cmocka_unit_test(the_end_comes_in_pieces),
        cmocka_unit_test(order_comes_in_pieces),
        cmocka_unit_test(a_new_key_moves_few_others),
        cmocka_unit_test(the_rest_is_freed_in_pieces),
        cmocka_unit_test(needed_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
