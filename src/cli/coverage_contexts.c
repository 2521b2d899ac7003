/* coverage_contexts - `lamina coverage contexts`: which tests and invocations ran what. */
#include <stdlib.h>
#include "base/clock.h"
#include "base/json.h"
#include "base/table.h"
#include "cli/coverage_report.h"
#include "cli/coverage_watch.h"
#include "cli/target.h"

#define NAMES_SHOWN 3

struct context_view {
    struct verb_run *run;
    struct arena *a;
    const struct coverage_report *r;
    const struct report_context **of; /* by group: the first of its name */
    struct bits *lines;               /* of the file asked about, by group: statements */
};

static void find_contexts(struct context_view *v)
{
    v->of = ARENA_ARRAY(v->a, const struct report_context *, v->r->n_groups + 1);
    for (size_t i = 0; i < v->r->n_contexts; i++) {
        const struct report_context *c = &v->r->contexts[i];
        for (size_t g = 0; g < v->r->n_groups; g++) /* names are few beside lines */
            if (str_eq(v->r->groups[g], c->name) && (!v->of[g] || c->start_ms < v->of[g]->start_ms))
                v->of[g] = c;
    }
}

static bool is_first(const struct context_view *v, const struct report_file *f, uint32_t line,
                     uint32_t group)
{
    return line < f->n_first && f->first[line] &&
           str_eq(v->r->contexts[f->first[line] - 1].name, v->r->groups[group]);
}

static struct str started(struct arena *a, const struct report_context *c)
{
    return c && c->start_ms > 0 ? clock_iso8601(a, c->start_ms) : (struct str){0};
}

static const struct report_file *find_file(const struct context_view *v, struct str name)
{
    for (size_t i = 0; i < v->r->n_files; i++)
        if (str_eq(v->r->files[i].name, name) || str_eq(v->r->files[i].path, name))
            return &v->r->files[i];
    for (size_t i = 0; i < v->r->n_files; i++) {
        struct str whole = v->r->files[i].name;
        if (str_ends(whole, name) && whole.p[whole.n - name.n - 1] == '/')
            return &v->r->files[i];
    }
    return NULL;
}

/* ---- all of them ---- */

struct summary {
    uint32_t group;
    size_t lines, first;
};

static struct summary *summarize(const struct context_view *v)
{
    struct summary *all = ARENA_ARRAY(v->a, struct summary, v->r->n_groups + 1);
    for (size_t g = 0; g < v->r->n_groups; g++)
        all[g].group = (uint32_t)g;
    for (size_t i = 0; i < v->r->n_files; i++) {
        const struct report_file *f = &v->r->files[i];
        for (size_t k = 0; k < f->n_groups; k++) {
            uint32_t g = f->groups[k].group;
            struct bits lines = report_statements(v->a, f, f->groups[k].lines);
            all[g].lines += bits_count(lines);
            for (int64_t l = bits_next(lines, 0); l >= 0; l = bits_next(lines, (uint32_t)l + 1))
                all[g].first += is_first(v, f, (uint32_t)l, g);
        }
    }
    return all;
}

static struct json *context_json(const struct context_view *v, uint32_t group)
{
    const struct report_context *c = v->of[group];
    struct json *j = json_new(v->a, JSON_OBJECT);
    json_set(v->a, j, S("context"), json_new_str(v->a, v->r->groups[group]));
    if (!c)
        return j;
    const struct {
        const char *key;
        struct str value;
    } texts[] = {{"requestId", c->id},       {"function", c->function},
                 {"version", c->version},    {"started", started(v->a, c)},
                 {"logGroup", c->log_group}, {"logStream", c->log_stream}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].value.n)
            json_set(v->a, j, str_from(texts[i].key), json_new_str(v->a, texts[i].value));
    return j;
}

