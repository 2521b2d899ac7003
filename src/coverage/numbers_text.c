/* numbers_text - percents and ranges of lines, as people read them. */
#include "coverage/numbers.h"
#include <math.h>
#include <stdio.h>

/* In this order of operations: the last digit depends on it. */
static double percent_of(uint64_t run, uint64_t all)
{
    return all ? 100.0 * (double)run / (double)all : 100.0;
}

double numbers_percent(const struct coverage_numbers *n)
{
    return percent_of(n->statements - n->missing + n->branches - n->missing_branches,
                      n->statements + n->branches);
}

double numbers_percent_statements(const struct coverage_numbers *n)
{
    return percent_of(n->statements - n->missing, n->statements);
}

double numbers_percent_branches(const struct coverage_numbers *n)
{
    return percent_of(n->branches - n->missing_branches, n->branches);
}

static int within(int precision)
{
    return precision < 0 ? 0 : precision > 15 ? 15 : precision;
}

struct str numbers_display(struct arena *a, double percent, int precision)
{
    precision = within(precision);
    double tens = 1;
    for (int i = 0; i < precision; i++)
        tens *= 10;
    double least = 1 / tens;
    if (percent > 0 && percent < least)
        percent = least;
    else if (percent > 100.0 - least && percent < 100)
        percent = 100.0 - least;
    if (!precision)
        return str_printf(a, "%d", (int)rint(percent)); /* half to even, as below */
    return str_printf(a, "%.*f", precision,
                      percent); /* glibc rounds the exact value, half to even */
}

struct str numbers_repr(struct arena *a, double v)
{
    struct str s = {0};
    /* 15 always say a number that has no more; %g leaves out zeros at the end. */
    for (int digits = 15; digits <= 17; digits++) {
        s = str_printf(a, "%.*g", digits, v);
        if (strtod(s.p, NULL) == v)
            break;
    }
    if (str_find_byte(s, 'e') >= 0 && v >= 1 && v < 1e16)
        s = str_printf(a, "%.1f", v); /* Python goes over to exponents later than C: 100.0 */
    if (str_find_byte(s, '.') < 0 && str_find_byte(s, 'e') < 0)
        s = str_printf(a, "%.*s.0", STR(s));
    return s;
}

bool numbers_fail_under(const struct coverage_numbers *n, double fail_under, int precision)
{
    double percent = numbers_percent(n);
    if (fail_under == 100.0)
        return percent != 100.0;
    char rounded[64];
    snprintf(rounded, sizeof(rounded), "%.*f", within(precision), percent);
    return strtod(rounded, NULL) < fail_under;
}

/* What stands in the column: a range of lines, or a jump. */
struct item {
    uint32_t line;
    struct str text;
};

static int item_cmp(const void *va, const void *vb)
{
    const struct item *a = va, *b = vb;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return str_cmp(a->text, b->text); /* "10->11" before "10->9", as text sorts */
}

static struct item range(struct arena *a, uint32_t first, uint32_t last)
{
    return (struct item){first, first == last ? str_printf(a, "%u", first)
                                              : str_printf(a, "%u-%u", first, last)};
}

/* Ranges go on over what is no statement: blank lines and comments do not split them. */
static size_t add_ranges(struct arena *a, const struct file_result *r, struct item *items)
{
    size_t n = 0;
    uint32_t start = 0, last = 0;
    for (uint32_t l = 1; l < r->missing.n * 8; l++) {
        if (bits_has(r->missing, l)) {
            start = start ? start : l;
            last = l;
        } else if (start && bits_has(r->executed, l)) {
            items[n++] = range(a, start, last);
            start = 0;
        }
    }
    if (start)
        items[n++] = range(a, start, last);
    return n;
}

struct str numbers_missing_text(struct arena *a, const struct file_result *r)
{
    size_t most = bits_count(r->missing) + r->n_branches + 1;
    struct item *items = ARENA_ARRAY(a, struct item, most);
    size_t n = add_ranges(a, r, items);
    for (size_t i = 0; i < r->n_branches; i++) {
        const struct branch_arc *b = &r->branches[i];
        uint32_t from = (uint32_t)b->arc.from;
        if (!b->counts_missing || bits_has(r->missing, from))
            continue;
        if (b->arc.to > 0 && bits_has(r->missing, (uint32_t)b->arc.to))
            continue;
        struct str text = b->arc.to > 0 ? str_printf(a, "%u->%d", from, b->arc.to)
                                        : str_printf(a, "%u->exit", from);
        items[n++] = (struct item){from, text};
    }
    qsort(items, n, sizeof(*items), item_cmp);
    struct str *texts = ARENA_ARRAY(a, struct str, n + 1);
    for (size_t i = 0; i < n; i++)
        texts[i] = items[i].text;
    return str_join(a, S(", "), texts, n);
}
