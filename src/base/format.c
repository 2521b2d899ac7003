/* format - see format.h. */
#include "base/format.h"
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

struct out {
    char *p;
    size_t room, n;
};

static void put(struct out *o, const char *p, size_t n)
{
    if (o->n < o->room) {
        size_t left = o->room - o->n;
        memcpy(o->p + o->n, p, n < left ? n : left);
    }
    o->n += n;
}

/* With zeros in front, up to `width` bytes with the sign. */
static void put_number(struct out *o, uint64_t value, bool negative, bool hex, int width)
{
    char text[32], *end = text + sizeof(text), *p = end;
    do
        *--p = hex ? "0123456789abcdef"[value & 15] : (char)('0' + value % 10);
    while ((value = hex ? value >> 4 : value / 10));
    while (end - p + negative < width)
        *--p = '0';
    if (negative)
        *--p = '-';
    put(o, p, (size_t)(end - p));
}

/* [0WIDTH][z|l|ll](d|u|x), or NULL: another one. */
static const char *convert_number(struct out *o, const char *f, va_list *ap)
{
    _Static_assert(sizeof(long) == sizeof(long long) && sizeof(size_t) == sizeof(long long),
                   "%ld, %zd and %lld are alike");
    int width = 0;
    if (f[0] == '0' && f[1] >= '1' && f[1] <= '9') {
        width = f[1] - '0';
        f += 2;
    }
    bool wide = *f == 'z' || *f == 'l';
    f += wide ? f[0] == 'l' && f[1] == 'l' ? 2 : 1 : 0;
    if (*f == 'd') {
        int64_t v = wide ? va_arg(*ap, long long) : va_arg(*ap, int);
        put_number(o, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0, false, width);
    } else if (*f == 'u' || *f == 'x') {
        uint64_t v = wide ? va_arg(*ap, unsigned long long) : va_arg(*ap, unsigned);
        put_number(o, v, false, *f == 'x', width);
    } else {
        return NULL;
    }
    return f + 1;
}

/* Behind the '%': the first byte behind the conversion, NULL when it is one of libc's. */
static const char *convert(struct out *o, const char *f, va_list *ap)
{
    const char *text;
    int most = -1;
    char byte;
    if (f[0] == '.' && f[1] == '*') {
        if (f[2] != 's')
            return NULL;
        most = va_arg(*ap, int);
        f += 2;
    }
    switch (*f++) {
    case '%':
        put(o, "%", 1);
        return f;
    case 'c':
        byte = (char)va_arg(*ap, int);
        put(o, &byte, 1);
        return f;
    case 's':
        text = va_arg(*ap, const char *);
        if (!text && most != 0)
            return NULL;
        if (most != 0)
            put(o, text, most > 0 ? strnlen(text, (size_t)most) : strlen(text));
        return f;
    default:
        return convert_number(o, f - 1, ap);
    }
}

int format_text(char *to, size_t room, const char *fmt, va_list ap)
{
    struct out o = {.p = to, .room = room ? room - 1 : 0};
    va_list again;
    va_copy(again, ap);
    for (const char *f = fmt; f && *f;) {
        const char *mark = strchrnul(f, '%');
        put(&o, f, (size_t)(mark - f));
        f = *mark ? convert(&o, mark + 1, &again) : mark;
        if (!f) {
            va_end(again);
            return vsnprintf(to, room, fmt, ap);
        }
    }
    va_end(again);
    if (o.n > INT_MAX)
        return -1;
    if (room)
        to[o.n < room ? o.n : room - 1] = 0;
    return (int)o.n;
}
