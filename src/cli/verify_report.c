/* verify_report - what was checked as text, Markdown, JUnit and JSON (verify.h, docs/verify.md). */
#include <math.h>
#include "base/clock.h"
#include "base/table.h"
#include "cli/verify.h"

const char *verify_verdict_name(enum verify_verdict v)
{
    static const char *const names[] = {"pass", "warn", "fail", "skipped"};
    return names[v];
}

void verify_add(struct verify *v, struct str function, const char *group, struct str check,
                enum verify_verdict verdict, struct str message, struct str advice)
{
    *(struct verify_row *)arena_push(v->a, (void **)&v->rows, &v->n, &v->cap,
                                     sizeof(struct verify_row)) =
        (struct verify_row){function, group, check, verdict, message, advice};
}

size_t verify_count(const struct verify *v, enum verify_verdict verdict)
{
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++)
        n += v->rows[i].verdict == verdict;
    return n;
}

/* Passed of those that were carried out; NAN: none was. */
static double success_rate(const struct verify *v)
{
    size_t done = v->n - verify_count(v, VERIFY_SKIPPED);
    return done ? 100.0 * (double)verify_count(v, VERIFY_PASS) / (double)done : NAN;
}

static bool new_function(const struct verify *v, size_t i)
{
    return !i || !str_eq(v->rows[i].function, v->rows[i - 1].function);
}

/* ---- text ---- */

static size_t columns_of(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* As many words of *text as have room, at least one. */
static struct str line_of(struct str *text, size_t room)
{
    size_t end = 0, columns = 0;
    for (size_t i = 0; i <= text->n; i++) {
        if (i == text->n || text->p[i] == ' ') {
            if (end && columns > room)
                break;
            end = i;
        }
        columns += i < text->n && ((unsigned char)text->p[i] & 0xc0) != 0x80;
    }
    struct str line = str_slice(*text, 0, end);
    *text = str_slice(*text, end + (end < text->n), text->n);
    return line;
}

/* What is left for the last column, of the rows of the function that begins at `first`. */
static size_t room_of(const struct verify *v, size_t first, size_t width)
{
    size_t verdict = 0, group = 0, check = 0;
    for (size_t i = first; i < v->n && (i == first || !new_function(v, i)); i++) {
        const struct verify_row *r = &v->rows[i];
        size_t name = strlen(verify_verdict_name(r->verdict)), of = strlen(r->group),
               columns = columns_of(r->check);
        verdict = name > verdict ? name : verdict;
        group = of > group ? of : group;
        check = columns > check ? columns : check;
    }
    size_t before = verdict + group + check + 6;
    return width > before + 24 ? width - before : 0;
}

static void add_text(struct table *t, struct str text, size_t room)
{
    table_cell(t, room ? line_of(&text, room) : text);
    while (room && text.n) {
        table_row(t);
        for (int i = 0; i < 3; i++)
            table_cell(t, S(""));
        table_cell(t, line_of(&text, room));
    }
}

void verify_write_text(struct buf *b, const struct verify *v, size_t width, bool colour)
{
    static const enum style styles[] = {STYLE_GREEN, STYLE_YELLOW, STYLE_RED, STYLE_DIM};
    static const struct table_column columns[] = {
        {.title = ""}, {.title = ""}, {.title = ""}, {.title = "", .shrink = true}, {0}};
    for (size_t i = 0; i < v->n;) {
        struct table *t = table_new(v->a, columns);
        size_t first = i, room = room_of(v, i, width);
        for (; i < v->n && (i == first || !new_function(v, i)); i++) {
            const struct verify_row *r = &v->rows[i];
            struct str text = r->advice.n
                                  ? str_printf(v->a, "%.*s; %.*s", STR(r->message), STR(r->advice))
                                  : r->message;
            table_row(t);
            table_cell_style(t, styles[r->verdict], str_from(verify_verdict_name(r->verdict)));
            table_cell(t, str_from(r->group));
            table_cell(t, r->check);
            add_text(t, text, room);
        }
        buf_printf(b, "%.*s\n", STR(v->rows[first].function));
        table_write(b, t, 0, colour);
        buf_byte(b, '\n');
    }
    buf_printf(b, "%zu checks: %zu passed, %zu warnings, %zu failed, %zu skipped\n", v->n,
               verify_count(v, VERIFY_PASS), verify_count(v, VERIFY_WARN),
               verify_count(v, VERIFY_FAIL), verify_count(v, VERIFY_SKIPPED));
}

/* ---- Markdown ---- */

/* What comes from a function must not end a cell or begin markup. */
static void cell(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '|' || c == '\\' || c == '`' || c == '<' || c == '[' || c == '*' || c == '_')
            buf_byte(b, '\\');
        buf_byte(b, c < ' ' || c == 0x7f ? ' ' : (char)c);
    }
}

