/* numbers - executed, missing, branches: sets of lines and arcs, and what they count. */
#include "coverage/numbers.h"

static int arc_cmp(const void *va, const void *vb)
{
    const struct object_arc *a = va, *b = vb;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return (a->to > b->to) - (a->to < b->to);
}

static size_t sort_unique(struct object_arc *arcs, size_t n)
{
    if (!n)
        return 0;
    qsort(arcs, n, sizeof(*arcs), arc_cmp);
    size_t kept = 1;
    for (size_t i = 1; i < n; i++)
        if (arc_cmp(&arcs[i], &arcs[kept - 1]))
            arcs[kept++] = arcs[i];
    return kept;
}

static struct object_arc *find_arc(const struct object_arc *arcs, size_t n, struct object_arc arc)
{
    return n ? bsearch(&arc, arcs, n, sizeof(arc), arc_cmp) : NULL;
}

static int32_t first_of(const struct analysis *an, int32_t line)
{
    if (line < 0)
        return line == INT32_MIN ? line : -(int32_t)analysis_first_line(an, (uint32_t)-line);
    return (int32_t)analysis_first_line(an, (uint32_t)line);
}

/* The measured arcs as the analysis calls them: between the first lines of statements, without the
 * way back to a `with`, sorted, each once. */
static struct object_arc *measured_arcs(struct arena *a, const struct analysis *an,
                                        const struct file_hits *hits, size_t *ret_n)
{
    size_t n = hits->n_arcs;
    struct object_arc *arcs = ARENA_ARRAY(a, struct object_arc, n + an->n_withs + 1);
    for (size_t i = 0; i < n; i++)
        arcs[i] =
            (struct object_arc){first_of(an, hits->arcs[i].from), first_of(an, hits->arcs[i].to)};
    n = sort_unique(arcs, n);

    size_t n_new = 0, n_gone = 0;
    for (size_t i = 0; i < an->n_withs; i++)
        n_gone += an->withs[i].n_none;
    struct object_arc *gone = ARENA_ARRAY(a, struct object_arc, n_gone + 1);
    n_gone = 0;
    for (size_t i = 0; i < an->n_withs; i++) {
        const struct analysis_with *w = &an->withs[i];
        if (!find_arc(arcs, n, w->back))
            continue;
        arcs[n + n_new++] = w->instead;
        for (size_t j = 0; j < w->n_none; j++)
            gone[n_gone++] = w->none[j];
    }
    n_gone = sort_unique(gone, n_gone);
    size_t kept = 0;
    for (size_t i = 0; i < n + n_new; i++)
        if (!find_arc(gone, n_gone, arcs[i]))
            arcs[kept++] = arcs[i];
    *ret_n = sort_unique(arcs, kept);
    return arcs;
}

static bool is_in(struct bits set, int32_t line)
{
    return line > 0 && bits_has(set, (uint32_t)line);
}

/* A jump from or to what is excluded is no exit. */
static bool is_exit(const struct analysis *an, const struct object_arc *arc)
{
    return arc->from > 0 && !is_in(an->excluded, arc->from) && !is_in(an->excluded, arc->to);
}

/* Of sys.monitoring's data, which have the sides of branches only, some is to be concluded; where
 * each step was traced that says nothing new. */
static bool was_taken(const struct file_result *r, const struct analysis_arc *what,
                      const struct object_arc *run, size_t n_run)
{
    if (find_arc(run, n_run, what->arc))
        return true;
    return (what->sure == ANALYSIS_IF_TARGET && is_in(r->executed, what->arc.to)) ||
           (what->sure == ANALYSIS_IF_SOURCE && is_in(r->executed, what->arc.from));
}

