/* data - unions of lines and arcs, and who was first: see data.h. */
#include "coverage/data_internal.h"
#include <errno.h>
#include <stdlib.h>
#include "base/mem.h"

/* ---- the whole ---- */

struct data *data_new(enum data_by by)
{
    struct data *d = MEM_NEW(struct data);
    arena_init(&d->arena);
    arena_init(&d->reading);
    map_init(&d->by_key);
    map_init(&d->by_source);
    map_init(&d->by_group);
    map_init(&d->by_context);
    d->by = by;
    return d;
}

void data_names(struct data *d, const struct map *names)
{
    d->names = names;
}

enum data_by data_by(const struct data *d)
{
    return d->by;
}

void data_free(struct data *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n_files; i++) {
        struct file *f = d->files[i];
        hits_done(&f->all);
        for (size_t k = 0; k < f->n_groups; k++)
            hits_done(&f->groups[k]);
        free(f->raw.p);
        free(f->first);
        v8_hits_free(f->v8);
    }
    free(d->view);
    object_reader_free(d->reader);
    map_done(&d->by_key);
    map_done(&d->by_source);
    map_done(&d->by_group);
    map_done(&d->by_context);
    arena_done(&d->reading);
    arena_done(&d->arena);
    free(d);
}

/* Index + 1 as a map's value, so that NULL is "not there". */
static void *of_index(size_t i)
{
    return (void *)(uintptr_t)(i + 1);
}

uint32_t data_group(struct data *d, struct str label)
{
    uintptr_t at = (uintptr_t)map_find(&d->by_group, label);
    if (!at) {
        struct str *g = PUSH(d, groups);
        *g = str_copy(&d->arena, label);
        at = d->n_groups;
        map_put(&d->by_group, *g, of_index(d->n_groups - 1));
    }
    return (uint32_t)at - 1;
}

static struct str label_of(struct data *d, const struct data_source *s, struct str context)
{
    switch (d->by) {
    case DATA_BY_FUNCTION:
        return s->function;
    case DATA_BY_VERSION:
        return s->version.n ? str_printf(&d->arena, "%.*s:%.*s", STR(s->function), STR(s->version))
                            : s->function;
    case DATA_BY_CONTEXT:
        return context;
    default:
        return S("");
    }
}

static struct hits *group_hits(struct data *d, struct file *f, uint32_t group)
{
    for (size_t i = 0; i < f->n_groups; i++)
        if (f->groups[i].group == group)
            return &f->groups[i];
    struct hits *h =
        arena_push(&d->arena, (void **)&f->groups, &f->n_groups, &f->cap_groups, sizeof *f->groups);
    *h = (struct hits){.group = group};
    return h;
}

/* ---- files ---- */

static struct str file_key(struct arena *a, struct str function, struct str path,
                           const uint8_t *sha256, uint32_t kind)
{
    struct str key = {arena_alloc(a, function.n + path.n + 64), 0};
    char *p = (char *)(uintptr_t)key.p;
    if (function.n)
        memcpy(p, function.p, function.n);
    p += function.n + 1; /* zeroed */
    if (path.n)
        memcpy(p, path.p, path.n);
    p += path.n + 1;
    if (sha256)
        memcpy(p, sha256, 32);
    p += 32;
    memcpy(p, &kind, sizeof kind);
    key.n = (size_t)(p + sizeof kind - key.p);
    return key;
}

static struct file *file_get(struct data *d, struct str function, struct str path,
                             const uint8_t *sha256, uint32_t kind)
{
    struct str key = file_key(&d->reading, function, path, sha256, kind);
    struct file *f = map_find(&d->by_key, key);
    if (f)
        return f;
    f = ARENA_NEW(&d->arena, struct file);
    f->latest = -1;
    f->pub = (struct data_file){.function = str_copy(&d->arena, function),
                                .path = str_copy(&d->arena, path),
                                .has_sha256 = sha256 != NULL,
                                .kind = kind};
    if (sha256)
        memcpy(f->pub.sha256, sha256, 32);
    *(struct file **)PUSH(d, files) = f;
    map_put(&d->by_key, key, f);
    return f;
}

static void file_seen(struct file *f, const struct data_source *s)
{
    if (f->pub.updated.p && str_cmp(f->pub.updated, s->updated) > 0)
        return;
    f->pub.updated = s->updated;
    f->pub.runtime = s->runtime;
    f->pub.version = s->version;
}

/* ---- objects ---- */

