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

static void put_number(struct out *o, uint64_t value, bool negative)
{
    char text[24], *p = text + sizeof(text);
    do
        *--p = (char)('0' + value % 10);
    while (value /= 10);
    if (negative)
        *--p = '-';
    put(o, p, (size_t)(text + sizeof(text) - p));
}

static void put_signed(struct out *o, int64_t value)
{
    put_number(o, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
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
    case 'd':
        put_signed(o, va_arg(*ap, int));
        return f;
    case 'u':
        put_number(o, va_arg(*ap, unsigned), false);
        return f;
    case 'z':
        if (*f != 'u' && *f != 'd')
            return NULL;
        *f == 'u' ? put_number(o, va_arg(*ap, size_t), false) : put_signed(o, va_arg(*ap, ssize_t));
        return f + 1;
    case 'l':; /* clang wants a statement here */
        _Static_assert(sizeof(long) == sizeof(long long), "%ld and %lld are alike");
        f += *f == 'l';
        if (*f != 'u' && *f != 'd')
            return NULL;
        *f == 'u' ? put_number(o, va_arg(*ap, unsigned long long), false)
                  : put_signed(o, va_arg(*ap, long long));
        return f + 1;
    default:
        return NULL;
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
