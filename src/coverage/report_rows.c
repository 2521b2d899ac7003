/* report_rows - which files are shown, in which order: see report_rows.h. */
#include "coverage/report_rows.h"
#include <errno.h>
#include <stdlib.h>

enum column { BY_NAME, BY_STMTS, BY_MISS, BY_BRANCH, BY_BRPART, BY_COVER };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits at *i as a number without leading zeros; *i goes behind them. */
static struct str number_at(struct str s, size_t *i)
{
    size_t from = *i;
    while (*i < s.n && is_digit(s.p[*i]))
        (*i)++;
    while (from + 1 < *i && s.p[from] == '0')
        from++;
    return str_slice(s, from, *i);
}

int report_name_cmp(struct str x, struct str y)
{
    size_t i = 0, k = 0;
    while (i < x.n && k < y.n) {
        if (is_digit(x.p[i]) && is_digit(y.p[k])) {
            struct str a = number_at(x, &i), b = number_at(y, &k);
            int r = a.n != b.n ? (a.n < b.n ? -1 : 1) : str_cmp(a, b);
            if (r)
                return r;
        } else if (is_digit(x.p[i]) || is_digit(y.p[k])) {
            return is_digit(x.p[i]) ? -1 : 1; /* the text before ended: the shorter one is first */
        } else if (x.p[i] != y.p[k]) {
            return (unsigned char)x.p[i] < (unsigned char)y.p[k] ? -1 : 1;
        } else {
            i++;
            k++;
        }
    }
    if (i < x.n || k < y.n)
        return i < x.n ? 1 : -1;
    return str_cmp(x, y);
}

struct str report_safe_name(struct arena *a, struct str name)
{
    char *p = arena_alloc(a, name.n + 1);
    for (size_t i = 0; i < name.n; i++)
        p[i] = (unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f ? '?' : name.p[i];
    for (size_t i = 0; i + 1 < name.n; i++)
        if (p[i] == '\xc2' && (unsigned char)p[i + 1] >= 0x80 && (unsigned char)p[i + 1] < 0xa0)
            p[i] = p[i + 1] = '?'; /* U+0080 to U+009F: more controls of terminals */
    return str_of(p, name.n);
}

size_t report_width(struct str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return n;
}

static int column_of(struct str sort, bool branches, enum column *ret, bool *ret_reverse)
{
    static const char *const names[] = {"name", "stmts", "miss", "branch", "brpart", "cover"};
    *ret = BY_NAME;
    *ret_reverse = str_starts(sort, S("-"));
    if (sort.n && (sort.p[0] == '-' || sort.p[0] == '+'))
        sort = str_slice(sort, 1, sort.n);
    if (!sort.n)
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(sort, str_from(names[i]))) {
            *ret = (enum column)i;
            return branches || (i != BY_BRANCH && i != BY_BRPART) ? 0 : -EINVAL;
        }
    return -EINVAL;
}

struct order {
    enum column by;
    bool reverse;
};

static double value_of(const struct report_row *row, enum column by)
{
    switch (by) {
    case BY_STMTS:
        return (double)row->numbers->statements;
    case BY_MISS:
        return (double)row->numbers->missing;
    case BY_BRANCH:
        return (double)row->numbers->branches;
    case BY_BRPART:
        return (double)row->numbers->partial_branches;
    case BY_COVER:
        return row->percent;
    default:
        return 0;
    }
}

static int row_cmp(const void *va, const void *vb, void *user)
{
    const struct report_row *a = va, *b = vb;
    const struct order *o = user;
    int r;
    if (o->by == BY_NAME) {
        r = report_name_cmp(a->name, b->name);
    } else {
        double x = value_of(a, o->by), y = value_of(b, o->by);
        r = x != y ? (x < y ? -1 : 1) : str_cmp(a->name, b->name);
    }
    return o->reverse ? -r : r;
}

int report_rows(struct arena *a, const struct coverage_report *r,
                const struct report_text_options *o, struct report_rows *ret)
{
    struct order order;
    int e = column_of(o->sort, r->branches, &order.by, &order.reverse);
    if (e < 0)
        return e;
    *ret = (struct report_rows){.items = ARENA_ARRAY(a, struct report_row, r->n_files)};
    for (size_t i = 0; i < r->n_files; i++) {
        const struct report_file *f = &r->files[i];
        const struct coverage_numbers *n = &f->result.numbers;
        if (o->skip_covered && !n->missing && !n->partial_branches) {
            ret->skipped++;
            continue;
        }
        if (o->skip_empty && !n->statements) {
            ret->empty++;
            continue;
        }
        struct report_row *row = &ret->items[ret->n++];
        row->name = report_safe_name(a, f->name);
        row->numbers = n;
        row->percent = numbers_percent(n);
        row->cover = numbers_display(a, row->percent, r->precision);
        row->missing = o->show_missing ? numbers_missing_text(a, &f->result) : (struct str){0};
    }
    ret->total = numbers_display(a, numbers_percent(&r->totals), r->precision);
    if (ret->n)
        qsort_r(ret->items, ret->n, sizeof *ret->items, row_cmp, &order);
    return 0;
}
