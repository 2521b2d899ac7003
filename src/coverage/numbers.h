/* numbers - what was run of what could have been: coverage.py's figures, to the last digit.
 *
 * Pure functions. Results live in the caller's arena. */
#pragma once
#include "coverage/analysis.h"

/* What was measured in one file: the union over all contexts that are asked about. */
struct file_hits {
    struct bits lines; /* may hold lines that are no statements */
    /* In any order; from < 0 entries, to < 0 exits; (l, l): l was run. Each step from line to line
     * (settrace), or the sides of branches only (sys.monitoring). */
    const struct object_arc *arcs;
    size_t n_arcs;
};

struct coverage_numbers {
    uint64_t files;
    uint64_t statements, excluded, missing; /* executed = statements - missing */
    uint64_t branches;                      /* exits of lines with more than one exit */
    uint64_t partial_branches;              /* missing ones whose line was run */
    uint64_t missing_branches;              /* all missing ones */
};

struct branch_arc {
    struct object_arc arc;
    bool executed;
    bool counts_missing; /* not executed, and not waved through by a no-branch comment */
    const struct analysis_arc *what; /* texts */
};

struct file_result {
    const struct analysis *analysis;
    struct bits executed; /* statements that were run */
    struct bits missing;
    struct bits excluded;
    bool has_branches;
    const struct branch_arc *branches; /* exits of branch lines, sorted by from and to */
    size_t n_branches;
    struct coverage_numbers numbers;
};

/* branches: whether branches are counted (the data have arcs). */
void numbers_file(struct arena *a, const struct analysis *an, const struct file_hits *hits,
                  bool branches, struct file_result *ret);
/* The same, of the lines in `only`: a function's, a class's. The analysis must be that of r. */
void numbers_part(struct arena *a, const struct file_result *r, struct bits only,
                  struct file_result *ret);

/* Fills in r->numbers by the rest of r, for those who found that out elsewhere (lines.h). */
void numbers_count(struct file_result *r);

void numbers_add(struct coverage_numbers *total, const struct coverage_numbers *one);

/* 100 * (run statements + run branches) / (statements + branches); 100.0 when there are none. */
double numbers_percent(const struct coverage_numbers *n);
double numbers_percent_statements(const struct coverage_numbers *n);
double numbers_percent_branches(const struct coverage_numbers *n);
/* With `precision` digits; never 0 or 100 unless it is exactly that. */
struct str numbers_display(struct arena *a, double percent, int precision);
/* The percent as a number that reads back as the same double, as Python and JSON write it:
 * "77.77777777777777", "100.0". */
struct str numbers_repr(struct arena *a, double v);
/* 100 must be met exactly; below that, the rounded percent counts. */
bool numbers_fail_under(const struct coverage_numbers *n, double fail_under, int precision);
/* "9, 13-15, 8->9, 10->exit": missing lines, and missing exits between lines that are not missing.
 */
struct str numbers_missing_text(struct arena *a, const struct file_result *r);
