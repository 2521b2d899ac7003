/* coverage_report - `lamina coverage report|json|xml|lcov|markdown`. */
#include "cli/coverage_report.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include "base/fs.h"
#include "base/table.h"
#include "cli/target.h"
#include "coverage/report_rows.h"

#define REPORT_MAX ((size_t)1 << 30)

const struct option_row coverage_report_rows[] = {
    {OPTION(struct coverage_report_options, from), .name = "from", .type = OPTION_LIST,
     .metavar = "PATH", .many = true,
     .help = "folders of objects, objects, or .coverage files, instead of a bucket"},
    {OPTION(struct coverage_report_options, functions), .name = "function", .letter = 'f',
     .type = OPTION_LIST, .metavar = "NAME", .help = "only what this function has run"},
    {OPTION(struct coverage_report_options, since), .name = "since", .type = OPTION_TEXT,
     .metavar = "TIME",
     .help = "only objects written since: 2h, 1d (ago), 2025-11-24, 2025-11-24T23:11:20Z"},
    {OPTION(struct coverage_report_options, source), .name = "source", .type = OPTION_LIST,
     .metavar = "DIR", .help = "folder of the sources; otherwise what the template says"},
    {OPTION(struct coverage_report_options, template), .name = "template", .letter = 't',
     .type = OPTION_TEXT, .metavar = "FILE",
     .help = "template that says which sources a function has; otherwise template.yaml here"},
    {OPTION(struct coverage_report_options, gcno), .name = "gcno", .type = OPTION_LIST,
     .metavar = "DIR", .help = "C, C++: folder of the build, with its .gcno files"},
    {OPTION(struct coverage_report_options, binary), .name = "binary", .type = OPTION_LIST,
     .metavar = "FILE", .help = "C, C++, Rust built by llvm: the program that was run"},
    {OPTION(struct coverage_report_options, ignore_changed), .name = "ignore-changed",
     .type = OPTION_FLAG,
     .help = "count files whose source is not the one that was deployed: lines may be wrong"},
    {OPTION(struct coverage_report_options, imported_only), .name = "imported-only",
     .type = OPTION_FLAG, .help = "without files that no function has imported"},
    {OPTION(struct coverage_report_options, by), .name = "by", .type = OPTION_TEXT,
     .choices = "function|version|context", .metavar = "WHAT",
     .help = "say who has run how much; of each line in json, html and .coverage"},
    {OPTION(struct coverage_report_options, fail_under), .name = "fail-under", .type = OPTION_TEXT,
     .metavar = "PERCENT", .help = "exit with 2 when the total is below"},
    {OPTION(struct coverage_report_options, precision), .name = "precision", .type = OPTION_INT,
     .metavar = "N", .default_value = "0", .min = 0, .max = 9, .help = "digits of percentages"},
    {OPTION(struct coverage_report_options, show_missing), .name = "show-missing", .letter = 'm',
     .type = OPTION_FLAG, .help = "show which lines and branches are missing"},
    {OPTION(struct coverage_report_options, skip_covered), .name = "skip-covered",
     .type = OPTION_FLAG, .help = "do not show files that are covered completely"},
    {OPTION(struct coverage_report_options, skip_empty), .name = "skip-empty", .type = OPTION_FLAG,
     .help = "do not show files without statements"},
    {OPTION(struct coverage_report_options, sort), .name = "sort", .type = OPTION_TEXT,
     .metavar = "COLUMN",
     .help = "name, stmts, miss, branch, brpart or cover; -COLUMN: the other way round"},
    {OPTION(struct coverage_report_options, output), .name = "output", .letter = 'o',
     .type = OPTION_TEXT, .metavar = "FILE", .help = "write the report there"},
    {OPTION(struct coverage_report_options, xml), .name = "xml", .type = OPTION_TEXT,
     .metavar = "FILE", .help = "write Cobertura XML as well"},
    {OPTION(struct coverage_report_options, lcov), .name = "lcov", .type = OPTION_TEXT,
     .metavar = "FILE", .help = "write LCOV as well"},
    {OPTION(struct coverage_report_options, markdown), .name = "markdown", .type = OPTION_TEXT,
     .metavar = "FILE", .help = "write Markdown as well (appends to GITHUB_STEP_SUMMARY)"},
    {OPTION(struct coverage_report_options, json_file), .name = "json-file", .type = OPTION_TEXT,
     .metavar = "FILE", .help = "write JSON as well"},
    {OPTION(struct coverage_report_options, html), .name = "html", .type = OPTION_TEXT,
     .metavar = "DIR", .help = "write HTML as well, into this folder"},
    {OPTION(struct coverage_report_options, single_file), .name = "single-file",
     .type = OPTION_FLAG, .help = "html: one file with all in it instead of a folder"},
    {OPTION(struct coverage_report_options, title), .name = "title", .type = OPTION_TEXT,
     .metavar = "TEXT", .help = "html: the title, instead of the folder's name"},
    {OPTION(struct coverage_report_options, pretty), .name = "pretty", .type = OPTION_FLAG,
     .help = "indent JSON"},
    {OPTION(struct coverage_report_options, config), .name = "rcfile", .type = OPTION_TEXT,
     .metavar = "FILE",
     .help = "configuration of coverage.py; otherwise .coveragerc, setup.cfg, tox.ini, "
             "pyproject.toml here"},
    {OPTION(struct coverage_report_options, to), .name = "to", .type = OPTION_TEXT,
     .metavar = "FILE",
     .help = "combine: .coverage, FILE.json, FILE.xml, FILE.lcov, FILE.md, FILE.html, or "
             "s3://BUCKET/KEY"},
    {0},
};