void verify_write_markdown(struct buf *b, const struct verify *v)
{
    static const char *const marks[] = {"&#9989; pass", "&#9888;&#65039; warn", "&#10060; fail",
                                        "&#9898; skipped"};
    buf_text(b, "### Verification of ");
    cell(b, v->subject);
    buf_printf(b,
               "\n\n%zu checks: **%zu passed**, %zu warnings, **%zu failed**, %zu skipped (%s, "
               "%.0f s)\n",
               v->n, verify_count(v, VERIFY_PASS), verify_count(v, VERIFY_WARN),
               verify_count(v, VERIFY_FAIL), verify_count(v, VERIFY_SKIPPED),
               str_c(v->a, v->mode_name), v->seconds);
    for (size_t i = 0; i < v->n; i++) {
        const struct verify_row *r = &v->rows[i];
        if (new_function(v, i)) {
            buf_text(b, "\n#### ");
            cell(b, r->function);
            buf_text(b, "\n\n| | check | found |\n|---|---|---|\n");
        }
        buf_printf(b, "| %s | %s: ", marks[r->verdict], r->group);
        cell(b, r->check);
        buf_text(b, " | ");
        cell(b, r->message);
        if (r->advice.n) {
            buf_text(b, "; *");
            cell(b, r->advice);
            buf_byte(b, '*');
        }
        buf_text(b, " |\n");
    }
}

/* ---- JUnit ---- */

void verify_write_junit(struct buf *b, const struct verify *v)
{
    buf_text(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"lamina verify ");
    buf_markup(b, v->subject);
    buf_printf(b, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\">\n",
               v->n, verify_count(v, VERIFY_FAIL), verify_count(v, VERIFY_SKIPPED), v->seconds);
    for (size_t i = 0; i < v->n; i++) {
        const struct verify_row *r = &v->rows[i];
        buf_printf(b, "  <testcase name=\"%s: ", r->group);
        buf_markup(b, r->check);
        buf_text(b, "\" classname=\"");
        buf_markup(b, r->function);
        buf_text(b, "\">");
        if (r->verdict == VERIFY_FAIL || r->verdict == VERIFY_SKIPPED) {
            buf_printf(b, "<%s message=\"", r->verdict == VERIFY_FAIL ? "failure" : "skipped");
            buf_markup(b, r->message);
            buf_text(b, "\"/>");
        } else {
            buf_text(b, "<system-out>");
            if (r->verdict == VERIFY_WARN)
                buf_text(b, "warning: ");
            buf_markup(b, r->message);
            if (r->advice.n)
                buf_text(b, "; ");
            buf_markup(b, r->advice);
            buf_text(b, "</system-out>");
        }
        buf_text(b, "</testcase>\n");
    }
    buf_text(b, "</testsuite>\n");
}

/* ---- JSON ---- */

static void set_text(struct arena *a, struct json *v, const char *key, struct str s)
{
    if (s.n)
        json_set(a, v, str_from(key), json_new_str(a, s));
}

static void set_int(struct arena *a, struct json *v, const char *key, size_t n)
{
    json_set(a, v, str_from(key), json_new_int(a, (int64_t)n));
}

/* Absent when it is not known. */
static void set_number(struct arena *a, struct json *v, const char *key, double n)
{
    if (!isfinite(n))
        return;
    struct json *number = json_new(a, JSON_NUMBER);
    number->text = str_printf(a, "%.9g", n);
    json_set(a, v, str_from(key), number);
}

