/* pack - see pack.h. */
#include "service/logs/pack.h"
#include <errno.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/logs/cursor.h"
#include "service/logs/record.h"

#define FULL (128 * 1024) /* a block of that size is not joined with others */
#define EVENTS 4096
#define WORTH 8       /* so many blocks are worth the writing */
#define WAITING 256   /* streams that are known to have small blocks; others wait for a restart */
#define QUIET_MS 2000 /* a stream is left alone so long after it was written to */
#define MANY 1024     /* blocks are joined all the same */
#define SINGLES 512   /* at a time: each is a row to be deleted */
#define LOOK 100
#define SOON_MS 20
#define LATER_MS 1000

struct waiting {
    int64_t stream_id, noted_ms;
    unsigned n;
    struct log_place at;
};

struct logs_pack {
    struct waiting waiting[WAITING];
    size_t n;
    bool looked; /* at all streams that there were at the start */
    struct arena arena;
    struct str after; /* the stream looked at last */
};

struct logs_pack *logs_pack_new(void)
{
    struct logs_pack *p = MEM_NEW(struct logs_pack);
    arena_init(&p->arena);
    return p;
}

void logs_pack_free(struct logs_pack *p)
{
    if (!p)
        return;
    arena_done(&p->arena);
    free(p);
}

static void on_pack(uv_timer_t *timer);

static struct waiting *note(struct logs_pack *p, int64_t stream_id)
{
    for (size_t i = p->n; i-- > 0;)
        if (p->waiting[i].stream_id == stream_id)
            return &p->waiting[i];
    if (p->n == WAITING)
        return NULL;
    struct waiting *w = &p->waiting[p->n++];
    *w = (struct waiting){.stream_id = stream_id, .at = {INT64_MIN, INT64_MIN}};
    return w;
}

void logs_pack_note(struct logs_state *state, int64_t stream_id, int64_t now_ms)
{
    struct logs_pack *p = state->pack;
    struct waiting *w = note(p, stream_id);
    if (!w) { /* the one with the fewest makes room: it gets its turn when it is written to again */
        w = &p->waiting[0];
        for (size_t i = 1; i < p->n; i++)
            if (p->waiting[i].n < w->n)
                w = &p->waiting[i];
        *w = (struct waiting){.stream_id = stream_id, .at = {INT64_MIN, INT64_MIN}};
    }
    w->n++;
    w->noted_ms = now_ms;
    if (w->n >= WORTH && !uv_is_active((uv_handle_t *)&state->packer))
        uv_timer_start(&state->packer, on_pack, LATER_MS, 0);
}

/* ---- one stream ---- */

struct joined {
    struct log_item *items;
    size_t n, cap;
    size_t bytes, largest;
    size_t n_runs, n_singles;
};

static void join(struct arena *a, struct joined *j, const struct log_run *run)
{
    size_t bytes = 0;
    for (size_t i = run->from; i < run->to; i++) {
        struct log_item *item =
            arena_push(a, (void **)&j->items, &j->n, &j->cap, sizeof(struct log_item));
        item->place = log_block_place(&run->block, i);
        item->message = str_copy(a, log_block_message(&run->block, i));
        bytes += item->message.n + LOG_BLOCK_ENTRY;
    }
    j->n_runs++;
    j->n_singles += run->singles ? run->to - run->from : 0;
    j->bytes += bytes;
    if (bytes > j->largest)
        j->largest = bytes;
}

static int delete_up_to(struct store *store, struct str prefix, struct str from, struct str to,
                        struct arena *a, size_t *ret_n)
{
    struct store_row *rows;
    size_t n;
    do {
        int r = store_scan(store, prefix, from, 64, a, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            if (str_cmp(rows[i].key, to) > 0)
                return 0;
            r = store_delete(store, rows[i].key);
            ++*ret_n;
        }
        if (r < 0)
            return r;
    } while (n == 64);
    return 0;
}

/* What stands in (from, last] is now one block. */
static int replace(struct store *store, int64_t stream_id, struct log_place from,
                   const struct joined *j, struct arena *a)
{
    struct log_place last = j->items[j->n - 1].place;
    size_t n = 0;
    int r = delete_up_to(store, logs_block_prefix(a, stream_id), logs_block_key(a, stream_id, from),
                         logs_block_key(a, stream_id, last), a, &n);
    if (r == 0)
        r = delete_up_to(store, logs_event_prefix(a, stream_id),
                         logs_event_key(a, stream_id, from.time, from.sequence),
                         logs_event_key(a, stream_id, last.time, last.sequence), a, &n);
    return r < 0 ? r
                 : store_put(store, logs_block_key(a, stream_id, last),
                             log_block_make(a, j->items, j->n));
}

