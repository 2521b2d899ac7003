/* open - taking a data folder, and leaving it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"

#define OLD_TMP_NAME "tmp.old-"
#define EPHEMERAL_NAME "lamina-data-"

static int fail(struct store_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(struct store_error *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (err)
        vsnprintf(err->message, sizeof(err->message), fmt, ap);
    va_end(ap);
    return code;
}

static char *path_in(const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", dir, name);
    return path;
}

/* A lock of this process only (children of fork do not have it), gone when it ends by whatever
 * cause. The file holds "open" from the first to the last moment: when it is found there, the one
 * before was killed. */
static int lock_take(const char *dir, int *ret_fd, bool *ret_killed, int *ret_pid)
{
    auto_free char *path = path_in(dir, "lock");
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &lock) < 0) {
        if (errno != EAGAIN && errno != EACCES)
            return -errno;
        *ret_pid = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
        return -EBUSY;
    }
    char text[8];
    *ret_killed = pread(fd, text, sizeof(text), 0) > 0;
    if (pwrite(fd, "open\n", 5, 0) != 5)
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static const char *ephemeral_parent(void)
{
    const char *parent = getenv("TMPDIR");
    return parent && parent[0] == '/' ? parent : "/tmp";
}

bool store_sweep_ephemeral(const struct store *s, bool remove)
{
    const char *parent = ephemeral_parent();
    bool found = false;
    DIR *d = opendir(parent);
    if (!d)
        return false;
    struct dirent *e;
    while ((e = readdir(d))) {
        struct stat st;
        if (strncmp(e->d_name, EPHEMERAL_NAME, strlen(EPHEMERAL_NAME)) != 0)
            continue;
        auto_free char *dir = path_in(parent, e->d_name);
        auto_free char *lock_path = path_in(dir, "lock");
        /* A minute: the one who is just making it has not locked it yet. Closing our own lock's
         * file once more would end the lock. */
        if (strcmp(dir, s->dir) == 0 || lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) ||
            st.st_uid != geteuid() || st.st_mtime > time(NULL) - 60)
            continue;
        auto_close int fd = open(lock_path, O_RDWR | O_CLOEXEC);
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) < 0)
            continue;
        found = true;
        if (remove)
            fs_remove_tree(dir);
    }
    closedir(d);
    return found;
}

static int make_ephemeral(struct store *s, struct store_error *err)
{
    const char *parent = ephemeral_parent();
    s->dir = path_in(parent, EPHEMERAL_NAME "XXXXXX");
    if (mkdtemp(s->dir))
        return 0;
    int r = -errno;
    fail(err, r, "cannot make a folder in %s: %s", parent, strerror(-r));
    free(TAKE(s->dir));
    return r;
}

/* An empty DIR/tmp. What a killed process's children still write goes to the folder they know,
 * which is moved away first; what cannot be removed for that goes at the next open. */
static int renew_tmp(struct store *s)
{
    char name[sizeof(OLD_TMP_NAME) + 24];
    snprintf(name, sizeof(name), "%s%ld", OLD_TMP_NAME, (long)getpid());
    auto_free char *old = path_in(s->dir, name);
    int r = fs_remove_tree(old);
    if (r == 0 && rename(s->tmp, old) < 0 && errno != ENOENT)
        r = -errno;
    DIR *d = opendir(s->dir);
    struct dirent *e;
    while (r == 0 && d && (e = readdir(d))) {
        if (strncmp(e->d_name, OLD_TMP_NAME, strlen(OLD_TMP_NAME)) != 0)
            continue;
        auto_free char *dir = path_in(s->dir, e->d_name);
        r = fs_remove_tree(dir);
        if (r == -ENOTEMPTY)
            r = 0;
    }
    if (d)
        closedir(d);
    return r < 0 ? r : fs_mkdirs(s->tmp, 0700);
}

static int prepare_folders(struct store *s, const struct store_options *o, struct store_error *err,
                           bool *ret_killed)
{
    int pid = 0;
    int r = o->dir ? fs_mkdirs(o->dir, 0700) : make_ephemeral(s, err);
    if (r < 0 && o->dir)
        return fail(err, r, "cannot make the data folder %s: %s", o->dir, strerror(-r));
    if (r < 0)
        return r;
    if (o->dir) {
        s->dir = realpath(o->dir, NULL);
        if (!s->dir)
            return fail(err, -errno, "cannot use the data folder %s: %s", o->dir, strerror(errno));
    }
    s->tmp = path_in(s->dir, "tmp");
    s->blobs = path_in(s->dir, "blobs");
    r = lock_take(s->dir, &s->lock_fd, ret_killed, &pid);
    if (r == -EBUSY) {
        if (err)
            err->pid = pid;
        return fail(err, r, "the data folder %s is in use by process %d", s->dir, pid);
    }
    if (r == 0)
        r = fs_mkdirs(s->blobs, 0700);
    if (r == 0)
        r = renew_tmp(s);
    if (r < 0)
        return fail(err, r, "cannot use the data folder %s: %s", s->dir, strerror(-r));
    return 0;
}