const struct coverage_report_options *coverage_report_of(const struct verb_run *run)
{
    for (size_t i = 0; i < run->n_sets; i++)
        if (run->sets[i].rows == coverage_report_rows)
            return run->sets[i].values;
    return NULL;
}

/* ---- what people are told besides ---- */

#define TOLD 10

/* (Names and reasons have words of whoever wrote the object.) */
static void tell(struct arena *a, const struct report_left_out *items, size_t n, const char *what)
{
    for (size_t i = 0; i < n && i < TOLD; i++)
        fprintf(stderr, "lamina: coverage: %.*s%s%.*s\n", STR(report_safe_name(a, items[i].name)),
                what, STR(report_safe_name(a, items[i].reason)));
    if (n > TOLD)
        fprintf(stderr, "lamina: coverage: ... and %zu more\n", n - TOLD);
}

static void tell_all(struct arena *a, const struct coverage_report *r)
{
    tell(a, r->unreadable, r->n_unreadable, " is left out: ");
    tell(a, r->left_out, r->n_left_out, " is left out: ");
    tell(a, r->missing, r->n_missing, " is not complete: ");
    if (r->branches && r->n_lines_only)
        fprintf(stderr,
                "lamina: coverage: %zu of %zu objects have measured lines only: branches that only "
                "they have run count as missing; --no-branch leaves branches out\n",
                r->n_lines_only, r->n_objects);
    if (r->warning.n)
        fprintf(stderr, "lamina: coverage: %.*s\n", STR(r->warning));
}

/* ---- formats ---- */

/* "function" as the head of a column. */
static struct str heading(struct arena *a, struct str by)
{
    char *p = arena_copy(a, by.n ? by.p : "", by.n + !by.n);
    if (by.n)
        *p = (char)(*p - 'a' + 'A');
    return str_of(p, by.n);
}

static int write_text(struct verb_run *run, struct buf *b, const struct coverage_report *r,
                      bool markdown, bool colour)
{
    const struct coverage_report_options *o = coverage_report_of(run);
    struct report_text_options t = {.show_missing = o->show_missing,
                                    .skip_covered = o->skip_covered,
                                    .skip_empty = o->skip_empty,
                                    .colour = colour,
                                    .width = colour ? term_width(stdout) : 0,
                                    .sort = o->sort,
                                    .by = heading(run->arena, o->by)};
    int e = markdown ? coverage_write_markdown(b, r, &t) : coverage_write_text(b, r, &t);
    return e < 0 ? verb_usage(run, "--sort %.*s: there is no such column", STR(o->sort)) : 0;
}

