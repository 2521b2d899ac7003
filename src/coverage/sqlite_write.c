/* sqlite_write - the union as a .coverage file: see sqlite.h. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>
#include "coverage/mapping.h"
#include "coverage/sqlite.h"

/* The tables, columns and constraints of coverage.py's schema 7. */
static const char schema[] =
    "create table coverage_schema (version integer);"
    "create table meta (key text, value text, unique (key));"
    "create table file (id integer primary key, path text, unique (path));"
    "create table context (id integer primary key, context text, unique (context));"
    "create table line_bits (file_id integer, context_id integer, numbits blob,"
    " foreign key (file_id) references file (id),"
    " foreign key (context_id) references context (id), unique (file_id, context_id));"
    "create table arc (file_id integer, context_id integer, fromno integer, tono integer,"
    " foreign key (file_id) references file (id),"
    " foreign key (context_id) references context (id),"
    " unique (file_id, context_id, fromno, tono));"
    "create table tracer (file_id integer primary key, tracer text,"
    " foreign key (file_id) references file (id));"
    "insert into coverage_schema (version) values (7);"
    "insert into context (id, context) values (1, '');";

struct writing {
    struct arena *arena;
    sqlite3 *db;
    sqlite3_stmt *meta, *file, *context, *lines, *arc;
    bool arcs;
    struct str error; /* the first one */
};

static void run(struct writing *w, sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE && !w->error.n)
        w->error = str_printf(w->arena, "%s", sqlite3_errmsg(w->db));
    sqlite3_reset(s);
}

static void bind_text(sqlite3_stmt *s, int at, struct str text)
{
    sqlite3_bind_text(s, at, text.p, (int)text.n, SQLITE_STATIC);
}

static void put_meta(struct writing *w, const char *key, struct str value)
{
    bind_text(w->meta, 1, str_from(key));
    bind_text(w->meta, 2, value);
    run(w, w->meta);
}

static void put_arc(struct writing *w, int64_t file, int64_t context, int32_t from, int32_t to)
{
    sqlite3_bind_int64(w->arc, 1, file);
    sqlite3_bind_int64(w->arc, 2, context);
    sqlite3_bind_int(w->arc, 3, from);
    sqlite3_bind_int(w->arc, 4, to);
    run(w, w->arc);
}

/* Lines are what arcs touch: a line that no arc tells of (sys.monitoring has branches only) is an
 * arc to itself, as coverage.py's own core for it writes. */
static void put_arcs(struct writing *w, int64_t file, int64_t context, struct bits lines,
                     const struct object_arc *arcs, size_t n)
{
    uint8_t *alone = arena_alloc(w->arena, lines.n);
    bits_join(alone, lines);
    for (size_t i = 0; i < n; i++) {
        put_arc(w, file, context, arcs[i].from, arcs[i].to);
        int32_t ends[2] = {arcs[i].from, arcs[i].to};
        for (int k = 0; k < 2; k++)
            if (ends[k] > 0 && (uint32_t)ends[k] / 8 < lines.n)
                alone[ends[k] / 8] &= (uint8_t) ~(1u << (ends[k] % 8));
    }
    struct bits rest = {alone, lines.n};
    for (int64_t l = bits_next(rest, 1); l >= 0; l = bits_next(rest, (uint32_t)l + 1))
        put_arc(w, file, context, (int32_t)l, (int32_t)l);
}

static void put_lines(struct writing *w, int64_t file, int64_t context, struct bits lines)
{
    lines = bits_trim(lines);
    sqlite3_bind_int64(w->lines, 1, file);
    sqlite3_bind_int64(w->lines, 2, context);
    if (lines.n)
        sqlite3_bind_blob(w->lines, 3, lines.p, (int)lines.n, SQLITE_STATIC);
    else
        sqlite3_bind_zeroblob(w->lines, 3, 0);
    run(w, w->lines);
}

static void put_hits(struct writing *w, int64_t file, int64_t context, struct bits lines,
                     const struct object_arc *arcs, size_t n)
{
    if (w->arcs)
        put_arcs(w, file, context, lines, arcs, n);
    else
        put_lines(w, file, context, lines);
}

/* The context '' has number 1 in every file. */
static int64_t context_id(const struct data_view *v, size_t group)
{
    return v->groups[group].n ? (int64_t)group + 2 : 1;
}

static void put_contexts(struct writing *w, const struct data_view *v)
{
    for (size_t i = 0; i < v->n_groups; i++) {
        if (!v->groups[i].n)
            continue;
        sqlite3_bind_int64(w->context, 1, context_id(v, i));
        bind_text(w->context, 2, v->groups[i]);
        run(w, w->context);
    }
}

/* The unions by group, one group after the other. */
static void put_groups(struct writing *w, int64_t file, const struct mapped *m,
                       const struct data_view *v)
{
    for (uint32_t g = 0; g < v->n_groups; g++) {
        struct bits lines = {0};
        struct object_arc *arcs = NULL;
        size_t n = 0, cap = 0;
        for (size_t i = 0; i < m->n; i++)
            for (size_t k = 0; k < m->data[i]->n_groups; k++) {
                const struct data_hits *h = &m->data[i]->groups[k];
                if (h->group != g)
                    continue;
                lines = mapped_join(w->arena, lines, h->lines);
                for (size_t j = 0; j < h->n_arcs; j++)
                    *(struct object_arc *)arena_push(w->arena, (void **)&arcs, &n, &cap,
                                                     sizeof *arcs) = h->arcs[j];
            }
        if (lines.n)
            put_hits(w, file, context_id(v, g), lines, arcs, n);
    }
}

