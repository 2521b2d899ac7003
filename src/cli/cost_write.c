/* cost_write - bills as text, Markdown and JSON (cost.h; docs/cost.md). */
#include <math.h>
#include "base/clock.h"
#include "cli/cost.h"

/* ---- text ---- */

static struct str percent(struct arena *a, double ratio)
{
    return str_printf(a, "%+.1f %%", 100 * (ratio - 1));
}

static struct str milliseconds(struct arena *a, double ms)
{
    return cost_count(a, ms);
}

static void write_head(struct arena *a, struct buf *b, const struct cost_row *row)
{
    const struct cost_measured *m = row->measured;
    const struct cost_result *r = &row->r;
    buf_printf(b, "%.*s%s%.*s  %.*s, %.*s MB, /tmp %.*s MB\n",
               STR(m->function.n ? m->function : S("function")), row->label.n ? "  " : "",
               STR(row->label), STR(r->prices.architecture), STR(cost_count(a, r->memory_mb)),
               STR(cost_count(a, r->storage_mb)));
    buf_printf(b, "  measured  %zu invocations (%.*s)", m->n, STR(m->from));
    if (m->cold_known)
        buf_printf(b, ", %zu cold (%.1f %%)", m->cold,
                   100.0 * (double)m->cold / (double)m->cold_known);
    buf_printf(b, "\n  billed    mean %.*s%.*s ms", STR(milliseconds(a, r->billed_ms.value)),
               STR(cost_interval(a, &r->billed_ms, milliseconds)));
    if (!isnan(m->median_ms))
        buf_printf(b, ", median %.*s", STR(milliseconds(a, m->median_ms)));
    if (!isnan(m->largest_ms))
        buf_printf(b, ", largest %.*s", STR(milliseconds(a, m->largest_ms)));
    buf_byte(b, '\n');
}

static void write_row(struct arena *a, struct buf *b, const struct cost_row *row)
{
    struct cost_item items[6];
    struct str notes[8];
    size_t n = cost_items(a, row, items), width = 0;
    write_head(a, b, row);
    for (size_t i = 0; i < n; i++)
        width = items[i].formula.n > width ? items[i].formula.n : width;
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "  %-9.*s %-*.*s  = %.*s\n", STR(items[i].name), (int)width,
                   STR(items[i].formula), STR(cost_money(a, items[i].usd)));
    buf_printf(b, "  total     %.*s%.*s a month; %.*s%.*s a million invocations\n",
               STR(cost_money(a, row->r.total.value)),
               STR(cost_interval(a, &row->r.total, cost_money)),
               STR(cost_money(a, row->r.per_million.value)),
               STR(cost_interval(a, &row->r.per_million, cost_money)));
    n = cost_notes(a, row, notes);
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "  note      %.*s\n", STR(notes[i]));
    buf_printf(b, "  %.*s\n", STR(price_said(a, &row->r.prices)));
}

static void write_changes(struct arena *a, struct buf *b, const struct cost_report *report)
{
    const struct cost_row *before = &report->rows[0];
    buf_printf(b, "\nagainst %.*s\n", STR(before->label));
    for (size_t i = 1; i < report->n; i++) {
        const struct cost_row *now = &report->rows[i];
        struct figure change = cost_change(now, before);
        double more = now->r.total.value - before->r.total.value;
        buf_printf(b, "  %.*s  %.*s, %s%.*s a month", STR(now->label),
                   STR(figure_known(&change) ? percent(a, change.value) : S("-")),
                   more > 0 ? "+" : "", STR(cost_money(a, more)));
        if (now->measured != before->measured)
            buf_printf(b, "%.*s", STR(cost_interval(a, &change, percent)));
        if (now->measured != before->measured && change.low < 1 && change.high > 1)
            buf_text(b, "  (no difference is shown)");
        buf_byte(b, '\n');
    }
}

