/* options - command line options as rows of a table: one row makes parsing, --help, the man page
 * and shell completion.
 *
 * The values land in a struct of the verb; a row names the member with OPTION(). Defaults and
 * environment variables are text that goes through the same parser as the command line, so they
 * cannot disagree with it. Precedence: command line, options_preset() (configuration files),
 * environment, default. Texts in the result point into argv, the environment or the arena. */
#pragma once
#include <stddef.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum option_type {
    OPTION_FLAG,     /* bool; --no-NAME clears it */
    OPTION_TEXT,     /* struct str; absent when not given */
    OPTION_INT,      /* int64_t, between min and max when they differ */
    OPTION_DURATION, /* int64_t milliseconds: 500ms, 10s, 5m, 2h, 1d; a bare number has .unit */
    OPTION_SIZE,     /* int64_t bytes: 512, 10k, 64M, 2G (powers of 1024) */
    OPTION_LIST,     /* struct option_list: repeatable; .many: several words after one option */
    OPTION_END = -1,
};

struct option_list {
    struct str *items;
    size_t n, cap;
};

struct option_row {
    const char *name; /* without dashes; NULL ends the table */
    char letter;      /* 0: no short form */
    enum option_type type;
    size_t offset; /* of the member in the verb's struct */
    const char *metavar;
    const char *unit; /* DURATION: "ms", "s", ... of a bare number; otherwise for the help */
    const char *default_value; /* NULL: absent / 0 / false */
    const char *environment;   /* NULL: none */
    const char *help;          /* one sentence without a full stop */
    const char *choices;       /* TEXT: "a|b|c", NULL: anything */
    int64_t min, max;          /* INT, DURATION, SIZE: checked when max > min */
    bool many;                 /* LIST: takes all words up to the next option */
    bool optional_value;       /* TEXT: "--name" alone gives "" */
    bool hidden;               /* works, but is not shown */
};

/* {OPTION(struct deploy_options, stack_name), .name = "stack-name", .type = OPTION_TEXT, ...} */
#define OPTION(struct_type, member) .offset = offsetof(struct_type, member)

/* What is shown around the options. */
struct option_page {
    const char *program;                    /* "lamina deploy" */
    const char *operands;                   /* "FUNCTION [PAYLOAD]", or NULL */
    const char *summary;                    /* one line */
    const char *details;                    /* paragraphs, or NULL */
    const struct option_row *const *tables; /* NULL-terminated: the verb's own and common ones */
};

/* A table and the struct its rows write into. */
struct option_set {
    const struct option_row *rows;
    void *values;
};

struct option_error {
    struct str message; /* "unknown option --stak-name (did you mean --stack-name?)" */
};

struct option_result {
    struct str *operands;
    size_t n_operands;
    bool help;       /* -h or --help was given: nothing else was checked */
    char **rest;     /* what follows "--", NULL-terminated; NULL without "--" */
    uint64_t *given; /* see options_given() */
};

/* Values of lower rank than the command line, set before parsing: name and text as of --name=text.
 * -ENOENT when no row has that name, -EINVAL with *err. Repeating it for a LIST adds. */
int options_preset(struct arena *a, const struct option_set *sets, size_t n_sets, struct str name,
                   struct str value, struct option_error *err);

/* Clears the values, applies defaults and environment. Before options_preset(). */
int options_defaults(struct arena *a, const struct option_set *sets, size_t n_sets,
                     struct option_error *err);

/* argv[0] is the first word to look at. --name value, --name=value, -n value, -nvalue; flags may be
 * joined (-ab). Operands may stand between options. stop_at_operand: everything from the first
 * operand on is an operand (verbs that run a command). -EINVAL with *err. */
int options_parse(struct arena *a, const struct option_set *sets, size_t n_sets, int argc,
                  char **argv, bool stop_at_operand, struct option_result *ret,
                  struct option_error *err);

/* True when the option stood on the command line. */
bool options_given(const struct option_result *result, const struct option_set *sets, size_t n_sets,
                   const char *name);

void options_help(struct buf *b, const struct option_page *page, size_t width);
void options_man(struct buf *b, const struct option_page *page); /* scdoc, the OPTIONS section */

/* The nearest of n names by edit distance, for "did you mean"; absent when none is near. */
struct str options_nearest(struct str word, const struct str *names, size_t n);

int duration_parse(struct str s, const char *unit, int64_t *ret_ms); /* -EINVAL, -ERANGE */
int size_parse(struct str s, int64_t *ret_bytes);
