/* lines - source files of which lines, branches and functions are known from elsewhere: from V8,
 * from gcc, from llvm. What several say of a file is joined.
 *
 * May use base. All lives in the arena of lines_init(). */
#pragma once
#include "base/map.h"
#include "coverage/report.h"

struct lines_branch {
    uint32_t from, to; /* lines where it begins and ends; gcc and llvm know no end: the same */
    uint64_t id;       /* apart from others of the same line */
    bool run;
};

struct lines_function {
    struct str name;
    uint32_t first, last;
};

struct lines_file {
    struct str path; /* absolute */
    struct str text;
    uint32_t n_lines;
    uint8_t *statements, *run, *ignored; /* sets of lines, bits_size(n_lines) bytes each */
    bool told;                           /* somebody has run it, or at least loaded it */
    bool head;                           /* a function's first line is run when it is called */
    struct lines_branch *branches;
    size_t n_branches, cap_branches;
    struct lines_function *functions;
    size_t n_functions, cap_functions;
    const struct lines *all;
    uint8_t **groups; /* by index: the lines that a group has run, or NULL */
};

struct lines {
    struct arena *arena;
    struct map by_path;
    struct lines_file **files;
    size_t n, cap;
    size_t n_groups;
    uint32_t group; /* 1 + index of the one that runs what is told now; 0: nobody */
};
void lines_init(struct lines *l, struct arena *a);
void lines_done(struct lines *l);

struct lines_file *lines_find(const struct lines *l, struct str path); /* NULL: not there */
struct lines_file *lines_file(struct lines *l, struct str path, struct str text);

/* Lines outside the text are ignored. */
void lines_statement(struct lines_file *f, uint32_t line, bool run);
void lines_branch(struct lines *l, struct lines_file *f, struct lines_branch branch);
void lines_function(struct lines *l, struct lines_file *f, struct lines_function function);

/* Everything but names into a report's file. */
void lines_result(struct lines *l, struct lines_file *f, bool branches, struct report_file *ret);
