/* block - see block.h. */
#include "service/logs/block.h"
#include <errno.h>

static const char magic[4] = {'L', 'B', '1', 0};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they are");
_Static_assert(sizeof(struct log_place) == 16, "an entry begins with its place");

struct str log_block_make(struct arena *a, const struct log_item *items, size_t n)
{
    size_t text = 0, head = LOG_BLOCK_HEAD + n * LOG_BLOCK_ENTRY;
    for (size_t i = 0; i < n; i++)
        text += items[i].message.n;
    char *p = arena_alloc(a, head + text + 1);
    uint32_t count = (uint32_t)n, end = 0;
    memcpy(p, magic, sizeof magic);
    memcpy(p + 4, &count, sizeof count);
    for (size_t i = 0; i < n; i++) {
        char *entry = p + LOG_BLOCK_HEAD + i * LOG_BLOCK_ENTRY;
        if (items[i].message.n)
            memcpy(p + head + end, items[i].message.p, items[i].message.n);
        end += (uint32_t)items[i].message.n;
        memcpy(entry, &items[i].place, sizeof items[i].place);
        memcpy(entry + 16, &end, sizeof end);
    }
    return str_of(p, head + text);
}

int log_block_parse(struct str bytes, struct log_block *ret)
{
    uint32_t n;
    if (bytes.n < LOG_BLOCK_HEAD || memcmp(bytes.p, magic, sizeof magic) != 0)
        return -EBADMSG;
    memcpy(&n, bytes.p + 4, sizeof n);
    if (!n || (bytes.n - LOG_BLOCK_HEAD) / LOG_BLOCK_ENTRY < n)
        return -EBADMSG;
    size_t head = LOG_BLOCK_HEAD + (size_t)n * LOG_BLOCK_ENTRY;
    struct log_block b = {
        .n = n, .index = bytes.p + LOG_BLOCK_HEAD, .text = str_of(bytes.p + head, bytes.n - head)};
    for (size_t i = 0; i < n; i++) {
        if (log_block_end(&b, i) < log_block_begin(&b, i) ||
            (i && log_place_cmp(log_block_place(&b, i - 1), log_block_place(&b, i)) >= 0))
            return -EBADMSG;
    }
    if (log_block_end(&b, n - 1) != b.text.n)
        return -EBADMSG;
    *ret = b;
    return 0;
}

size_t log_block_find(const struct log_block *b, struct log_place place, bool at)
{
    size_t low = 0, high = b->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int cmp = log_place_cmp(log_block_place(b, middle), place);
        if (cmp < 0 || (cmp == 0 && !at))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t log_block_at(const struct log_block *b, size_t offset)
{
    size_t low = 0, high = b->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log_block_end(b, middle) <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t log_block_search(const struct log_block *b, size_t from, size_t to, struct str needle)
{
    if (from >= to)
        return to;
    size_t at = log_block_begin(b, from), end = log_block_end(b, to - 1);
    while (end - at >= needle.n) {
        const char *hit = memmem(b->text.p + at, end - at, needle.p, needle.n);
        if (!hit)
            break;
        size_t offset = (size_t)(hit - b->text.p), i = log_block_at(b, offset);
        if (offset + needle.n <= log_block_end(b, i))
            return i;
        at = log_block_end(b, i); /* it reached into the next message */
    }
    return to;
}
