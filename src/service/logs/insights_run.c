/* insights_run - see insights_run.h: the stages of a query, and rows that go through them. */
#include "service/logs/insights_run.h"
#include <stdlib.h>
#include "base/clock.h"
#include "base/mem.h"
#include "service/logs/insights_stage.h"

#define SCRATCH ((size_t)1 << 20)
#define SCRATCH_MAX ((size_t)64 << 20) /* of one event */
#define ROWS_MAX 1000000               /* that unnest makes of one event */
#define FREED_GROUPS 1000              /* at a time, */
#define FREED_BLOCKS 8                 /* and so many blocks of up to 256 KiB */

/* ---- the plan ---- */

static void mark_expr(const struct insights_run *run, const struct insights_expr *e, bool *needed)
{
    if (e->type == INSIGHTS_SLOT) {
        needed[e->slot] = true;
        if (run->bases[e->slot] >= 0)
            needed[run->bases[e->slot]] = true;
    }
    for (size_t i = 0; i < e->n_args; i++)
        mark_expr(run, e->args[i], needed);
}

static void mark_command(const struct insights_run *run, const struct insights_command *c,
                         bool *needed)
{
    if (c->expr)
        mark_expr(run, c->expr, needed);
    for (size_t i = 0; i < c->n_items; i++)
        if (c->items[i].expr)
            mark_expr(run, c->items[i].expr, needed);
    for (size_t i = 0; i < c->n_by; i++)
        mark_expr(run, c->by[i].expr, needed);
}

static const bool *needed_behind(struct insights_run *run, size_t stage)
{
    const struct insights_query *q = run->query;
    bool *needed = ARENA_ARRAY(&run->arena, bool, q->n_slots + 1), stats = false;
    for (size_t i = stage + 1; i < run->n_stages && !stats; i++) {
        mark_command(run, run->stages[i].command, needed);
        stats = run->stages[i].command->type == INSIGHTS_STATS;
    }
    for (size_t i = 0; i < q->n_columns && !stats; i++)
        needed[q->columns[i]] = true;
    return needed;
}

static void add_stage(struct insights_run *run, const struct insights_command *c)
{
    struct insights_stage *s =
        arena_push(&run->arena, (void **)&run->stages, &run->n_stages, &run->cap_stages, sizeof *s);
    *s = (struct insights_stage){.command = c};
}

static struct insights_command *extra(struct insights_run *run, enum insights_command_type type)
{
    struct insights_command *c = &run->extra[run->n_extra++];
    c->type = type;
    return c;
}

/* Events come in the order of their streams: where their order counts, and none is given, it is
 * the newest first. */
static void add_stages(struct insights_run *run, int64_t limit)
{
    const struct insights_query *q = run->query;
    bool ordered = false;
    for (size_t i = 0; i < q->n_commands; i++) {
        const struct insights_command *c = &q->commands[i];
        bool counts = c->type == INSIGHTS_LIMIT || c->type == INSIGHTS_DEDUP;
        if (counts && !ordered)
            add_stage(run, extra(run, INSIGHTS_SORT));
        ordered |= counts || c->type == INSIGHTS_SORT || c->type == INSIGHTS_STATS;
        if (c->type == INSIGHTS_LIMIT)
            limit = INSIGHTS_ROWS_MAX;
        add_stage(run, c);
    }
    if (!ordered)
        add_stage(run, extra(run, INSIGHTS_SORT));
    struct insights_command *last = extra(run, INSIGHTS_LIMIT);
    last->limit = limit;
    add_stage(run, last);
}

static size_t rows_behind(const struct insights_run *run, size_t stage)
{
    for (size_t i = stage + 1; i < run->n_stages; i++) {
        const struct insights_command *c = run->stages[i].command;
        if (c->type == INSIGHTS_LIMIT)
            return (size_t)c->limit;
        if (c->type != INSIGHTS_FIELDS && c->type != INSIGHTS_DISPLAY && c->type != INSIGHTS_PARSE)
            break;
    }
    return 0;
}

