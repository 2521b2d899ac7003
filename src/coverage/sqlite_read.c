/* sqlite_read - a .coverage file into the union: see sqlite.h. */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/mem.h"
#include "coverage/sqlite.h"

struct reading {
    struct arena *arena;
    struct data *data;
    struct str name;
    sqlite3 *db;
    struct str reason;
};

bool sqlite_is(struct str head)
{
    return head.n >= 16 && !memcmp(head.p, "SQLite format 3", 16);
}

static int bad(struct reading *r, const char *why)
{
    r->reason = str_printf(r->arena, "it is no data file of coverage.py: %s", why);
    return -EBADMSG;
}

static int prepare(struct reading *r, const char *sql, sqlite3_stmt **ret)
{
    if (sqlite3_prepare_v2(r->db, sql, -1, ret, NULL) != SQLITE_OK)
        return bad(r, sqlite3_errmsg(r->db));
    return 0;
}

/* The end of a statement: -EBADMSG when it was not its last row. */
static int finish(struct reading *r, sqlite3_stmt *s, int step)
{
    int e = step == SQLITE_DONE ? 0 : bad(r, sqlite3_errmsg(r->db));
    sqlite3_finalize(s);
    return e;
}

static struct str text_of(sqlite3_stmt *s, int column)
{
    const unsigned char *p = sqlite3_column_text(s, column);
    return p ? str_of((const char *)p, (size_t)sqlite3_column_bytes(s, column)) : S("");
}

static int check_schema(struct reading *r)
{
    sqlite3_stmt *s;
    int e = prepare(r, "select version from coverage_schema", &s);
    if (e < 0)
        return e;
    int step = sqlite3_step(s), version = step == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
    sqlite3_finalize(s);
    if (step != SQLITE_ROW)
        return bad(r, "it has no schema's version");
    if (version != SQLITE_COVERAGE_SCHEMA) {
        r->reason = str_printf(r->arena,
                               "its schema is version %d of coverage.py's, known is %d: \"coverage "
                               "combine\" of a newer coverage.py brings it up to date",
                               version, SQLITE_COVERAGE_SCHEMA);
        return -EBADMSG;
    }
    return 0;
}

static int has_arcs(struct reading *r, bool *ret)
{
    sqlite3_stmt *s;
    int e = prepare(r, "select value from meta where key = 'has_arcs'", &s);
    if (e < 0)
        return e;
    *ret = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0) != 0;
    sqlite3_finalize(s);
    return 0;
}

static int read_lines(struct reading *r)
{
    sqlite3_stmt *s;
    int step, e = prepare(r,
                          "select file.path, context.context, line_bits.numbits from line_bits "
                          "join file on file.id = line_bits.file_id "
                          "join context on context.id = line_bits.context_id",
                          &s);
    if (e < 0)
        return e;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        const uint8_t *p = sqlite3_column_blob(s, 2);
        struct bits lines = bits_trim((struct bits){p, (size_t)sqlite3_column_bytes(s, 2)});
        if (lines.n > OBJECT_LINE_MAX / 8) {
            sqlite3_finalize(s);
            return bad(r, "it has a line number that is too large");
        }
        data_add_lines(r->data, r->name, text_of(s, 0), text_of(s, 1), lines, NULL, 0);
    }
    return finish(r, s, step);
}

/* Rows of one file and context, until they are handed over together. */
struct batch {
    struct str path, context;
    int64_t file, context_id;
    struct object_arc *arcs;
    size_t n, cap;
    uint32_t max;
};

static void batch_flush(struct reading *r, struct batch *b)
{
    if (b->n) {
        uint8_t *lines = mem_zalloc(bits_size(b->max));
        for (size_t i = 0; i < b->n; i++) {
            if (b->arcs[i].from > 0)
                bits_set(lines, (uint32_t)b->arcs[i].from);
            if (b->arcs[i].to > 0)
                bits_set(lines, (uint32_t)b->arcs[i].to);
        }
        data_add_lines(r->data, r->name, b->path, b->context,
                       (struct bits){lines, bits_size(b->max)}, b->arcs, b->n);
        free(lines);
    }
    b->n = 0;
    b->max = 0;
}

static bool batch_add(struct batch *b, int64_t from, int64_t to)
{
    const int64_t max = OBJECT_LINE_MAX;
    if (from < -max || from > max || to < -max || to > max)
        return false;
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 256;
        b->arcs = mem_realloc(b->arcs, b->cap * sizeof *b->arcs);
    }
    b->arcs[b->n++] = (struct object_arc){(int32_t)from, (int32_t)to};
    if (from > (int64_t)b->max)
        b->max = (uint32_t)from;
    if (to > (int64_t)b->max)
        b->max = (uint32_t)to;
    return true;
}

static int read_arcs(struct reading *r)
{
    sqlite3_stmt *s;
    int step, e = prepare(r,
                          "select arc.file_id, arc.context_id, fromno, tono, file.path, "
                          "context.context from arc join file on file.id = arc.file_id "
                          "join context on context.id = arc.context_id order by 1, 2",
                          &s);
    if (e < 0)
        return e;
    struct batch b = {.file = -1};
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t file = sqlite3_column_int64(s, 0), context = sqlite3_column_int64(s, 1);
        if (file != b.file || context != b.context_id) {
            batch_flush(r, &b);
            b.file = file;
            b.context_id = context;
            b.path = str_copy(r->arena, text_of(s, 4));
            b.context = str_copy(r->arena, text_of(s, 5));
        }
        if (!batch_add(&b, sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3))) {
            sqlite3_finalize(s);
            free(b.arcs);
            return bad(r, "it has a line number that is too large");
        }
    }
    if (step == SQLITE_DONE)
        batch_flush(r, &b);
    free(b.arcs);
    return finish(r, s, step);
}

/* Files that were measured, but of which nothing ran. */
static int read_files(struct reading *r)
{
    sqlite3_stmt *s;
    int step, e = prepare(r, "select path from file", &s);
    if (e < 0)
        return e;
    while ((step = sqlite3_step(s)) == SQLITE_ROW)
        data_add_lines(r->data, r->name, text_of(s, 0), S(""), (struct bits){0}, NULL, 0);
    return finish(r, s, step);
}

static int read_all(struct reading *r)
{
    bool arcs = false;
    int e = check_schema(r);
    if (e == 0)
        e = has_arcs(r, &arcs);
    if (e == 0)
        e = read_files(r);
    if (!arcs)
        data_lines_only(r->data);
    return e < 0 ? e : arcs ? read_arcs(r) : read_lines(r);
}

int sqlite_read(struct arena *a, struct data *d, struct str name, const char *path,
                struct str *ret_reason)
{
    /* Into a union of its own first: a file that turns out to be damaged leaves nothing. */
    struct reading r = {.arena = a, .data = data_new(data_by(d)), .name = name};
    int e = sqlite3_open_v2(path, &r.db, SQLITE_OPEN_READONLY, NULL);
    if (e != SQLITE_OK) {
        e = bad(&r, sqlite3_errmsg(r.db));
    } else {
        /* Its schema is a stranger's. */
        sqlite3_db_config(r.db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(r.db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        e = read_all(&r);
    }
    sqlite3_close(r.db);
    if (e == 0)
        data_join(d, r.data);
    data_free(r.data);
    *ret_reason = r.reason;
    return e;
}
