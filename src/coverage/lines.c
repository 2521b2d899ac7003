/* lines - see lines.h. */
#include "coverage/lines.h"
#include <stdlib.h>

void lines_init(struct lines *l, struct arena *a)
{
    *l = (struct lines){.arena = a};
    map_init(&l->by_path);
}

void lines_done(struct lines *l)
{
    map_done(&l->by_path);
}

struct lines_file *lines_find(const struct lines *l, struct str path)
{
    return map_find(&l->by_path, path);
}

struct lines_file *lines_file(struct lines *l, struct str path, struct str text)
{
    struct lines_file *f = map_find(&l->by_path, path);
    if (f)
        return f;
    f = ARENA_NEW(l->arena, struct lines_file);
    *f =
        (struct lines_file){.path = str_copy(l->arena, path), .text = text, .n_lines = 1, .all = l};
    for (size_t i = 0; i < text.n; i++)
        f->n_lines += text.p[i] == '\n';
    f->statements = arena_alloc(l->arena, bits_size(f->n_lines));
    f->run = arena_alloc(l->arena, bits_size(f->n_lines));
    f->ignored = arena_alloc(l->arena, bits_size(f->n_lines));
    f->groups = ARENA_ARRAY(l->arena, uint8_t *, l->n_groups + 1);
    *(struct lines_file **)arena_push(l->arena, (void **)&l->files, &l->n, &l->cap,
                                      sizeof(struct lines_file *)) = f;
    map_put(&l->by_path, f->path, f);
    return f;
}

void lines_statement(struct lines_file *f, uint32_t line, bool run)
{
    if (!line || line > f->n_lines)
        return;
    bits_set(f->statements, line);
    if (!run)
        return;
    bits_set(f->run, line);
    uint32_t group = f->all->group;
    if (!group || group > f->all->n_groups)
        return;
    if (!f->groups[group - 1])
        f->groups[group - 1] = arena_alloc(f->all->arena, bits_size(f->n_lines));
    bits_set(f->groups[group - 1], line);
}

void lines_branch(struct lines *l, struct lines_file *f, struct lines_branch branch)
{
    if (branch.from && branch.from <= f->n_lines && branch.to <= f->n_lines)
        *(struct lines_branch *)arena_push(l->arena, (void **)&f->branches, &f->n_branches,
                                           &f->cap_branches, sizeof branch) = branch;
}

void lines_function(struct lines *l, struct lines_file *f, struct lines_function function)
{
    function.name = str_copy(l->arena, function.name);
    if (function.first && function.first <= function.last && function.last <= f->n_lines)
        *(struct lines_function *)arena_push(l->arena, (void **)&f->functions, &f->n_functions,
                                             &f->cap_functions, sizeof function) = function;
}

/* ---- as a report's file ---- */

static int branch_cmp(const void *va, const void *vb)
{
    const struct lines_branch *a = va, *b = vb;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    if (a->to != b->to)
        return a->to < b->to ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static int function_cmp(const void *va, const void *vb)
{
    const struct lines_function *a = va, *b = vb;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->last != b->last)
        return a->last > b->last ? -1 : 1; /* outer ones first */
    return str_cmp(a->name, b->name);
}

static struct str where(struct arena *a, const struct lines_branch *b, size_t number)
{
    return b->from == b->to ? str_printf(a, "branch %zu", number)
                            : str_printf(a, "lines %u to %u", b->from, b->to);
}

