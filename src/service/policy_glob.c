/* policy_glob - wildcards and variables of policies. */
#include <ctype.h>
#include "base/buf.h"
#include "service/policy_document.h"

/* In expanded patterns the byte after this one stands for itself. */
#define LITERAL '\x01'

static int fold(char c, bool ignore_case)
{
    return ignore_case ? tolower((unsigned char)c) : (unsigned char)c;
}

/* One step of the pattern at *i: its byte, and whether it is a wildcard. */
static char glob_byte(struct str pattern, size_t i, bool escapes, size_t *ret_width, bool *ret_wild)
{
    if (escapes && pattern.p[i] == LITERAL && i + 1 < pattern.n) {
        *ret_width = 2;
        *ret_wild = false;
        return pattern.p[i + 1];
    }
    *ret_width = 1;
    *ret_wild = pattern.p[i] == '*' || pattern.p[i] == '?';
    return pattern.p[i];
}

/* Greedy with one way back: only the last '*' ever has to give ground. */
static bool glob(struct str pattern, struct str text, bool ignore_case, bool escapes)
{
    size_t i = 0, j = 0, star_i = SIZE_MAX, star_j = 0;
    while (j < text.n) {
        size_t width;
        bool wild;
        if (i < pattern.n) {
            char c = glob_byte(pattern, i, escapes, &width, &wild);
            if (wild && c == '*') {
                star_i = i += width;
                star_j = j;
                continue;
            }
            if (wild || fold(c, ignore_case) == fold(text.p[j], ignore_case)) {
                i += width;
                j++;
                continue;
            }
        }
        if (star_i == SIZE_MAX)
            return false;
        i = star_i;
        j = ++star_j;
    }
    while (i < pattern.n && pattern.p[i] == '*')
        i++;
    return i == pattern.n;
}

bool policy_glob(struct str pattern, struct str text, bool ignore_case)
{
    return glob(pattern, text, ignore_case, false);
}

bool policy_glob_expanded(struct str pattern, struct str text, bool ignore_case)
{
    return glob(pattern, text, ignore_case, true);
}

bool policy_glob_arn(struct str pattern, struct str text)
{
    struct str p = pattern, t = text;
    for (int part = 0; part < 5; part++) {
        struct str p_head, t_head;
        if (!str_cut(p, ':', &p_head, &p) || !str_cut(t, ':', &t_head, &t))
            return str_ends(pattern, S("*")) && /* no whole ARN: "*", "arn:aws:s3*" */
                   glob(pattern, text, false, true);
        if (!glob(p_head, t_head, false, true))
            return false;
    }
    return glob(p, t, false, true);
}

static void add_literal(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        buf_byte(b, LITERAL);
        buf_byte(b, s.p[i]);
    }
}

/* name is what stands between the braces: aws:username, aws:username, 'default', *, ?, $ */
static bool add_variable(struct buf *b, struct str name, const struct policy_request *r)
{
    name = str_trim(name);
    if (name.n == 1 && strchr("*?$", name.p[0])) {
        add_literal(b, name);
        return true;
    }
    struct str fallback = {0};
    ssize_t comma = str_find_byte(name, ',');
    if (comma >= 0) {
        fallback = str_trim(str_slice(name, (size_t)comma + 1, name.n));
        name = str_trim(str_slice(name, 0, (size_t)comma));
        if (fallback.n >= 2 && fallback.p[0] == '\'' && fallback.p[fallback.n - 1] == '\'')
            fallback = str_slice(fallback, 1, fallback.n - 1);
        else
            fallback = (struct str){0};
    }
    struct policy_values values = {0};
    if (r->lookup && r->lookup(r->user, r->arena, name, &values) && values.n == 1) {
        add_literal(b, values.items[0]);
        return true;
    }
    if (!str_has(fallback))
        return false;
    add_literal(b, fallback);
    return true;
}

struct str policy_expand(const struct policy *p, struct str pattern, const struct policy_request *r)
{
    if (!memchr(pattern.p, LITERAL, pattern.n) &&
        (!p->variables || !memchr(pattern.p, '$', pattern.n)))
        return pattern;
    struct buf b;
    buf_init(&b, 64 * 1024);
    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        bool opens = p->variables && c == '$' && i + 1 < pattern.n && pattern.p[i + 1] == '{';
        struct str rest = str_slice(pattern, i + 2, pattern.n);
        ssize_t end = opens ? str_find_byte(rest, '}') : -1;
        if (end >= 0) {
            if (!add_variable(&b, str_slice(rest, 0, (size_t)end), r)) {
                buf_done(&b);
                return (struct str){0};
            }
            i += (size_t)end + 2;
            continue;
        }
        if (c == LITERAL)
            buf_byte(&b, LITERAL);
        buf_byte(&b, c);
    }
    struct str out = buf_failed(&b) ? (struct str){0} : buf_copy(&b, r->arena);
    buf_done(&b);
    return out;
}
