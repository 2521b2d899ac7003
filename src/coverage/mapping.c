/* mapping - local files, each with all that has been run of it: see mapping.h. */
#include "coverage/mapping.h"
#include <errno.h>
#include <stdlib.h>
#include "coverage/glob.h"

struct str mapping_name(const struct mapping *b, struct str path)
{
    struct str cwd = b->request->cwd;
    if (str_starts(path, cwd) && path.n > cwd.n + 1 && path.p[cwd.n] == '/')
        return str_slice(path, cwd.n + 1, path.n);
    return path;
}

void mapping_leave_out(struct mapping *b, struct str name, struct str reason)
{
    struct report_left_out *l =
        arena_push(b->arena, (void **)&b->left_out, &b->n_left_out, &b->cap_left_out, sizeof *l);
    *l = (struct report_left_out){name, reason};
}

bool mapping_wanted(const struct mapping *b, struct str path)
{
    const struct report_request *q = b->request;
    if (q->n_include && !glob_any(b->arena, q->include, q->n_include, q->cwd, path))
        return false;
    return !glob_any(b->arena, q->omit, q->n_omit, q->cwd, path);
}

static struct mapped *gather(struct mapping *b, struct local_file *local)
{
    struct mapped *g = map_find(&b->by_path, local->path);
    if (g)
        return g;
    g = ARENA_NEW(b->arena, struct mapped);
    g->local = local;
    *(struct mapped **)arena_push(b->arena, (void **)&b->files, &b->n, &b->cap, sizeof *b->files) =
        g;
    map_put(&b->by_path, local->path, g);
    return g;
}

static void gather_data(struct mapping *b)
{
    const struct data_view *v = b->request->data;
    struct local_file **changed = ARENA_ARRAY(b->arena, struct local_file *, v->n_files);
    struct str *reasons = ARENA_ARRAY(b->arena, struct str, v->n_files);
    for (size_t i = 0; i < v->n_files; i++) {
        const struct data_file *f = &v->files[i];
        if (f->kind != OBJECT_PYTHON) /* report_foreign.h */
            continue;
        struct local_file *local = sources_find(&b->sources, f, &reasons[i], &changed[i]);
        if (!local || !mapping_wanted(b, local->path))
            continue;
        reasons[i] = (struct str){0};
        struct mapped *g = gather(b, local);
        *(const struct data_file **)arena_push(b->arena, (void **)&g->data, &g->n, &g->cap,
                                               sizeof *g->data) = f;
    }
    for (size_t i = 0; i < v->n_files; i++) {
        if (!reasons[i].n || !mapping_wanted(b, changed[i] ? changed[i]->path : v->files[i].path))
            continue;
        if (changed[i] && map_find(&b->by_path, changed[i]->path))
            reasons[i] = str_printf(b->arena, "%.*s ran another source of it: that is not counted",
                                    STR(sources_deployed(b->arena, &v->files[i])));
        mapping_leave_out(b, v->files[i].path, reasons[i]);
    }
}

static void gather_sources(struct mapping *b)
{
    for (size_t i = 0; i < b->request->n_sources; i++) {
        struct str *paths;
        size_t n;
        int r = sources_walk(b->arena, b->request->sources[i], b->request->namespaces, &paths, &n);
        if (r < 0)
            mapping_leave_out(b, b->request->sources[i], str_from(strerror(-r)));
        for (size_t k = 0; r == 0 && k < n; k++) {
            if (map_find(&b->by_path, paths[k]) || !mapping_wanted(b, paths[k]))
                continue;
            struct local_file *local = sources_read(&b->sources, paths[k]);
            if (local)
                gather(b, local);
        }
    }
}

static int path_cmp(const void *va, const void *vb)
{
    const struct mapped *a = *(struct mapped *const *)va, *b = *(struct mapped *const *)vb;
    return str_cmp(a->local->path, b->local->path);
}

/* ---- unions ---- */

struct bits mapped_join(struct arena *a, struct bits x, struct bits y)
{
    if (!x.n || !y.n)
        return x.n ? x : y;
    struct bits r = {arena_alloc(a, x.n > y.n ? x.n : y.n), x.n > y.n ? x.n : y.n};
    bits_join((uint8_t *)(uintptr_t)r.p, x);
    bits_join((uint8_t *)(uintptr_t)r.p, y);
    return r;
}

struct bits mapped_raw(struct arena *a, const struct mapped *g)
{
    struct bits raw = {0};
    for (size_t i = 0; i < g->n; i++)
        raw = mapped_join(a, raw, g->data[i]->raw);
    return raw;
}

void mapped_hits(struct arena *a, const struct mapped *g, struct file_hits *ret)
{
    size_t n = 0;
    *ret = (struct file_hits){0};
    for (size_t i = 0; i < g->n; i++) {
        ret->lines = mapped_join(a, ret->lines, g->data[i]->lines);
        n += g->data[i]->n_arcs;
    }
    if (g->n == 1) {
        ret->arcs = g->data[0]->arcs;
        ret->n_arcs = n;
        return;
    }
    struct object_arc *arcs = ARENA_ARRAY(a, struct object_arc, n);
    for (size_t i = 0; i < g->n; i++) {
        if (g->data[i]->n_arcs)
            memcpy(arcs + ret->n_arcs, g->data[i]->arcs, g->data[i]->n_arcs * sizeof *arcs);
        ret->n_arcs += g->data[i]->n_arcs;
    }
    ret->arcs = arcs;
}

void mapping_build(struct arena *a, const struct report_request *q, struct mapping *ret)
{
    *ret = (struct mapping){.arena = a, .request = q};
    map_init(&ret->by_path);
    sources_init(&ret->sources, a, q);
    gather_data(ret);
    if (q->data->has_python || !q->data->has_foreign)
        gather_sources(ret);
    if (ret->n)
        qsort(ret->files, ret->n, sizeof *ret->files, path_cmp);
}

void mapping_done(struct mapping *m)
{
    sources_done(&m->sources);
    map_done(&m->by_path);
}