int coverage_format(struct verb_run *run, struct buf *b, const struct coverage_report *r,
                    enum coverage_format format, bool colour)
{
    const struct coverage_report_options *o = coverage_report_of(run);
    switch (format) {
    case COVERAGE_JSON:
        coverage_write_json(b, r, o->pretty, o->by.n > 0);
        return 0;
    case COVERAGE_XML:
        coverage_write_xml(b, r);
        return 0;
    case COVERAGE_LCOV:
        coverage_write_lcov(b, r);
        return 0;
    case COVERAGE_HTML:
        coverage_html_format(run, b, r);
        return 0;
    default:
        return write_text(run, b, r, format == COVERAGE_MARKDOWN, colour);
    }
}

/* GITHUB_STEP_SUMMARY is shared by all steps of a job. */
static int write_file(struct verb_run *run, struct str path, struct str text)
{
    const char *summary = getenv("GITHUB_STEP_SUMMARY");
    int r;
    if (summary && str_is(path, summary)) {
        FILE *f = fopen(summary, "ae");
        r = f && fwrite(text.p, 1, text.n, f) == text.n ? 0 : -EIO;
        if (f && fclose(f))
            r = -EIO;
    } else {
        r = fs_write(str_c(run->arena, path), text, 0644);
    }
    return r < 0 ? verb_fail(run, "%.*s: %s", STR(path), strerror(-r)) : 0;
}

static int write_one(struct verb_run *run, const struct coverage_report *r,
                     enum coverage_format format, struct str path)
{
    auto_buf struct buf b;
    buf_init(&b, REPORT_MAX);
    bool out = !path.n || str_is(path, "-");
    int e = coverage_format(run, &b, r, format, out && term_colour(stdout));
    if (e)
        return e;
    if (buf_failed(&b))
        return verb_fail(run, "the report is too large");
    if (!out)
        return write_file(run, path, buf_view(&b));
    fwrite(b.p, 1, b.n, stdout);
    if (format == COVERAGE_JSON)
        putchar('\n');
    return fflush(stdout) ? verb_fail(run, "the report cannot be written: %s", strerror(errno)) : 0;
}

/* The pages take as long as all other formats together: they are made beside them. */
struct pages {
    struct verb_run run;
    struct arena arena;
    const struct coverage_report *report;
    int exit;
};

static void *write_pages(void *arg)
{
    struct pages *p = arg;
    p->exit = coverage_html_write(&p->run, p->report, coverage_report_of(&p->run)->html);
    return NULL;
}

static int write_texts(struct verb_run *run, const struct coverage_report *r)
{
    const struct coverage_report_options *o = coverage_report_of(run);
    const struct {
        struct str path;
        enum coverage_format format;
    } extras[] = {{o->xml, COVERAGE_XML},
                  {o->lcov, COVERAGE_LCOV},
                  {o->markdown, COVERAGE_MARKDOWN},
                  {o->json_file, COVERAGE_JSON}};
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        int e = extras[i].path.n ? write_one(run, r, extras[i].format, extras[i].path) : 0;
        if (e)
            return e;
    }
    return 0;
}

static int write_extras(struct verb_run *run, const struct coverage_report *r)
{
    if (!coverage_report_of(run)->html.n)
        return write_texts(run, r);
    struct pages pages = {.run = *run, .report = r};
    pthread_t thread;
    arena_init(&pages.arena);
    pages.run.arena = &pages.arena;
    bool beside = pthread_create(&thread, NULL, write_pages, &pages) == 0;
    if (!beside)
        write_pages(&pages);
    int e = write_texts(run, r);
    if (beside)
        pthread_join(thread, NULL);
    arena_done(&pages.arena);
    return e ? e : pages.exit;
}

