/* inspect_view - environments as a timeline on a terminal. */
#include <stdlib.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/table.h"
#include "cli/inspect.h"
#include "cli/verb.h"

#define USUAL_WIDTH 110
#define WIDEST 180
#define LEAST_TIMELINE 20
#define ID_SHOWN 8

/* What a column of the timeline shows: the last one that it has, in this order. */
enum mark { MARK_NONE, MARK_FROZEN, MARK_IDLE, MARK_INVOKE, MARK_INIT, MARK_FAILED, MARK_ENDED };

static const struct {
    const char *ascii, *utf8, *name;
    enum style style;
} marks[] = {
    [MARK_NONE] = {" ", " ", NULL, STYLE_NONE},
    [MARK_FROZEN] = {".", "·", "frozen", STYLE_DIM},
    [MARK_IDLE] = {"-", "─", "idle", STYLE_NONE},
    [MARK_INVOKE] = {"#", "█", "invocation", STYLE_GREEN},
    [MARK_INIT] = {"i", "▒", "init", STYLE_CYAN},
    [MARK_FAILED] = {"!", "✗", "failed", STYLE_RED},
    [MARK_ENDED] = {"x", "×", "ended", STYLE_YELLOW},
};

struct view {
    struct arena *a;
    const struct inspect_options *o;
    struct buf *out;
    bool colour, utf8;
    size_t width, timeline;
    int64_t from_ms, now_ms;
};

static int64_t number(const struct json *o, const char *name)
{
    int64_t v = 0;
    json_int(json_get(o, name), &v);
    return v;
}

static double decimal(const struct json *o, const char *name)
{
    const struct json *v = json_get(o, name);
    char text[32];
    if (!json_is(v, JSON_NUMBER))
        return 0;
    snprintf(text, sizeof(text), "%.*s", STR(v->text));
    return strtod(text, NULL);
}

/* 0.22 ms, 22.2 ms, 1.5 s, 3 min: three digits are enough. */
static struct str duration(struct arena *a, double ms)
{
    if (ms < 10)
        return str_printf(a, "%.2f ms", ms);
    if (ms < 1000)
        return str_printf(a, "%.*f ms", ms < 100 ? 1 : 0, ms);
    if (ms < 120e3)
        return str_printf(a, "%.*f s", ms < 10e3 ? 2 : 1, ms / 1e3);
    return str_printf(a, "%.0f min", ms / 60e3);
}

static struct str clock_part(struct arena *a, int64_t ms, size_t n)
{
    return str_slice(clock_iso8601(a, ms), 11, 11 + n);
}

/* The random part of 2026/11/21/[$LATEST]ff08488d... */
static struct str short_id(const struct json *env)
{
    struct str id = json_get_str(env, "id");
    ssize_t bracket = str_find_last_byte(id, ']');
    struct str hex = str_slice(id, (size_t)(bracket + 1), id.n);
    return hex.n > ID_SHOWN ? str_slice(hex, 0, ID_SHOWN) : hex;
}

static void styled(struct view *v, enum style style, struct str text)
{
    buf_str(v->out, term_style(v->a, v->colour, style, text));
}

/* ---- figures ---- */

static void write_version(struct view *v, const struct json *f)
{
    const struct json *d = json_get(f, "durationMs");
    int64_t errors = number(f, "errors"), throttles = number(f, "throttles");
    int64_t timeouts = number(f, "timeouts");
    struct arena *a = v->a;
    styled(v, STYLE_BOLD, json_get_str(f, "version"));
    buf_printf(v->out, "  %lld invocation%s", (long long)number(f, "invocations"),
               number(f, "invocations") == 1 ? "" : "s");
    if (errors) {
        buf_text(v->out, ", ");
        styled(v, STYLE_RED, str_printf(a, "%lld failed", (long long)errors));
    }
    if (timeouts)
        buf_printf(v->out, " (%lld timed out)", (long long)timeouts);
    if (throttles) {
        buf_text(v->out, ", ");
        styled(v, STYLE_YELLOW, str_printf(a, "%lld throttled", (long long)throttles));
    }
    if (d)
        buf_printf(v->out, "   p50 %.*s  p99 %.*s  max %.*s", STR(duration(a, decimal(d, "p50"))),
                   STR(duration(a, decimal(d, "p99"))), STR(duration(a, decimal(d, "max"))));
    if (number(f, "coldStarts"))
        buf_printf(v->out, "   %lld init%s, %.*s on average", (long long)number(f, "coldStarts"),
                   number(f, "coldStarts") == 1 ? "" : "s",
                   STR(duration(a, decimal(f, "meanInitMs"))));
    buf_printf(v->out, "   billed %lld ms   at most %lld at once\n",
               (long long)number(f, "billedMs"), (long long)number(f, "maxConcurrent"));
}

