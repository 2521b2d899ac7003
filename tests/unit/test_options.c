/* test_options - command lines in, values or messages out; tables. */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/options.h"
#include "base/progress.h"
#include "base/table.h"
#include "check.h"

struct values {
    bool all, colour;
    struct str name, mode;
    int64_t count, wait_ms, size;
    struct option_list tags, words;
};
struct common {
    bool json;
    struct str region;
};

#define V(member) OPTION(struct values, member)
static const struct option_row rows[] = {
    {.name = "all", .letter = 'a', .type = OPTION_FLAG, V(all), .help = "Show all of them"},
    {.name = "colour",
     .type = OPTION_FLAG,
     V(colour),
     .default_value = "true",
     .help = "Use colours"},
    {.name = "stack-name",
     .letter = 's',
     .type = OPTION_TEXT,
     V(name),
     .metavar = "NAME",
     .environment = "TEST_STACK",
     .help = "Which stack"},
    {.name = "mode",
     .type = OPTION_TEXT,
     V(mode),
     .choices = "fast|slow",
     .default_value = "fast",
     .help = "How"},
    {.name = "count",
     .letter = 'n',
     .type = OPTION_INT,
     V(count),
     .metavar = "N",
     .default_value = "3",
     .min = 1,
     .max = 100,
     .help = "How many"},
    {.name = "wait",
     .type = OPTION_DURATION,
     V(wait_ms),
     .metavar = "TIME",
     .unit = "s",
     .default_value = "10",
     .help = "How long"},
    {.name = "size", .type = OPTION_SIZE, V(size), .metavar = "BYTES", .help = "How big"},
    {.name = "tag",
     .letter = 't',
     .type = OPTION_LIST,
     V(tags),
     .metavar = "K=V",
     .default_value = "d=1",
     .help = "A tag"},
    {.name = "parameter-overrides",
     .type = OPTION_LIST,
     V(words),
     .metavar = "K=V",
     .many = true,
     .help = "Parameters"},
    {.name = NULL},
};
static const struct option_row common_rows[] = {
    {.name = "json", .type = OPTION_FLAG, OPTION(struct common, json), .help = "As JSON"},
    {.name = "region",
     .type = OPTION_TEXT,
     OPTION(struct common, region),
     .metavar = "REGION",
     .help = "Where"},
    {.name = NULL},
};

static struct arena arena;
static struct values values;
static struct common common;
static const struct option_set sets[] = {{rows, &values}, {common_rows, &common}};
static struct option_result result;
static struct option_error error;

static int setup(void **state)
{
    arena_init(&arena);
    unsetenv("TEST_STACK");
    return 0;
}

static int teardown(void **state)
{
    arena_done(&arena);
    return 0;
}

/* Words of a line, separated by blanks. */
static int parse(const char *line)
{
    char **argv = ARENA_ARRAY(&arena, char *, 64);
    int argc = 0;
    struct str rest = str_from(line), word;
    while (rest.n) {
        str_cut(rest, ' ', &word, &rest);
        argv[argc++] = str_c(&arena, word);
    }
    error = (struct option_error){0};
    result = (struct option_result){0};
    int r = options_defaults(&arena, sets, 2, &error);
    return r < 0 ? r : options_parse(&arena, sets, 2, argc, argv, false, &result, &error);
}

static void test_defaults(void **state)
{
    assert_int_equal(parse(""), 0);
    assert_false(values.all);
    assert_true(values.colour);
    assert_false(str_has(values.name));
    assert_str(values.mode, "fast");
    assert_int_equal(values.count, 3);
    assert_int_equal(values.wait_ms, 10000);
    assert_int_equal(values.tags.n, 1);
    assert_false(options_given(&result, sets, 2, "count"));
}

static void test_spellings(void **state)
{
    assert_int_equal(parse("-an5 first --no-colour --stack-name=x=y second --wait 1h30m --size 64M "
                           "--mode slow -t a -tb --tag=c --json --region eu"),
                     0);
    assert_true(values.all);
    assert_false(values.colour);
    assert_str(values.name, "x=y");
    assert_int_equal(values.count, 5);
    assert_int_equal(values.wait_ms, 5400000);
    assert_int_equal(values.size, 64 << 20);
    assert_str(str_join(&arena, S(","), values.tags.items, values.tags.n), "a,b,c");
    assert_str(str_join(&arena, S(","), result.operands, result.n_operands), "first,second");
    assert_true(common.json);
    assert_str(common.region, "eu");
    assert_true(options_given(&result, sets, 2, "count"));
    assert_true(options_given(&result, sets, 2, "region"));
    assert_false(options_given(&result, sets, 2, "bogus"));

    assert_int_equal(parse("--parameter-overrides A=1 B=2 -s x - -- --all"), 0);
    assert_str(str_join(&arena, S(","), values.words.items, values.words.n), "A=1,B=2");
    assert_int_equal(result.n_operands, 1); /* "-" is one: standard input */
    assert_string_equal(result.rest[0], "--all");
    assert_false(values.all);
    assert_int_equal(parse("-h --bogus"), 0);
    assert_true(result.help);
}

static void test_precedence(void **state)
{
    setenv("TEST_STACK", "environment", 1);
    assert_int_equal(options_defaults(&arena, sets, 2, &error), 0);
    assert_str(values.name, "environment");
    assert_int_equal(options_preset(&arena, sets, 2, S("stack-name"), S("file"), &error), 0);
    assert_str(values.name, "file");
    assert_int_equal(options_preset(&arena, sets, 2, S("bogus"), S("x"), &error), -ENOENT);
    assert_int_equal(options_preset(&arena, sets, 2, S("count"), S("x"), &error), -EINVAL);
    assert_int_equal(parse("-s line"), 0);
    assert_str(values.name, "line");
}

