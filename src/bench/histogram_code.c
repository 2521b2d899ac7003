/* histogram_code - HdrHistogram's V2 compressed text, written and read (histogram.h). */
#include <errno.h>
#include <zlib.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "bench/histogram_layout.h"

#define COOKIE_V2 0x1c849303u
#define COOKIE_V2_COMPRESSED 0x1c849304u
#define COOKIE_WORDS 0xf0u /* these bits tell the width of the counts; V2 writes 0x10 */
#define HEADER_SIZE 40
#define RATIO_ONE UINT64_C(0x3ff0000000000000) /* 1.0 */
#define RATIO_OF_JS UINT64_C(1) /* hdr-histogram-js writes offset and ratio as integers 1 */

static void put_big(struct buf *b, uint64_t v, int bytes)
{
    while (bytes--)
        buf_byte(b, (char)(v >> (8 * bytes)));
}

static uint64_t big(const unsigned char *p, int bytes)
{
    uint64_t v = 0;
    while (bytes--)
        v = v << 8 | *p++;
    return v;
}

/* Seven bits a byte, low ones first; the ninth byte has eight. */
static void put_number(struct buf *b, int64_t value)
{
    uint64_t v = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    for (int i = 0; i < 8 && v >= 0x80; i++) {
        buf_byte(b, (char)(v | 0x80));
        v >>= 7;
    }
    buf_byte(b, (char)v);
}

static int number(const unsigned char **p, const unsigned char *end, int64_t *ret)
{
    uint64_t v = 0;
    for (int i = 0; i < 9; i++) {
        if (*p == end)
            return -EBADMSG;
        uint64_t c = *(*p)++;
        if (i == 8 || c < 0x80) {
            v |= c << (7 * i);
            break;
        }
        v |= (c & 0x7f) << (7 * i);
    }
    *ret = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
    return 0;
}

static void put_counts(struct buf *b, const struct histogram *h)
{
    size_t end = h->n_counts;
    while (end && !h->counts[end - 1])
        end--;
    for (size_t i = 0; i < end;) {
        int64_t zeros = 0;
        while (!h->counts[i + (size_t)zeros])
            zeros++;
        put_number(b, zeros ? -zeros : (int64_t)h->counts[i]);
        i += zeros ? (size_t)zeros : 1;
    }
}

struct str histogram_encode(struct arena *a, const struct histogram *h)
{
    auto_buf struct buf counts, plain, packed;
    buf_init(&counts, SIZE_MAX);
    buf_init(&plain, SIZE_MAX);
    buf_init(&packed, SIZE_MAX);
    put_counts(&counts, h);
    put_big(&plain, COOKIE_V2 | 0x10, 4);
    put_big(&plain, counts.n, 4);
    put_big(&plain, 0, 4);
    put_big(&plain, (uint64_t)h->digits, 4);
    put_big(&plain, (uint64_t)h->lowest, 8);
    put_big(&plain, (uint64_t)h->highest, 8);
    put_big(&plain, RATIO_ONE, 8);
    buf_str(&plain, buf_view(&counts));

    uLongf size = compressBound(plain.n);
    auto_free unsigned char *zip = mem_alloc(size);
    if (compress2(zip, &size, (const unsigned char *)plain.p, plain.n, 9) != Z_OK)
        abort(); /* with room enough, only memory can be missing */
    put_big(&packed, COOKIE_V2_COMPRESSED | 0x10, 4);
    put_big(&packed, size, 4);
    buf_add(&packed, zip, size);
    return base64_encode(a, buf_view(&packed));
}

static int read_counts(struct histogram *h, const unsigned char *p, const unsigned char *end)
{
    size_t i = 0;
    while (p < end) {
        int64_t v;
        int r = number(&p, end, &v);
        if (r < 0)
            return r;
        if (v < 0) {
            if (v < -(int64_t)h->n_counts || (uint64_t)-v > h->n_counts - i)
                return -EBADMSG;
            i += (size_t)-v;
            continue;
        }
        if (i == h->n_counts || h->total > (uint64_t)INT64_MAX - (uint64_t)v)
            return -EBADMSG;
        int64_t low, high;
        h->counts[i] = (uint64_t)v;
        h->total += (uint64_t)v;
        histogram_bucket(h, i++, &low, &high);
        if (!v)
            continue;
        h->min = low < h->min ? low : h->min;
        h->max = high > h->max ? high : h->max;
    }
    return 0;
}

static int read_plain(struct arena *a, const unsigned char *p, size_t n, struct histogram **ret)
{
    if (n < HEADER_SIZE || (big(p, 4) & ~(uint64_t)COOKIE_WORDS) != COOKIE_V2 ||
        big(p + 4, 4) != n - HEADER_SIZE)
        return -EBADMSG;
    uint64_t offset = big(p + 8, 4), ratio = big(p + 32, 8);
    if ((offset || ratio != RATIO_ONE) && (offset != 1 || ratio != RATIO_OF_JS))
        return -EBADMSG; /* shifted counts, or values that are no integers */
    uint64_t digits = big(p + 12, 4), lowest = big(p + 16, 8), highest = big(p + 24, 8);
    if (digits > 5 || lowest > INT64_MAX || highest > INT64_MAX || highest / 2 < lowest)
        return -EBADMSG;
    struct histogram *h = ARENA_NEW(a, struct histogram);
    int r = histogram_layout(h, (int64_t)lowest, (int64_t)highest, (int)digits);
    if (r < 0)
        return r;
    h->counts = ARENA_ARRAY(a, uint64_t, h->n_counts);
    h->min = INT64_MAX;
    r = read_counts(h, p + HEADER_SIZE, p + n);
    if (!r)
        *ret = h;
    return r;
}

int histogram_decode(struct arena *a, struct str base64, struct histogram **ret)
{
    struct str packed;
    if (base64_decode(a, base64, &packed) < 0 || packed.n < 8)
        return -EBADMSG;
    const unsigned char *p = (const unsigned char *)packed.p;
    uint64_t cookie = big(p, 4) & ~(uint64_t)COOKIE_WORDS;
    if (cookie != COOKIE_V2_COMPRESSED)
        return cookie == 0x1c849302 || cookie == 0x1c849309 ? -ENOTSUP : -EBADMSG;
    if (big(p + 4, 4) != packed.n - 8)
        return -EBADMSG;
    /* Each count takes at most nine bytes: nothing longer can be one of these. */
    uLongf size = HEADER_SIZE + 9 * HISTOGRAM_BUCKETS_MAX;
    auto_free unsigned char *plain = mem_alloc(size);
    if (uncompress(plain, &size, p + 8, packed.n - 8) != Z_OK)
        return -EBADMSG;
    return read_plain(a, plain, size, ret);
}