/* ---- timeline ---- */

static size_t column_of(const struct view *v, int64_t ms)
{
    int64_t span = v->now_ms - v->from_ms;
    int64_t at = (ms - v->from_ms) * (int64_t)v->timeline / (span > 0 ? span : 1);
    return at < 0 ? 0 : at >= (int64_t)v->timeline ? v->timeline - 1 : (size_t)at;
}

static void put(const struct view *v, unsigned char *cells, int64_t from, int64_t to,
                enum mark mark)
{
    if (to < v->from_ms)
        return;
    for (size_t i = column_of(v, from), end = column_of(v, to); i <= end; i++)
        if (cells[i] < mark)
            cells[i] = (unsigned char)mark;
}

static bool is_failed(const struct json *event)
{
    struct str status = json_get_str(event, "status");
    return json_get(event, "failed") || (status.n && !str_is(status, "success"));
}

/* What went wrong: an error type, or the status; an exception of the handler has neither. */
static struct str failure_of(const struct json *event)
{
    struct str type = json_get_str(event, "errorType"), status = json_get_str(event, "status");
    return type.n ? type : str_is(status, "success") ? S("error answered") : status;
}

static enum mark mark_of(const struct json *event)
{
    struct str kind = json_get_str(event, "kind");
    if (str_is(kind, "frozen"))
        return MARK_FROZEN;
    if (is_failed(event))
        return MARK_FAILED;
    return str_is(kind, "init") ? MARK_INIT : MARK_INVOKE;
}

static void write_cells(struct view *v, const unsigned char *cells)
{
    for (size_t i = 0, end; i < v->timeline; i = end) {
        struct buf run;
        for (end = i; end < v->timeline && cells[end] == cells[i]; end++)
            ;
        buf_init(&run, 8192);
        for (size_t k = i; k < end; k++)
            buf_text(&run, v->utf8 ? marks[cells[i]].utf8 : marks[cells[i]].ascii);
        styled(v, marks[cells[i]].style, buf_copy(&run, v->a));
        buf_done(&run);
    }
}

static void write_timeline(struct view *v, const struct json *env)
{
    int64_t started = number(env, "startedMs"), ended = number(env, "endedMs");
    unsigned char *cells = ARENA_ARRAY(v->a, unsigned char, v->timeline);
    put(v, cells, started, ended ? ended : v->now_ms, MARK_IDLE);
    JSON_EACH(json_get(env, "events"), e) {
        int64_t from = number(e, "startMs");
        int64_t to = from + (int64_t)decimal(e, "durationMs");
        size_t first = column_of(v, from), last = column_of(v, to);
        if (mark_of(e) == MARK_FROZEN) /* over idle, except where it began and ended */
            for (size_t i = first; i <= last && to >= v->from_ms; i++)
                cells[i] = cells[i] == MARK_IDLE ? MARK_FROZEN : cells[i];
    }
    JSON_EACH(json_get(env, "events"), e) {
        int64_t from = number(e, "startMs");
        enum mark mark = mark_of(e);
        if (mark != MARK_FROZEN)
            put(v, cells, from, from + (int64_t)decimal(e, "durationMs"), mark);
    }
    if (ended)
        put(v, cells, ended, ended, MARK_ENDED);
    write_cells(v, cells);
}

