/* glob - patterns of files, by backtracking: see glob.h. */
#include "coverage/glob.h"
#include <errno.h>
#include "base/fs.h"

static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}

/* The end of "[...]" that begins at i, or 0. */
static size_t class_end(struct str p, size_t i)
{
    for (size_t k = i + 1; k < p.n; k++)
        if (p.p[k] == ']')
            return k;
    return 0;
}

static size_t stars(struct str p, size_t i)
{
    size_t n = 0;
    while (i + n < p.n && p.p[i + n] == '*')
        n++;
    return n;
}

int glob_check(struct str p)
{
    for (size_t i = 0; i < p.n;) {
        size_t n = stars(p, i);
        if (n > 2)
            return -EINVAL;
        if (n == 2 && ((i && !is_slash(p.p[i - 1])) || (i + 2 < p.n && !is_slash(p.p[i + 2]))))
            return -EINVAL;
        if (n == 2 && i + 5 <= p.n && stars(p, i + 3) == 2)
            return -EINVAL;
        if (p.p[i] == ']')
            return -EINVAL;
        if (p.p[i] == '[') {
            size_t end = class_end(p, i);
            if (!end)
                return -EINVAL;
            i = end + 1;
        } else {
            i += n ? n : 1;
        }
    }
    return 0;
}

static bool in_class(struct str p, size_t i, size_t end, char c)
{
    bool not = i + 1 < end && (p.p[i + 1] == '^' || p.p[i + 1] == '!'), found = false;
    for (size_t k = i + 1 + not ; k < end; k++) {
        if (k + 2 < end && p.p[k + 1] == '-') {
            found = found || (c >= p.p[k] && c <= p.p[k + 2]);
            k += 2;
        } else {
            found = found || c == p.p[k];
        }
    }
    return found != not ;
}

static bool match(struct str p, size_t i, struct str s, size_t k);

/* "**" + "/" (or "*" + "/" at the beginning): nothing, or anything up to a slash. */
static bool match_deep(struct str p, size_t after, struct str s, size_t k)
{
    if (match(p, after, s, k))
        return true;
    for (size_t j = k; j < s.n; j++)
        if (is_slash(s.p[j]) && match(p, after, s, j + 1))
            return true;
    return false;
}

static bool match(struct str p, size_t i, struct str s, size_t k)
{
    for (; i < p.n; i++, k++) {
        size_t n = stars(p, i);
        if (n && i + n < p.n && is_slash(p.p[i + n]) && (n == 2 || i == 0))
            return match_deep(p, i + n + 1, s, k);
        if (is_slash(p.p[i]) && stars(p, i + 1) && i + 1 + stars(p, i + 1) == p.n)
            return k < s.n && is_slash(s.p[k]);
        if (n) {
            do {
                if (match(p, i + n, s, k))
                    return true;
            } while (k < s.n && !is_slash(s.p[k++]));
            return false;
        }
        if (k >= s.n)
            return false;
        if (p.p[i] == '[') {
            size_t end = class_end(p, i);
            if (!end || !in_class(p, i, end, s.p[k]))
                return false;
            i = end;
        } else if (p.p[i] == '?' ? is_slash(s.p[k])
                                 : p.p[i] != s.p[k] && !(is_slash(p.p[i]) && is_slash(s.p[k]))) {
            return false;
        }
    }
    return k == s.n;
}

bool glob_match(struct arena *a, struct str pattern, struct str dir, struct str path)
{
    if (!pattern.n)
        return false;
    bool free_start = pattern.p[0] == '*' || pattern.p[0] == '?';
    struct str deep = str_find_byte(pattern, '/') < 0 && str_find_byte(pattern, '\\') < 0
                          ? str_printf(a, "**/%.*s", STR(pattern))
                          : pattern;
    if (match(deep, 0, path, 0))
        return true;
    if (free_start || pattern.p[0] == '/')
        return false;
    while (str_starts(pattern, S("./")))
        pattern = str_slice(pattern, 2, pattern.n);
    return match(fs_join(a, dir, pattern), 0, path, 0);
}

bool glob_any(struct arena *a, const struct str *patterns, size_t n, struct str dir,
              struct str path)
{
    for (size_t i = 0; i < n; i++)
        if (glob_match(a, patterns[i], dir, path))
            return true;
    return false;
}

size_t glob_prefix(struct arena *a, struct str pattern, struct str dir, struct str path)
{
    while (pattern.n > 1 && is_slash(pattern.p[pattern.n - 1]))
        pattern.n--;
    if (!pattern.n)
        return 0;
    if (pattern.p[0] != '*' && !is_slash(pattern.p[0]))
        pattern = fs_join(a, dir, pattern);
    for (size_t n = path.n; n; n--)
        if (is_slash(path.p[n - 1]) && match(pattern, 0, str_slice(path, 0, n - 1), 0))
            return n;
    return 0;
}
