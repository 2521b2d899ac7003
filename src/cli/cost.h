/* cost - what `lamina cost` and `lamina verify` share: reading measurements, and showing bills. */
#pragma once
#include "aws/client.h"
#include "base/buf.h"
#include "base/json.h"
#include "bench/cost.h"
#include "cli/verb.h"

/* One bill: a measurement under given conditions. */
struct cost_row {
    struct str label; /* what tells it from the others; absent: there is one */
    const struct cost_measured *measured;
    struct cost_case how;
    struct cost_result r;
};

/* The function's configuration into m: region, architecture, memory, /tmp. 0; -ENOENT: there is no
 * such function; another negative value with *err. */
int cost_configuration(struct aws_client *aws, struct arena *a, struct str function,
                       struct cost_measured *m, struct aws_error *err);

/* REPORT lines of a log group's last `since_ms`. all: reads all events, and counts their bytes;
 * otherwise only the lines are asked for. limit: events read at most, m->from says so. */
struct cost_log_request {
    struct str group;
    int64_t since_ms, limit;
    bool all;
};
int cost_from_logs(struct aws_client *aws, struct arena *a, const struct cost_log_request *request,
                   struct cost_measured *m, struct aws_error *err);

/* Measurements of a report of `lamina bench` (BENCH_FORMAT), one for each series that was billed.
 * -EBADMSG with *why; -errno of the file. */
int cost_from_bench(struct arena *a, struct str path, struct cost_measured **ret, size_t *ret_n,
                    struct str *why);

/* ---- figures for people ---- */
struct str cost_money(struct arena *a, double usd);    /* "$1,234.50", "$0.000031" */
struct str cost_count(struct arena *a, double number); /* "1,234,567", "0.25" */
struct str cost_interval(struct arena *a, const struct figure *f,
                         struct str (*text)(struct arena *, double)); /* " [a, b]", or "" */

/* One line of a bill: what, the formula with the numbers put in, dollars. */
struct cost_item {
    struct str name, formula;
    double usd;
};
size_t cost_items(struct arena *a, const struct cost_row *row, struct cost_item items[6]);
/* What has to be said with it: what was assumed or left out. */
size_t cost_notes(struct arena *a, const struct cost_row *row, struct str notes[8]);

/* The whole output. A stack: rows of several functions, with their sum. */
struct cost_report {
    struct str name;
    struct cost_row *rows;
    size_t n;
    bool sum;       /* rows add up (a stack); otherwise they are compared with the first */
    bool free_tier; /* of a stack: is taken off the sum */
};
void cost_write_text(struct arena *a, struct buf *b, const struct cost_report *report);
void cost_write_markdown(struct arena *a, struct buf *b, const struct cost_report *report);
struct json *cost_json(struct arena *a, const struct cost_report *report);

/* now / before of two rows: with an interval when they were measured apart. */
struct figure cost_change(const struct cost_row *now, const struct cost_row *before);
/* Of a stack: USD a month of all rows, and what the free tier takes off. */
struct figure cost_sum(const struct cost_report *report, double *ret_free);