static void put_file(struct writing *w, int64_t id, const struct mapped *m,
                     const struct data_view *v)
{
    sqlite3_bind_int64(w->file, 1, id);
    bind_text(w->file, 2, m->local->path);
    run(w, w->file);
    if (v->n_groups) {
        put_groups(w, id, m, v);
        return;
    }
    struct file_hits hits;
    mapped_hits(w->arena, m, &hits);
    if (m->n)
        put_hits(w, id, 1, hits.lines, hits.arcs, hits.n_arcs);
}

static bool open_db(struct writing *w, const char *path)
{
    const struct {
        sqlite3_stmt **into;
        const char *sql;
    } statements[] = {
        {&w->meta, "insert into meta (key, value) values (?, ?)"},
        {&w->file, "insert into file (id, path) values (?, ?)"},
        {&w->context, "insert into context (id, context) values (?, ?)"},
        {&w->lines, "insert into line_bits (file_id, context_id, numbits) values (?, ?, ?)"},
        {&w->arc, "insert or ignore into arc (file_id, context_id, fromno, tono) "
                  "values (?, ?, ?, ?)"},
    };
    if (sqlite3_open_v2(path, &w->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) ||
        sqlite3_exec(w->db, "pragma journal_mode = off; pragma synchronous = off; begin", NULL,
                     NULL, NULL) ||
        sqlite3_exec(w->db, schema, NULL, NULL, NULL))
        return false;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (sqlite3_prepare_v2(w->db, statements[i].sql, -1, statements[i].into, NULL))
            return false;
    return true;
}

static void close_db(struct writing *w)
{
    sqlite3_finalize(w->meta);
    sqlite3_finalize(w->file);
    sqlite3_finalize(w->context);
    sqlite3_finalize(w->lines);
    sqlite3_finalize(w->arc);
    sqlite3_close(w->db);
}

/* Taken by what the lines say: see analysis_arc.sure. Both lists are sorted by path. */
static void put_inferred(struct writing *w, const struct mapping *m,
                         const struct coverage_report *r)
{
    size_t at = 0;
    for (size_t i = 0; i < m->n; i++) {
        while (at < r->n_files && str_cmp(r->files[at].path, m->files[i]->local->path) < 0)
            at++;
        if (at == r->n_files || !str_eq(r->files[at].path, m->files[i]->local->path))
            continue;
        const struct file_result *f = &r->files[at].result;
        for (size_t k = 0; k < f->n_branches; k++)
            if (f->branches[k].executed && f->branches[k].what->sure)
                put_arc(w, (int64_t)i + 1, 1, f->branches[k].arc.from, f->branches[k].arc.to);
    }
}

static void write_all(struct writing *w, const struct mapping *m, const struct data_view *v,
                      const struct coverage_report *r)
{
    put_meta(w, "has_arcs", w->arcs ? S("1") : S("0"));
    put_meta(w, "version", S("7.0.0"));
    put_meta(w, "lamina", S(LAMINA_VERSION));
    put_contexts(w, v);
    for (size_t i = 0; i < m->n; i++)
        put_file(w, (int64_t)i + 1, m->files[i], v);
    if (w->arcs && r)
        put_inferred(w, m, r);
}

int sqlite_write(struct arena *a, const struct report_request *q,
                 const struct coverage_report *report, const char *path, struct sqlite_result *ret)
{
    struct mapping mapping;
    struct writing w = {.arena = a, .arcs = q->branches && q->data->has_arcs};
    struct str part = str_printf(a, "%s.part-%d", path, (int)getpid());
    *ret = (struct sqlite_result){0};
    mapping_build(a, q, &mapping);
    for (size_t i = 0; i < q->data->n_files; i++)
        if (q->data->files[i].kind != OBJECT_PYTHON)
            mapping_leave_out(&mapping, q->data->files[i].path,
                              S("is no Python, which alone these files hold: combine to a .json, "
                                ".xml or .lcov file"));
    unlink(part.p);
    bool done = open_db(&w, part.p);
    if (done) {
        write_all(&w, &mapping, q->data, report);
        done = !w.error.n && sqlite3_exec(w.db, "commit", NULL, NULL, NULL) == SQLITE_OK;
    }
    if (!done)
        ret->error = w.error.n ? w.error : str_printf(a, "%s", sqlite3_errmsg(w.db));
    close_db(&w);
    if (done && rename(part.p, path) < 0) {
        ret->error = str_from(strerror(errno));
        done = false;
    }
    if (!done)
        unlink(part.p);
    ret->files = mapping.n;
    ret->left_out = mapping.left_out;
    ret->n_left_out = mapping.n_left_out;
    mapping_done(&mapping);
    return done ? 0 : -EIO;
}
