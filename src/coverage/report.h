/* report - what was run of a project's sources: the model that every format is written from.
 *
 * report_build() (report_build.c) makes it out of data.h's union; a writer is one function in one
 * file, report_FORMAT.c, and only appends bytes to a buffer. Everything lives in the arena the
 * report was built in. */
#pragma once
#include "base/buf.h"
#include "coverage/analysis.h"
#include "coverage/data.h"
#include "coverage/numbers.h"
#include "coverage/settings.h"

/* An invocation, an initialisation or a test that hit lines first; where to look for it. */
struct report_context {
    struct str name;              /* request id, "init", test's name */
    struct str id;                /* of a test: the request id of its invocation; else the name */
    int64_t start_ms;             /* 0: not known */
    struct str function, version; /* absent: from a .coverage file */
    struct str log_group, log_stream, region;
};

/* Lines of one file by what --by asks for: a function, a version, a context. */
struct report_group_hits {
    uint32_t group; /* index into the report's groups */
    struct bits lines;
};

struct report_file {
    struct str name; /* as reports call it: relative to the working directory where it is below */
    struct str path; /* absolute */
    struct str text; /* the source */
    bool imported;   /* false: nobody has told of it; it is there because it is below the source */
    struct file_result result; /* .analysis has statements, arcs, regions */
    /* first[l] - 1 is the index of the context that hit line l first; 0: not run, or not known. */
    const uint32_t *first;
    size_t n_first;
    const struct report_group_hits *groups; /* by index; none without --by */
    size_t n_groups;
};

/* What is not in the report, and why: "source changed since it was deployed", "is not Python: ...",
 * "it is truncated". */
struct report_left_out {
    struct str name, reason;
};

struct coverage_report {
    struct report_file *files; /* sorted by name, as Python sorts */
    size_t n_files;
    struct coverage_numbers totals;
    bool branches;             /* are counted */
    int precision;             /* digits of percentages */
    int64_t now_ms;            /* when it was made */
    struct str root;           /* absolute: XML's <source> */
    const struct str *sources; /* roots given; XML's further <source>s */
    size_t n_sources;
    const struct report_context *contexts;
    size_t n_contexts;
    const struct str *groups; /* labels of --by: "api", "api:7", "init" */
    size_t n_groups;
    const struct report_left_out *left_out; /* source files */
    size_t n_left_out;
    const struct report_left_out *unreadable; /* objects and data files */
    size_t n_unreadable;
    const struct report_left_out *missing; /* objects that say that they are not complete */
    size_t n_missing;
    size_t n_objects;    /* that are in it */
    size_t n_lines_only; /* of them: those that have measured no branches */
    struct str warning;  /* of the analysis: no python3, not the minor wanted; or absent */
};

/* Where sources of an environment's folder are here: "/var/task/" of function "api" is /p/src. */
struct report_root {
    struct str function; /* absent: any */
    struct str prefix;   /* ends with '/' */
    struct str dir;      /* absolute, without a '/' at the end */
    bool guess;          /* nobody has said so: only files of the same hash are taken from there */
    bool built;          /* what a build has made: bundles, whose maps name the sources; for Python,
                            which is copied as it is, no place of sources */
};

struct report_request {
    const struct data_view *data;
    struct str cwd;                  /* absolute: names are relative to it */
    const struct report_root *roots; /* tried in this order */
    size_t n_roots;
    const struct settings_path *paths; /* the project's own rules, before roots */
    size_t n_paths;
    const struct str *sources; /* absolute folders: files there count, whether run or not */
    size_t n_sources;
    bool namespaces;                  /* of sources: folders without __init__.py as well */
    const struct str *include, *omit; /* glob.h */
    size_t n_include, n_omit;
    bool branches;       /* count them, if there are any in the data */
    bool ignore_changed; /* take files whose source is not the deployed one */
    int precision;
    const struct analysis_options *analysis; /* NULL: defaults */
    /* Of C, C++, Rust: absolute folders with the build's .gcno files, programs that were run. */
    const struct str *gcno, *binaries;
    size_t n_gcno, n_binaries;
};

/* Maps files to sources, has them analysed, counts. Never wrong lines: a file whose source here is
 * not the one that was run is left out, with the reason. -errno of analysis_run() with the report's
 * warning. */
int report_build(struct arena *a, const struct report_request *q, struct coverage_report *ret);

struct report_text_options {
    bool show_missing, skip_covered, skip_empty, colour;
    size_t width;    /* with colour: columns of the terminal; 0: as many as needed */
    struct str sort; /* [-+]name, stmts, miss, branch, brpart, cover; absent: name */
    struct str by;   /* "function": what the report's groups are; absent: no table of them */
};

/* Text as `coverage report` prints it. -EINVAL: the column to sort by does not exist. */
int coverage_write_text(struct buf *b, const struct coverage_report *r,
                        const struct report_text_options *o);
/* coverage.py's JSON, format 3; contexts: with "contexts" of each file (groups of --by). */
void coverage_write_json(struct buf *b, const struct coverage_report *r, bool pretty,
                         bool contexts);
void coverage_write_xml(struct buf *b, const struct coverage_report *r);  /* Cobertura, DTD 04 */
void coverage_write_lcov(struct buf *b, const struct coverage_report *r); /* geninfo 1.x */
/* For a pull request or GITHUB_STEP_SUMMARY. */
int coverage_write_markdown(struct buf *b, const struct coverage_report *r,
                            const struct report_text_options *o);

/* Of lines that somebody has run: the statements, by their first lines. */
struct bits report_statements(struct arena *a, const struct report_file *f, struct bits lines);

struct report_html_options {
    struct str title;              /* absent: by the root's name */
    bool skip_covered, skip_empty; /* no pages for such files; totals count them */
};
struct report_html_result {
    size_t written, kept, removed; /* files of the folder */
    struct str path;               /* that a failure is about */
};
/* Pages, a style and a script in a folder that is made when it is missing; works from disk. Pages
 * whose bytes are what they were are left alone. -errno with ret->path. */
int coverage_write_html_folder(struct arena *a, const struct coverage_report *r,
                               const struct report_html_options *o, const char *dir,
                               struct report_html_result *ret);
/* All of it as one file. */
void coverage_write_html(struct buf *b, const struct coverage_report *r,
                         const struct report_html_options *o);
