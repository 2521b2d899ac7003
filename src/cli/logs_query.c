/* logs_query - `lamina logs query`: asks Logs Insights and shows what comes out. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include "base/clock.h"
#include "base/progress.h"
#include "base/table.h"
#include "cli/logs.h"
#include "cli/verbs_all.h"
#include "service/logs/insights.h"
#include "wire/logs.h"

#define COLUMNS_MAX 64

static const struct logs_saved *saved_find(struct str name)
{
    for (const struct logs_saved *s = logs_saved; s->name; s++)
        if (str_is(name, s->name))
            return s;
    return NULL;
}

static int list_saved(struct verb_run *run)
{
    static const struct table_column columns[] = {
        {.title = "Name"}, {.title = "What it shows"}, {0}};
    struct arena *a = run->arena;
    if (target_of(run)->json) {
        struct json *all = json_new(a, JSON_ARRAY);
        for (const struct logs_saved *s = logs_saved; s->name; s++) {
            struct json *one = json_add(all, json_new(a, JSON_OBJECT));
            json_set(a, one, S("name"), json_new_str(a, str_from(s->name)));
            json_set(a, one, S("summary"), json_new_str(a, str_from(s->summary)));
            json_set(a, one, S("query"), json_new_str(a, str_from(s->query)));
        }
        target_print_json(a, all);
        return 0;
    }
    struct table *t = table_new(a, columns);
    for (const struct logs_saved *s = logs_saved; s->name; s++) {
        table_row(t);
        table_cell(t, str_from(s->name));
        table_cell(t, str_from(s->summary));
    }
    table_print(stdout, t);
    return 0;
}

/* ---- times ---- */

static int read_time(struct verb_run *run, const char *option, struct str text, int64_t *ret_ms)
{
    int64_t n;
    if (str_to_int64(text, &n) == 0 && n >= 0) {
        *ret_ms = n < INT64_C(100000000000) ? n * 1000 : n;
        return 0;
    }
    if (clock_parse_iso8601(text, ret_ms) == 0)
        return 0;
    return verb_usage(run,
                      "--%s: not a time: %.*s (use 2026-11-21T14:30:00Z or seconds since 1970)",
                      option, STR(text));
}

static int read_range(struct verb_run *run, const struct logs_options *o, int64_t *ret_start,
                      int64_t *ret_end)
{
    int64_t now = clock_now_ms();
    *ret_start = now - o->since_ms;
    *ret_end = now - o->until_ms;
    int e = str_has(o->start) ? read_time(run, "start", o->start, ret_start) : 0;
    if (!e && str_has(o->end))
        e = read_time(run, "end", o->end, ret_end);
    if (!e && *ret_end < *ret_start)
        e = verb_usage(run, "the end of the time range is before its start");
    return e;
}

/* ---- errors of the query ---- */

/* The line of the query, and ^^^ under the place. */
static int fail_at(const struct verb_run *run, struct str query, const struct aws_error *answer)
{
    struct insights_query *q;
    struct insights_error err;
    int e = target_fail(run, answer, "the query is malformed");
    if (insights_parse(run->arena, query, &q, &err) == 0)
        return e; /* the service knows better */
    size_t line = 0, at = 0, column = 0, width = err.end > err.begin ? err.end - err.begin : 1;
    for (size_t n = 0; at < query.n && n < err.begin; at++) {
        bool begins = ((uint8_t)query.p[at] & 0xc0) != 0x80;
        n += begins;
        column = query.p[at] == '\n' ? 0 : column + begins;
        line = query.p[at] == '\n' ? at + 1 : line;
    }
    struct str text;
    str_cut(str_slice(query, line, query.n), '\n', &text, &(struct str){0});
    fprintf(stderr, "    %.*s\n    %*s", STR(text), (int)column, "");
    while (width-- > 0 && column++ <= text.n)
        fputc('^', stderr);
    fputc('\n', stderr);
    return e;
}

/* ---- what comes out ---- */

struct columns {
    struct str names[COLUMNS_MAX];
    size_t n;
};

/* In the order of the query; rows leave out what they do not have. */
static void find_columns(const struct logs_get_query_results_output *out, struct columns *c)
{
    for (size_t i = 0; i < out->results.n; i++) {
        size_t last = 0; /* a new name goes behind the one before it in its row */
        for (size_t k = 0; k < out->results.items[i].n; k++) {
            struct str name = out->results.items[i].items[k].field;
            size_t at = 0;
            while (at < c->n && !str_eq(c->names[at], name))
                at++;
            if (str_is(name, "@ptr") || (at == c->n && c->n == COLUMNS_MAX))
                continue;
            if (at == c->n) {
                memmove(c->names + last + 1, c->names + last, (c->n - last) * sizeof *c->names);
                c->names[at = last] = name;
                c->n++;
            }
            last = at + 1;
        }
    }
}

