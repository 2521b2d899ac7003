/* request - headers, queries and percent-encoding. */
#include "wire/request.h"
#include <strings.h>

struct str wire_find_header(const struct wire_header *headers, size_t n, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < n; i++) {
        struct str have = headers[i].name;
        if (have.n == length && strncasecmp(have.p, name, length) == 0)
            return headers[i].value.p ? headers[i].value : S("");
    }
    return (struct str){0};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

struct str wire_percent_decode(struct arena *a, struct str s, bool form)
{
    bool plain = true;
    for (size_t i = 0; i < s.n && plain; i++)
        plain = s.p[i] != '%' && (s.p[i] != '+' || !form);
    if (plain)
        return s.p ? s : S("");
    char *out = arena_alloc(a, s.n + 1), *to = out;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%' && i + 2 < s.n && hex_digit(s.p[i + 1]) >= 0 && hex_digit(s.p[i + 2]) >= 0) {
            c = (char)(hex_digit(s.p[i + 1]) << 4 | hex_digit(s.p[i + 2]));
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        *to++ = c;
    }
    return str_of(out, (size_t)(to - out));
}

static bool unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

struct str wire_percent_encode(struct arena *a, struct str s, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t more = 0;
    for (size_t i = 0; i < s.n; i++)
        more += unreserved(s.p[i]) || (s.p[i] == '/' && keep_slash) ? 0 : 2;
    if (!more)
        return s.p ? s : S("");
    char *out = arena_alloc(a, s.n + more + 1), *to = out;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (unreserved(c) || (c == '/' && keep_slash)) {
            *to++ = c;
            continue;
        }
        *to++ = '%';
        *to++ = digits[(uint8_t)c >> 4];
        *to++ = digits[(uint8_t)c & 15];
    }
    return str_of(out, (size_t)(to - out));
}

struct str wire_query_get(struct arena *a, struct str query, struct str name)
{
    struct str rest = query, part, key, value;
    while (rest.n) {
        str_cut(rest, '&', &part, &rest);
        str_cut(part, '=', &key, &value);
        if (str_eq(wire_percent_decode(a, key, true), name))
            return wire_percent_decode(a, value.p ? value : S(""), true);
    }
    return (struct str){0};
}

void wire_headers_add(struct arena *a, struct wire_headers *h, struct str name, struct str value)
{
    struct wire_header *added =
        arena_push(a, (void **)&h->items, &h->n, &h->cap, sizeof(*h->items));
    *added = (struct wire_header){name, value};
}
