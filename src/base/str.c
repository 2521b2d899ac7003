/* str - text with a length, passed by value. */
#include "base/str.h"
#include <errno.h>
#include <strings.h>
#include "base/arena.h"
#include "base/format.h"

struct str str_from(const char *c_string)
{
    return (struct str){c_string, c_string ? strlen(c_string) : 0};
}

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool str_is(struct str a, const char *c_string)
{
    return str_eq(a, str_from(c_string));
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int r = n ? memcmp(a.p, b.p, n) : 0;
    if (r)
        return r < 0 ? -1 : 1;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

ssize_t str_find(struct str s, struct str what)
{
    if (what.n == 0)
        return 0;
    if (s.n == 0)
        return -1;
    const char *at = memmem(s.p, s.n, what.p, what.n);
    return at ? at - s.p : -1;
}

ssize_t str_find_byte(struct str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

ssize_t str_find_last_byte(struct str s, char c)
{
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

struct str str_slice(struct str s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return (struct str){s.p ? s.p + from : NULL, to - from};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.n && is_blank(s.p[0]))
        s.p++, s.n--;
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_cut(struct str s, char sep, struct str *ret_head, struct str *ret_rest)
{
    ssize_t at = str_find_byte(s, sep);
    if (at < 0) {
        *ret_head = s;
        *ret_rest = str_slice(s, s.n, s.n);
        return false;
    }
    *ret_head = str_slice(s, 0, (size_t)at);
    *ret_rest = str_slice(s, (size_t)at + 1, s.n);
    return true;
}

int str_to_int64(struct str s, int64_t *ret)
{
    bool negative = s.n && s.p[0] == '-';
    size_t i = negative || (s.n && s.p[0] == '+');
    if (i == s.n)
        return -EINVAL;
    int64_t v = 0; /* counted downwards: INT64_MIN has no positive twin */
    bool over = false;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -EINVAL;
        over = over || __builtin_mul_overflow(v, (int64_t)10, &v) ||
               __builtin_sub_overflow(v, (int64_t)(s.p[i] - '0'), &v);
    }
    if (over || (!negative && v == INT64_MIN))
        return -ERANGE;
    *ret = negative ? v : -v;
    return 0;
}

struct str str_copy(struct arena *a, struct str s)
{
    if (!s.p)
        return s;
    char *p = arena_alloc(a, s.n + 1);
    memcpy(p, s.p, s.n);
    return (struct str){p, s.n};
}

struct str str_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = format_text(small, sizeof(small), fmt, ap);
    if (n < 0)
        abort();
    char *p = arena_alloc(a, (size_t)n + 1);
    if ((size_t)n < sizeof(small))
        memcpy(p, small, (size_t)n);
    else
        format_text(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct str){p, (size_t)n};
}

struct str str_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str s = str_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}

struct str str_join(struct arena *a, struct str sep, const struct str *parts, size_t n)
{
    size_t size = n ? sep.n * (n - 1) : 0;
    for (size_t i = 0; i < n; i++)
        size += parts[i].n;
    char *p = arena_alloc(a, size + 1), *to = p;
    for (size_t i = 0; i < n; i++) {
        if (i && sep.n)
            to = mempcpy(to, sep.p, sep.n);
        if (parts[i].n)
            to = mempcpy(to, parts[i].p, parts[i].n);
    }
    return (struct str){p, size};
}

struct str str_lower(struct arena *a, struct str s)
{
    if (!s.p)
        return s;
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = lower(s.p[i]);
    return (struct str){p, s.n};
}

char *str_c(struct arena *a, struct str s)
{
    if (!s.p)
        return NULL;
    char *p = arena_alloc(a, s.n + 1);
    memcpy(p, s.p, s.n);
    return p;
}
