/* store - keys and values in SQLite; the turn and its marks. */
#include <errno.h>
#include "store/internal.h"
#include "base/log.h"

int store_error_of(struct store *s, int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_TOOBIG:
        return -E2BIG;
    case SQLITE_NOMEM:
        abort();
    case SQLITE_IOERR: {
        int system = s->db ? sqlite3_system_errno(s->db) : 0;
        return system == ENOSPC || system == EDQUOT ? -ENOSPC : -EIO;
    }
    default:
        return -EIO;
    }
}

static void bind_key(sqlite3_stmt *st, int i, struct str s)
{
    sqlite3_bind_blob64(st, i, s.n ? s.p : "", s.n, SQLITE_STATIC);
}

static int step_done(struct store *s, enum statement which)
{
    sqlite3_stmt *st = s->statements[which];
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return store_error_of(s, rc);
}

/* The turn is lost: what it wrote is taken back now, and store_commit() will tell. */
static int lose(struct store *s, int error)
{
    if (s->failed)
        return s->failed;
    log_debug("store: the turn is lost: %s", sqlite3_errmsg(s->db));
    recent_forget_all(s);
    if (s->in_turn && !sqlite3_get_autocommit(s->db))
        step_done(s, STATEMENT_ROLLBACK);
    s->in_turn = false;
    s->savepoints = 0;
    s->failed = error;
    return error;
}

int store_write_begin(struct store *s)
{
    if (s->failed)
        return s->failed;
    if (!s->in_turn) {
        int r = step_done(s, STATEMENT_BEGIN);
        if (r < 0)
            return lose(s, r);
        s->in_turn = true;
        s->savepoints = 0;
    }
    while (s->savepoints < s->marks) {
        int r = step_done(s, STATEMENT_SAVEPOINT);
        if (r < 0)
            return lose(s, r);
        s->savepoints++;
    }
    return 0;
}

/* Good until the statement goes on. */
static struct str column(sqlite3_stmt *st, int i)
{
    const void *p = sqlite3_column_blob(st, i);
    int n = sqlite3_column_bytes(st, i);
    return str_of(p ? p : "", (size_t)n);
}

