/* cursor - see cursor.h. */
#include "service/logs/cursor.h"
#include <errno.h>
#include "service/logs/record.h"

#define SINGLES 256
#define FEW 1
#define MANY 32
#define SMALL 4096 /* blocks of that size are read many at a time */

static void source_init(struct log_source *s, struct log_place from, size_t limit)
{
    *s = (struct log_source){.last = from, .limit = limit};
    arena_init(&s->arena);
}

void log_cursor_init(struct log_cursor *c, struct store *store, int64_t stream_id,
                     struct log_place from, bool back)
{
    *c = (struct log_cursor){.store = store, .stream_id = stream_id, .back = back};
    source_init(&c->blocks, from, FEW);
    source_init(&c->singles, from, SINGLES);
}

void log_cursor_done(struct log_cursor *c)
{
    arena_done(&c->blocks.arena);
    arena_done(&c->singles.arena);
}

/* ---- events that stand singly: a batch of them is made a block ---- */

static int read_singles(struct log_cursor *c)
{
    struct log_source *s = &c->singles;
    struct store_row *rows;
    size_t n;
    arena_reset(&s->arena);
    struct str prefix = logs_event_prefix(&s->arena, c->stream_id);
    struct str at = logs_event_key(&s->arena, c->stream_id, s->last.time, s->last.sequence);
    int r = c->back ? store_scan_back(c->store, prefix, at, s->limit, &s->arena, &rows, &n)
                    : store_scan(c->store, prefix, at, s->limit, &s->arena, &rows, &n);
    if (r < 0)
        return r;
    s->over = n < s->limit;
    if (!n)
        return 0;
    struct log_item *items = ARENA_ARRAY(&s->arena, struct log_item, n);
    for (size_t i = 0; i < n; i++) {
        struct log_item *item = &items[c->back ? n - 1 - i : i];
        item->message = rows[i].value;
        r = logs_event_key_parse(&s->arena, rows[i].key, &item->place.time, &item->place.sequence);
        if (r < 0)
            return r;
    }
    s->last = items[c->back ? 0 : n - 1].place;
    r = log_block_parse(log_block_make(&s->arena, items, n), &s->run.block);
    s->run.from = 0;
    s->run.to = n;
    s->open = r == 0;
    return r;
}

/* ---- blocks; their keys have the place of their last event ---- */

static int scan_blocks(struct log_cursor *c)
{
    struct log_source *s = &c->blocks;
    arena_reset(&s->arena);
    s->i = s->n = 0;
    struct str prefix = logs_block_prefix(&s->arena, c->stream_id);
    struct str at = logs_block_key(&s->arena, c->stream_id, s->last);
    int r;
    if (!c->back) {
        r = store_scan(c->store, prefix, at, s->limit, &s->arena, &s->rows, &s->n);
        s->over = s->n < s->limit;
    } else if (!s->begun && s->last.sequence > INT64_MIN) {
        /* The one that has the place inside, if any, ends at or behind it. */
        struct log_place before = {s->last.time, s->last.sequence - 1};
        r = store_scan(c->store, prefix, logs_block_key(&s->arena, c->stream_id, before), 1,
                       &s->arena, &s->rows, &s->n);
    } else if (!s->begun) {
        r = store_scan(c->store, prefix, at, 1, &s->arena, &s->rows, &s->n);
    } else {
        r = store_scan_back(c->store, prefix, at, s->limit, &s->arena, &s->rows, &s->n);
        s->over = s->n < s->limit;
    }
    return r;
}

static int next_block(struct log_cursor *c)
{
    struct log_source *s = &c->blocks;
    while (!s->open) {
        if (s->i == s->n) {
            if (s->over)
                return 0;
            int r = scan_blocks(c);
            if (r < 0)
                return r;
            bool first_back = c->back && !s->begun;
            s->begun = true;
            if (!s->n) {
                s->over = !first_back;
                continue;
            }
            s->limit = s->rows[s->n - 1].value.n < SMALL ? MANY : FEW;
        }
        struct log_block *b = &s->run.block;
        int r = log_block_parse(s->rows[s->i++].value, b);
        if (r < 0)
            return r;
        s->run.from = c->back ? 0 : log_block_find(b, s->last, false);
        s->run.to = c->back ? log_block_find(b, s->last, true) : b->n;
        s->open = s->run.from < s->run.to;
        if (s->open)
            s->last = log_block_place(b, c->back ? s->run.from : s->run.to - 1);
    }
    return 0;
}

/* ---- both ---- */

static struct log_place head_of(const struct log_cursor *c, const struct log_source *s)
{
    return log_block_place(&s->run.block, c->back ? s->run.to - 1 : s->run.from);
}

/* Gives what stands before the head of the other. */
static void cut(struct log_cursor *c, struct log_source *s, struct log_place other,
                struct log_run *ret)
{
    size_t i = log_block_find(&s->run.block, other, false);
    *ret = s->run;
    if (c->back) {
        ret->from = i > s->run.from ? i : s->run.from;
        s->run.to = ret->from;
    } else {
        ret->to = i < s->run.to ? i : s->run.to;
        s->run.from = ret->to;
    }
    s->open = s->run.from < s->run.to;
}

int log_cursor_next(struct log_cursor *c, struct log_run *ret)
{
    struct log_source *s = &c->singles, *b = &c->blocks;
    int r = s->open || s->over ? 0 : read_singles(c);
    if (r == 0 && !b->open)
        r = next_block(c);
    if (r < 0 || (!s->open && !b->open))
        return r;
    bool from_singles = s->open;
    if (s->open && b->open) {
        int cmp = log_place_cmp(head_of(c, s), head_of(c, b));
        from_singles = c->back ? cmp > 0 : cmp < 0;
        cut(c, from_singles ? s : b, head_of(c, from_singles ? b : s), ret);
    } else {
        *ret = from_singles ? s->run : b->run;
        s->open = b->open = false;
    }
    ret->singles = from_singles;
    ret->whole = !b->open || b->run.from == 0;
    return 1;
}