/* What the last invocation was like, or why there will be none any more. */
static struct str remark(struct view *v, const struct json *env)
{
    const struct json *last = NULL;
    struct str why = json_get_str(env, "why");
    JSON_EACH(json_get(env, "events"), e)
        if (!str_is(json_get_str(e, "kind"), "frozen"))
            last = e;
    if (is_failed(last))
        return str_printf(v->a, "%.*s%s%.*s", STR(failure_of(last)), why.n ? ", " : "",
                          STR(why.n ? why : S("")));
    if (why.n)
        return why;
    return last ? duration(v->a, decimal(last, "durationMs")) : S("");
}

#define ROW_HEAD 19 /* environment, state */
#define ROW_TAIL 54 /* invocations, memory, cpu, remark */

static void write_row(struct view *v, const struct json *env)
{
    struct arena *a = v->a;
    struct str state = json_get_str(env, "state"), text = remark(v, env);
    bool failed = text.n && (text.p[0] < '0' || text.p[0] > '9') && !str_is(state, "ended");
    bool busy = str_is(state, "busy") || str_is(state, "init");
    styled(v, STYLE_NONE, str_printf(a, "%-*.*s ", ID_SHOWN, STR(short_id(env))));
    styled(v,
           busy                     ? STYLE_GREEN
           : str_is(state, "ended") ? STYLE_DIM
                                    : STYLE_NONE,
           str_printf(a, "%-9.*s ", STR(state)));
    write_timeline(v, env);
    buf_printf(v->out, "  %5lld  %4lld/%lld MB  %8.*s  ", (long long)number(env, "invocations"),
               (long long)number(env, "memoryPeakMB"), (long long)number(env, "memoryMB"),
               STR(duration(a, decimal(env, "cpuMs"))));
    styled(v, failed ? STYLE_RED : STYLE_NONE, text);
    buf_byte(v->out, '\n');
}

static void write_axis(struct view *v)
{
    struct str from = clock_part(v->a, v->from_ms, 8), to = clock_part(v->a, v->now_ms, 8);
    struct str span = duration(v->a, (double)(v->now_ms - v->from_ms));
    size_t gap = v->timeline - from.n - to.n, before = gap > span.n ? (gap - span.n) / 2 : 0;
    buf_printf(v->out, "%*s", ROW_HEAD, "");
    styled(v, STYLE_DIM,
           str_printf(v->a, "%.*s%*s%.*s%*s%.*s", STR(from), (int)before, "",
                      STR(gap > span.n ? span : S("")),
                      (int)(gap > span.n ? gap - span.n - before : gap), "", STR(to)));
    buf_byte(v->out, '\n');
    styled(v, STYLE_BOLD,
           str_printf(v->a, "%-*s %-9s %*s  %5s  %11s  %8s  %s\n", ID_SHOWN, "ENV", "STATE",
                      (int)v->timeline, "", "CALLS", "MEMORY", "CPU", "LAST"));
}

static void write_legend(struct view *v)
{
    buf_byte(v->out, '\n');
    for (size_t i = ARRAY_LEN(marks) - 1; i > MARK_NONE; i--) {
        styled(v, marks[i].style, str_from(v->utf8 ? marks[i].utf8 : marks[i].ascii));
        styled(v, STYLE_DIM, str_printf(v->a, " %s   ", marks[i].name));
    }
    buf_byte(v->out, '\n');
}

/* ---- events ---- */

struct shown {
    const struct json *env, *event;
    int64_t at_ms;
};

