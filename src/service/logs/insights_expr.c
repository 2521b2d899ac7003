/* insights_expr - a query's expressions, from `or` down to a single value. */
#include <errno.h>
#include "service/logs/insights_parse.h"
#include "service/logs/insights_value.h"

static struct insights_expr *new_expr(struct insights_parser *p, enum insights_expr_type type,
                                      size_t begin)
{
    struct insights_expr *e = ARENA_NEW(p->arena, struct insights_expr);
    e->type = type;
    e->begin = begin;
    e->end = p->before;
    return e;
}

static void add_arg(struct insights_parser *p, struct insights_expr *e, struct insights_expr *arg)
{
    *(struct insights_expr **)arena_push(p->arena, (void **)&e->args, &e->n_args, &e->cap_args,
                                         sizeof arg) = arg;
    e->end = p->before;
}

static struct insights_expr *two(struct insights_parser *p, enum insights_expr_type type, char op,
                                 struct insights_expr *x, struct insights_expr *y)
{
    if (!x || !y)
        return NULL;
    if (++p->n_operators > INSIGHTS_OPERATORS)
        return insights_fail(p, x->begin, p->before, "a query cannot have more than %d operators",
                             INSIGHTS_OPERATORS);
    struct insights_expr *e = new_expr(p, type, x->begin);
    e->op = op;
    add_arg(p, e, x);
    add_arg(p, e, y);
    return e;
}

int insights_period(double n, struct str unit, struct insights_period *ret)
{
    static const struct {
        const char *names[4];
        enum insights_period_unit unit;
        int64_t n;
    } units[] = {
        {{"ms", "millisecond", "msec"}, PERIOD_MS, 1}, {{"s", "second", "sec"}, PERIOD_MS, 1000},
        {{"m", "minute", "min"}, PERIOD_MS, 60000},    {{"h", "hour", "hr"}, PERIOD_MS, 3600000},
        {{"d", "day"}, PERIOD_MS, 86400000},           {{"w", "week"}, PERIOD_MS, 604800000},
        {{"mo", "month", "mon"}, PERIOD_MONTH, 1},     {{"q", "quarter", "qtr"}, PERIOD_MONTH, 3},
        {{"y", "year", "yr"}, PERIOD_MONTH, 12},
    };
    if (n < 1 || n > 100000 || n != (double)(int64_t)n)
        return -EINVAL;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        for (size_t k = 0; k < 4 && units[i].names[k]; k++) {
            struct str name = str_from(units[i].names[k]);
            bool plural = unit.n == name.n + 1 && unit.p[name.n] == 's' && name.n > 1;
            if (!str_eq(unit, name) && !(plural && str_starts(unit, name)))
                continue;
            ret->unit = units[i].unit;
            ret->n = (int64_t)n * units[i].n;
            return 0;
        }
    return -EINVAL;
}

static void read_period(struct insights_parser *p, struct insights_expr *e)
{
    if (p->token.type != TOKEN_NUMBER) {
        insights_unexpected(p);
        return;
    }
    struct str unit = p->token.text;
    double n = p->token.number;
    size_t begin = p->token.begin, end = p->token.end;
    insights_next(p);
    if (!unit.n && p->token.type == TOKEN_NAME) {
        unit = p->token.text;
        end = p->token.end;
        insights_next(p);
    }
    if (insights_period(n, unit, &e->period) < 0)
        insights_fail(p, begin, end,
                      "not a period: use a number and ms, s, m, h, d, w, mo, q or y");
}

static void read_args(struct insights_parser *p, struct insights_expr *e)
{
    const struct insights_function *f = e->function;
    if (f->aggregate == '*' && insights_take(p, '*'))
        return;
    while (!p->failed && !insights_is(p, ')')) {
        bool period = f->period && (int)e->n_args == f->max_args;
        if (period || (f->period && p->token.type == TOKEN_NUMBER && p->token.text.n)) {
            read_period(p, e);
            return;
        }
        struct insights_expr *arg = insights_expression(p);
        if (!arg)
            return;
        add_arg(p, e, arg);
        if (!insights_take(p, ','))
            return;
        if (insights_is(p, ')'))
            insights_unexpected(p);
    }
}

