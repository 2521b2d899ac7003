/* buf - bytes being written, with a limit given at creation. */
#include "base/buf.h"
#include "base/arena.h"
#include "base/format.h"
#include "base/mem.h"

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

char *buf_room(struct buf *b, size_t n)
{
    if (b->failed || n > b->max || b->n > b->max - n) {
        b->failed = true;
        return NULL;
    }
    if (n > b->cap - b->n) {
        size_t cap = b->cap ? b->cap * 2 : 256;
        if (cap < b->n + n)
            cap = b->n + n;
        if (cap > b->max)
            cap = b->max;
        b->p = mem_realloc(b->p, cap);
        b->cap = cap;
    }
    return b->p ? b->p + b->n : NULL;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    char *to = buf_room(b, n);
    if (!to)
        return;
    memcpy(to, p, n);
    b->n += n;
}

void buf_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_markup(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '<')
            buf_text(b, "&lt;");
        else if (c == '>')
            buf_text(b, "&gt;");
        else if (c == '&')
            buf_text(b, "&amp;");
        else if (c == '"')
            buf_text(b, "&quot;");
        else if (c == '\n')
            buf_text(b, "&#10;");
        else
            buf_byte(b, c < ' ' || c == 0x7f ? ' ' : (char)c);
    }
}

void buf_text(struct buf *b, const char *c_string)
{
    buf_add(b, c_string, strlen(c_string));
}

void buf_byte(struct buf *b, char c)
{
    if (b->n < b->cap && !b->failed)
        b->p[b->n++] = c;
    else
        buf_add(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = format_text(small, sizeof(small), fmt, ap);
    if (n < 0)
        abort();
    if ((size_t)n < sizeof(small)) {
        buf_add(b, small, (size_t)n);
    } else {
        /* vsnprintf ends with a NUL, for which the limit need not have room. */
        char *p = mem_alloc((size_t)n + 1);
        format_text(p, (size_t)n + 1, fmt, again);
        buf_add(b, p, (size_t)n);
        free(p);
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_int(struct buf *b, int64_t v)
{
    char text[24], *p = text + sizeof(text);
    uint64_t left = v < 0 ? -(uint64_t)v : (uint64_t)v;
    do
        *--p = (char)('0' + left % 10);
    while (left /= 10);
    if (v < 0)
        *--p = '-';
    buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void buf_drop(struct buf *b, size_t n)
{
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    if (n)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

struct str buf_copy(const struct buf *b, struct arena *a)
{
    return str_copy(a, buf_view(b));
}
