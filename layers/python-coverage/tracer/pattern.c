/* pattern - coverage.py's globs (coverage.readthedocs.io, "File patterns").
 *
 * Star and ? do not cross slashes, two stars are any number of folders, a star behind the last
 * slash is all below, a pattern without a slash is a name in any folder. */
#include "tracer.h"
#include <errno.h>

#define STEPS_MAX 1000000 /* so that no pattern holds up a program */

struct match {
    const char *begin, *end; /* the pattern */
    unsigned steps;
};

static bool slash(char c)
{
    return c == '/' || c == '\\';
}

/* The end of a set "[...]" that begins at `p`; NULL: it has none. */
static const char *set_end(const char *p, const char *end)
{
    const char *q = memchr(p, ']', (size_t)(end - p));
    return q ? q + 1 : NULL;
}

static bool in_set(const char *p, const char *end, char c)
{
    bool not = ++p < end && (*p == '^' || *p == '!');
    bool found = false;
    for (p += not ; p < end - 1; p++) {
        if (p + 2 < end - 1 && p[1] == '-') {
            found |=
                (unsigned char)c >= (unsigned char)p[0] && (unsigned char)c <= (unsigned char)p[2];
            p += 2;
        } else {
            found |= *p == c;
        }
    }
    return found != not ;
}

static bool match_here(struct match *m, const char *p, const char *s);

/* The rest of the pattern at `s`, or behind any later slash. */
static bool match_folders(struct match *m, const char *p, const char *s)
{
    if (match_here(m, p, s))
        return true;
    for (; *s; s++)
        if (slash(*s) && match_here(m, p, s + 1))
            return true;
    return false;
}

static bool match_star(struct match *m, const char *p, const char *s)
{
    for (;; s++) {
        if (match_here(m, p, s))
            return true;
        if (!*s || slash(*s))
            return false;
    }
}

static const char *stars_end(const char *p, const char *end)
{
    while (p < end && *p == '*')
        p++;
    return p;
}

static bool match_here(struct match *m, const char *p, const char *s)
{
    for (; p < m->end; s++) {
        if (++m->steps > STEPS_MAX)
            return false;
        const char *stars = stars_end(p, m->end);
        if (stars > p && stars < m->end && slash(*stars) && (p == m->begin || stars - p == 2))
            return match_folders(m, stars + 1, s);
        if (slash(*p) && p + 1 < m->end && stars_end(p + 1, m->end) == m->end)
            return slash(*s);
        if (*p == '*')
            return match_star(m, p + 1, s);
        if (!*s)
            return false;
        if (*p == '[') {
            const char *end = set_end(p, m->end);
            if (!end || !in_set(p, end, *s))
                return false;
            p = end;
        } else if (*p == '?' ? slash(*s) : slash(*p) ? !slash(*s) : *p != *s) {
            return false;
        } else {
            p++;
        }
    }
    return !*s;
}

bool pattern_matches(const char *pattern, size_t n, const char *path)
{
    struct match m = {.begin = pattern, .end = pattern + n};
    if (!memchr(pattern, '/', n) && !memchr(pattern, '\\', n))
        return match_folders(&m, pattern, path);
    return match_here(&m, pattern, path);
}

int pattern_check(const char *pattern, size_t n)
{
    for (size_t i = 0, stars = 0; i < n; i += stars ? stars : 1) {
        for (stars = 0; i + stars < n && pattern[i + stars] == '*'; stars++)
            ;
        if (stars > 2)
            return -EINVAL;
        if (stars == 2 &&
            ((i > 0 && !slash(pattern[i - 1])) || (i + 2 < n && !slash(pattern[i + 2])) ||
             (i + 4 < n && pattern[i + 3] == '*' && pattern[i + 4] == '*')))
            return -EINVAL;
        if (stars == 2 && n == 2)
            return -EINVAL;
        if (pattern[i] == ']')
            return -EINVAL;
        if (pattern[i] == '[') {
            const char *end = set_end(pattern + i, pattern + n);
            if (!end)
                return -EINVAL;
            stars = (size_t)(end - pattern) - i;
        }
    }
    return 0;
}