static int by_time(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

static void write_event(struct view *v, struct table *t, const struct shown *s)
{
    const struct json *e = s->event;
    table_row(t);
    table_cell(t, clock_part(v->a, s->at_ms, 12));
    table_cell(t, short_id(s->env));
    if (!e) {
        table_cell_style(t, STYLE_YELLOW, S("ended"));
        table_cell(t, S(""));
        table_cell(t, S(""));
        table_cell(t, json_get_str(s->env, "why"));
        return;
    }
    table_cell_style(t, marks[mark_of(e)].style,
                     json_get(e, "repeated") ? S("init again") : json_get_str(e, "kind"));
    table_cell(t, json_get(e, "open") ? S("...") : duration(v->a, decimal(e, "durationMs")));
    table_cell(t, json_get(e, "billedMs")
                      ? str_printf(v->a, "%lld ms", (long long)number(e, "billedMs"))
                      : S(""));
    struct str id = json_get(e, "requestId") ? json_get_str(e, "requestId") : S("");
    if (is_failed(e))
        table_cell_style(
            t, STYLE_RED,
            str_printf(v->a, "%.*s%s%.*s", STR(id), id.n ? "  " : "", STR(failure_of(e))));
    else
        table_cell(t, id);
}

static void write_events(struct view *v, const struct json *environments)
{
    static const struct table_column columns[] = {
        {"TIME", false, false},
        {"ENV", false, false},
        {"EVENT", false, false},
        {"DURATION", true, false},
        {"BILLED", true, false},
        {"", false, true},
        {0},
    };
    size_t n = 0, max = 0;
    JSON_EACH(environments, env)
        max += json_get(env, "events")->n + 1;
    struct shown *list = ARENA_ARRAY(v->a, struct shown, max + 1);
    JSON_EACH(environments, env) {
        JSON_EACH(json_get(env, "events"), e)
            if (!str_is(json_get_str(e, "kind"), "frozen") && number(e, "startMs") >= v->from_ms)
                list[n++] = (struct shown){env, e, number(e, "startMs")};
        if (number(env, "endedMs"))
            list[n++] = (struct shown){env, NULL, number(env, "endedMs")};
    }
    qsort(list, n, sizeof(*list), by_time);
    struct table *t = table_new(v->a, columns);
    for (size_t i = 0; i < n; i++)
        write_event(v, t, &list[i]);
    buf_byte(v->out, '\n');
    table_write(v->out, t, v->width, v->colour);
}

/* ---- all of it ---- */

static void set_window(struct view *v, const struct json *environments)
{
    v->from_ms = v->now_ms;
    JSON_EACH(environments, env)
        if (number(env, "startedMs") && number(env, "startedMs") < v->from_ms)
            v->from_ms = number(env, "startedMs");
    if (v->o->last_ms && v->from_ms < v->now_ms - v->o->last_ms)
        v->from_ms = v->now_ms - v->o->last_ms;
}

static void write_answer(struct view *v, const struct json *root)
{
    const struct json *environments = json_get(root, "environments");
    const struct json *versions = json_get(root, "versions");
    size_t n = environments ? environments->n : 0, skip = 0;
    v->now_ms = number(root, "nowMs");
    set_window(v, environments);
    if (n > (size_t)v->o->limit)
        skip = n - (size_t)v->o->limit;
    JSON_EACH(versions, f)
        write_version(v, f);
    if (!n) {
        buf_printf(v->out, "%.*s has had no environment since the cloud was started\n",
                   STR(json_get_str(root, "function")));
        return;
    }
    buf_byte(v->out, '\n');
    write_axis(v);
    size_t i = 0;
    JSON_EACH(environments, env)
        if (i++ >= skip)
            write_row(v, env);
    if (skip)
        styled(v, STYLE_DIM, str_printf(v->a, "(%zu older ones are not shown)\n", skip));
    write_legend(v);
    if (v->o->events)
        write_events(v, environments);
}

void inspect_write(struct buf *out, struct arena *a, const struct inspect_paper *paper,
                   const struct inspect_options *o, const struct json *answer)
{
    struct view v = {.a = a,
                     .o = o,
                     .out = out,
                     .colour = paper->colour,
                     .utf8 = paper->utf8,
                     .width = paper->width};
    size_t width = v.width ? v.width : USUAL_WIDTH;
    if (width > WIDEST)
        width = WIDEST;
    v.timeline =
        width > ROW_HEAD + ROW_TAIL + LEAST_TIMELINE ? width - ROW_HEAD - ROW_TAIL : LEAST_TIMELINE;
    write_answer(&v, answer);
}
