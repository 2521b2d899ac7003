/* insights_plan - what a parsed query shows, and what its events must have. */
#include "service/logs/insights_parse.h"
#include "service/logs/insights_value.h"

static void add_column(struct insights_parser *p, int slot)
{
    struct insights_query *q = p->query;
    for (size_t i = 0; i < q->n_columns; i++)
        if (q->columns[i] == slot)
            return;
    *(int *)arena_push(p->arena, (void **)&q->columns, &q->n_columns, &q->cap_columns,
                       sizeof(int)) = slot;
}

static void find_columns(struct insights_parser *p)
{
    struct insights_query *q = p->query;
    for (size_t i = 0; i < q->n_commands; i++) {
        const struct insights_command *c = &q->commands[i];
        if (c->type == INSIGHTS_DISPLAY || c->type == INSIGHTS_STATS)
            q->n_columns = 0;
        if (c->type == INSIGHTS_STATS)
            q->has_stats = true;
        for (size_t k = 0; k < c->n_by; k++)
            add_column(p, c->by[k].slot);
        if (c->type == INSIGHTS_DISPLAY || c->type == INSIGHTS_STATS || c->type == INSIGHTS_FIELDS)
            for (size_t k = 0; k < c->n_items; k++)
                add_column(p, c->items[k].slot);
    }
    if (!q->n_columns) {
        add_column(p, insights_slot(p, S("@timestamp")));
        add_column(p, insights_slot(p, S("@message")));
    }
}

static bool is_slot(const struct insights_query *q, const struct insights_expr *e, const char *name)
{
    return e->type == INSIGHTS_SLOT && str_is(q->slots[e->slot], name);
}

/* The longest text that an event must have to pass. */
static void find_needle(struct insights_query *q, const struct insights_expr *e)
{
    struct str needle = {0};
    if (e->type == INSIGHTS_AND) {
        find_needle(q, e->args[0]);
        find_needle(q, e->args[1]);
    } else if (e->type == INSIGHTS_LIKE && e->n_args == 2 && is_slot(q, e->args[0], "@message")) {
        needle = e->args[1]->literal.text;
    } else if (e->type == INSIGHTS_LIKE && e->regex && is_slot(q, e->args[0], "@message")) {
        needle = e->regex->literal;
    } else if (e->type == INSIGHTS_COMPARE && e->op == '=' && is_slot(q, e->args[0], "@type") &&
               e->args[1]->type == INSIGHTS_LITERAL && str_is(e->args[1]->literal.text, "REPORT")) {
        needle = S("REPORT RequestId: ");
    } else if (e->type == INSIGHTS_CALL && str_is(str_from(e->function->name), "ispresent") &&
               e->n_args == 1 && is_slot(q, e->args[0], "@initDuration")) {
        needle = S("Init Duration: ");
    }
    if (needle.n > q->needle.n)
        q->needle = needle;
}

static bool sets_discovered(const struct insights_query *q, const struct insights_command *c)
{
    for (size_t i = 0; i < c->n_items; i++)
        if (c->items[i].slot >= 0 && str_starts(q->slots[c->items[i].slot], S("@")) &&
            !(c->items[i].expr && c->items[i].expr->type == INSIGHTS_SLOT &&
              c->items[i].expr->slot == c->items[i].slot))
            return true;
    return false;
}

void insights_plan(struct insights_parser *p)
{
    struct insights_query *q = p->query;
    find_columns(p);
    for (size_t i = 0; i < q->n_commands; i++) {
        const struct insights_command *c = &q->commands[i];
        if (c->type == INSIGHTS_FILTER)
            find_needle(q, c->expr);
        else if (c->type == INSIGHTS_STATS || c->type == INSIGHTS_LIMIT ||
                 c->type == INSIGHTS_DEDUP || c->type == INSIGHTS_UNNEST || sets_discovered(q, c))
            break;
    }
}
