/* insights_parse - a query's commands. */
#include "service/logs/insights_parse.h"
#include <errno.h>
#include "service/logs/insights_value.h"

int insights_slot(struct insights_parser *p, struct str name)
{
    struct insights_query *q = p->query;
    for (size_t i = 0; i < q->n_slots; i++)
        if (str_eq(q->slots[i], name))
            return (int)i;
    if (q->n_slots == INSIGHTS_SLOTS) {
        insights_fail(p, p->token.begin, p->token.end, "a query cannot have more than %d fields",
                      INSIGHTS_SLOTS);
        return 0;
    }
    *(struct str *)arena_push(p->arena, (void **)&q->slots, &q->n_slots, &q->cap_slots,
                              sizeof(struct str)) = name;
    return (int)q->n_slots - 1;
}

static struct insights_item *add_item(struct insights_parser *p, struct insights_item item)
{
    struct insights_command *c = p->command;
    struct insights_item *ret = arena_push(p->arena, (void **)&c->items, &c->n_items, &c->cap_items,
                                           sizeof(struct insights_item));
    *ret = item;
    return ret;
}

static bool read_name(struct insights_parser *p, struct str *ret)
{
    if (p->token.type != TOKEN_NAME) {
        insights_unexpected(p);
        return false;
    }
    *ret = p->token.text;
    insights_next(p);
    return true;
}

/* `EXPR [as NAME]`: its name is its text otherwise. */
static struct insights_item read_item(struct insights_parser *p)
{
    struct insights_item item = {0};
    size_t begin = p->token.begin;
    item.expr = insights_expression(p);
    if (!item.expr)
        return item;
    struct str name = str_trim(str_slice(p->text, begin, p->before));
    if (insights_take_word(p, "as") && !read_name(p, &name))
        return item;
    if (item.expr->type == INSIGHTS_SLOT &&
        str_eq(str_trim(str_slice(p->text, begin, p->before)), name))
        item.slot = item.expr->slot;
    else
        item.slot =
            item.expr->type == INSIGHTS_SLOT && p->text.p[begin] == '`' && str_starts(name, S("`"))
                ? item.expr->slot
                : insights_slot(p, name);
    return item;
}

static void read_items(struct insights_parser *p)
{
    do {
        struct insights_item item = read_item(p);
        if (p->failed)
            return;
        add_item(p, item);
    } while (insights_take(p, ','));
}

static void read_filter(struct insights_parser *p)
{
    p->command->expr = insights_expression(p);
}

/* "user=*, status=*": the texts between the stars. */
static size_t read_glob(struct insights_parser *p, struct str text)
{
    size_t n = 0, cap = 0;
    struct str piece;
    bool more;
    do {
        more = str_cut(text, '*', &piece, &text);
        *(struct str *)arena_push(p->arena, (void **)&p->command->glob, &n, &cap,
                                  sizeof(struct str)) = piece;
    } while (more);
    return n - 1;
}

static void read_as(struct insights_parser *p)
{
    do {
        struct str name;
        if (!read_name(p, &name))
            return;
        add_item(p, (struct insights_item){.slot = insights_slot(p, name)});
    } while (insights_take(p, ','));
}