static struct insights_expr *read_call(struct insights_parser *p, struct str name, size_t begin,
                                       size_t end)
{
    const struct insights_function *f = insights_function_find(name);
    if (str_eq_nocase(name, S("unmask")))
        return insights_fail(p, begin, end,
                             "the function unmask is not supported by Lamina: it masks nothing");
    if (!f)
        return insights_fail(p, begin, end, "unknown function %.*s", STR(name));
    struct insights_expr *e = new_expr(p, f->run ? INSIGHTS_CALL : INSIGHTS_AGGREGATE, begin);
    bool aggregate = !f->run;
    if (aggregate && (!p->in_stats || p->in_aggregate))
        return insights_fail(p, begin, end, "the function %s aggregates: it stands in stats only",
                             f->name);
    e->function = f;
    p->in_aggregate = p->in_aggregate || aggregate;
    insights_next(p); /* the ( */
    read_args(p, e);
    if (aggregate)
        p->in_aggregate = false;
    if (p->failed || !insights_expect(p, ')'))
        return NULL;
    e->end = p->before;
    int n = (int)e->n_args;
    if (n < f->min_args || (f->max_args >= 0 && n > f->max_args) || (f->period && !e->period.n))
        return insights_fail(p, begin, e->end, "wrong number of arguments of the function %s",
                             f->name);
    if (aggregate) {
        struct insights_command *c = p->command;
        e->aggregate = (int)c->n_aggregates;
        *(struct insights_expr **)arena_push(p->arena, (void **)&c->aggregates, &c->n_aggregates,
                                             &c->cap_aggregates, sizeof e) = e;
    }
    return e;
}

static struct insights_expr *literal(struct insights_parser *p, struct insights_value v)
{
    size_t begin = p->token.begin;
    insights_next(p);
    struct insights_expr *e = new_expr(p, INSIGHTS_LITERAL, begin);
    e->literal = v;
    return e;
}

struct insights_expr *insights_field(struct insights_parser *p)
{
    if (p->token.type != TOKEN_NAME)
        return insights_unexpected(p);
    struct str name = p->token.text;
    size_t begin = p->token.begin;
    insights_next(p);
    struct insights_expr *e = new_expr(p, INSIGHTS_SLOT, begin);
    e->slot = insights_slot(p, name);
    return e;
}

static struct insights_expr *read_value(struct insights_parser *p)
{
    struct insights_expr *e;
    if (p->token.type == TOKEN_TEXT)
        return literal(p, insights_text(p->token.text));
    if (p->token.type == TOKEN_NUMBER && !p->token.text.n)
        return literal(p, insights_number(p->token.number));
    if (insights_is_word(p, "true") || insights_is_word(p, "false"))
        return literal(p, insights_bool(insights_is_word(p, "true")));
    if (insights_take(p, '(')) {
        e = insights_expression(p);
        return e && insights_expect(p, ')') ? e : NULL;
    }
    if (p->token.type != TOKEN_NAME)
        return insights_unexpected(p);
    struct str name = p->token.text;
    size_t begin = p->token.begin, end = p->token.end, at = p->at;
    bool quoted = p->token.quoted;
    while (at < p->text.n && (p->text.p[at] == ' ' || p->text.p[at] == '\t'))
        at++;
    if (!quoted && at < p->text.n && p->text.p[at] == '(') {
        insights_next(p);
        return read_call(p, name, begin, end);
    }
    return insights_field(p);
}

/* list[0].name: of what jsonParse() gave. */
static struct insights_expr *read_path(struct insights_parser *p)
{
    struct insights_expr *e = read_value(p);
    while (e && insights_is(p, '[')) {
        insights_next(p);
        struct insights_expr *index = insights_expression(p);
        if (!index || !insights_expect(p, ']'))
            return NULL;
        e = two(p, INSIGHTS_AT, '[', e, index);
        /* What follows a bracket begins with a dot: the lexer does not know it alone. */
        if (p->at <= p->text.n && p->token.type == TOKEN_SIGN && p->token.sign == '.') {
            insights_next(p);
            if (p->token.type != TOKEN_NAME)
                return insights_unexpected(p);
            struct insights_expr *member = new_expr(p, INSIGHTS_AT, e->begin);
            member->path = p->token.text;
            add_arg(p, member, e);
            insights_next(p);
            e = member;
        }
    }
    return e;
}

static struct insights_expr *read_power(struct insights_parser *p)
{
    if (insights_is(p, '-')) {
        size_t begin = p->token.begin;
        insights_next(p);
        if (++p->depth > INSIGHTS_DEPTH)
            return insights_fail(p, begin, p->before, "the expression is nested too deeply");
        struct insights_expr *e = read_power(p), *zero = new_expr(p, INSIGHTS_LITERAL, begin);
        p->depth--;
        zero->literal = insights_number(0);
        return two(p, INSIGHTS_ARITHMETIC, '-', zero, e);
    }
    struct insights_expr *e = read_path(p);
    while (e && insights_take(p, '^'))
        e = two(p, INSIGHTS_ARITHMETIC, '^', e, read_path(p));
    return e;
}

