/* key - keys of several parts, in the order of their parts. */
#include <errno.h>
#include "store/store.h"

/* 0x00 ends a part; inside of one 0x00 is 0x01 0x01 and 0x01 is 0x01 0x02, which sort as they did.
 */
static size_t part_size(struct str part)
{
    size_t n = part.n;
    for (size_t i = 0; i < part.n; i++)
        n += (uint8_t)part.p[i] <= 1;
    return n;
}

static char *add_part(char *to, struct str part)
{
    for (size_t i = 0; i < part.n; i++) {
        char c = part.p[i];
        if ((uint8_t)c <= 1) {
            *to++ = 1;
            c++;
        }
        *to++ = c;
    }
    return to;
}

static struct str join(struct arena *a, size_t n, va_list parts, bool open)
{
    va_list sizes;
    size_t size = open ? n : n - 1;
    va_copy(sizes, parts);
    for (size_t i = 0; i < n; i++)
        size += part_size(va_arg(sizes, struct str));
    va_end(sizes);
    char *key = arena_alloc(a, size + 1), *to = key;
    for (size_t i = 0; i < n; i++) {
        if (i)
            *to++ = 0;
        to = add_part(to, va_arg(parts, struct str));
    }
    if (open)
        *to = 0;
    return str_of(key, size);
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
    static const char digits[] = "0123456789abcdef";
    uint64_t bits = (uint64_t)v ^ (UINT64_C(1) << 63);
    char *text = arena_alloc(a, 17);
    for (int i = 15; i >= 0; i--, bits >>= 4)
        text[i] = digits[bits & 15];
    return str_of(text, 16);
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
