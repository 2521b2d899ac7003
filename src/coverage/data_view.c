/* data_view - a union as its readers see it, sorted: see data.h. */
#include <stdlib.h>
#include "base/mem.h"
#include "coverage/data_internal.h"

static int file_cmp(const void *va, const void *vb)
{
    const struct file *a = *(struct file *const *)va, *b = *(struct file *const *)vb;
    int r = str_cmp(a->pub.path, b->pub.path);
    if (!r)
        r = str_cmp(a->pub.function, b->pub.function);
    if (!r)
        r = a->pub.has_sha256 - b->pub.has_sha256;
    if (!r)
        r = memcmp(a->pub.sha256, b->pub.sha256, sizeof a->pub.sha256);
    if (!r)
        r = (a->pub.kind > b->pub.kind) - (a->pub.kind < b->pub.kind);
    return r ? r : str_cmp(a->label, b->label);
}

static int hits_cmp(const void *va, const void *vb)
{
    const struct data_hits *a = va, *b = vb;
    return (a->group > b->group) - (a->group < b->group);
}

static struct data_hits hits_view(struct hits *h)
{
    size_t n = hits_sort(h);
    return (struct data_hits){.group = h->group,
                              .lines = bits_trim((struct bits){h->lines.p, h->lines.n}),
                              .arcs = h->sorted,
                              .n_arcs = n};
}

void data_finish(struct data *d, struct data_view *ret)
{
    if (d->n_files)
        qsort(d->files, d->n_files, sizeof *d->files, file_cmp);
    bool python = false, foreign = false;
    free(d->view);
    d->view = mem_alloc((d->n_files + 1) * sizeof *d->view);
    for (size_t i = 0; i < d->n_files; i++) {
        struct file *f = d->files[i];
        struct data_hits all = hits_view(&f->all);
        f->pub_groups = ARENA_ARRAY(&d->arena, struct data_hits, f->n_groups);
        for (size_t k = 0; k < f->n_groups; k++)
            f->pub_groups[k] = hits_view(&f->groups[k]);
        if (f->n_groups)
            qsort(f->pub_groups, f->n_groups, sizeof *f->pub_groups, hits_cmp);
        f->pub.raw = bits_trim((struct bits){f->raw.p, f->raw.n});
        f->pub.lines = all.lines;
        f->pub.arcs = all.arcs;
        f->pub.n_arcs = all.n_arcs;
        f->pub.first = f->first;
        f->pub.n_first = f->n_first;
        f->pub.groups = f->pub_groups;
        f->pub.group = f->label.n ? data_group(d, f->label) + 1 : 0;
        f->pub.n_groups = f->n_groups;
        f->pub.v8 = f->v8;
        f->pub.payloads = f->payloads;
        f->pub.n_payloads = f->n_payloads;
        d->view[i] = f->pub;
        python = python || f->pub.kind == OBJECT_PYTHON;
        foreign = foreign || f->pub.kind != OBJECT_PYTHON;
    }
    *ret = (struct data_view){.files = d->view,
                              .has_python = python,
                              .has_foreign = foreign,
                              .n_files = d->n_files,
                              .sources = d->sources,
                              .n_sources = d->n_sources,
                              .contexts = d->contexts,
                              .n_contexts = d->n_contexts,
                              .groups = d->groups,
                              .n_groups = d->n_groups,
                              .has_arcs = d->has_arcs,
                              .n_lines_only = d->n_lines_only};
}
