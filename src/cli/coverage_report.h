/* coverage_report - what the actions that report have in common: options, data, roots. */
#pragma once
#include "cli/coverage.h"
#include "coverage/report.h"
#include "coverage/settings.h"

struct coverage_report_options {
    struct option_list gcno, binary;
    struct option_list from, source, functions;
    struct str template, since, by, output, xml, lcov, markdown, json_file, sort, to, fail_under;
    struct str config;
    int64_t precision;
    struct str html, title;
    bool single_file;
    bool show_missing, skip_covered, skip_empty, ignore_changed, imported_only, pretty, contexts;
    bool html_skip_covered, html_skip_empty; /* no options: what the project says of pages */
};
extern const struct option_row coverage_report_rows[];
const struct coverage_report_options *coverage_report_of(const struct verb_run *run);

/* The project's configuration of coverage.py into the options that were not given, and into *ret
 * for the rest. 0 or an exit code after a message. */
int coverage_configure(struct verb_run *run, struct coverage_settings *ret);

/* What was read, and from where. */
struct coverage_inputs {
    struct data *data;
    struct str looked; /* "below s3://bucket/coverage/": for people who find nothing */
    struct report_left_out *unreadable;
    size_t n_unreadable, cap_unreadable;
    size_t n_read;
    struct aws_client *aws; /* NULL: nothing was asked of a cloud */
    /* Functions by their logical ids in the stack, where that was asked for. */
    struct str *physical, *logical;
    size_t n_functions, cap_functions, cap_logical;
    struct map names; /* of tests, by request id: struct str * */
};
/* --from, or the bucket. 0 or an exit code after a message; coverage_inputs_done() in any case. */
int coverage_inputs_read(struct verb_run *run, struct coverage_inputs *ret);
void coverage_inputs_done(struct coverage_inputs *in);
void coverage_unreadable(struct verb_run *run, struct coverage_inputs *in, struct str name,
                         struct str reason);

/* The keys of a bucket, fetched several at a time into in->data. 0 or an exit code. */
int coverage_fetch(struct verb_run *run, struct coverage_inputs *in, struct str bucket,
                   struct str prefix, const struct str *functions, size_t n_functions,
                   int64_t since_ms);

/* What `lamina test --coverage` has written beside the objects of its run: which request was which
 * test's. */
#define COVERAGE_TESTS "tests.json"
bool coverage_is_tests(struct str key);
void coverage_add_tests(struct verb_run *run, struct coverage_inputs *in, struct str text);

/* The key is an object's, of one of these functions; none: of any. */
bool coverage_key_wanted(struct str key, struct str prefix, const struct str *functions, size_t n);

/* A client, the functions that are meant, and where their objects are. 0 or an exit code. */
int coverage_place(struct verb_run *run, struct coverage_inputs *in, struct str *ret_bucket,
                   struct str *ret_prefix);

/* Files: objects and coverage.py's data. */
int coverage_read_files(struct verb_run *run, struct coverage_inputs *in, struct str *paths,
                        size_t n);

/* Roots from --source and the template, and what the report is asked for otherwise. */
int coverage_request(struct verb_run *run, const struct coverage_inputs *in,
                     const struct coverage_settings *settings, struct report_request *ret);

enum coverage_format {
    COVERAGE_TEXT,
    COVERAGE_JSON,
    COVERAGE_XML,
    COVERAGE_LCOV,
    COVERAGE_MARKDOWN,
    COVERAGE_HTML, /* one file with all in it */
    COVERAGE_DATA, /* a .coverage file: no report's format */
};
int coverage_format(struct verb_run *run, struct buf *b, const struct coverage_report *r,
                    enum coverage_format format, bool colour);
/* Tells what is left out; an exit code after a message when nothing is left. */
int coverage_report_make(struct verb_run *run, const struct coverage_inputs *in,
                         const struct coverage_settings *settings, struct coverage_report *ret);
int coverage_fail_under(struct verb_run *run, double *ret);
/* Pages in a folder, or one file: --single-file. to: absent for the usual name. */
int coverage_html_write(struct verb_run *run, const struct coverage_report *r, struct str to);
void coverage_html_format(const struct verb_run *run, struct buf *b,
                          const struct coverage_report *r);

int coverage_text_run(struct verb_run *run);
int coverage_json_run(struct verb_run *run);
int coverage_xml_run(struct verb_run *run);
int coverage_lcov_run(struct verb_run *run);
int coverage_markdown_run(struct verb_run *run);
int coverage_html_run(struct verb_run *run);
int coverage_combine_run(struct verb_run *run);
int coverage_contexts_run(struct verb_run *run);
