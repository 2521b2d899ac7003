/* block - events of one stream as one value of the store: what a call brought, and later what
 * several brought.
 *
 *     "LB1" 0, n                      4 bytes and a u32
 *     n times: time, sequence, end    i64, i64, u32; little endian; end: of its message in the text
 *     text                            the messages, one behind the other
 *
 * An index before the text: a search runs over the whole text at once, and the index says in whose
 * message it has found something. Pure; may use base/. */
#pragma once
#include <string.h>
#include "base/arena.h"
#include "base/str.h"

/* Orders the events of all streams: no two have the same. */
struct log_place {
    int64_t time, sequence;
};

struct log_item {
    struct log_place place;
    struct str message;
};

struct log_block {
    size_t n; /* never 0 when it was parsed */
    const char *index;
    struct str text;
};

#define LOG_BLOCK_HEAD 8
#define LOG_BLOCK_ENTRY 20

/* Items in the order of their places. */
struct str log_block_make(struct arena *a, const struct log_item *items, size_t n);
/* -EBADMSG when it is damaged. The block points into bytes. */
int log_block_parse(struct str bytes, struct log_block *ret);

static inline int log_place_cmp(struct log_place x, struct log_place y)
{
    if (x.time != y.time)
        return x.time < y.time ? -1 : 1;
    return x.sequence < y.sequence ? -1 : x.sequence > y.sequence;
}
static inline struct log_place log_block_place(const struct log_block *b, size_t i)
{
    struct log_place place;
    memcpy(&place, b->index + i * LOG_BLOCK_ENTRY, sizeof place);
    return place;
}
/* Where message i ends in the text; it begins where the one before ends. */
static inline size_t log_block_end(const struct log_block *b, size_t i)
{
    uint32_t end;
    memcpy(&end, b->index + i * LOG_BLOCK_ENTRY + 16, sizeof end);
    return end;
}
static inline size_t log_block_begin(const struct log_block *b, size_t i)
{
    return i ? log_block_end(b, i - 1) : 0;
}
static inline struct str log_block_message(const struct log_block *b, size_t i)
{
    size_t begin = log_block_begin(b, i);
    return str_of(b->text.p + begin, log_block_end(b, i) - begin);
}
/* The first event behind (or, at: true, at or behind) a place; n when there is none. */
size_t log_block_find(const struct log_block *b, struct log_place place, bool at);
/* Whose message has the byte at that offset of the text; which is smaller than text.n. */
size_t log_block_at(const struct log_block *b, size_t offset);
/* The first event of [from, to) whose message has the needle; to when there is none. */
size_t log_block_search(const struct log_block *b, size_t from, size_t to, struct str needle);