static struct str value_of(const struct logs_result_rows *row, struct str name)
{
    for (size_t i = 0; i < row->n; i++)
        if (str_eq(row->items[i].field, name))
            return str_trim(row->items[i].value);
    return (struct str){0};
}

static void print_csv_cell(struct str s, bool last)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++)
        quoted |= strchr(",\"\r\n", s.p[i]) != NULL;
    if (quoted)
        putchar('"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            putchar('"');
        putchar(s.p[i]);
    }
    if (quoted)
        putchar('"');
    putchar(last ? '\n' : ',');
}

static void print_csv(const struct logs_get_query_results_output *out, const struct columns *c)
{
    for (size_t k = 0; k < c->n; k++)
        print_csv_cell(c->names[k], k + 1 == c->n);
    for (size_t i = 0; i < out->results.n && c->n; i++)
        for (size_t k = 0; k < c->n; k++)
            print_csv_cell(value_of(&out->results.items[i], c->names[k]), k + 1 == c->n);
}

static void print_markdown_cell(struct str s)
{
    fputs("| ", stdout);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '|' || s.p[i] == '\\')
            putchar('\\');
        putchar((unsigned char)s.p[i] < ' ' ? ' ' : s.p[i]);
    }
    putchar(' ');
}

static void print_markdown(const struct logs_get_query_results_output *out, const struct columns *c)
{
    if (!c->n)
        return;
    for (size_t k = 0; k < c->n; k++)
        print_markdown_cell(c->names[k]);
    puts("|");
    for (size_t k = 0; k < c->n; k++)
        fputs("|---", stdout);
    puts("|");
    for (size_t i = 0; i < out->results.n; i++) {
        for (size_t k = 0; k < c->n; k++)
            print_markdown_cell(value_of(&out->results.items[i], c->names[k]));
        puts("|");
    }
}

static bool is_number(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789.", s.p[i]) && !(s.p[i] == '-' && i == 0 && s.n > 1))
            return false;
    return true;
}

static void print_table(struct arena *a, const struct logs_get_query_results_output *out,
                        const struct columns *c)
{
    struct table_column *columns = ARENA_ARRAY(a, struct table_column, c->n + 1);
    for (size_t k = 0; k < c->n; k++) {
        columns[k].title = str_c(a, c->names[k]);
        columns[k].right = true;
        for (size_t i = 0; i < out->results.n; i++)
            columns[k].right =
                columns[k].right && is_number(value_of(&out->results.items[i], c->names[k]));
        columns[k].shrink = str_is(c->names[k], "@message");
    }
    struct table *t = table_new(a, columns);
    for (size_t i = 0; i < out->results.n; i++) {
        table_row(t);
        for (size_t k = 0; k < c->n; k++)
            table_cell(t, value_of(&out->results.items[i], c->names[k]));
    }
    table_print(stdout, t);
}

static void print_json(struct arena *a, const struct logs_get_query_results_output *out)
{
    struct json *v = json_new(a, JSON_OBJECT);
    struct json *rows = json_set(a, v, S("results"), json_new(a, JSON_ARRAY));
    for (size_t i = 0; i < out->results.n; i++) {
        struct json *row = json_add(rows, json_new(a, JSON_OBJECT));
        for (size_t k = 0; k < out->results.items[i].n; k++) {
            const struct logs_result_field *f = &out->results.items[i].items[k];
            json_set(a, row, f->field, json_new_str(a, f->value));
        }
    }
    struct json *s = json_set(a, v, S("statistics"), json_new(a, JSON_OBJECT));
    if (out->statistics) {
        json_set(a, s, S("recordsMatched"),
                 json_new_int(a, (int64_t)out->statistics->records_matched.is));
        json_set(a, s, S("recordsScanned"),
                 json_new_int(a, (int64_t)out->statistics->records_scanned.is));
        json_set(a, s, S("bytesScanned"),
                 json_new_int(a, (int64_t)out->statistics->bytes_scanned.is));
    }
    target_print_json(a, v);
}