/* Slots that commands set; the others are fields of events. */
static bool *defined_slots(struct insights_run *run)
{
    const struct insights_query *q = run->query;
    bool *defined = ARENA_ARRAY(&run->arena, bool, q->n_slots + 1);
    for (size_t i = 0; i < q->n_commands; i++) {
        const struct insights_command *c = &q->commands[i];
        for (size_t k = 0; k < c->n_items; k++) {
            const struct insights_expr *e = c->items[k].expr;
            bool itself = e && e->type == INSIGHTS_SLOT && e->slot == c->items[k].slot;
            if (c->type != INSIGHTS_SORT && c->items[k].slot >= 0 && !itself)
                defined[c->items[k].slot] = true;
        }
        for (size_t k = 0; k < c->n_by; k++)
            defined[c->by[k].slot] = true;
    }
    return defined;
}

static void find_bases(struct insights_run *run)
{
    const struct insights_query *q = run->query;
    const bool *defined = defined_slots(run);
    for (size_t i = 0; i < q->n_slots; i++) {
        run->ids[i] = insights_field_id(q->slots[i]);
        run->bases[i] = -1;
        for (size_t k = 0; k < q->n_slots; k++)
            if (defined[k] && q->slots[k].n < q->slots[i].n &&
                str_starts(q->slots[i], q->slots[k]) && q->slots[i].p[q->slots[k].n] == '.')
                run->bases[i] = (int)k;
    }
}

struct insights_run *insights_run_new(const struct insights_query *q, int64_t now_ms, int64_t limit)
{
    struct insights_run *run = MEM_NEW(struct insights_run);
    run->query = q;
    arena_init(&run->arena);
    arena_init(&run->scratch);
    run->values = ARENA_ARRAY(&run->arena, struct insights_value, q->n_slots + 1);
    run->known = ARENA_ARRAY(&run->arena, uint32_t, q->n_slots + 1);
    run->ids = ARENA_ARRAY(&run->arena, enum insights_field_id, q->n_slots + 1);
    run->bases = ARENA_ARRAY(&run->arena, int, q->n_slots + 1);
    run->generation = 1;
    run->scope = (struct insights_scope){.scratch = &run->scratch, .now_ms = now_ms};
    for (size_t i = 0; i < q->n_regexes; i++)
        regex_speed_up(q->regexes[i]);
    find_bases(run);
    add_stages(run, limit);
    run->first_keeper = run->n_stages;
    for (size_t i = run->n_stages; i-- > 0;) {
        struct insights_stage *s = &run->stages[i];
        s->arena = arena_new();
        s->needed = needed_behind(run, i);
        s->max = s->command->type == INSIGHTS_SORT ? rows_behind(run, i) : 0;
        if (s->command->type >= INSIGHTS_STATS && s->command->type <= INSIGHTS_DEDUP)
            run->first_keeper = i;
    }
    return run;
}

bool insights_run_free_some(struct insights_run *run)
{
    for (size_t i = 0; i < run->n_stages; i++) {
        struct insights_stage *s = &run->stages[i];
        if (s->command->type == INSIGHTS_STATS && !insights_stats_free(s, FREED_GROUPS))
            return false;
        if (s->arena && !arena_done_some(s->arena, FREED_BLOCKS))
            return false;
        arena_free(s->arena);
        s->arena = NULL;
    }
    for (size_t i = 0; i < run->query->n_regexes; i++)
        regex_slow_down(run->query->regexes[i]);
    arena_done(&run->arena);
    arena_done(&run->scratch);
    free(run->hits);
    free(run);
    return true;
}

void insights_run_free(struct insights_run *run)
{
    while (run && !insights_run_free_some(run))
        ;
}

/* ---- rows ---- */

void insights_new_row(struct insights_run *run)
{
    if (++run->generation == 0) {
        memset(run->known, 0, run->query->n_slots * sizeof *run->known);
        run->generation = 1;
    }
    if (run->scratch.used > SCRATCH)
        arena_reset(&run->scratch);
    run->in_event = false;
    run->unnested = 0;
    run->source = NULL;
    run->scope.has_event_ms = false;
}

size_t insights_run_memory(const struct insights_run *run)
{
    size_t used = run->memory + run->arena.used;
    for (size_t i = 0; i < run->n_stages; i++)
        used += run->stages[i].arena->used;
    return used;
}

bool insights_full(struct insights_run *run)
{
    if (insights_run_memory(run) > INSIGHTS_MEMORY && !run->failed.n)
        run->failed = S("The query keeps more in memory than a query may: 256 MiB.");
    return run->failed.n > 0;
}

