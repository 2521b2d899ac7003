/* regex_literal - what must be in a text for a regular expression to match: see regex.h. */
#include <ctype.h>
#include "service/logs/regex.h"

struct glance {
    struct str text;
    size_t at;
    char *run; /* the literal so far */
    size_t n;
    char *best;
    size_t n_best;
};

static void end_run(struct glance *g)
{
    if (g->n > g->n_best) {
        memcpy(g->best, g->run, g->n);
        g->n_best = g->n;
    }
    g->n = 0;
}

static int next(const struct glance *g, size_t k)
{
    return g->at + k < g->text.n ? (unsigned char)g->text.p[g->at + k] : -1;
}

/* Behind [: up to its ]. False: something rare, or no end. */
static bool skip_class(struct glance *g)
{
    if (next(g, 0) == '^')
        g->at++;
    if (next(g, 0) == ']')
        g->at++;
    for (; g->at < g->text.n && next(g, 0) != ']'; g->at++) {
        if (next(g, 0) == '[' && next(g, 1) > 0 && strchr(":.=", next(g, 1)))
            return false;
        if (next(g, 0) == '\\' && (next(g, 1) == 'Q' || next(g, 1) == 'E' || next(g, 1) == 'c'))
            return false;
        g->at += next(g, 0) == '\\';
    }
    return g->at++ < g->text.n;
}

/* Behind a backslash outside of classes. */
static bool take_escape(struct glance *g)
{
    int c = next(g, 0);
    g->at++;
    if (c < 0 || c >= 128 || !isprint(c))
        return false;
    if (!isalnum(c))
        g->run[g->n++] = (char)c;
    else if (strchr("dwsDWSbBhHvVRtnrfeA", c))
        end_run(g);
    else
        return false;
    return true;
}

/* Behind (, which is no (? but (?: and no (*: what is inside counts for nothing. */
static bool skip_group(struct glance *g)
{
    for (int depth = 1; depth;) {
        int c = next(g, 0);
        g->at++;
        if (c < 0)
            return false;
        if (c == '(' && next(g, 0) == '?' && next(g, 1) != ':')
            return false;
        if (c == '(' && next(g, 0) == '*')
            return false;
        depth += c == '(';
        depth -= c == ')';
        if (c == '\\' && !take_escape(g))
            return false;
        g->n = 0;
        if (c == '[' && !skip_class(g))
            return false;
    }
    return true;
}

/* {2}, {2,} or {2,3}: what it repeats counts once when it must be there, and nothing behind it
 * belongs to it. */
static bool take_quantifier(struct glance *g, int c)
{
    if (c != '+' && g->n)
        g->n--;
    end_run(g);
    if (c == '{') {
        while (isdigit(next(g, 0)) || next(g, 0) == ',')
            g->at++;
        if (next(g, 0) != '}')
            return false;
        g->at++;
    }
    if (next(g, 0) == '+' || next(g, 0) == '?')
        g->at++;
    return true;
}

static bool take_next(struct glance *g)
{
    int c = next(g, 0);
    g->at++;
    switch (c) {
    case '|':
    case ')':
        return false;
    case '.':
    case '^':
    case '$':
        end_run(g);
        return true;
    case '\\':
        return take_escape(g);
    case '[':
        end_run(g);
        return skip_class(g);
    case '(':
        end_run(g);
        if (next(g, 0) == '*' || (next(g, 0) == '?' && next(g, 1) != ':'))
            return false;
        return skip_group(g);
    case '*':
    case '+':
    case '?':
    case '{':
        return take_quantifier(g, c);
    default:
        g->run[g->n++] = (char)c;
        return true;
    }
}

struct str regex_literal(struct arena *a, struct str text)
{
    struct glance g = {.text = text};
    g.run = arena_alloc(a, text.n + 1);
    g.best = arena_alloc(a, text.n + 1);
    while (g.at < text.n)
        if (!take_next(&g))
            return (struct str){0};
    end_run(&g);
    return str_of(g.best, g.n_best);
}
