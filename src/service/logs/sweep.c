/* sweep - removes events that nobody can see any more: of deleted streams, and beyond their group's
 * retention. In small steps, so that no request waits for it. */
#include "service/logs/record.h"

#define STEP 32 /* a block may be large */

/* Deletes at most *budget of the rows that begin with prefix and stand before `end` (absent: all)
 * and counts them off. True: none is left. */
static bool delete_rows(struct store *store, struct str prefix, struct str end, size_t *budget)
{
    auto_arena struct arena a;
    arena_init(&a);
    while (*budget) {
        struct store_row *rows;
        size_t n, want = *budget < STEP ? *budget : STEP;
        arena_reset(&a);
        if (store_scan(store, prefix, (struct str){0}, want, &a, &rows, &n) < 0)
            return false;
        for (size_t i = 0; i < n; i++) {
            if (str_has(end) && str_cmp(rows[i].key, end) >= 0)
                return true;
            if (store_delete(store, rows[i].key) < 0)
                return false;
            --*budget;
        }
        if (n < want)
            return true;
    }
    return false;
}

/* Events before a time, or all. A block that reaches beyond the time stays whole: who reads knows
 * the retention. */
static bool delete_events(struct store *store, int64_t stream_id, const int64_t *before,
                          size_t *budget, struct arena *a)
{
    struct str single_end = {0}, block_end = {0};
    if (before) {
        single_end = logs_event_time_key(a, stream_id, *before);
        block_end = logs_block_key(a, stream_id, (struct log_place){*before, INT64_MIN});
    }
    return delete_rows(store, logs_event_prefix(a, stream_id), single_end, budget) &&
           delete_rows(store, logs_block_prefix(a, stream_id), block_end, budget);
}

static bool sweep_dead(struct store *store, size_t *budget, struct arena *a)
{
    struct str prefix = store_prefix(a, 1, S("logs-dead"));
    for (;;) {
        struct store_row *rows;
        size_t n;
        if (store_scan(store, prefix, (struct str){0}, 100, a, &rows, &n) < 0)
            return false;
        for (size_t i = 0; i < n; i++) {
            int64_t id;
            if (store_ordered_parse(store_key_part(a, rows[i].key, 1), &id) == 0 &&
                !delete_events(store, id, NULL, budget, a))
                return true;
            if (store_delete(store, rows[i].key) < 0)
                return false;
        }
        if (n < 100)
            return false;
    }
}

static bool sweep_stream(struct store *store, struct store_row *row, int64_t oldest, size_t *budget,
                         struct arena *a)
{
    struct logs_stream_record stream = {0};
    if (wire_json_read(a, row->value, &logs_stream_record_shape, &stream, NULL) < 0 ||
        !stream.first.has || stream.first.is >= oldest)
        return true;
    if (!delete_events(store, stream.id.is, &oldest, budget, a))
        return false;
    /* Its first event is now no older than that: the next sweep passes it by. */
    stream.first = opt_int(oldest);
    if (stream.last.is < oldest)
        stream.first = stream.last = (struct opt_int){0};
    auto_buf struct buf b;
    buf_init(&b, 1 << 20);
    wire_json_write(&b, &logs_stream_record_shape, &stream);
    return buf_failed(&b) || store_put(store, row->key, buf_view(&b)) == 0;
}

static bool sweep_group(struct store *store, const struct logs_group_record *group, int64_t now_ms,
                        size_t *budget, struct arena *a)
{
    struct str prefix = store_prefix(a, 2, S("logs-stream"), store_ordered(a, group->id.is));
    struct str after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        if (store_scan(store, prefix, after, 200, a, &rows, &n) < 0)
            return true;
        for (size_t i = 0; i < n; i++)
            if (!sweep_stream(store, &rows[i], logs_oldest_ms(group, now_ms), budget, a))
                return false;
        if (n < 200)
            return true;
        after = rows[n - 1].key;
    }
}

bool logs_sweep(struct store *store, int64_t now_ms, size_t budget)
{
    auto_arena struct arena a;
    arena_init(&a);
    if (sweep_dead(store, &budget, &a))
        return true;
    struct str prefix = store_prefix(&a, 1, S("logs-group")), after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        if (store_scan(store, prefix, after, 100, &a, &rows, &n) < 0)
            return false;
        for (size_t i = 0; i < n; i++) {
            struct logs_group_record group = {0};
            if (wire_json_read(&a, rows[i].value, &logs_group_record_shape, &group, NULL) == 0 &&
                group.retention.has && !sweep_group(store, &group, now_ms, &budget, &a))
                return true;
        }
        if (n < 100)
            return false;
        after = rows[n - 1].key;
    }
}
