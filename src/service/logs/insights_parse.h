/* insights_parse - what the files of the parser share. */
#pragma once
#include "service/logs/insights.h"

enum insights_token {
    TOKEN_END,
    TOKEN_NAME,   /* text: without backquotes */
    TOKEN_NUMBER, /* number; unit behind it in text */
    TOKEN_TEXT,
    TOKEN_SIGN, /* sign: one of ( ) [ ] , | + - * / ^ % = ! < > l g ~ : . */
};

struct insights_parser {
    struct arena *arena;
    struct str text;
    size_t at; /* behind the token */
    struct {
        enum insights_token type;
        char sign;
        bool quoted; /* a name in backquotes is no keyword */
        struct str text;
        double number;
        size_t begin, end;
    } token;
    size_t before; /* where the token before it ended */
    struct insights_query *query;
    struct insights_command *command;
    struct insights_error *err;
    bool failed;
    int depth, n_operators;
    bool in_stats, in_aggregate;
};

void insights_next(struct insights_parser *p);
/* The regular expression that the token, a slash, begins. */
struct regex *insights_read_regex(struct insights_parser *p);
struct regex *insights_compile(struct insights_parser *p, struct str text, size_t begin);
bool insights_is(const struct insights_parser *p, char sign);
bool insights_is_word(const struct insights_parser *p, const char *word); /* any case */
bool insights_take(struct insights_parser *p, char sign);
bool insights_take_word(struct insights_parser *p, const char *word);
bool insights_expect(struct insights_parser *p, char sign);
/* The first error counts. Returns NULL. */
void *insights_fail(struct insights_parser *p, size_t begin, size_t end, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void *insights_unexpected(struct insights_parser *p);

int insights_slot(struct insights_parser *p, struct str name);
struct insights_expr *insights_expression(struct insights_parser *p); /* NULL: failed */
struct insights_expr *insights_field(struct insights_parser *p);
void insights_plan(struct insights_parser *p);
/* 30s, 5m, 1mo; the unit is what stands behind the number. */
int insights_period(double n, struct str unit, struct insights_period *ret);