int store_get(struct store *s, struct str key, struct arena *a, struct str *ret)
{
    bool there;
    struct str value;
    if (recent_find(s, key, &there, &value)) {
        if (there && a)
            *ret = str_copy(a, value);
        return there ? 0 : -ENOENT;
    }
    sqlite3_stmt *st = s->statements[STATEMENT_GET];
    bind_key(st, 1, key);
    int rc = sqlite3_step(st), r = -ENOENT;
    if (rc == SQLITE_ROW) {
        value = column(st, 0);
        recent_keep(s, key, true, value);
        if (a)
            *ret = str_copy(a, value);
        r = 0;
    } else if (rc != SQLITE_DONE) {
        r = store_error_of(s, rc);
    } else {
        recent_keep(s, key, false, S(""));
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return r;
}

bool store_has(struct store *s, struct str key)
{
    return store_get(s, key, NULL, NULL) == 0;
}

static bool is_key(struct str key)
{
    return key.n && (uint8_t)key.p[0] != 0xff;
}

int store_put(struct store *s, struct str key, struct str value)
{
    if (!is_key(key))
        return -EINVAL;
    int r = store_write_begin(s);
    if (r < 0)
        return r;
    recent_forget(s, key);
    sqlite3_stmt *st = s->statements[STATEMENT_PUT];
    bind_key(st, 1, key);
    bind_key(st, 2, value);
    r = step_done(s, STATEMENT_PUT);
    return r < 0 ? lose(s, r) : 0;
}

int store_delete(struct store *s, struct str key)
{
    int r = store_write_begin(s);
    if (r < 0)
        return r;
    recent_forget(s, key);
    bind_key(s->statements[STATEMENT_DELETE], 1, key);
    r = step_done(s, STATEMENT_DELETE);
    return r < 0 ? lose(s, r) : 0;
}

/* The first key behind all that begin with prefix: no key begins with 0xff. */
static struct str behind(struct arena *a, struct str prefix)
{
    while (prefix.n && (uint8_t)prefix.p[prefix.n - 1] == 0xff)
        prefix.n--;
    if (!prefix.n)
        return S("\xff");
    struct str end = str_copy(a, prefix);
    ((char *)end.p)[end.n - 1]++;
    return end;
}

int store_delete_prefix(struct store *s, struct str prefix)
{
    int r = store_write_begin(s);
    if (r < 0)
        return r;
    recent_forget_all(s);
    auto_arena struct arena a;
    arena_init(&a);
    bind_key(s->statements[STATEMENT_DELETE_RANGE], 1, prefix);
    bind_key(s->statements[STATEMENT_DELETE_RANGE], 2, behind(&a, prefix));
    r = step_done(s, STATEMENT_DELETE_RANGE);
    return r < 0 ? lose(s, r) : 0;
}

static int scan(struct store *s, enum statement which, struct str from, struct str to, size_t limit,
                struct arena *a, struct store_row **ret, size_t *ret_n)
{
    sqlite3_stmt *st = s->statements[which];
    struct store_row *rows = NULL;
    size_t n = 0, cap = 0;
    int rc;
    bind_key(st, 1, from);
    bind_key(st, 2, to);
    sqlite3_bind_int64(st, 3, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_row *row = arena_push(a, (void **)&rows, &n, &cap, sizeof(*row));
        row->key = str_copy(a, column(st, 0));
        row->value = str_copy(a, column(st, 1));
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    if (rc != SQLITE_DONE)
        return store_error_of(s, rc);
    *ret = rows;
    *ret_n = n;
    return 0;
}

int store_scan(struct store *s, struct str prefix, struct str after, size_t limit, struct arena *a,
               struct store_row **ret, size_t *ret_n)
{
    bool from_start = !str_has(after) || str_cmp(after, prefix) < 0;
    return scan(s, from_start ? STATEMENT_SCAN_FROM : STATEMENT_SCAN_AFTER,
                from_start ? prefix : after, behind(a, prefix), limit, a, ret, ret_n);
}

int store_scan_back(struct store *s, struct str prefix, struct str before, size_t limit,
                    struct arena *a, struct store_row **ret, size_t *ret_n)
{
    struct str to = behind(a, prefix);
    if (str_has(before) && str_cmp(before, to) < 0)
        to = before;
    return scan(s, STATEMENT_SCAN_BACK, prefix, to, limit, a, ret, ret_n);
}

int store_count(struct store *s, struct str prefix, int64_t *ret)
{
    auto_arena struct arena a;
    arena_init(&a);
    sqlite3_stmt *st = s->statements[STATEMENT_COUNT];
    bind_key(st, 1, prefix);
    bind_key(st, 2, behind(&a, prefix));
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return store_error_of(s, rc);
}

struct store_mark store_mark(struct store *s)
{
    return (struct store_mark){s->marks++};
}

int store_undo_to(struct store *s, struct store_mark mark)
{
    if (mark.depth >= s->marks)
        abort(); /* ended before */
    int r = s->failed;
    s->marks = mark.depth;
    /* Savepoints of one name nest: each of these two takes the newest. */
    if (s->savepoints > mark.depth)
        recent_forget_all(s);
    while (s->savepoints > mark.depth && r == 0) {
        int rc = sqlite3_exec(s->db, "ROLLBACK TO mark; RELEASE mark", NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return lose(s, store_error_of(s, rc));
        s->savepoints--;
    }
    return r;
}

int store_release(struct store *s, struct store_mark mark)
{
    if (mark.depth >= s->marks)
        abort();
    int r = s->failed;
    s->marks = mark.depth;
    while (s->savepoints > mark.depth && r == 0) {
        int rc = sqlite3_exec(s->db, "RELEASE mark", NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return lose(s, store_error_of(s, rc));
        s->savepoints--;
    }
    return r;
}

int store_commit(struct store *s)
{
    if (s->marks)
        abort(); /* an operation that has not ended: a bug that would commit half of it */
    int r = s->failed;
    if (!r && s->in_turn) {
        r = step_done(s, STATEMENT_COMMIT);
        if (r < 0)
            lose(s, r);
        s->in_turn = false;
    }
    s->failed = 0;
    if (s->touched.n)
        blobs_settle(s);
    return r;
}