static void test_wrong(void **state)
{
    static const char *const lines[][2] = {
        {"--stak-name x", "unknown option --stak-name (did you mean --stack-name?)"},
        {"--zzzzzz", "unknown option --zzzzzz"},
        {"-x", "unknown option -x"},
        {"--count x", "--count: \"x\" is not a whole number"},
        {"--count 101", "--count: 101 is not between 1 and 100"},
        {"--count 99999999999999999999", "--count: 99999999999999999999 is out of range"},
        {"--wait 10y", "--wait: \"10y\" is not a duration such as 500ms, 30s, 10m, 2h"},
        {"--size -1", "--size: \"-1\" is not a size such as 512, 10k, 64M"},
        {"--mode quick", "--mode: \"quick\" is none of fast|slow"},
        {"--all=maybe", "--all: \"maybe\" is neither true nor false"},
        {"--stack-name", "--stack-name needs NAME"},
        {"--no-mode", "unknown option --no-mode (did you mean --mode?)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (parse(lines[i][0]) != -EINVAL)
            fail_msg("%s was accepted", lines[i][0]);
        assert_str(error.message, lines[i][1]);
    }
}

static void test_help(void **state)
{
    static const struct option_row *const tables[] = {rows, common_rows, NULL};
    const struct option_page page = {.program = "lamina try", .operands = "NAME", .tables = tables};
    auto_buf struct buf b;
    buf_init(&b, 1 << 16);
    options_help(&b, &page, 80);
    struct str help = buf_copy(&b, &arena);
    assert_true(str_starts(help, S("usage: lamina try [options] NAME\n")));
    assert_true(str_find(help, S("  -s, --stack-name NAME       Which stack [$TEST_STACK]\n")) > 0);
    assert_true(str_find(help, S("      --wait TIME             How long [10 s]\n")) > 0);
    struct str line;
    while (help.n) {
        str_cut(help, '\n', &line, &help);
        assert_true(line.n <= 80);
    }
    buf_clear(&b);
    options_man(&b, &page);
    assert_true(str_find(buf_view(&b), S("*-s*, *--stack-name* _NAME_\n\tWhich stack")) >= 0);
}

static void test_table(void **state)
{
    static const struct table_column columns[] = {{.title = "Name", .shrink = true},
                                                  {.title = "Size", .right = true},
                                                  {.title = "State"},
                                                  {0}};
    struct table *t = table_new(&arena, columns);
    table_row(t);
    table_cell(t, S("caf\xc3\xa9"));
    table_printf(t, "%d", 7);
    table_cell_style(t, STYLE_GREEN, S("ok"));
    table_row(t);
    table_cell(t, S("a rather long name\033[31m"));
    table_printf(t, "%d", 12345);
    table_row(t);
    table_cell(t, (struct str){0});
    auto_buf struct buf b;
    buf_init(&b, 1 << 16);
    table_write(&b, t, 0, false);
    assert_str(buf_view(&b), "Name                      Size  State\n"
                             "caf\xc3\xa9                         7  ok\n"
                             "a rather long name?[31m  12345\n"
                             "-\n");
    buf_clear(&b);
    table_write(&b, t, 26, true);
    struct str narrow = buf_view(&b);
    assert_true(str_find(narrow, S("a rather lo\xe2\x80\xa6")) > 0);
    assert_true(str_find(narrow, S("\033[32mok\033[0m\n")) > 0);
}

/* What comes out of an end until n bytes are there: a terminal hands on in parts, when it likes. */
static struct str read_all(int fd, size_t n)
{
    char *text = arena_alloc(&arena, 1024);
    size_t got = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (got < n && poll(&ready, 1, 5000) > 0) {
        ssize_t part = read(fd, text + got, 1023 - got);
        if (part <= 0)
            break;
        got += (size_t)part;
    }
    return str_of(text, got);
}

/* What a progress writes, to a terminal or to a file; n bytes are waited for. */
static struct str progress_output(bool terminal, size_t n)
{
    int ends[2];
    if (terminal)
        assert_int_equal(openpty(&ends[0], &ends[1], NULL, NULL, NULL), 0);
    else
        assert_int_equal(pipe(ends), 0);
    FILE *f = fdopen(ends[1], "w");
    struct progress p;
    progress_init(&p, f);
    progress_status(&p, "step %d", 1);
    progress_line(&p, "done %d", 1);
    progress_clear(&p);
    fflush(f);
    struct str text = read_all(ends[0], n);
    fclose(f);
    close(ends[0]);
    return text;
}

static void test_progress(void **state)
{
    static const char shown[] = "\rstep 1\033[K\r\033[Kdone 1\r\n";
    setenv("TERM", "xterm", 1);
    assert_str(progress_output(false, 7), "done 1\n");
    assert_str(progress_output(true, sizeof shown - 1), shown);
    setenv("TERM", "dumb", 1);
    assert_str(progress_output(true, 8), "done 1\r\n");
}

static void test_colour(void **state)
{
    int ends[2];
    assert_int_equal(openpty(&ends[0], &ends[1], NULL, NULL, NULL), 0);
    auto_fclose FILE *terminal = fdopen(ends[1], "w");
    auto_fclose FILE *file = fopen("/dev/null", "w");
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    assert_true(term_colour(terminal));
    assert_false(term_colour(file));
    setenv("NO_COLOR", "1", 1);
    assert_false(term_colour(terminal));
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    assert_false(term_colour(terminal));
    close(ends[0]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(test_defaults), CASE(test_spellings), CASE(test_precedence), CASE(test_wrong),
        CASE(test_help),     CASE(test_table),     CASE(test_progress),   CASE(test_colour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