void cost_write_text(struct arena *a, struct buf *b, const struct cost_report *report)
{
    for (size_t i = 0; i < report->n; i++) {
        if (i)
            buf_byte(b, '\n');
        write_row(a, b, &report->rows[i]);
    }
    if (report->sum) {
        double free_usd;
        struct figure sum = cost_sum(report, &free_usd);
        buf_printf(b, "\n%.*s  %zu functions: %.*s%.*s a month", STR(report->name), report->n,
                   STR(cost_money(a, sum.value)), STR(cost_interval(a, &sum, cost_money)));
        if (report->free_tier)
            buf_printf(b, ", after %.*s of the free tier", STR(cost_money(a, free_usd)));
        buf_byte(b, '\n');
    } else if (report->n > 1) {
        write_changes(a, b, report);
    }
    if (!report->free_tier)
        buf_printf(b, "The free tier (a million requests and 400,000 GB-s a month of the account) "
                      "is not taken off: --free-tier on.\n");
}

/* ---- Markdown ---- */

/* Names come from outside: no cell may end early or begin markup. */
static struct str cell(struct arena *a, struct str s)
{
    struct buf b;
    buf_init(&b, 4096);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '|' || c == '\\' || c == '`' || c == '<' || c == '[' || c == '*' || c == '_')
            buf_byte(&b, '\\');
        buf_byte(&b, c < ' ' ? ' ' : (char)c);
    }
    struct str out = buf_copy(&b, a);
    buf_done(&b);
    return out;
}

static void markdown_row(struct arena *a, struct buf *b, const struct cost_report *report, size_t i)
{
    const struct cost_row *row = &report->rows[i];
    const struct cost_result *r = &row->r;
    struct str name = row->measured->function.n ? row->measured->function : S("function");
    if (row->label.n)
        name = report->sum ? row->label : str_printf(a, "%.*s, %.*s", STR(name), STR(row->label));
    buf_printf(b, "| %.*s | %.*s MB, %.*s | %.*s ms%.*s | %.*s | %.*s%.*s |", STR(cell(a, name)),
               STR(cost_count(a, r->memory_mb)), STR(cell(a, r->prices.architecture)),
               STR(milliseconds(a, r->billed_ms.value)),
               STR(cost_interval(a, &r->billed_ms, milliseconds)),
               STR(cost_count(a, r->invocations)), STR(cost_money(a, r->total.value)),
               STR(cost_interval(a, &r->total, cost_money)));
    if (!report->sum && report->n > 1) {
        struct figure change = i ? cost_change(row, &report->rows[0]) : figure_none();
        buf_printf(b, " %.*s%.*s |", STR(figure_known(&change) ? percent(a, change.value) : S("")),
                   STR(i && row->measured != report->rows[0].measured
                           ? cost_interval(a, &change, percent)
                           : S("")));
    }
    buf_byte(b, '\n');
}

void cost_write_markdown(struct arena *a, struct buf *b, const struct cost_report *report)
{
    bool compared = !report->sum && report->n > 1;
    buf_printf(b, "### Cost of %.*s\n\n", STR(cell(a, report->name)));
    buf_printf(b, "| | size | billed, mean | invocations a month | USD a month |%s\n",
               compared ? " change |" : "");
    buf_printf(b, "|---|---|---:|---:|---:|%s\n", compared ? "---:|" : "");
    for (size_t i = 0; i < report->n; i++)
        markdown_row(a, b, report, i);
    if (report->sum) {
        double free_usd;
        struct figure sum = cost_sum(report, &free_usd);
        buf_printf(b, "| **sum** | | | | **%.*s**%.*s |\n", STR(cost_money(a, sum.value)),
                   STR(cost_interval(a, &sum, cost_money)));
    }
    buf_text(b, "\n<details><summary>Formulas</summary>\n\n```text\n");
    cost_write_text(a, b, report);
    buf_text(b, "```\n\n</details>\n");
}

/* ---- JSON ---- */

static void set_number(struct arena *a, struct json *v, const char *key, double n)
{
    struct json *number = json_new(a, isfinite(n) ? JSON_NUMBER : JSON_NULL);
    if (isfinite(n))
        number->text = str_printf(a, "%.15g", n);
    json_set(a, v, str_from(key), number);
}

static void set_text(struct arena *a, struct json *v, const char *key, struct str s)
{
    if (s.n)
        json_set(a, v, str_from(key), json_new_str(a, s));
}