static int run(struct store *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

static int pragma_int(struct store *s, const char *sql, int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        *ret = sqlite3_column_int64(st, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(st);
    return rc;
}

static int set_up(struct store *s, const struct store_options *o, struct store_error *err)
{
    int64_t version = 0;
    char sql[64];
    /* This process is the only one: no lock is taken twice, no shared memory file is needed. */
    int rc = run(s, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cell_size_check=ON;"
                    "PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4096");
    /* A file all the same: in a database without one all pages stay dirty, and each commit walks
     * through all of them. */
    if (rc == SQLITE_OK && s->ephemeral)
        rc = run(s, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF");
    if (rc == SQLITE_OK && !s->ephemeral)
        rc = run(s, "PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=16777216");
    if (rc == SQLITE_OK && !s->ephemeral)
        rc = run(s, o->durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    if (rc == SQLITE_OK)
        rc = pragma_int(s, "PRAGMA user_version", &version);
    if (rc != SQLITE_OK)
        return fail(err, store_error_of(s, rc), "the database in %s cannot be read: %s", s->dir,
                    sqlite3_errmsg(s->db));
    if (version > STORE_SCHEMA)
        return fail(err, -EPROTONOSUPPORT,
                    "the data folder %s was made by a newer version of lamina "
                    "(format %lld, this one knows %d)",
                    s->dir, (long long)version, STORE_SCHEMA);
    if (version < STORE_SCHEMA) {
        snprintf(sql, sizeof(sql), "PRAGMA user_version=%d; COMMIT", STORE_SCHEMA);
        rc = run(s, "BEGIN IMMEDIATE;"
                    "CREATE TABLE IF NOT EXISTS kv(key BLOB UNIQUE NOT NULL, value BLOB NOT NULL)");
        if (rc == SQLITE_OK)
            rc = run(s, sql);
        if (rc != SQLITE_OK)
            return fail(err, store_error_of(s, rc), "the database in %s cannot be made: %s", s->dir,
                        sqlite3_errmsg(s->db));
    }
    if (o->max_pages) {
        snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%lld", (long long)o->max_pages);
        run(s, sql);
    }
    return 0;
}

static int prepare_statements(struct store *s, struct store_error *err)
{
    static const char *const sql[STATEMENT_N] = {
        [STATEMENT_GET] = "SELECT value FROM kv WHERE key=?1",
        [STATEMENT_PUT] = ("INSERT INTO kv(key,value) VALUES(?1,?2)"
                           " ON CONFLICT(key) DO UPDATE SET value=excluded.value"),
        [STATEMENT_DELETE] = "DELETE FROM kv WHERE key=?1",
        [STATEMENT_DELETE_RANGE] = "DELETE FROM kv WHERE key>=?1 AND key<?2",
        [STATEMENT_SCAN_FROM] =
            "SELECT key,value FROM kv WHERE key>=?1 AND key<?2 ORDER BY key LIMIT ?3",
        [STATEMENT_SCAN_AFTER] =
            "SELECT key,value FROM kv WHERE key>?1 AND key<?2 ORDER BY key LIMIT ?3",
        [STATEMENT_SCAN_BACK] =
            "SELECT key,value FROM kv WHERE key>=?1 AND key<?2 ORDER BY key DESC LIMIT ?3",
        [STATEMENT_COUNT] = "SELECT count(*) FROM kv WHERE key>=?1 AND key<?2",
        [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
        [STATEMENT_COMMIT] = "COMMIT",
        [STATEMENT_ROLLBACK] = "ROLLBACK",
        [STATEMENT_SAVEPOINT] = "SAVEPOINT mark",
    };
    for (int i = 0; i < STATEMENT_N; i++) {
        int rc = sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i],
                                    NULL);
        if (rc != SQLITE_OK)
            return fail(err, store_error_of(s, rc), "the database in %s is not lamina's: %s",
                        s->dir, sqlite3_errmsg(s->db));
    }
    return 0;
}

int store_open(const struct store_options *o, struct store **ret, struct store_error *err)
{
    struct store *s = MEM_NEW(struct store);
    bool killed = false;
    if (err)
        *err = (struct store_error){0};
    s->lock_fd = -1;
    s->ephemeral = !o->dir;
    s->durable = o->durable && o->dir;
    map_init(&s->touched);
    int r = prepare_folders(s, o, err, &killed);
    if (r == 0) {
        auto_free char *path = path_in(s->dir, "lamina.db");
        int rc = sqlite3_open_v2(
            path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
        if (rc != SQLITE_OK)
            r = fail(err, store_error_of(s, rc), "cannot open %s: %s", path,
                     s->db ? sqlite3_errmsg(s->db) : "out of memory");
        else if (chmod(path, 0600) < 0) /* its other files get the same mode */
            r = fail(err, -errno, "cannot own %s: %s", path, strerror(errno));
    }
    if (r == 0) {
        sqlite3_extended_result_codes(s->db, 1);
        r = set_up(s, o, err);
    }
    if (r == 0)
        r = prepare_statements(s, err);
    if (r == 0 && killed)
        r = blobs_sweep(s);
    if (r < 0) {
        if (err && !err->message[0])
            fail(err, r, "cannot use the data folder %s: %s", s->dir, strerror(-r));
        store_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->in_turn)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    s->in_turn = false;
    if (s->db && s->statements[STATEMENT_GET])
        blobs_settle(s);
    for (int i = 0; i < STATEMENT_N; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite3_close(s->db);
    if (s->lock_fd >= 0) {
        if (s->ephemeral)
            fs_remove_tree(s->dir);
        else if (ftruncate(s->lock_fd, 0) < 0)
            log_debug("lock of %s: %s", s->dir, strerror(errno));
        close(s->lock_fd);
    }
    map_done(&s->touched);
    recent_forget_all(s);
    free(s->dir);
    free(s->tmp);
    free(s->blobs);
    free(s);
}

const char *store_dir(const struct store *s)
{
    return s->dir;
}

const char *store_tmp(const struct store *s)
{
    return s->tmp;
}