/* (?<name>...): each is a field. */
static void add_groups(struct insights_parser *p, struct regex *regex)
{
    uint32_t count = 0, size = 0;
    PCRE2_SPTR table = NULL;
    pcre2_pattern_info(regex->code, PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(regex->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(regex->code, PCRE2_INFO_NAMETABLE, &table);
    for (uint32_t group = 1; group <= regex->n_groups; group++) {
        struct str name = {0};
        for (uint32_t i = 0; i < count; i++) {
            PCRE2_SPTR entry = table + i * size;
            if (((uint32_t)entry[0] << 8 | entry[1]) == group)
                name = str_copy(p->arena, str_from((const char *)entry + 2));
        }
        if (name.n)
            add_item(p, (struct insights_item){.slot = insights_slot(p, name), .down = true});
        else
            add_item(p, (struct insights_item){.slot = -1});
    }
}

static void read_parse(struct insights_parser *p)
{
    struct insights_command *c = p->command;
    if (p->token.type == TOKEN_NAME)
        c->expr = insights_field(p);
    if (p->failed)
        return;
    size_t begin = p->token.begin, end = p->token.end;
    if (insights_is(p, '/')) {
        c->regex = insights_read_regex(p);
        if (p->failed)
            return;
        if (insights_take_word(p, "as")) {
            read_as(p);
            if (!p->failed && c->n_items != c->regex->n_groups)
                insights_fail(p, begin, p->before, "%u groups are captured, and %zu names given",
                              c->regex->n_groups, c->n_items);
        } else {
            add_groups(p, c->regex);
            bool named = false;
            for (size_t i = 0; i < c->n_items; i++)
                named |= c->items[i].slot >= 0;
            if (!named)
                insights_fail(p, begin, p->before,
                              "the expression has no named groups: (?<name>...)");
        }
        return;
    }
    if (p->token.type != TOKEN_TEXT) {
        insights_unexpected(p);
        return;
    }
    size_t stars = read_glob(p, p->token.text);
    insights_next(p);
    if (!insights_take_word(p, "as")) {
        insights_unexpected(p);
        return;
    }
    read_as(p);
    if (!p->failed && (!stars || stars != c->n_items))
        insights_fail(p, begin, end, "the pattern has %zu stars, and %zu names are given", stars,
                      c->n_items);
}

static void read_stats(struct insights_parser *p)
{
    struct insights_command *c = p->command;
    p->in_stats = true;
    read_items(p);
    p->in_stats = false;
    if (p->failed)
        return;
    if (!c->n_aggregates) {
        insights_fail(p, c->items[0].expr->begin, p->before,
                      "stats needs a function that aggregates: count(*), avg(...)");
        return;
    }
    if (!insights_take_word(p, "by"))
        return;
    do {
        struct insights_item item = read_item(p);
        if (p->failed)
            return;
        *(struct insights_item *)arena_push(p->arena, (void **)&c->by, &c->n_by, &c->cap_by,
                                            sizeof item) = item;
    } while (insights_take(p, ','));
}

static void read_sort(struct insights_parser *p)
{
    do {
        struct insights_item item = {.expr = insights_expression(p)};
        if (p->failed)
            return;
        if (insights_take_word(p, "desc"))
            item.down = true;
        else
            insights_take_word(p, "asc");
        add_item(p, item);
    } while (insights_take(p, ','));
}

static void read_limit(struct insights_parser *p)
{
    double n = p->token.number;
    if (p->token.type != TOKEN_NUMBER || p->token.text.n) {
        insights_unexpected(p);
        return;
    }
    if (n < 1 || n > INSIGHTS_ROWS_MAX || n != (double)(int64_t)n) {
        insights_fail(p, p->token.begin, p->token.end, "limit must be between 1 and %d",
                      INSIGHTS_ROWS_MAX);
        return;
    }
    p->command->limit = (int64_t)n;
    insights_next(p);
}

static void read_dedup(struct insights_parser *p)
{
    do {
        struct insights_item item = {.expr = insights_field(p)};
        if (p->failed)
            return;
        item.slot = item.expr->slot;
        add_item(p, item);
    } while (insights_take(p, ','));
}

static void read_unnest(struct insights_parser *p)
{
    struct str name;
    p->command->expr = insights_field(p);
    if (p->failed)
        return;
    if (!insights_take_word(p, "into"))
        insights_unexpected(p);
    else if (read_name(p, &name))
        add_item(p, (struct insights_item){.slot = insights_slot(p, name)});
}

static const struct {
    const char *name;
    enum insights_command_type type;
    void (*read)(struct insights_parser *p);
} commands[] = {
    {"fields", INSIGHTS_FIELDS, read_items},  {"display", INSIGHTS_DISPLAY, read_items},
    {"filter", INSIGHTS_FILTER, read_filter}, {"parse", INSIGHTS_PARSE, read_parse},
    {"stats", INSIGHTS_STATS, read_stats},    {"sort", INSIGHTS_SORT, read_sort},
    {"limit", INSIGHTS_LIMIT, read_limit},    {"dedup", INSIGHTS_DEDUP, read_dedup},
    {"unnest", INSIGHTS_UNNEST, read_unnest}, {"head", INSIGHTS_LIMIT, read_limit},
    {"field", INSIGHTS_FIELDS, read_items},
};
/* Commands of AWS that are not here. */
static const char *const missing[] = {"unmask", "pattern", "diff",        "anomaly",
                                      "join",   "lookup",  "filterIndex", "addtotals"};

/* ---- SOURCE ---- */

static void read_texts(struct insights_parser *p, struct str **items, size_t *n, size_t *cap)
{
    bool list = insights_take(p, '[');
    do {
        if (p->token.type != TOKEN_TEXT) {
            insights_unexpected(p);
            return;
        }
        *(struct str *)arena_push(p->arena, (void **)items, n, cap, sizeof(struct str)) =
            p->token.text;
        insights_next(p);
    } while (list && insights_take(p, ','));
    if (list)
        insights_expect(p, ']');
}

static void read_source(struct insights_parser *p)
{
    struct insights_source *s = &p->query->source;
    s->given = true;
    if (!insights_take_word(p, "logGroups")) {
        read_texts(p, &s->names, &s->n_names, &s->cap_names);
        return;
    }
    insights_expect(p, '(');
    while (!p->failed && !insights_is(p, ')')) {
        bool prefix = insights_is_word(p, "namePrefix"), class = insights_is_word(p, "class");
        if (!prefix && !class) {
            insights_fail(p, p->token.begin, p->token.end,
                          "%.*s of SOURCE is not supported by Lamina: namePrefix and class are",
                          STR(p->token.text));
            return;
        }
        insights_next(p);
        if (!insights_expect(p, ':'))
            return;
        if (prefix) {
            read_texts(p, &s->prefixes, &s->n_prefixes, &s->cap_prefixes);
        } else if (p->token.type == TOKEN_TEXT) {
            s->class = p->token.text;
            insights_next(p);
        } else {
            insights_unexpected(p);
        }
        if (!insights_take(p, ','))
            break;
    }
    insights_expect(p, ')');
}

/* ---- all ---- */

static void read_command(struct insights_parser *p)
{
    struct insights_query *q = p->query;
    if (q->n_commands == INSIGHTS_COMMANDS) {
        insights_fail(p, p->token.begin, p->token.end, "a query cannot have more than %d commands",
                      INSIGHTS_COMMANDS);
        return;
    }
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (insights_is_word(p, missing[i])) {
            insights_fail(p, p->token.begin, p->token.end,
                          "the command %s is not supported by Lamina", missing[i]);
            return;
        }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (insights_take_word(p, commands[i].name)) {
            p->command = arena_push(p->arena, (void **)&q->commands, &q->n_commands,
                                    &q->cap_commands, sizeof *p->command);
            *p->command = (struct insights_command){.type = commands[i].type};
            commands[i].read(p);
            return;
        }
    insights_unexpected(p);
}

int insights_parse(struct arena *a, struct str text, struct insights_query **ret,
                   struct insights_error *err)
{
    struct insights_parser p = {.arena = a, .text = text, .err = err};
    p.query = ARENA_NEW(a, struct insights_query);
    insights_next(&p);
    if (insights_take_word(&p, "source")) {
        read_source(&p);
        if (!p.failed && p.token.type != TOKEN_END)
            insights_expect(&p, '|');
    }
    /* A query without commands shows the events as they are. */
    while (!p.failed && p.token.type != TOKEN_END) {
        read_command(&p);
        if (p.failed || p.token.type == TOKEN_END)
            break;
        insights_expect(&p, '|');
    }
    if (!p.failed)
        insights_plan(&p);
    if (p.failed)
        return -EINVAL;
    *ret = p.query;
    return 0;
}