static void find_branches(struct arena *a, const struct analysis *an, const struct file_hits *hits,
                          struct file_result *r)
{
    size_t n_run;
    const struct object_arc *run = measured_arcs(a, an, hits, &n_run);
    struct branch_arc *branches = ARENA_ARRAY(a, struct branch_arc, an->n_arcs + 1);
    for (size_t i = 0, end; i < an->n_arcs; i = end) {
        size_t exits = 0;
        int32_t from = an->arcs[i].arc.from;
        for (end = i; end < an->n_arcs && an->arcs[end].arc.from == from; end++)
            exits += is_exit(an, &an->arcs[end].arc);
        if (exits < 2)
            continue;
        for (size_t j = i; j < end; j++) {
            const struct analysis_arc *what = &an->arcs[j];
            if (!is_exit(an, &what->arc))
                continue;
            bool executed = was_taken(r, what, run, n_run);
            branches[r->n_branches++] = (struct branch_arc){
                .arc = what->arc,
                .executed = executed,
                .counts_missing = !executed && !is_in(an->no_branch, from),
                .what = what,
            };
        }
    }
    r->branches = branches;
}

static void count(struct file_result *r, size_t n_statements)
{
    struct coverage_numbers *n = &r->numbers;
    *n = (struct coverage_numbers){
        .files = 1,
        .statements = n_statements,
        .excluded = bits_count(r->excluded),
        .missing = bits_count(r->missing),
        .branches = r->n_branches,
    };
    for (size_t i = 0; i < r->n_branches; i++)
        if (r->branches[i].counts_missing) {
            n->missing_branches++;
            n->partial_branches += !is_in(r->missing, r->branches[i].arc.from);
        }
}

void numbers_file(struct arena *a, const struct analysis *an, const struct file_hits *hits,
                  bool branches, struct file_result *ret)
{
    size_t size = an->statements.n;
    uint8_t *executed = arena_alloc(a, size + 1), *missing = arena_alloc(a, size + 1);
    for (int64_t l = bits_next(hits->lines, 1); l >= 0;
         l = bits_next(hits->lines, (uint32_t)l + 1)) {
        uint32_t first = analysis_first_line(an, (uint32_t)l);
        if (bits_has(an->statements, first))
            bits_set(executed, first);
    }
    for (size_t i = 0; i < size; i++)
        missing[i] = an->statements.p[i] & (uint8_t)~executed[i];
    *ret = (struct file_result){
        .analysis = an,
        .executed = {executed, size},
        .missing = {missing, size},
        .excluded = an->excluded,
        .has_branches = branches,
    };
    if (branches)
        find_branches(a, an, hits, ret);
    count(ret, bits_count(an->statements));
}

static struct bits both(struct arena *a, struct bits one, struct bits other)
{
    size_t n = one.n < other.n ? one.n : other.n;
    uint8_t *p = arena_alloc(a, n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = one.p[i] & other.p[i];
    return (struct bits){p, n};
}

void numbers_part(struct arena *a, const struct file_result *r, struct bits only,
                  struct file_result *ret)
{
    struct file_result part = {
        .analysis = r->analysis,
        .executed = both(a, r->executed, only),
        .missing = both(a, r->missing, only),
        .excluded = both(a, r->excluded, only),
        .has_branches = r->has_branches,
    };
    struct branch_arc *branches = ARENA_ARRAY(a, struct branch_arc, r->n_branches + 1);
    for (size_t i = 0; i < r->n_branches; i++)
        if (is_in(only, r->branches[i].arc.from))
            branches[part.n_branches++] = r->branches[i];
    part.branches = branches;
    count(&part, bits_count(part.executed) + bits_count(part.missing));
    *ret = part;
}

void numbers_count(struct file_result *r)
{
    count(r, bits_count(r->executed) + bits_count(r->missing));
}

void numbers_add(struct coverage_numbers *total, const struct coverage_numbers *one)
{
    total->files += one->files;
    total->statements += one->statements;
    total->excluded += one->excluded;
    total->missing += one->missing;
    total->branches += one->branches;
    total->partial_branches += one->partial_branches;
    total->missing_branches += one->missing_branches;
}
