/* str - text with a length, passed by value.
 *
 * A str never owns its bytes; whoever made them says how long they live (mostly an arena).
 * p == NULL means "absent", which differs from "" (p set, n 0). Bytes are not NUL-terminated. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include "base/banned.h"

struct arena;

struct str {
    const char *p;
    size_t n;
};

/* A string literal as a str; usable in initialisers. */
#define S(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define S_INIT(literal)                                                                            \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
/* For printf-like functions: printf("%.*s", STR(name)). */
#define STR(s) (int)(s).n, (s).p

struct str str_from(const char *c_string); /* NULL gives the absent str */
static inline struct str str_of(const char *p, size_t n)
{
    return (struct str){p, n};
}
static inline bool str_has(struct str s)
{
    return s.p != NULL;
}

bool str_eq(struct str a, struct str b); /* absent equals empty */
bool str_eq_nocase(struct str a, struct str b);
bool str_is(struct str a, const char *c_string);
int str_cmp(struct str a, struct str b); /* as memcmp, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Position of the first match, or -1. */
ssize_t str_find(struct str s, struct str what);
ssize_t str_find_byte(struct str s, char c);
ssize_t str_find_last_byte(struct str s, char c);

struct str str_slice(struct str s, size_t from, size_t to); /* clipped to s */
struct str str_trim(struct str s);                          /* blanks, tabs and line ends */

/* Splits at the first sep: head before it, rest after it. Without one: false, head = s, rest empty.
 */
bool str_cut(struct str s, char sep, struct str *ret_head, struct str *ret_rest);

int str_to_int64(struct str s, int64_t *ret); /* decimal, whole string; -EINVAL, -ERANGE */

/* Copies that live as long as the arena. Each is NUL-terminated beyond n, so .p may go to libc. */
struct str str_copy(struct arena *a, struct str s);
struct str str_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str str_vprintf(struct arena *a, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
struct str str_join(struct arena *a, struct str sep, const struct str *parts, size_t n);
struct str str_lower(struct arena *a, struct str s); /* ASCII only */
char *str_c(struct arena *a, struct str s);          /* NUL-terminated copy; NULL when absent */
