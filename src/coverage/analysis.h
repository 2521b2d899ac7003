/* analysis - what a Python source file could have run: statements, exclusions, branches, regions.
 *
 * May use base. The rules are coverage.py 7's; docs/coverage-analysis.md tells them. They need
 * Python's own compiler, tokenizer and regular expressions, so the work is done by analyse.py (in
 * this folder, embedded in the program), run isolated by a python3 of the user's; it compiles the
 * sources and never imports or runs them. Results are kept in a cache on disk.
 *
 * Blocks while the workers run: call it from a tool, not from a loop. Everything handed out lives
 * in the caller's arena. Lines count from 1. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include "coverage/object.h"

#define ANALYSIS_VERSION 2              /* of the rules: part of the cache's key */
#define ANALYSIS_LINE_MAX 4000000       /* longer files are an error by name */
#define ANALYSIS_SOURCE_MAX (64u << 20) /* bytes of a source file */

/* coverage.py 7's own patterns (those of analyse.py), as initialisers of struct str. */
#define ANALYSIS_EXCLUDE                                                                           \
    S_INIT("#\\s*(pragma|PRAGMA)[:\\s]?\\s*(no|NO)\\s*(cover|COVER)"),                             \
        S_INIT("^\\s*(((async )?def .*?)?[\\])]+(\\s*->.*?)?:\\s*)?\\.\\.\\.\\s*(#|$)"),           \
        S_INIT("if (typing\\.)?TYPE_CHECKING:")
#define ANALYSIS_PARTIAL S_INIT("#\\s*(pragma|PRAGMA)[:\\s]?\\s*(no|NO)\\s*(branch|BRANCH)")
#define ANALYSIS_PARTIAL_ALWAYS S_INIT("while (True|1|False|0):"), S_INIT("if (True|1|False|0):")

/* What tells that an arc was taken, besides its being measured: where only the sides of branches
 * are, the compiler makes no branch of some, or several in the lines of one statement. */
enum analysis_sure {
    ANALYSIS_MEASURED,  /* nothing but the measurement */
    ANALYSIS_IF_TARGET, /* its end was run: there is no other way to it */
    ANALYSIS_IF_SOURCE, /* its begin was run: what follows a def */
};
struct analysis_arc {
    struct object_arc arc;
    enum analysis_sure sure;
    struct str action;  /* "jump to line 9", "return from function 'f'" (LCOV) */
    struct str missing; /* "line 8 didn't jump to line 9 because the condition on line 8 was never
                           true" (HTML) */
};

enum analysis_region_kind { ANALYSIS_FUNCTION, ANALYSIS_CLASS };
struct analysis_region {
    enum analysis_region_kind kind;
    struct str name;   /* "Class.method", "outer.inner" */
    int start;         /* line of its def or class */
    int first, last;   /* first and last line of its body */
    struct bits lines; /* those that are its own: a function's without inner functions', a
                              class's are its methods' */
};

/* When the body of a `with` ends, control comes back to the line of the `with` before it goes on:
 * where `back` was measured, `instead` is meant, and none of `none` (back among them) counts. */
struct analysis_with {
    struct object_arc back, instead;
    const struct object_arc *none;
    size_t n_none;
};

struct analysis {
    struct str error; /* why there is nothing else in here; absent when all is well */
    int error_line;   /* 0: unknown */
    uint32_t n_lines; /* of the source */
    bool raw_only;    /* no interpreter: `statements` are the raw lines that the function sent */

    struct bits statements; /* first lines only; without what is excluded */
    struct bits excluded;   /* all lines of what is excluded */
    struct bits no_branch;  /* lines whose missing exits are not held against them */
    /* first_line[l], l in 1..n_first-1: the line at which the statement of line l begins; lines
     * outside are their own. */
    const uint32_t *first_line;
    size_t n_first;

    /* Exits of the lines that have several, sorted by from and to; their ends are first lines. */
    const struct analysis_arc *arcs;
    size_t n_arcs;
    const struct analysis_with *withs;
    size_t n_withs;
    const struct analysis_region *regions; /* in order of their start */
    size_t n_regions;
};

/* One file to look at. */
struct analysis_source {
    struct str path; /* as errors call it */
    struct str text; /* its bytes */
    struct bits raw; /* lines with code that the function reported; may be empty */
};

struct analysis_options {
    /* Regular expressions of Python, joined by `|`, as coverage.py has them. NULL: the defaults
     * of coverage.py 7. */
    const struct str *exclude;
    size_t n_exclude;
    const struct str *partial; /* partial_branches and partial_branches_always */
    size_t n_partial;
    struct str python; /* minor wanted, "3.12"; empty: any */
    int workers;       /* processes; 0: as many as there are processors, at most 8 */
    struct str cache;  /* folder of the cache; absent: the user's; "": none */
};

struct analysis_report {
    struct str python;  /* "3.12" that was used; absent: none was found */
    struct str program; /* its path */
    struct str warning; /* one line for the user: no python3, or not the minor wanted; or absent */
    size_t n_cached;    /* files answered by the cache */
};

/* Looks at n sources; (*ret)[i] belongs to sources[i] and is never NULL: a file that cannot be
 * parsed has its error set. Without any python3 the analyses are raw_only, and the report's warning
 * says so. options may be NULL. -errno when the workers cannot be run; -EINVAL when a pattern is no
 * regular expression (the report's warning says which). */
int analysis_run(struct arena *a, const struct analysis_options *options,
                 const struct analysis_source *sources, size_t n,
                 struct analysis_report *ret_report, struct analysis ***ret);

/* The script itself, for the layer and for `lamina coverage` to find. */
struct str analysis_script(void);

/* The line at which the statement of this line begins. */
static inline uint32_t analysis_first_line(const struct analysis *an, uint32_t line)
{
    return line < an->n_first && an->first_line[line] ? an->first_line[line] : line;
}
