/* pattern_tree - the parsed form of a filter pattern, between pattern.c and pattern_match.c. */
#pragma once
#include "service/logs/pattern.h"
#include "service/logs/regex.h"

#define PATTERN_REGEX_MAX 2 /* what AWS takes in JSON and field patterns */

enum pattern_type { PATTERN_ALL, PATTERN_TERMS, PATTERN_JSON, PATTERN_FIELDS };

struct pattern_regex {
    struct regex is;
    bool *gave_up; /* the pattern's */
};

/* What a value is compared with: text with * as wildcard, perhaps a number, or an expression. */
struct pattern_operand {
    struct str text;
    bool has_number;
    double number;
    struct pattern_regex *regex; /* NULL: text */
};

struct pattern_term {
    char sign; /* '?', '-' or 0 */
    struct pattern_operand what;
};

enum pattern_op {
    PATTERN_EQ,
    PATTERN_NE,
    PATTERN_LT,
    PATTERN_LE,
    PATTERN_GT,
    PATTERN_GE,
    PATTERN_IS_TRUE,
    PATTERN_IS_FALSE,
    PATTERN_IS_NULL,
    PATTERN_NOT_EXISTS,
    PATTERN_ANY, /* a field that is only named */
};

struct pattern_step {
    enum { STEP_KEY, STEP_INDEX, STEP_EACH } type;
    struct str key;
    int64_t index;
};

struct pattern_node {
    enum { NODE_AND, NODE_OR, NODE_COMPARE } type;
    struct pattern_node *left, *right;
    struct pattern_step *steps; /* JSON: $.a[0].b */
    size_t n_steps;
    enum pattern_op op;
    struct pattern_operand operand;
};

struct pattern_field {
    bool rest; /* ... */
    struct pattern_node *condition;
};

struct logs_pattern {
    struct pattern_regex *regexes[PATTERN_REGEX_MAX];
    int n_regexes;
    bool gave_up; /* an expression took too long: nothing matches any more */
    enum pattern_type type;
    struct pattern_term *terms;
    size_t n_terms, cap_terms;
    bool optional_only; /* every term is ?term: one of them is enough */
    struct pattern_node *condition;
    struct pattern_field *fields;
    size_t n_fields, cap_fields;
};
