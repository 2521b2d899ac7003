/* insights_sort - keeps rows and gives them on in order; of many, when a limit follows, only those
 * that pass it. */
#include "base/mem.h"
#include "service/logs/insights_stage.h"

/* Does x come behind y? Equal rows: the older event. */
static int kept_cmp(struct arena *scratch, const struct insights_command *c,
                    const struct insights_kept *x, const struct insights_kept *y)
{
    for (size_t i = 0; i < c->n_items; i++) {
        int cmp = insights_order(scratch, &x->keys[i], &y->keys[i]);
        if (cmp)
            return c->items[i].down ? -cmp : cmp;
    }
    return -log_place_cmp(x->place, y->place);
}

static void sink(struct insights_run *run, struct insights_stage *s, size_t i)
{
    for (;;) {
        size_t worst = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->n_kept; child++)
            if (kept_cmp(&run->scratch, s->command, s->kept[child], s->kept[worst]) > 0)
                worst = child;
        if (worst == i)
            return;
        struct insights_kept *x = s->kept[i];
        s->kept[i] = s->kept[worst];
        s->kept[worst] = x;
        i = worst;
    }
}

static void rise(struct insights_run *run, struct insights_stage *s, size_t i)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (kept_cmp(&run->scratch, s->command, s->kept[i], s->kept[parent]) <= 0)
            return;
        struct insights_kept *x = s->kept[i];
        s->kept[i] = s->kept[parent];
        s->kept[parent] = x;
        i = parent;
    }
}

static void copy_kept(struct insights_run *run, struct insights_stage *s, struct arena *a,
                      struct insights_kept *to, const struct insights_kept *from)
{
    size_t n = run->query->n_slots, n_keys = s->command->n_items;
    *to = *from;
    to->values = ARENA_ARRAY(a, struct insights_value, n);
    to->keys = ARENA_ARRAY(a, struct insights_value, n_keys + 1);
    for (size_t i = 0; i < n; i++)
        if (s->needed[i])
            to->values[i] = insights_keep(a, &from->values[i]);
    for (size_t i = 0; i < n_keys; i++)
        to->keys[i] = insights_keep(a, &from->keys[i]);
}

/* Rows that were thrown out have left their texts: what lives moves into an arena of its own. */
static void tidy(struct insights_run *run, struct insights_stage *s)
{
    if (!s->max || s->arena->used < (4u << 20) || s->arena->used < 3 * s->live)
        return;
    struct arena *fresh = arena_new();
    struct insights_kept **kept = ARENA_ARRAY(fresh, struct insights_kept *, s->max + 1);
    for (size_t i = 0; i < s->n_kept; i++) {
        kept[i] = ARENA_NEW(fresh, struct insights_kept);
        copy_kept(run, s, fresh, kept[i], s->kept[i]);
    }
    arena_free(s->arena);
    s->arena = fresh;
    s->kept = kept;
    s->cap_kept = s->max + 1;
    s->live = fresh->used;
}

void insights_sort_add(struct insights_run *run, struct insights_stage *s)
{
    const struct insights_command *c = s->command;
    struct insights_value few[8], *keys = few;
    if (c->n_items > 8)
        keys = ARENA_ARRAY(&run->scratch, struct insights_value, c->n_items);
    for (size_t i = 0; i < c->n_items; i++)
        keys[i] = insights_eval(run, c->items[i].expr);
    struct insights_kept row = {.keys = keys, .place = run->event.place, .source = run->source};
    bool full = s->max && s->n_kept == s->max;
    if (full && kept_cmp(&run->scratch, c, &row, s->kept[0]) >= 0)
        return;
    row.values = ARENA_ARRAY(&run->scratch, struct insights_value, run->query->n_slots);
    for (size_t i = 0; i < run->query->n_slots; i++)
        if (s->needed[i])
            row.values[i] = insights_slot_value(run, (int)i);
    if (full) {
        copy_kept(run, s, s->arena, s->kept[0], &row);
        sink(run, s, 0);
        tidy(run, s);
        return;
    }
    struct insights_kept *kept = ARENA_NEW(s->arena, struct insights_kept);
    copy_kept(run, s, s->arena, kept, &row);
    *(struct insights_kept **)arena_push(s->arena, (void **)&s->kept, &s->n_kept, &s->cap_kept,
                                         sizeof kept) = kept;
    s->live = s->arena->used;
    if (s->max)
        rise(run, s, s->n_kept - 1);
}

struct comparison {
    struct arena *scratch;
    const struct insights_command *command;
};

static int by_keys(const void *x, const void *y, void *user)
{
    const struct comparison *c = user;
    if (c->scratch->used > 1 << 20)
        arena_reset(c->scratch);
    return kept_cmp(c->scratch, c->command, x, y);
}

void insights_merge_begin(struct insights_merge *m, struct arena *a, void **items, size_t n)
{
    *m = (struct insights_merge){.items = items, .n = n, .width = 1};
    m->spare = ARENA_ARRAY(a, void *, n + 1);
}

bool insights_merge(const struct insights_run *run, struct insights_merge *m,
                    int (*cmp)(const void *x, const void *y, void *user), void *user)
{
    for (; m->width < m->n; m->width *= 2) {
        for (; m->begin < m->n; m->begin = m->k, m->merging = false) {
            size_t mid = m->begin + m->width < m->n ? m->begin + m->width : m->n;
            size_t end = mid + m->width < m->n ? mid + m->width : m->n;
            if (!m->merging) {
                m->i = m->k = m->begin;
                m->j = mid;
                m->merging = true;
            }
            while (m->k < end) {
                bool left =
                    m->i < mid && (m->j == end || cmp(m->items[m->i], m->items[m->j], user) <= 0);
                m->spare[m->k++] = m->items[left ? m->i++ : m->j++];
                if (insights_out_of_time(run, m->k))
                    return false;
            }
        }
        void **sorted = m->spare;
        m->spare = m->items;
        m->items = sorted;
        m->begin = 0;
    }
    return true;
}

bool insights_sort_finish(struct insights_run *run, size_t stage)
{
    struct insights_stage *s = &run->stages[stage];
    struct comparison c = {&run->scratch, s->command};
    if (!s->ordering)
        insights_merge_begin(&s->merge, s->arena, (void **)s->kept, s->n_kept);
    s->ordering = true;
    if (!s->ordered && !insights_merge(run, &s->merge, by_keys, &c))
        return false;
    s->ordered = true;
    while (s->given < s->n_kept && !run->failed.n) {
        const struct insights_kept *row = s->merge.items[s->given];
        insights_new_row(run);
        run->event.place = row->place;
        run->source = row->source;
        run->scope.event_ms = row->place.time; /* for bin() */
        run->scope.has_event_ms = row->source != NULL;
        for (size_t k = 0; k < run->query->n_slots; k++)
            if (s->needed[k])
                insights_set(run, (int)k, row->values[k]);
        insights_push(run, stage + 1);
        if (insights_out_of_time(run, ++s->given))
            return false;
    }
    return true;
}