static void set_figure(struct arena *a, struct json *v, const char *key, const struct figure *f)
{
    struct json *o = json_set(a, v, str_from(key), json_new(a, JSON_OBJECT));
    set_number(a, o, "value", f->value);
    set_number(a, o, "low", f->low);
    set_number(a, o, "high", f->high);
}

static struct json *measured_json(struct arena *a, const struct cost_measured *m)
{
    struct json *v = json_new(a, JSON_OBJECT);
    set_text(a, v, "from", m->from);
    json_set(a, v, S("invocations"), json_new_int(a, (int64_t)m->n));
    if (m->cold_known) {
        json_set(a, v, S("cold"), json_new_int(a, (int64_t)m->cold));
        set_number(a, v, "coldShare", (double)m->cold / (double)m->cold_known);
    }
    set_figure(a, v, "billedMs", &m->billed_ms);
    set_number(a, v, "medianMs", m->median_ms);
    set_number(a, v, "largestMs", m->largest_ms);
    if (m->log_bytes >= 0)
        set_number(a, v, "logBytesPerInvocation", m->log_bytes);
    if (m->to_ms) {
        set_text(a, v, "since", clock_iso8601(a, m->from_ms));
        set_text(a, v, "until", clock_iso8601(a, m->to_ms));
    }
    return v;
}

static struct json *row_json(struct arena *a, const struct cost_row *row)
{
    const struct cost_result *r = &row->r;
    static const char *const from[] = {"given", "measured", "assumed"};
    struct json *v = json_new(a, JSON_OBJECT), *items = json_new(a, JSON_ARRAY),
                *notes = json_new(a, JSON_ARRAY);
    struct cost_item list[6];
    struct str said[8];
    set_text(a, v, "function", row->measured->function);
    set_text(a, v, "label", row->label);
    set_text(a, v, "region", r->prices.asked);
    set_text(a, v, "architecture", r->prices.architecture);
    set_number(a, v, "memoryMb", r->memory_mb);
    set_number(a, v, "storageMb", r->storage_mb);
    json_set(a, v, S("measured"), measured_json(a, row->measured));
    set_number(a, v, "invocationsPerMonth", r->invocations);
    set_text(a, v, "invocationsFrom", str_from(from[r->invocations_from]));
    set_number(a, v, "gbSeconds", r->usage.gb_seconds + r->usage.provisioned_duration_gb_seconds);
    json_set(a, v, S("items"), items);
    for (size_t i = 0, n = cost_items(a, row, list); i < n; i++) {
        struct json *item = json_add(items, json_new(a, JSON_OBJECT));
        set_text(a, item, "item", list[i].name);
        set_text(a, item, "formula", list[i].formula);
        set_number(a, item, "usd", list[i].usd);
    }
    set_figure(a, v, "usdPerMonth", &r->total);
    set_figure(a, v, "usdPerMillion", &r->per_million);
    json_set(a, v, S("notes"), notes);
    for (size_t i = 0, n = cost_notes(a, row, said); i < n; i++)
        json_add(notes, json_new_str(a, said[i]));
    set_text(a, v, "pricesDate", r->prices.date);
    set_text(a, v, "pricesSaid", price_said(a, &r->prices));
    return v;
}

struct json *cost_json(struct arena *a, const struct cost_report *report)
{
    struct json *v = json_new(a, JSON_OBJECT), *rows = json_new(a, JSON_ARRAY);
    set_text(a, v, "format", S("lamina-cost/1"));
    set_text(a, v, "name", report->name);
    json_set(a, v, S("freeTier"), json_new_bool(a, report->free_tier));
    json_set(a, v, S("rows"), rows);
    for (size_t i = 0; i < report->n; i++) {
        struct json *row = json_add(rows, row_json(a, &report->rows[i]));
        if (!i || report->sum)
            continue;
        struct figure change = cost_change(&report->rows[i], &report->rows[0]);
        set_figure(a, row, "ratioToFirst", &change);
    }
    if (report->sum) {
        double free_usd;
        struct figure sum = cost_sum(report, &free_usd);
        set_figure(a, v, "usdPerMonth", &sum);
        set_number(a, v, "freeTierUsd", free_usd);
    }
    return v;
}