int logs_pack_stream(struct store *store, int64_t stream_id, struct log_place *at, bool *ret_more)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct joined j = {0};
    struct log_cursor cursor;
    log_cursor_init(&cursor, store, stream_id, *at, false);
    struct log_run run;
    bool whole = true;
    int r;
    while ((r = log_cursor_next(&cursor, &run)) > 0) {
        if (whole && j.n &&
            (j.bytes + run.block.text.n > FULL || j.n + run.block.n > EVENTS ||
             j.n_singles > SINGLES))
            break;
        join(&a, &j, &run);
        whole = run.whole;
    }
    log_cursor_done(&cursor);
    if (r < 0)
        return r;
    *ret_more = r > 0;
    bool worth = j.n_singles || (j.n_runs >= WORTH && j.bytes >= 2 * j.largest);
    r = worth ? replace(store, stream_id, *at, &j, &a) : 0;
    /* What is last is looked at again when there is more. */
    if (r == 0 && *ret_more)
        *at = j.items[j.n - 1].place;
    return r;
}

/* ---- all streams ---- */

static bool has_small(struct store *store, int64_t stream_id, struct arena *a)
{
    struct store_row *rows;
    size_t n, bytes = 0;
    if (store_scan(store, logs_event_prefix(a, stream_id), (struct str){0}, 1, a, &rows, &n) < 0)
        return false;
    if (n)
        return true;
    if (store_scan_back(store, logs_block_prefix(a, stream_id), (struct str){0}, WORTH, a, &rows,
                        &n) < 0)
        return false;
    for (size_t i = 0; i < n; i++)
        bytes += rows[i].value.n;
    return n == WORTH && bytes < FULL / 2;
}

/* The streams of the start, some at a time. */
static int look(struct logs_state *state)
{
    struct logs_pack *p = state->pack;
    auto_arena struct arena a;
    arena_init(&a);
    struct store_row *rows;
    size_t n;
    int r = store_scan(state->store, store_prefix(&a, 1, S("logs-stream")), p->after, LOOK, &a,
                       &rows, &n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n && p->n < WAITING; i++) {
        struct logs_stream_record stream = {0};
        r = wire_json_read(&a, rows[i].value, &logs_stream_record_shape, &stream, NULL);
        if (r == 0 && has_small(state->store, stream.id.is, &a)) {
            struct waiting *w = note(p, stream.id.is);
            w->n = MANY;
        }
        arena_reset(&p->arena);
        p->after = str_copy(&p->arena, rows[i].key);
    }
    p->looked = n < LOOK && p->n < WAITING;
    return 0;
}

static struct waiting *choose(struct logs_pack *p, int64_t now_ms)
{
    struct waiting *best = NULL;
    for (size_t i = 0; i < p->n; i++) {
        struct waiting *w = &p->waiting[i];
        if (w->n >= MANY || (w->n >= WORTH && now_ms - w->noted_ms >= QUIET_MS))
            best = best && best->n > w->n ? best : w;
    }
    return best;
}

/* Whether some stream is worth it, but is still being written to. */
static bool comes(const struct logs_pack *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->waiting[i].n >= WORTH)
            return true;
    return false;
}

/* Some work. */
static int pack_some(struct logs_state *state, int64_t now_ms)
{
    struct logs_pack *p = state->pack;
    int r = p->looked || p->n == WAITING ? 0 : look(state);
    if (r < 0)
        return r;
    struct waiting *w = choose(p, now_ms);
    if (w) {
        bool more = false;
        r = logs_pack_stream(state->store, w->stream_id, &w->at, &more);
        if (r < 0 || !more) /* what is damaged is left as it is */
            *w = p->waiting[--p->n];
    }
    return r;
}

/* Goes on until there is nothing to do: an idle daemon does not wake up. */
static void on_pack(uv_timer_t *timer)
{
    struct logs_state *state = timer->data;
    const struct logs_pack *p = state->pack;
    int64_t now_ms = clock_now_ms();
    int r = state->n_readers ? 0 : pack_some(state, now_ms);
    if (r < 0)
        log_debug("logs: blocks are not joined: %s", strerror(-r));
    bool looks = !p->looked && p->n < WAITING;
    if (r == 0 && !state->n_readers && (looks || choose(state->pack, now_ms)))
        uv_timer_start(timer, on_pack, SOON_MS, 0);
    else if (looks || comes(p))
        uv_timer_start(timer, on_pack, LATER_MS, 0);
}

void logs_pack_start(struct logs_state *state)
{
    uv_timer_start(&state->packer, on_pack, LATER_MS, 0);
}