/* The texts between the stars, each as early as it can be; what is behind the last star is the
 * rest. */
static void parse_glob(struct insights_run *run, const struct insights_command *c, struct str s)
{
    ssize_t at = str_find(s, c->glob[0]);
    size_t n = c->n_items;
    struct str found[64];
    if (at < 0 || n > 64)
        return;
    s = str_slice(s, (size_t)at + c->glob[0].n, s.n);
    for (size_t i = 0; i < n; i++) {
        struct str next = c->glob[i + 1];
        bool rest = i + 1 == n && !next.n;
        at = rest ? (ssize_t)s.n : str_find(s, next);
        if (at < 0)
            return;
        found[i] = str_slice(s, 0, (size_t)at);
        s = str_slice(s, (size_t)at + next.n, s.n);
    }
    for (size_t i = 0; i < n; i++)
        insights_set(run, c->items[i].slot, insights_text(found[i]));
}

static void parse_row(struct insights_run *run, const struct insights_command *c)
{
    struct insights_value v = insights_absent();
    if (c->expr)
        v = insights_eval(run, c->expr);
    else if (run->in_event)
        v = insights_text(run->event.message);
    struct str s = insights_to_text(&run->scratch, &v);
    for (size_t i = 0; i < c->n_items; i++)
        if (c->items[i].slot >= 0)
            insights_set(run, c->items[i].slot, insights_absent());
    if (v.type == INSIGHTS_ABSENT)
        return;
    if (!c->regex) {
        parse_glob(run, c, s);
        return;
    }
    int r = insights_match(run, c->regex, s);
    if (r < 0)
        return;
    const PCRE2_SIZE *spans = pcre2_get_ovector_pointer(c->regex->data);
    for (size_t i = 0; i < c->n_items && i + 1 < (size_t)r; i++) {
        size_t begin = spans[2 * i + 2], end = spans[2 * i + 3];
        if (c->items[i].slot >= 0 && begin != PCRE2_UNSET && end >= begin)
            insights_set(run, c->items[i].slot, insights_text(str_slice(s, begin, end)));
    }
}

static void unnest_row(struct insights_run *run, size_t stage)
{
    const struct insights_command *c = run->stages[stage].command;
    struct insights_value v = insights_eval(run, c->expr);
    if (v.type != INSIGHTS_JSON || v.json->type != JSON_ARRAY) {
        insights_push(run, stage + 1);
        return;
    }
    JSON_EACH(v.json, item) {
        if (++run->unnested > ROWS_MAX)
            run->failed = S("An event becomes more than 1,000,000 rows.");
        if (run->failed.n)
            return;
        insights_set(run, c->items[0].slot, insights_of_json(item));
        insights_push(run, stage + 1);
    }
}

static void put_row(struct insights_run *run)
{
    const struct insights_query *q = run->query;
    struct insights_row *row =
        arena_push(&run->arena, (void **)&run->rows, &run->n_rows, &run->cap_rows, sizeof *row);
    *row = (struct insights_row){0};
    row->cells = ARENA_ARRAY(&run->arena, struct insights_cell, q->n_columns + 1);
    bool pointer = !q->has_stats && run->source;
    for (size_t i = 0; i < q->n_columns; i++) {
        struct insights_value v = insights_slot_value(run, q->columns[i]);
        if (v.type == INSIGHTS_ABSENT)
            continue;
        struct str text = insights_to_text(&run->scratch, &v);
        row->cells[row->n++] =
            (struct insights_cell){q->slots[q->columns[i]], str_copy(&run->arena, text)};
        pointer = pointer && run->ids[q->columns[i]] != FIELD_PTR;
    }
    if (!pointer)
        return;
    struct insights_event e = *run->source;
    e.place = run->event.place;
    row->cells[row->n++] = (struct insights_cell){S("@ptr"), insights_pointer(&run->arena, &e)};
}

static bool row_full(struct insights_run *run)
{
    if (run->scratch.used > SCRATCH_MAX)
        run->failed = S("An event becomes more than 64 MiB.");
    return run->failed.n > 0;
}