static void tell_all(const struct context_view *v, bool json)
{
    struct summary *all = summarize(v);
    struct json *list = json_new(v->a, JSON_ARRAY);
    static const struct table_column columns[] = {{.title = "CONTEXT", .shrink = true},
                                                  {.title = "FUNCTION", .shrink = true},
                                                  {.title = "STARTED"},
                                                  {.title = "LINES", .right = true},
                                                  {.title = "FIRST", .right = true},
                                                  {0}};
    struct table *t = table_new(v->a, columns);
    for (size_t g = 0; g < v->r->n_groups; g++) {
        const struct report_context *c = v->of[g];
        struct json *j = context_json(v, (uint32_t)g);
        json_set(v->a, j, S("lines"), json_new_int(v->a, (int64_t)all[g].lines));
        json_set(v->a, j, S("first"), json_new_int(v->a, (int64_t)all[g].first));
        json_add(list, j);
        table_row(t);
        table_cell(t, v->r->groups[g]);
        table_cell(t, c && c->function.n ? c->function : (struct str){0});
        table_cell(t, started(v->a, c));
        table_printf(t, "%zu", all[g].lines);
        table_printf(t, "%zu", all[g].first);
    }
    if (json)
        target_print_json(v->a, list);
    else
        table_print(stdout, t);
}

/* ---- of a file ---- */

static bool same_groups(const struct context_view *v, uint32_t x, uint32_t y)
{
    for (size_t g = 0; g < v->r->n_groups; g++)
        if (bits_has(v->lines[g], x) != bits_has(v->lines[g], y))
            return false;
    return true;
}

static struct str names_of(const struct context_view *v, uint32_t line, struct json *ret)
{
    struct str text = S("");
    size_t n = 0;
    for (size_t g = 0; g < v->r->n_groups; g++) {
        if (!bits_has(v->lines[g], line))
            continue;
        json_add(ret, json_new_str(v->a, v->r->groups[g]));
        if (++n <= NAMES_SHOWN)
            text =
                str_printf(v->a, "%.*s%s%.*s", STR(text), n > 1 ? ", " : "", STR(v->r->groups[g]));
    }
    return n > NAMES_SHOWN ? str_printf(v->a, "%.*s and %zu more", STR(text), n - NAMES_SHOWN)
                           : text;
}

/* Lines that the same contexts have run stand together. */
static void tell_file(const struct context_view *v, const struct report_file *f, bool json)
{
    static const struct table_column columns[] = {{.title = "LINES"},
                                                  {.title = "FIRST", .shrink = true},
                                                  {.title = "CONTEXTS", .shrink = true},
                                                  {0}};
    struct table *t = table_new(v->a, columns);
    struct json *list = json_new(v->a, JSON_ARRAY);
    struct bits executed = f->result.executed;
    for (int64_t l = bits_next(executed, 0); l >= 0;) {
        int64_t last = l, next = bits_next(executed, (uint32_t)l + 1);
        uint32_t first = (size_t)l < f->n_first ? f->first[l] : 0;
        while (next >= 0 && same_groups(v, (uint32_t)l, (uint32_t)next)) {
            int64_t gap = bits_next(f->result.missing, (uint32_t)last);
            uint32_t other = (size_t)next < f->n_first ? f->first[next] : 0;
            if ((gap >= 0 && gap < next) || other != first)
                break;
            last = next;
            next = bits_next(executed, (uint32_t)last + 1);
        }
        struct json *names = json_new(v->a, JSON_ARRAY), *j = json_new(v->a, JSON_OBJECT);
        struct str text = names_of(v, (uint32_t)l, names);
        struct str who = first ? v->r->contexts[first - 1].name : (struct str){0};
        json_set(v->a, j, S("from"), json_new_int(v->a, l));
        json_set(v->a, j, S("to"), json_new_int(v->a, last));
        if (who.n)
            json_set(v->a, j, S("first"), json_new_str(v->a, who));
        json_set(v->a, j, S("contexts"), names);
        json_add(list, j);
        table_row(t);
        if (last > l)
            table_printf(t, "%lld-%lld", (long long)l, (long long)last);
        else
            table_printf(t, "%lld", (long long)l);
        table_cell(t, who);
        table_cell(t, text);
        l = next;
    }
    if (json)
        target_print_json(v->a, list);
    else
        table_print(stdout, t);
}