static uint32_t context_add(struct data *d, struct str name, int64_t start_ms, uint32_t source)
{
    struct data_context *c = PUSH(d, contexts);
    const struct str *test = d->names ? map_find(d->names, name) : NULL;
    struct str id = str_copy(&d->arena, name);
    *c = (struct data_context){test ? str_copy(&d->arena, *test) : id, id, start_ms, source};
    return (uint32_t)d->n_contexts - 1;
}

static void hits_take(struct data *d, struct file *f, uint32_t context, struct bits lines,
                      const struct object_arc *arcs, size_t n_arcs)
{
    first_take(d, f, context, lines);
    hits_add(&f->all, lines, arcs, n_arcs);
    if (d->by != DATA_BY_NOTHING) {
        const struct data_context *c = &d->contexts[context];
        uint32_t group = data_group(d, label_of(d, &d->sources[c->source], c->name));
        hits_add(group_hits(d, f, group), lines, arcs, n_arcs);
    }
}

static uint32_t source_add(struct data *d, struct str name, const struct object *o)
{
    static const struct {
        const char *key;
        size_t at;
    } members[] = {
        {"function", offsetof(struct data_source, function)},
        {"version", offsetof(struct data_source, version)},
        {"runtime", offsetof(struct data_source, runtime)},
        {"language", offsetof(struct data_source, language)},
        {"region", offsetof(struct data_source, region)},
        {"log_group", offsetof(struct data_source, log_group)},
        {"log_stream", offsetof(struct data_source, log_stream)},
        {"started", offsetof(struct data_source, started)},
        {"updated", offsetof(struct data_source, updated)},
        {"missing", offsetof(struct data_source, missing)},
    };
    struct data_source *s = PUSH(d, sources);
    *s = (struct data_source){.name = str_copy(&d->arena, name)};
    for (size_t i = 0; o && i < sizeof members / sizeof *members; i++)
        *(struct str *)((char *)s + members[i].at) =
            str_copy(&d->arena, object_meta_find(o, members[i].key));
    return (uint32_t)d->n_sources - 1;
}

/* ---- other languages ---- */

static void payload_add(struct data *d, struct file *f, struct str payload)
{
    for (size_t i = 0; i < f->n_payloads; i++)
        if (str_eq(f->payloads[i], payload))
            return;
    *(struct str *)arena_push(&d->arena, (void **)&f->payloads, &f->n_payloads, &f->cap_payloads,
                              sizeof *f->payloads) = str_copy(&d->arena, payload);
}

static void foreign_take(struct data *d, struct file *f, struct data_source *s,
                         const struct object_file *in)
{
    if (in->kind != OBJECT_V8) {
        payload_add(d, f, in->payload);
        return;
    }
    if (!f->v8)
        f->v8 = v8_hits_new();
    if (v8_hits_add(f->v8, in->payload) < 0)
        s->missing = str_printf(&d->arena, "%.*s%sthe ranges of %.*s, which are damaged",
                                STR(s->missing), s->missing.n ? "; " : "", STR(in->path));
}

/* What other languages count is of one function or one version, when these are to be told apart. */
static struct str label_foreign(struct data *d, const struct data_source *s, uint32_t kind)
{
    bool apart = d->by == DATA_BY_FUNCTION || d->by == DATA_BY_VERSION;
    return apart && kind != OBJECT_PYTHON ? label_of(d, s, S("")) : S("");
}

static struct file *labelled_get(struct data *d, struct str label, const struct data_file *like)
{
    struct file *f = file_get(d, label.n ? label : like->function, like->path,
                              like->has_sha256 ? like->sha256 : NULL, like->kind);
    if (label.n && !f->label.n) {
        f->label = str_copy(&d->arena, label);
        f->pub.function = str_copy(&d->arena, like->function);
    }
    return f;
}

static void foreign_join(struct data *d, struct file *to, const struct file *from)
{
    for (size_t i = 0; i < from->n_payloads; i++)
        payload_add(d, to, from->payloads[i]);
    if (!from->v8)
        return;
    if (!to->v8)
        to->v8 = v8_hits_new();
    v8_hits_join(to->v8, from->v8);
}