static void set_items(struct insights_run *run, const struct insights_command *c)
{
    for (size_t i = 0; i < c->n_items && !row_full(run); i++)
        if (c->items[i].expr->type != INSIGHTS_SLOT || c->items[i].expr->slot != c->items[i].slot)
            insights_set(run, c->items[i].slot, insights_eval(run, c->items[i].expr));
}

static bool is_new(struct insights_run *run, struct insights_stage *s)
{
    struct str key = insights_key(run, s->command->items, s->command->n_items);
    if (insights_seen_find(&s->seen, key))
        return false;
    insights_seen_put(&s->seen, s->arena, key, s);
    return true;
}

void insights_push(struct insights_run *run, size_t stage)
{
    if (row_full(run))
        return;
    if (stage == run->n_stages) {
        put_row(run);
        return;
    }
    struct insights_stage *s = &run->stages[stage];
    const struct insights_command *c = s->command;
    struct insights_value v;
    run->n_matched += stage == run->first_keeper;
    switch (c->type) {
    case INSIGHTS_FIELDS:
    case INSIGHTS_DISPLAY:
        set_items(run, c);
        break;
    case INSIGHTS_FILTER:
        v = insights_eval(run, c->expr);
        if (!insights_true(&v))
            return;
        break;
    case INSIGHTS_PARSE:
        parse_row(run, c);
        break;
    case INSIGHTS_STATS:
        insights_stats_add(run, s);
        return;
    case INSIGHTS_SORT:
        insights_sort_add(run, s);
        return;
    case INSIGHTS_LIMIT:
        if (s->passed++ >= c->limit)
            return;
        break;
    case INSIGHTS_DEDUP:
        if (!is_new(run, s))
            return;
        break;
    case INSIGHTS_UNNEST:
        unnest_row(run, stage);
        return;
    }
    insights_push(run, stage + 1);
}

static void add_event(struct insights_run *run, const struct insights_event *source,
                      const struct log_block *block, size_t i)
{
    insights_new_row(run);
    run->event = *source;
    run->event.place = log_block_place(block, i);
    run->event.message = log_block_message(block, i);
    run->source = source;
    run->in_event = true;
    run->scope.event_ms = run->event.place.time;
    run->scope.has_event_ms = true;
    insights_push(run, 0);
}

void insights_run_events(struct insights_run *run, const struct insights_event *source,
                         const struct log_block *block, size_t from, size_t to)
{
    struct str needle = run->query->needle;
    if (!needle.n) {
        for (size_t i = to; i-- > from && !run->failed.n;)
            add_event(run, source, block, i);
        insights_full(run);
        return;
    }
    size_t n = 0;
    for (size_t i = from; (i = log_block_search(block, i, to, needle)) < to; i++) {
        if (n == run->cap_hits) {
            run->cap_hits = run->cap_hits ? run->cap_hits * 2 : 4096;
            run->hits = mem_realloc(run->hits, run->cap_hits * sizeof *run->hits);
        }
        run->hits[n++] = (uint32_t)i;
    }
    while (n-- > 0 && !run->failed.n)
        add_event(run, source, block, run->hits[n]);
    insights_full(run);
}

bool insights_out_of_time(const struct insights_run *run, size_t i)
{
    return i % 256 == 0 && clock_thread_ns() > run->until_ns;
}

bool insights_run_end(struct insights_run *run, int64_t until_ns)
{
    run->until_ns = until_ns;
    for (; run->ending < run->n_stages && !run->failed.n; run->ending++) {
        enum insights_command_type type = run->stages[run->ending].command->type;
        if (type == INSIGHTS_STATS && !insights_stats_finish(run, run->ending))
            break;
        if (type == INSIGHTS_SORT && !insights_sort_finish(run, run->ending))
            break;
        insights_full(run);
    }
    insights_full(run);
    return run->ending == run->n_stages || run->failed.n;
}

struct str insights_run_finish(struct insights_run *run, const struct insights_row **ret,
                               size_t *ret_n)
{
    insights_run_end(run, INT64_MAX);
    *ret = run->rows;
    *ret_n = run->failed.n ? 0 : run->n_rows;
    return run->failed;
}

bool insights_run_failed(const struct insights_run *run)
{
    return run->failed.n > 0;
}

int64_t insights_run_matched(const struct insights_run *run)
{
    return run->n_matched;
}