static int tell_line(const struct context_view *v, const struct report_file *f, uint32_t asked,
                     bool json)
{
    static const struct table_column columns[] = {{.title = "CONTEXT", .shrink = true},
                                                  {.title = "REQUEST"},
                                                  {.title = "FUNCTION", .shrink = true},
                                                  {.title = "STARTED"},
                                                  {.title = "FIRST"},
                                                  {0}};
    uint32_t line = analysis_first_line(f->result.analysis, asked);
    struct json *list = json_new(v->a, JSON_ARRAY);
    struct table *t = table_new(v->a, columns);
    for (uint32_t g = 0; g < v->r->n_groups; g++) {
        if (!bits_has(v->lines[g], line))
            continue;
        bool first = is_first(v, f, line, g);
        struct json *j = context_json(v, g);
        json_set(v->a, j, S("first"), json_new_bool(v->a, first));
        json_add(list, j);
        table_row(t);
        table_cell(t, v->r->groups[g]);
        table_cell(t, v->of[g] ? v->of[g]->id : (struct str){0});
        table_cell(t, v->of[g] ? v->of[g]->function : (struct str){0});
        table_cell(t, started(v->a, v->of[g]));
        table_cell(t, first ? S("yes") : S(""));
    }
    if (!list->n && !json) {
        bool missing = bits_has(f->result.missing, line);
        return verb_fail(v->run, "%.*s:%u %s", STR(f->name), asked,
                         missing ? "has not been run by anybody" : "is no line that could be run");
    }
    if (json)
        target_print_json(v->a, list);
    else
        table_print(stdout, t);
    return 0;
}

static int tell_asked(struct context_view *v, struct str asked, bool json)
{
    uint32_t line = 0;
    ssize_t colon = str_find_last_byte(asked, ':');
    const struct report_file *f = find_file(v, asked);
    if (!f && colon > 0) {
        char *end;
        const char *digits = str_c(v->a, str_slice(asked, (size_t)colon + 1, asked.n));
        unsigned long n = strtoul(digits, &end, 10);
        if (*digits < '0' || *digits > '9' || *end || !n || n > OBJECT_LINE_MAX)
            return verb_usage(v->run, "--file %.*s: behind the colon stands no line", STR(asked));
        line = (uint32_t)n;
        asked = str_slice(asked, 0, (size_t)colon);
        f = find_file(v, asked);
    }
    if (!f)
        return verb_fail(v->run, "%.*s is not in the report", STR(asked));
    v->lines = ARENA_ARRAY(v->a, struct bits, v->r->n_groups + 1);
    for (size_t k = 0; k < f->n_groups; k++)
        v->lines[f->groups[k].group] = report_statements(v->a, f, f->groups[k].lines);
    if (line)
        return tell_line(v, f, line, json);
    tell_file(v, f, json);
    return 0;
}

int coverage_contexts_run(struct verb_run *run)
{
    struct coverage_report_options *o =
        (struct coverage_report_options *)(uintptr_t)coverage_report_of(run);
    struct str asked = coverage_watch_of(run)->file;
    struct coverage_inputs in;
    struct coverage_report r;
    struct coverage_settings settings;
    struct context_view v = {.run = run, .a = run->arena, .r = &r};
    bool json = target_of(run)->json;
    o->by = S("context");
    int e = coverage_configure(run, &settings);
    if (e)
        return e;
    e = coverage_inputs_read(run, &in);
    if (!e)
        e = coverage_report_make(run, &in, &settings, &r);
    if (!e) {
        find_contexts(&v);
        if (asked.n)
            e = tell_asked(&v, asked, json);
        else
            tell_all(&v, json);
    }
    coverage_inputs_done(&in);
    return e;
}
