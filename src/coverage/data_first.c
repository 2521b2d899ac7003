/* data_first - which context was the first to run a line: see data_internal.h. */
#include "base/mem.h"
#include "coverage/data_internal.h"

#define NEVER INT64_MAX

static int64_t start_of(const struct data_context *c)
{
    return c->start_ms > 0 ? c->start_ms : NEVER;
}

/* Of the same time, the one whose names sort first, so that no order of arrival matters. */
static bool earlier(const struct data *d, const struct data_context *x,
                    const struct data_context *y)
{
    if (start_of(x) != start_of(y))
        return start_of(x) < start_of(y);
    int r = str_cmp(x->name, y->name);
    if (!r)
        r = str_cmp(d->sources[x->source].name, d->sources[y->source].name);
    return r < 0;
}

static void first_byte(struct data *d, struct file *f, uint32_t context, size_t byte, unsigned bits)
{
    const struct data_context *c = &d->contexts[context];
    for (; bits; bits &= bits - 1) {
        uint32_t *slot = &f->first[byte * 8 + (size_t)__builtin_ctz(bits)];
        if (!*slot || earlier(d, c, &d->contexts[*slot - 1]))
            *slot = context + 1;
    }
}

/* Lines that are known need a look only if this context is early. */
void first_take(struct data *d, struct file *f, uint32_t context, struct bits lines)
{
    int64_t start = start_of(&d->contexts[context]);
    bool late = start > f->latest;
    if (lines.n * 8 > f->n_first) {
        f->first = mem_realloc(f->first, lines.n * 8 * sizeof *f->first);
        memset(f->first + f->n_first, 0, (lines.n * 8 - f->n_first) * sizeof *f->first);
        f->n_first = lines.n * 8;
    }
    bool any = false;
    for (size_t i = 0; i < lines.n; i++) {
        unsigned known = late && i < f->all.lines.n ? f->all.lines.p[i] : 0;
        unsigned bits = lines.p[i] & ~known;
        if (bits)
            first_byte(d, f, context, i, bits);
        any = any || bits;
    }
    if (any && late)
        f->latest = start;
}

void first_join(struct data *d, struct file *to, const struct file *from, uint32_t shift)
{
    if (from->n_first > to->n_first) {
        to->first = mem_realloc(to->first, from->n_first * sizeof *to->first);
        memset(to->first + to->n_first, 0, (from->n_first - to->n_first) * sizeof *to->first);
        to->n_first = from->n_first;
    }
    for (size_t l = 0; l < from->n_first; l++) {
        if (!from->first[l])
            continue;
        uint32_t context = from->first[l] - 1 + shift;
        if (!to->first[l] || earlier(d, &d->contexts[context], &d->contexts[to->first[l] - 1]))
            to->first[l] = context + 1;
    }
    if (from->latest > to->latest)
        to->latest = from->latest;
}
