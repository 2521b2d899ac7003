/* insights - the query language of CloudWatch Logs Insights: parsed once, run over many events.
 *
 *     fields @timestamp, @message | filter @message like /ERROR/ | sort @timestamp desc | limit 20
 *
 * Pure: text in, a tree in an arena out. Names of fields are slots: a row is an array of values,
 * one a slot. What a query may be made of, and where it differs, is told in docs/insights.md.
 * May use base/ and PCRE2. */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"
#include "service/logs/regex.h"

#define INSIGHTS_ROWS_MAX 10000 /* of an answer, and without limit */
#define INSIGHTS_DEPTH 64       /* of expressions */
#define INSIGHTS_OPERATORS 1000
#define INSIGHTS_SLOTS 512
#define INSIGHTS_COMMANDS 64

enum insights_type {
    INSIGHTS_ABSENT,
    INSIGHTS_TEXT,
    INSIGHTS_NUMBER,
    INSIGHTS_BOOL, /* number: 0 or 1 */
    INSIGHTS_TIME, /* number: ms since 1970 */
    INSIGHTS_JSON, /* an array or object */
};

struct insights_value {
    enum insights_type type;
    double number;
    struct str text;
    const struct json *json;
};

enum insights_expr_type {
    INSIGHTS_LITERAL,
    INSIGHTS_SLOT,
    INSIGHTS_CALL,
    INSIGHTS_AGGREGATE,
    INSIGHTS_AND,
    INSIGHTS_OR,
    INSIGHTS_NOT,
    INSIGHTS_COMPARE,    /* op: = ! < > l(<=) g(>=) */
    INSIGHTS_ARITHMETIC, /* op: + - * / ^ % */
    INSIGHTS_LIKE,       /* args[0] like args[1] or regex */
    INSIGHTS_IN,         /* args[0] in the others */
    INSIGHTS_AT,         /* args[0] . text, args[0] [ args[1] ] */
};

enum insights_period_unit { PERIOD_MS, PERIOD_MONTH };
struct insights_period {
    enum insights_period_unit unit;
    int64_t n; /* of ms, of months */
};

struct insights_function;
struct insights_expr {
    enum insights_expr_type type;
    char op;
    struct insights_value literal;
    int slot;
    const struct insights_function *function;
    int aggregate; /* its number in its stats command */
    struct regex *regex;
    struct insights_period period;
    struct str path;
    struct insights_expr **args;
    size_t n_args, cap_args;
    size_t begin, end; /* in the query's text */
};

enum insights_command_type {
    INSIGHTS_FIELDS,
    INSIGHTS_DISPLAY,
    INSIGHTS_FILTER,
    INSIGHTS_PARSE,
    INSIGHTS_STATS,
    INSIGHTS_SORT,
    INSIGHTS_LIMIT,
    INSIGHTS_DEDUP,
    INSIGHTS_UNNEST,
};

/* `expr as name`: it is in the slot. */
struct insights_item {
    struct insights_expr *expr;
    int slot;
    bool down; /* sort */
};

struct insights_command {
    enum insights_command_type type;
    struct insights_item *items; /* fields, display, stats' results, sort's keys, parse's names */
    size_t n_items, cap_items;
    struct insights_item *by;
    size_t n_by, cap_by;
    struct insights_expr **aggregates;
    size_t n_aggregates, cap_aggregates;
    struct insights_expr *expr; /* filter, what is parsed or unnested */
    struct regex *regex;        /* parse */
    struct str *glob;           /* parse: texts between the stars, n_items + 1 */
    int64_t limit;
    bool by_place; /* sort: no keys, the newest event first */
};

/* SOURCE: which groups. */
struct insights_source {
    bool given;
    struct str *names, *prefixes;
    size_t n_names, cap_names, n_prefixes, cap_prefixes;
    struct str class;
};

struct insights_query {
    struct insights_source source;
    struct insights_command *commands;
    size_t n_commands, cap_commands;
    struct str *slots; /* names */
    size_t n_slots, cap_slots;
    int *columns; /* slots, in order */
    size_t n_columns, cap_columns;
    struct regex **regexes; /* all there are */
    size_t n_regexes, cap_regexes;
    bool has_stats;    /* rows are no events: they have no @ptr */
    struct str needle; /* every event that the query can match has it; or absent */
};

struct insights_error {
    struct str message;
    size_t begin, end; /* in characters */
};

/* -EINVAL with *err filled. */
int insights_parse(struct arena *a, struct str text, struct insights_query **ret,
                   struct insights_error *err);
