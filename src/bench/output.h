/* output - a run as texts and pages.
 *
 * Each writer appends to a buffer and needs the summary only (gates may be NULL: none were asked
 * for). Whatever comes from outside (names, error messages) is escaped for its format; control
 * characters do not reach a terminal. Formats: docs/bench-format.md. */
#pragma once
#include "base/buf.h"
#include "bench/gate.h"

#define BENCH_FORMAT "lamina-bench/1"
#define BENCH_JSON_SAMPLES_MAX 50000 /* more requests are in samples.csv only */

struct bench_output {
    struct str dir; /* --out: all of them, in this folder; absent: none */
    struct str json, csv, csv_summary, markdown, html, hdrplot, junit,
        tuning;   /* files; or absent */
    bool samples; /* each request: in the JSON when they are not too many, and in samples.csv */
    struct str strategy; /* of the tuning JSON: "cost", "speed", "balanced"; absent: cost */
};

/* Writes the files asked for; "-" is standard output. In the folder: report.json, report.html,
 * summary.md, summary.csv, latency.hdrplot, junit.xml when there are gates, tuning.json when memory
 * was swept, samples.csv. -errno with *ret_path: the file that could not be written. Each file is
 * replaced at once or not at all. */
int bench_write(struct arena *a, const struct bench_summary *sum, const struct gate_report *gates,
                const struct bench_output *out, struct str *ret_path);

/* What a terminal shows at the end. width 0: 100. */
void bench_write_terminal(struct buf *b, const struct bench_summary *sum,
                          const struct gate_report *gates, size_t width, bool colour);
void bench_write_json(struct buf *b, const struct bench_summary *sum,
                      const struct gate_report *gates, bool samples);
void bench_write_csv_samples(struct buf *b, const struct bench_run *run);
void bench_write_csv_summary(struct buf *b, const struct bench_summary *sum);
void bench_write_markdown(struct buf *b, const struct bench_summary *sum,
                          const struct gate_report *gates);
void bench_write_html(struct buf *b, const struct bench_summary *sum,
                      const struct gate_report *gates);
void bench_write_hdrplot(struct buf *b, const struct bench_summary *sum);
void bench_write_junit(struct buf *b, const struct bench_summary *sum,
                       const struct gate_report *gates);

/* What aws-lambda-power-tuning's state machine answers: {"power", "cost", "duration",
 * "stateMachine": {"executionCost", "lambdaCost", "visualization"}} and, as it does when asked,
 * "stats" of each size. duration: mean of handler's time and init's, ms; cost: USD an invocation.
 * strategy: "cost", "speed" or "balanced" (weight 0.5: value = weight cost / max cost + (1 -
 * weight) duration / max duration). Sizes that were extrapolated or had no success are left out.
 * -ENODATA: nothing is left. */
int bench_write_tuning(struct buf *b, const struct bench_summary *sum, struct str strategy,
                       double weight);
/* The part of the visualization's address behind '#': base64 of int16 sizes, float32 times and
 * float32 costs, all little-endian, divided by ';'. */
struct str bench_tuning_fragment(struct arena *a, const double *sizes, const double *times,
                                 const double *costs, size_t n);

/* Texts for people, of all outputs. */
struct str bench_ms(struct arena *a, double ms);         /* "12.3 ms", "431 µs"; "-" for NAN */
struct str bench_percent(struct arena *a, double share); /* "0.42 %" of 0.0042 */
struct str bench_count(struct arena *a, uint64_t n);     /* "12,345" */
/* One line without control characters, cut to max columns: what others said, for a terminal. */
struct str bench_clean(struct arena *a, struct str s, size_t max);
/* "1.2 ms to 1.4 ms", "at least 1.2 ms", "" when nothing is known. */
struct str bench_interval(struct arena *a, const struct figure *f, enum gate_unit unit);
/* The same in brackets behind a blank. */
struct str bench_bracketed(struct arena *a, const struct figure *f, enum gate_unit unit);
/* "load: hello, python3.11, 512 MB, x86_64, on-demand" and what it was measured on. */
struct str bench_title(struct arena *a, const struct bench_run *run);
struct str bench_conditions(struct arena *a, const struct bench_run *run);
/* "990 ok, 6 throttled, 4 function errors". */
struct str bench_outcomes(struct arena *a, const struct bench_group *g);
struct str bench_cost_text(struct arena *a, const struct bench_summary *sum); /* or absent */
struct str bench_memory_text(struct arena *a, const struct bench_group *g);   /* or absent */
/* Which series is cheapest, fastest, between both; marks[i] of each: on the Pareto front. false:
 * the run is no sweep of memory sizes. */
struct bench_choice {
    size_t cheapest, fastest, balanced; /* n_groups: none */
    /* "", or "?": by the figures alone; no difference is shown to at least one other size */
    const char *cheapest_mark, *fastest_mark, *balanced_mark;
    bool *front;
};
bool bench_choose(struct arena *a, const struct bench_summary *sum, struct bench_choice *ret);
double bench_sweep_time(const struct bench_group *g); /* ms, mean of handler and init; NAN */