static void print(struct verb_run *run, const struct logs_options *o,
                  const struct logs_get_query_results_output *out, int64_t elapsed_ms)
{
    struct columns *c = ARENA_NEW(run->arena, struct columns);
    find_columns(out, c);
    if (target_of(run)->json)
        print_json(run->arena, out);
    else if (o->csv)
        print_csv(out, c);
    else if (o->markdown)
        print_markdown(out, c);
    else if (c->n)
        print_table(run->arena, out, c);
    fflush(stdout);
    const struct logs_query_statistics *s = out->statistics;
    if (s && !target_of(run)->json)
        fprintf(stderr, "%zu row%s; %.0f events matched of %.0f scanned, %.2f MB, %.1f s\n",
                out->results.n, out->results.n == 1 ? "" : "s", s->records_matched.is,
                s->records_scanned.is, s->bytes_scanned.is / 1e6, (double)elapsed_ms / 1000);
}

/* ---- asking ---- */

static int wait_for(struct verb_run *run, struct aws_client *aws, struct str id,
                    struct logs_get_query_results_output **ret, int64_t *ret_ms)
{
    struct logs_get_query_results_input in = {.query_id = id};
    struct progress progress;
    struct aws_error err = {0};
    progress_init(&progress, stderr);
    for (int pause = 5;; pause = pause < 500 ? pause * 2 : 1000) {
        struct logs_get_query_results_output *out;
        if (aws_call(aws, run->arena, &logs_get_query_results_op, &in, (void **)&out, &err) < 0) {
            progress_clear(&progress);
            return target_fail(run, &err, "the query's result cannot be read");
        }
        *ret_ms = progress_elapsed_ms(&progress);
        if (!str_is(out->status, "Running") && !str_is(out->status, "Scheduled")) {
            progress_clear(&progress);
            *ret = out;
            return str_is(out->status, "Complete")
                       ? 0
                       : verb_fail(run, "the query has ended with the status %.*s",
                                   STR(out->status));
        }
        progress_status(&progress, "%.*s: %.0f events scanned", STR(out->status),
                        out->statistics ? out->statistics->records_scanned.is : 0);
        poll(NULL, 0, aws_client_is_local(aws) && pause > 100 ? 100 : pause);
    }
}

static int ask(struct verb_run *run, struct aws_client *aws, struct str query,
               const struct option_list *groups)
{
    const struct logs_options *o = run->values[0];
    struct logs_start_query_input in = {.query_string = query};
    struct logs_start_query_output *started;
    struct logs_get_query_results_output *out = NULL;
    struct aws_error err = {0};
    int64_t start, end, elapsed = 0;
    int e = read_range(run, o, &start, &end);
    if (e)
        return e;
    in.start_time = opt_int(start / 1000);
    in.end_time = opt_int(end / 1000);
    if (o->limit)
        in.limit = opt_int(o->limit);
    in.log_group_names.items = groups->items;
    in.log_group_names.n = groups->n;
    if (aws_call(aws, run->arena, &logs_start_query_op, &in, (void **)&started, &err) < 0)
        return target_error_is(&err, "MalformedQueryException")
                   ? fail_at(run, query, &err)
                   : target_fail(run, &err, "the query cannot be started");
    e = wait_for(run, aws, started->query_id, &out, &elapsed);
    if (!e)
        print(run, o, out, elapsed);
    return e;
}

static int choose_query(struct verb_run *run, const struct logs_options *o,
                        const struct str **operands, size_t *n, struct str *ret)
{
    if (str_has(o->saved)) {
        const struct logs_saved *s = saved_find(o->saved);
        if (!s)
            return verb_usage(run, "there is no saved query %.*s: see lamina logs query --list",
                              STR(o->saved));
        *ret = str_from(s->query);
        return 0;
    }
    if (!*n)
        return verb_usage(run, "which query? give it as a word, or --saved NAME");
    *ret = **operands;
    ++*operands;
    --*n;
    return 0;
}

int logs_query(struct verb_run *run, const struct str *operands, size_t n)
{
    const struct logs_options *o = run->values[0];
    struct aws_client *aws;
    struct option_list groups = o->groups;
    struct str query;
    if (o->list)
        return list_saved(run);
    int e = choose_query(run, o, &operands, &n, &query);
    if (e)
        return e;
    struct str name = n ? operands[0] : o->stack_name;
    bool source = str_starts(str_lower(run->arena, str_trim(query)), S("source "));
    if (!name.n && !groups.n && !source)
        return verb_usage(run, "of which log? name a function or a stack, or give --log-group");
    if (n > 1)
        return verb_usage(run, "one function or stack only; more logs by --log-group");
    e = target_open(run, &aws);
    if (e)
        return e;
    if (name.n)
        e = logs_groups(run, aws, name, &groups);
    if (!e)
        e = ask(run, aws, query, &groups);
    aws_client_close(aws);
    return e;
}
