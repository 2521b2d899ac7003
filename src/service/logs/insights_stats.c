/* insights_stats - groups and what is counted in them. */
#include <math.h>
#include <stdlib.h>
#include "base/mem.h"
#include "service/logs/insights_stage.h"

struct str insights_key(struct insights_run *run, const struct insights_item *items, size_t n)
{
    auto_buf struct buf b;
    buf_init(&b, 1 << 22);
    for (size_t i = 0; i < n; i++) {
        struct insights_value v = insights_eval(run, items[i].expr);
        struct str text = insights_to_text(&run->scratch, &v);
        uint32_t size = v.type == INSIGHTS_ABSENT ? UINT32_MAX : (uint32_t)text.n;
        buf_add(&b, &size, sizeof size);
        buf_str(&b, text);
    }
    return buf_copy(&b, &run->scratch);
}

static struct insights_group *find_group(struct insights_run *run, struct insights_stage *s)
{
    const struct insights_command *c = s->command;
    if (!c->n_by && s->n_groups)
        return s->groups[0];
    struct str key = insights_key(run, c->by, c->n_by);
    struct insights_group *g = insights_seen_find(&s->seen, key);
    if (g)
        return g;
    g = ARENA_NEW(s->arena, struct insights_group);
    g->by = ARENA_ARRAY(s->arena, struct insights_value, c->n_by + 1);
    bool timed = false;
    for (size_t i = 0; i < c->n_by; i++) {
        struct insights_value v = insights_eval(run, c->by[i].expr);
        g->by[i] = insights_keep(s->arena, &v);
        if (v.type == INSIGHTS_TIME && !timed)
            g->time = v.number;
        timed |= v.type == INSIGHTS_TIME;
    }
    s->timed |= timed;
    g->i = s->n_groups;
    g->aggregates = ARENA_ARRAY(s->arena, struct insights_aggregate, c->n_aggregates);
    insights_seen_put(&s->seen, s->arena, key, g);
    *(struct insights_group **)arena_push(s->arena, (void **)&s->groups, &s->n_groups,
                                          &s->cap_groups, sizeof g) = g;
    return g;
}

static void add_value(struct insights_run *run, struct insights_aggregate *a, double v)
{
    if (a->n_values == a->cap_values) {
        size_t cap = a->cap_values ? a->cap_values * 2 : 16;
        a->values = mem_realloc(a->values, cap * sizeof *a->values);
        run->memory += (cap - a->cap_values) * sizeof *a->values;
        a->cap_values = cap;
    }
    a->values[a->n_values++] = v;
}

static void add_distinct(struct insights_run *run, struct insights_stage *s,
                         struct insights_aggregate *a, const struct insights_value *v)
{
    if (!a->distinct)
        a->distinct = ARENA_NEW(s->arena, struct insights_seen);
    struct str text = insights_to_text(&run->scratch, v);
    if (!insights_seen_find(a->distinct, text))
        insights_seen_put(a->distinct, s->arena, text, a);
}

/* Keeps v when it comes before (sign < 0) or behind what is kept. */
static void add_best(struct insights_run *run, struct insights_stage *s,
                     struct insights_aggregate *a, const struct insights_value *v, int cmp,
                     int sign)
{
    if (a->any && cmp * sign <= 0)
        return;
    a->any = true;
    a->best_place = run->event.place;
    a->best = insights_keep(s->arena, v);
}

static void add_number(struct insights_aggregate *a, double v)
{
    a->n++;
    a->sum += v;
    double delta = v - a->mean; /* Welford */
    a->mean += delta / a->n;
    a->m2 += delta * (v - a->mean);
}

static void aggregate(struct insights_run *run, struct insights_stage *s,
                      const struct insights_expr *e, struct insights_aggregate *a)
{
    char op = e->function->aggregate;
    double n;
    if (!e->n_args) { /* count(*) */
        a->n++;
        return;
    }
    struct insights_value v = insights_eval(run, e->args[0]);
    if (v.type == INSIGHTS_ABSENT)
        return;
    switch (op) {
    case '*':
        a->n++;
        break;
    case 'd':
        add_distinct(run, s, a, &v);
        break;
    case '<':
    case '>':
        add_best(run, s, a, &v, a->any ? insights_compare(&run->scratch, &v, &a->best) : 0,
                 op == '<' ? -1 : 1);
        break;
    case 'f':
    case 'z':
        add_best(run, s, a, &v, a->any ? insights_order(&run->scratch, &v, &a->best) : 0,
                 op == 'f' ? -1 : 1);
        break;
    case 'e':
    case 'l':
        add_best(run, s, a, &v, log_place_cmp(run->event.place, a->best_place), op == 'e' ? -1 : 1);
        break;
    default:
        if (!insights_to_number(&v, &n))
            break;
        if (op == 'p')
            add_value(run, a, n);
        else
            add_number(a, n);
    }
}

void insights_stats_add(struct insights_run *run, struct insights_stage *s)
{
    struct insights_group *g = find_group(run, s);
    for (size_t i = 0; i < s->command->n_aggregates; i++)
        aggregate(run, s, s->command->aggregates[i], &g->aggregates[i]);
}

/* Not greater than the pivot: left of i; not smaller: right of j. False: time is over. */
static bool part(const struct insights_run *run, struct insights_select *s, double *v)
{
    while (s->i <= s->j) {
        while (v[s->i] < s->pivot)
            s->i++;
        while (v[s->j] > s->pivot)
            s->j--;
        if (s->i > s->j)
            break;
        double x = v[s->i];
        v[s->i++] = v[s->j];
        v[s->j--] = x;
        if (insights_out_of_time(run, ++s->steps))
            return false;
    }
    return true;
}