static void set_figure(struct arena *a, struct json *v, const char *key, const struct figure *f)
{
    if (!figure_known(f))
        return;
    struct json *o = json_set(a, v, str_from(key), json_new(a, JSON_OBJECT));
    set_number(a, o, "value", f->value);
    set_number(a, o, "low", f->low);
    set_number(a, o, "high", f->high);
}

static void set_spread(struct arena *a, struct json *v, const char *key,
                       const struct bench_spread *s)
{
    if (!s->n)
        return;
    struct json *o = json_set(a, v, str_from(key), json_new(a, JSON_OBJECT));
    set_int(a, o, "n", s->n);
    set_figure(a, o, "mean", &s->mean);
    set_figure(a, o, "p50", &s->p50);
    set_figure(a, o, "p95", &s->p95);
    set_figure(a, o, "p99", &s->p99);
    set_number(a, o, "max", s->max);
}

static struct json *step_json(struct arena *a, const struct verify_measured *m)
{
    const struct bench_group *g = &m->summary->all;
    struct json *o = json_new(a, JSON_OBJECT);
    set_int(a, o, "requests", g->n);
    set_int(a, o, "succeeded", g->outcomes[BENCH_OK]);
    set_int(a, o, "cold_starts", g->n_cold);
    set_spread(a, o, "latency_ms", &g->all.latency);
    set_spread(a, o, "init_ms", &g->all.phases[BENCH_INIT]);
    set_spread(a, o, "billed_ms", &g->all.billed);
    set_figure(a, o, "usd_per_million", &g->all.cost);
    set_number(a, o, "throughput", g->throughput);
    if (g->memory_used > 0)
        set_int(a, o, "memory_used_mb", (size_t)g->memory_used);
    json_set(a, o, S("noisy"), json_new_bool(a, m->run->machine.noisy));
    return o;
}

static struct json *results_json(struct arena *a, const struct verify *v)
{
    static const char *const names[] = {"PASS", "WARN", "FAIL", "SKIPPED"};
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < v->n; i++) {
        const struct verify_row *r = &v->rows[i];
        struct json *o = json_add(list, json_new(a, JSON_OBJECT));
        set_text(a, o, "function", r->function);
        set_text(a, o, "category", str_from(r->group));
        set_text(a, o, "test", r->check);
        set_text(a, o, "status", str_from(names[r->verdict]));
        set_text(a, o, "message", r->message);
        set_text(a, o, "advice", r->advice);
    }
    return list;
}

struct json *verify_json(struct arena *a, const struct verify *v)
{
    struct json *root = json_new(a, JSON_OBJECT);
    set_text(a, root, "format", S(VERIFY_FORMAT));
    set_text(a, root, "lamina", S(LAMINA_VERSION));
    set_text(a, root, "subject", v->subject);
    set_text(a, root, "mode", v->mode_name);
    set_text(a, root, "file", v->plan->file);
    set_text(a, root, "target", v->target);
    set_text(a, root, "region", v->region);
    set_text(a, root, "started", clock_iso8601(a, v->started_ms));
    set_number(a, root, "seconds", v->seconds);
    struct json *s = json_set(a, root, S("summary"), json_new(a, JSON_OBJECT));
    set_int(a, s, "total", v->n);
    set_int(a, s, "passed", verify_count(v, VERIFY_PASS));
    set_int(a, s, "failed", verify_count(v, VERIFY_FAIL));
    set_int(a, s, "warnings", verify_count(v, VERIFY_WARN));
    set_int(a, s, "skipped", verify_count(v, VERIFY_SKIPPED));
    set_number(a, s, "success_rate", success_rate(v));
    json_set(a, root, S("validation_results"), results_json(a, v));
    struct json *all = json_set(a, root, S("performance_baselines"), json_new(a, JSON_OBJECT));
    for (size_t i = 0; i < v->n_measured; i++) {
        const struct verify_measured *m = &v->measured[i];
        struct json *of = json_find(all, m->function);
        if (!of)
            of = json_set(a, all, m->function, json_new(a, JSON_OBJECT));
        json_set(a, of, str_from(m->step), step_json(a, m));
    }
    return root;
}
