/* key - keys of several parts, in the order of their parts. */
#include <errno.h>
#include "base/buf.h"
#include "store/store.h"

/* 0x00 ends a part; inside of one 0x00 is 0x01 0x01 and 0x01 is 0x01 0x02, which sort as they did.
 */
static void add_part(struct buf *b, struct str part)
{
    for (size_t i = 0; i < part.n; i++) {
        char c = part.p[i];
        if ((uint8_t)c > 1) {
            buf_byte(b, c);
        } else {
            buf_byte(b, 1);
            buf_byte(b, (char)(c + 1));
        }
    }
}

static struct str join(struct arena *a, size_t n, va_list ap, bool open)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_byte(&b, 0);
        add_part(&b, va_arg(ap, struct str));
    }
    if (open)
        buf_byte(&b, 0);
    return buf_copy(&b, a);
}

struct str store_key(struct arena *a, size_t n, ...)
{
    va_list ap;
    va_start(ap, n);
    struct str key = join(a, n, ap, false);
    va_end(ap);
    return key;
}

struct str store_prefix(struct arena *a, size_t n, ...)
{
    va_list ap;
    va_start(ap, n);
    struct str key = join(a, n, ap, true);
    va_end(ap);
    return key;
}

struct str store_key_part(struct arena *a, struct str key, size_t i)
{
    struct str part;
    bool more = true;
    do {
        if (!more)
            return (struct str){0};
        more = str_cut(key, 0, &part, &key);
    } while (i-- > 0);
    if (str_find_byte(part, 1) < 0)
        return str_has(part) ? part : S("");
    char *p = arena_alloc(a, part.n + 1), *to = p;
    for (size_t at = 0; at < part.n; at++) {
        bool escaped = part.p[at] == 1 && at + 1 < part.n;
        *to++ = escaped ? (char)(part.p[++at] - 1) : part.p[at];
    }
    return str_of(p, (size_t)(to - p));
}

struct str store_ordered(struct arena *a, int64_t v)
{
    return str_printf(a, "%016llx", (unsigned long long)((uint64_t)v ^ (UINT64_C(1) << 63)));
}

int store_ordered_parse(struct str s, int64_t *ret)
{
    uint64_t v = 0;
    if (s.n != 16)
        return -EINVAL;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'f'))
            return -EINVAL;
        v = v << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *ret = (int64_t)(v ^ (UINT64_C(1) << 63));
    return 0;
}
