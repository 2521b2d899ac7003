/* sqlite - coverage.py's data files (.coverage): schema 7, read and written.
 *
 * Source of the format: coverage.py's documentation of its database ("Coverage.py database
 * schema"); versions 5.x with schema 7 to 7.x read what is written here. */
#pragma once
#include "coverage/data.h"
#include "coverage/report.h"

#define SQLITE_COVERAGE_SCHEMA 7

/* Takes a file's lines or arcs, with contexts, into the union; `name` is what its source is called.
 * -EBADMSG with *ret_reason (in the arena): no SQLite file, another schema, damaged. */
int sqlite_read(struct arena *a, struct data *d, struct str name, const char *path,
                struct str *ret_reason);
bool sqlite_is(struct str head); /* the first 16 bytes of a file */

struct sqlite_result {
    size_t files;
    const struct report_left_out *left_out; /* as in a report */
    size_t n_left_out;
    struct str error; /* SQLite's, with -EIO */
};
/* Writes the union, mapped to sources as the request says, to a new file that replaces path: arcs
 * when the data have them and q->branches, otherwise lines; groups become contexts. report, of the
 * same request, or NULL: branches that only it knows to be taken (from lines, where a tracer has
 * seen none) are written as well. */
int sqlite_write(struct arena *a, const struct report_request *q,
                 const struct coverage_report *report, const char *path, struct sqlite_result *ret);