static int check_total(struct verb_run *run, const struct coverage_report *r, double under)
{
    if (!numbers_fail_under(&r->totals, under, r->precision))
        return 0;
    /* the total with enough digits to tell it from the limit */
    int precision = r->precision;
    struct str shown = numbers_display(run->arena, numbers_percent(&r->totals), precision);
    fprintf(stderr, "lamina: coverage: the total of %.*s%% is less than --fail-under %.*s\n",
            STR(shown), STR(coverage_report_of(run)->fail_under));
    return 2;
}

/* coverage.py's default is a project's own word here: what runs in a cloud may well have files that
 * are not the project's. */
static int check_left_out(struct verb_run *run, const struct coverage_report *r)
{
    if (!r->n_left_out)
        return 0;
    return verb_fail(run,
                     "%zu file%s left out, and ignore_errors = false makes that an error: %.*s",
                     r->n_left_out, r->n_left_out == 1 ? " is" : "s are",
                     STR(report_safe_name(run->arena, r->left_out[0].name)));
}

int coverage_fail_under(struct verb_run *run, double *ret)
{
    struct str text = coverage_report_of(run)->fail_under;
    char *end;
    *ret = 0;
    if (!str_has(text))
        return 0;
    const char *digits = str_c(run->arena, text);
    *ret = strtod(digits, &end);
    if (!text.n || *end || !(*ret >= 0 && *ret <= 100))
        return verb_usage(run, "--fail-under \"%.*s\" is no percentage from 0 to 100", STR(text));
    return 0;
}

int coverage_report_make(struct verb_run *run, const struct coverage_inputs *in,
                         const struct coverage_settings *settings, struct coverage_report *ret)
{
    struct report_request q;
    int e = coverage_request(run, in, settings, &q);
    if (e)
        return e;
    int r = report_build(run->arena, &q, ret);
    ret->unreadable = in->unreadable;
    ret->n_unreadable = in->n_unreadable;
    if (r < 0)
        return verb_fail(run, "the sources cannot be analysed: %.*s%s%s", STR(ret->warning),
                         ret->warning.n ? ": " : "", strerror(-r));
    tell_all(run->arena, ret);
    if (!ret->n_files)
        return verb_fail(run,
                         "there is nothing to report: none of the files in %zu object%s found in "
                         "%.*s has its source here",
                         in->n_read, in->n_read == 1 ? "" : "s", STR(in->looked));
    return 0;
}

static int run_format(struct verb_run *run, enum coverage_format format)
{
    const struct coverage_report_options *o = coverage_report_of(run);
    struct coverage_inputs in;
    struct coverage_report r;
    double under;
    struct coverage_settings settings;
    int e = coverage_configure(run, &settings);
    if (!e)
        e = coverage_fail_under(run, &under);
    if (e)
        return e;
    e = coverage_inputs_read(run, &in);
    if (!e)
        e = coverage_report_make(run, &in, &settings, &r);
    if (!e)
        e = format == COVERAGE_HTML ? coverage_html_write(run, &r, o->output)
                                    : write_one(run, &r, format, o->output);
    if (!e)
        e = write_extras(run, &r);
    if (!e && settings.strict)
        e = check_left_out(run, &r);
    if (!e && o->fail_under.n)
        e = check_total(run, &r, under);
    coverage_inputs_done(&in);
    return e;
}

int coverage_text_run(struct verb_run *run)
{
    return run_format(run, target_of(run)->json ? COVERAGE_JSON : COVERAGE_TEXT);
}

int coverage_json_run(struct verb_run *run)
{
    return run_format(run, COVERAGE_JSON);
}

int coverage_xml_run(struct verb_run *run)
{
    return run_format(run, COVERAGE_XML);
}

int coverage_lcov_run(struct verb_run *run)
{
    return run_format(run, COVERAGE_LCOV);
}

int coverage_html_run(struct verb_run *run)
{
    return run_format(run, COVERAGE_HTML);
}

int coverage_markdown_run(struct verb_run *run)
{
    return run_format(run, COVERAGE_MARKDOWN);
}
