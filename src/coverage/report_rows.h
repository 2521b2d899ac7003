/* report_rows - the rows of the table that text and Markdown share. Internal to the report. */
#pragma once
#include "base/arena.h"
#include "coverage/report.h"

struct report_row {
    struct str name; /* control characters are '?' */
    const struct coverage_numbers *numbers;
    double percent;
    struct str cover, missing;
};

struct report_rows {
    struct report_row *items; /* as they are to be shown */
    size_t n;
    size_t skipped, empty; /* files that are not shown, being covered or having no statements */
    struct str total;      /* "78" */
};

/* -EINVAL: there is no such column to sort by. */
int report_rows(struct arena *a, const struct coverage_report *r,
                const struct report_text_options *o, struct report_rows *ret);

/* As people sort: numbers in names by their value. */
int report_name_cmp(struct str x, struct str y);
struct str report_safe_name(struct arena *a, struct str name);
size_t report_width(struct str text); /* code points */
struct str report_markdown_escape(struct arena *a, struct str s);

/* Who has run how much: a table below that of the files, if anybody is told apart. Stmts are those
 * of the files of which it has run something, Alone what no other one has run. */
void report_groups_text(struct buf *b, const struct coverage_report *r, struct str title);
void report_groups_markdown(struct buf *b, const struct coverage_report *r, struct str title);