void data_add_object(struct data *d, struct str name, const struct object *o)
{
    uint32_t source = source_add(d, name, o), context = (uint32_t)d->n_contexts;
    for (size_t i = 0; i < o->n_contexts; i++)
        context_add(d, o->contexts[i].name, o->contexts[i].start_ms, source);
    bool branch = str_is(object_meta_find(o, "branch"), "1"), python = !o->n_files;
    for (size_t i = 0; i < o->n_files; i++)
        python = python || o->files[i].kind == OBJECT_PYTHON;
    d->has_arcs = d->has_arcs || branch;
    d->n_lines_only += python && !branch;
    for (size_t i = 0; i < o->n_files; i++) {
        const struct object_file *in = &o->files[i];
        struct data_file like = {.function = d->sources[source].function,
                                 .path = in->path,
                                 .has_sha256 = in->has_sha256,
                                 .kind = in->kind};
        memcpy(like.sha256, in->sha256, sizeof like.sha256);
        struct file *f = labelled_get(d, label_foreign(d, &d->sources[source], in->kind), &like);
        file_seen(f, &d->sources[source]);
        if (in->kind != OBJECT_PYTHON)
            foreign_take(d, f, &d->sources[source], in);
        lines_join(&f->raw, in->raw);
        for (size_t k = 0; k < in->n_hits; k++)
            hits_take(d, f, context + in->hits[k].context, in->hits[k].lines, in->hits[k].arcs,
                      in->hits[k].n_arcs);
    }
}

int data_add(struct data *d, struct str name, struct str bytes, struct object_error *err)
{
    struct object o;
    if (!d->reader)
        d->reader = object_reader_new();
    arena_reset(&d->reading);
    int r = object_read(d->reader, bytes, &d->reading, &o, err);
    if (r == 0)
        data_add_object(d, name, &o);
    return r;
}

void data_lines_only(struct data *d)
{
    d->n_lines_only++;
}

static uint32_t known_source(struct data *d, struct str name)
{
    uintptr_t at = (uintptr_t)map_find(&d->by_source, name);
    if (at)
        return (uint32_t)at - 1;
    uint32_t source = source_add(d, name, NULL);
    map_put(&d->by_source, name, of_index(source));
    return source;
}

static uint32_t known_context(struct data *d, struct str source_name, struct str name)
{
    uint32_t source = known_source(d, source_name);
    struct str key = str_printf(&d->reading, "%u/%.*s", source, STR(name));
    uintptr_t at = (uintptr_t)map_find(&d->by_context, key);
    if (at)
        return (uint32_t)at - 1;
    uint32_t context = context_add(d, name, 0, source);
    map_put(&d->by_context, key, of_index(context));
    return context;
}

void data_add_lines(struct data *d, struct str source, struct str path, struct str context,
                    struct bits lines, const struct object_arc *arcs, size_t n_arcs)
{
    arena_reset(&d->reading);
    struct file *f = file_get(d, S(""), path, NULL, OBJECT_PYTHON);
    d->has_arcs = d->has_arcs || n_arcs;
    if (bits_none(lines) && !n_arcs)
        return;
    hits_take(d, f, known_context(d, source, context), lines, arcs, n_arcs);
}

/* ---- joining two ---- */

static void join_file(struct data *d, const struct data *other, const struct file *from,
                      uint32_t shift)
{
    arena_reset(&d->reading);
    struct file *to = labelled_get(d, from->label, &from->pub);
    if (!to->pub.updated.p || str_cmp(to->pub.updated, from->pub.updated) <= 0) {
        to->pub.updated = str_copy(&d->arena, from->pub.updated);
        to->pub.runtime = str_copy(&d->arena, from->pub.runtime);
        to->pub.version = str_copy(&d->arena, from->pub.version);
    }
    lines_join(&to->raw, (struct bits){from->raw.p, from->raw.n});
    foreign_join(d, to, from);
    first_join(d, to, from, shift);
    hits_join(&to->all, &from->all);
    for (size_t i = 0; i < from->n_groups; i++)
        hits_join(group_hits(d, to, data_group(d, other->groups[from->groups[i].group])),
                  &from->groups[i]);
}

void data_join(struct data *d, const struct data *from)
{
    uint32_t source = (uint32_t)d->n_sources, context = (uint32_t)d->n_contexts;
    for (size_t i = 0; i < from->n_sources; i++) {
        struct data_source *s = PUSH(d, sources);
        const struct str *in = (const struct str *)&from->sources[i];
        struct str *out = (struct str *)s; /* all members are texts */
        for (size_t k = 0; k < sizeof *s / sizeof *out; k++)
            out[k] = str_copy(&d->arena, in[k]);
    }
    for (size_t i = 0; i < from->n_contexts; i++) {
        const struct data_context *c = &from->contexts[i];
        uint32_t at = context_add(d, c->id, c->start_ms, c->source + source);
        d->contexts[at].name = str_copy(&d->arena, c->name);
    }
    d->has_arcs = d->has_arcs || from->has_arcs;
    d->n_lines_only += from->n_lines_only;
    for (size_t i = 0; i < from->n_files; i++)
        join_file(d, from, from->files[i], context);
}