static double middle(double a, double b, double c)
{
    return a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
}

/* Hoare's: what is at the rank is what sorting would bring there. */
static bool select_rank(const struct insights_run *run, struct insights_aggregate *a, ssize_t rank)
{
    struct insights_select *s = &a->select;
    double *v = a->values;
    if (!s->begun)
        s->high = (ssize_t)a->n_values - 1;
    s->begun = true;
    while (s->low < s->high) {
        if (!s->parting) {
            s->i = s->low;
            s->j = s->high;
            s->pivot = middle(v[s->low], v[s->low + (s->high - s->low) / 2], v[s->high]);
        }
        s->parting = true;
        if (!part(run, s, v))
            return false;
        s->parting = false;
        if (rank <= s->j)
            s->high = s->j;
        else if (rank >= s->i)
            s->low = s->i;
        else
            s->low = s->high = rank;
    }
    return true;
}

/* The nearest rank: the least value that so many percent are not above. -1: there is none. */
static ssize_t percentile_rank(struct insights_run *run, const struct insights_expr *e,
                               const struct insights_aggregate *a)
{
    double p;
    struct insights_value percent = insights_eval(run, e->args[1]);
    if (!a->n_values || !insights_to_number(&percent, &p) || !(p >= 0 && p <= 100))
        return -1;
    double rank = ceil(p / 100 * (double)a->n_values - 1e-9);
    return rank < 1 ? 0 : (ssize_t)rank - 1;
}

static bool select_percentiles(struct insights_run *run, const struct insights_command *c,
                               struct insights_group *g)
{
    for (size_t k = 0; k < c->n_aggregates; k++) {
        struct insights_aggregate *a = &g->aggregates[k];
        if (c->aggregates[k]->function->aggregate != 'p')
            continue;
        ssize_t rank = percentile_rank(run, c->aggregates[k], a);
        if (rank >= 0 && !select_rank(run, a, rank))
            return false;
    }
    return true;
}

static struct insights_value outcome(struct insights_run *run, const struct insights_expr *e,
                                     struct insights_aggregate *a)
{
    double n;
    ssize_t rank;
    switch (e->function->aggregate) {
    case '*':
        return insights_number(a->n);
    case 'd':
        return insights_number(a->distinct ? (double)a->distinct->n : 0);
    case '+':
        return a->n ? insights_number(a->sum) : insights_absent();
    case 'a':
        return a->n ? insights_number(a->sum / a->n) : insights_absent();
    case 's':
        return a->n ? insights_number(a->n > 1 ? sqrt(a->m2 / (a->n - 1)) : 0) : insights_absent();
    case 'p':
        rank = percentile_rank(run, e, a);
        return rank >= 0 ? insights_number(a->values[rank]) : insights_absent();
    case '<':
    case '>': /* of times AWS gives the number, too */
        if (a->any && insights_to_number(&a->best, &n))
            return insights_number(n);
        return a->any ? a->best : insights_absent();
    default:
        return a->any ? a->best : insights_absent();
    }
}

static int newest_first(const void *x, const void *y, void *user)
{
    const struct insights_group *a = x, *b = y;
    if (a->time != b->time)
        return a->time > b->time ? -1 : 1;
    return a->i < b->i ? -1 : 1;
}

static void order_groups(struct insights_stage *s)
{
    const struct insights_command *c = s->command;
    s->results = ARENA_ARRAY(s->arena, struct insights_value, c->n_aggregates + c->n_items + 1);
    if (s->timed)
        insights_merge_begin(&s->merge, s->arena, (void **)s->groups, s->n_groups);
    s->ordering = true;
    s->ordered = !s->timed;
}

bool insights_stats_finish(struct insights_run *run, size_t stage)
{
    struct insights_stage *s = &run->stages[stage];
    const struct insights_command *c = s->command;
    if (!s->ordering)
        order_groups(s);
    if (!s->ordered && !insights_merge(run, &s->merge, newest_first, NULL))
        return false;
    s->ordered = true;
    struct insights_value *values = s->results;
    while (s->given < s->n_groups && !run->failed.n) {
        struct insights_group *g = s->timed ? s->merge.items[s->given] : s->groups[s->given];
        insights_new_row(run);
        if (!select_percentiles(run, c, g))
            return false;
        for (size_t k = 0; k < c->n_aggregates; k++)
            values[k] = outcome(run, c->aggregates[k], &g->aggregates[k]);
        for (size_t k = 0; k < c->n_by; k++)
            insights_set(run, c->by[k].slot, g->by[k]);
        run->aggregates = values;
        struct insights_value *results = values + c->n_aggregates;
        for (size_t k = 0; k < c->n_items; k++)
            results[k] = insights_eval(run, c->items[k].expr);
        run->aggregates = NULL;
        for (size_t k = 0; k < c->n_items; k++)
            insights_set(run, c->items[k].slot, results[k]);
        run->event.place = (struct log_place){0, -(int64_t)s->given}; /* equal rows stay in order */
        insights_push(run, stage + 1);
        if (insights_out_of_time(run, ++s->given))
            return false;
    }
    return true;
}

bool insights_stats_free(struct insights_stage *s, size_t n)
{
    const struct insights_command *c = s->command;
    bool values = false, merging = s->timed && s->ordering; /* all of them are in its items then */
    for (size_t k = 0; k < c->n_aggregates; k++)
        values |= c->aggregates[k]->function->aggregate == 'p';
    for (; values && s->freed < s->n_groups && n; s->freed++, n--) {
        struct insights_group *g = merging ? s->merge.items[s->freed] : s->groups[s->freed];
        for (size_t k = 0; k < c->n_aggregates; k++)
            free(g->aggregates[k].values);
    }
    return !values || s->freed == s->n_groups;
}