static struct insights_expr *read_product(struct insights_parser *p)
{
    struct insights_expr *e = read_power(p);
    while (e && (insights_is(p, '*') || insights_is(p, '/') || insights_is(p, '%'))) {
        char op = p->token.sign;
        insights_next(p);
        e = two(p, INSIGHTS_ARITHMETIC, op, e, read_power(p));
    }
    return e;
}

static struct insights_expr *read_sum(struct insights_parser *p)
{
    struct insights_expr *e = read_product(p);
    while (e && (insights_is(p, '+') || insights_is(p, '-'))) {
        char op = p->token.sign;
        insights_next(p);
        e = two(p, INSIGHTS_ARITHMETIC, op, e, read_product(p));
    }
    return e;
}

static bool plain(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!text.p[i] || strchr("\\^$.|?*+()[]{}", text.p[i]))
            return false;
    return true;
}

static struct insights_expr *read_like(struct insights_parser *p, struct insights_expr *x)
{
    struct insights_expr *e = new_expr(p, INSIGHTS_LIKE, x->begin);
    add_arg(p, e, x);
    if (insights_is(p, '/')) {
        size_t begin = p->token.end;
        e->regex = insights_read_regex(p);
        /* One without signs is text: looked for without an engine. */
        struct str text = {0};
        str_cut(str_slice(p->text, begin, p->text.n), '/', &text, &(struct str){0});
        if (e->regex && text.n && plain(text)) {
            struct insights_expr *as_text = new_expr(p, INSIGHTS_LITERAL, begin);
            as_text->literal = insights_text(text);
            add_arg(p, e, as_text);
            e->regex = NULL;
        }
    } else if (p->token.type == TOKEN_TEXT) {
        add_arg(p, e, literal(p, insights_text(p->token.text)));
    } else {
        insights_unexpected(p);
    }
    e->end = p->before;
    return p->failed ? NULL : e;
}

static struct insights_expr *read_in(struct insights_parser *p, struct insights_expr *x)
{
    struct insights_expr *e = new_expr(p, INSIGHTS_IN, x->begin);
    add_arg(p, e, x);
    bool square = insights_is(p, '[');
    if (!square && !insights_is(p, '('))
        return insights_unexpected(p);
    insights_next(p);
    do {
        struct insights_expr *item = insights_expression(p);
        if (!item)
            return NULL;
        add_arg(p, e, item);
    } while (insights_take(p, ','));
    return insights_expect(p, square ? ']' : ')') ? e : NULL;
}

static struct insights_expr *negate(struct insights_parser *p, struct insights_expr *x)
{
    if (!x)
        return NULL;
    struct insights_expr *e = new_expr(p, INSIGHTS_NOT, x->begin);
    add_arg(p, e, x);
    return e;
}

static struct insights_expr *read_comparison(struct insights_parser *p)
{
    struct insights_expr *e = read_sum(p);
    if (!e)
        return NULL;
    if (insights_take(p, '~') || insights_take_word(p, "like"))
        return read_like(p, e);
    if (insights_take_word(p, "in"))
        return read_in(p, e);
    if (insights_is_word(p, "not")) {
        insights_next(p);
        if (insights_take_word(p, "like"))
            return negate(p, read_like(p, e));
        if (insights_take_word(p, "in"))
            return negate(p, read_in(p, e));
        return insights_unexpected(p);
    }
    if (p->token.type == TOKEN_SIGN && strchr("=!<>lg", p->token.sign)) {
        char op = p->token.sign;
        insights_next(p);
        return two(p, INSIGHTS_COMPARE, op, e, read_sum(p));
    }
    return e;
}

static struct insights_expr *read_not(struct insights_parser *p)
{
    size_t begin = p->token.begin;
    if (!insights_is_word(p, "not"))
        return read_comparison(p);
    insights_next(p);
    if (++p->depth > INSIGHTS_DEPTH)
        return insights_fail(p, begin, p->before, "the expression is nested too deeply");
    struct insights_expr *e = negate(p, read_not(p));
    p->depth--;
    return e;
}

static struct insights_expr *read_and(struct insights_parser *p)
{
    struct insights_expr *e = read_not(p);
    while (e && insights_take_word(p, "and"))
        e = two(p, INSIGHTS_AND, 0, e, read_not(p));
    return e;
}

struct insights_expr *insights_expression(struct insights_parser *p)
{
    if (++p->depth > INSIGHTS_DEPTH)
        return insights_fail(p, p->token.begin, p->token.end,
                             "the expression is nested too deeply");
    struct insights_expr *e = read_and(p);
    while (e && insights_take_word(p, "or"))
        e = two(p, INSIGHTS_OR, 0, e, read_and(p));
    p->depth--;
    return p->failed ? NULL : e;
}