static void put_branches(struct lines *l, struct lines_file *f, struct file_result *r)
{
    struct arena *a = l->arena;
    struct branch_arc *arcs = ARENA_ARRAY(a, struct branch_arc, f->n_branches + 1);
    struct analysis_arc *texts = ARENA_ARRAY(a, struct analysis_arc, f->n_branches + 1);
    size_t number = 0;
    if (f->n_branches)
        qsort(f->branches, f->n_branches, sizeof *f->branches, branch_cmp);
    for (size_t i = 0, end; i < f->n_branches; i = end) {
        struct lines_branch b = f->branches[i];
        for (end = i; end < f->n_branches && !branch_cmp(&f->branches[end], &b); end++)
            b.run = b.run || f->branches[end].run;
        if (!bits_has(r->executed, b.from) && !bits_has(r->missing, b.from))
            continue;
        number =
            r->n_branches && arcs[r->n_branches - 1].arc.from == (int32_t)b.from ? number + 1 : 1;
        struct object_arc arc = {(int32_t)b.from, (int32_t)b.to};
        struct str what = where(a, &b, number);
        texts[r->n_branches] = (struct analysis_arc){
            .arc = arc,
            .action = what,
            .missing = str_printf(a, "line %u: %.*s: never run", b.from, STR(what)),
        };
        arcs[r->n_branches] = (struct branch_arc){
            .arc = arc, .executed = b.run, .counts_missing = !b.run, .what = &texts[r->n_branches]};
        r->n_branches++;
    }
    r->branches = arcs;
}

/* Each line belongs to the innermost function. */
static void put_functions(struct lines *l, struct lines_file *f, struct analysis *an)
{
    struct arena *a = l->arena;
    uint32_t *owner = ARENA_ARRAY(a, uint32_t, f->n_lines + 2);
    struct analysis_region *all = ARENA_ARRAY(a, struct analysis_region, f->n_functions + 1);
    if (f->n_functions)
        qsort(f->functions, f->n_functions, sizeof *f->functions, function_cmp);
    for (size_t i = 0; i < f->n_functions; i++) {
        const struct lines_function *g = &f->functions[i];
        uint32_t first = g->first + !f->head;
        if (first > g->last || (i && !function_cmp(g, &f->functions[i - 1])))
            continue;
        struct analysis_region *to = &all[an->n_regions++];
        *to = (struct analysis_region){
            .name = g->name,
            .start = (int)g->first,
            .first = (int)first,
            .last = (int)g->last,
            .lines = {arena_alloc(a, bits_size(g->last)), bits_size(g->last)}};
        for (uint32_t line = first; line <= g->last; line++)
            owner[line] = (uint32_t)an->n_regions;
    }
    for (uint32_t line = 1; line <= f->n_lines; line++)
        if (owner[line])
            bits_set((uint8_t *)(uintptr_t)all[owner[line] - 1].lines.p, line);
    an->regions = all;
}

static void put_groups(struct lines *l, const struct lines_file *f, struct report_file *ret)
{
    struct report_group_hits *all =
        ARENA_ARRAY(l->arena, struct report_group_hits, l->n_groups + 1);
    for (size_t i = 0; i < l->n_groups; i++)
        if (f->groups[i])
            all[ret->n_groups++] = (struct report_group_hits){
                (uint32_t)i, bits_trim((struct bits){f->groups[i], bits_size(f->n_lines)})};
    ret->groups = all;
}

void lines_result(struct lines *l, struct lines_file *f, bool branches, struct report_file *ret)
{
    struct arena *a = l->arena;
    size_t size = bits_size(f->n_lines);
    uint8_t *executed = arena_alloc(a, size), *missing = arena_alloc(a, size),
            *excluded = arena_alloc(a, size), *statements = arena_alloc(a, size);
    for (size_t i = 0; i < size; i++) {
        statements[i] = f->statements[i] & (uint8_t)~f->ignored[i];
        executed[i] = statements[i] & f->run[i];
        missing[i] = statements[i] & (uint8_t)~f->run[i];
        excluded[i] = f->statements[i] & f->ignored[i];
    }
    struct analysis *an = ARENA_NEW(a, struct analysis);
    *an = (struct analysis){.n_lines = f->n_lines,
                            .statements = bits_trim((struct bits){statements, size}),
                            .excluded = bits_trim((struct bits){excluded, size})};
    put_functions(l, f, an);
    struct file_result *r = &ret->result;
    *r = (struct file_result){.analysis = an,
                              .executed = {executed, size},
                              .missing = {missing, size},
                              .excluded = an->excluded,
                              .has_branches = branches};
    if (branches)
        put_branches(l, f, r);
    numbers_count(r);
    ret->path = f->path;
    ret->text = f->text;
    ret->imported = f->told;
    put_groups(l, f, ret);
}
