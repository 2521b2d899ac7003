/* test_store - what was acknowledged is there; what was not is gone. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "store/store.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "check.h"

static char dir[64];
static struct arena arena;

static int setup(void **state)
{
    arena_init(&arena);
    snprintf(dir, sizeof(dir), "/tmp/lamina-test-store-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    arena_done(&arena);
    return fs_remove_tree(dir);
}

static struct store *open_dir(void)
{
    struct store *s = NULL;
    struct store_error err;
    int r = store_open(&(struct store_options){.dir = dir}, &s, &err);
    if (r < 0)
        fail_msg("store_open: %d %s", r, err.message);
    return s;
}

static void put(struct store *s, const char *key, const char *value)
{
    assert_int_equal(store_put(s, str_from(key), str_from(value)), 0);
}

/* Keys and values of a scan as "a=1 b=2". */
static const char *shown(const struct store_row *rows, size_t n)
{
    struct buf b;
    buf_init(&b, 4096);
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%.*s=%.*s", i ? " " : "", STR(rows[i].key), STR(rows[i].value));
    const char *text = buf_copy(&b, &arena).p;
    buf_done(&b);
    return text;
}

static const char *scan(struct store *s, const char *prefix, const char *after, size_t limit)
{
    struct store_row *rows;
    size_t n;
    assert_int_equal(store_scan(s, str_from(prefix), str_from(after), limit, &arena, &rows, &n), 0);
    return shown(rows, n);
}

static const char *scan_back(struct store *s, const char *prefix, const char *before, size_t limit)
{
    struct store_row *rows;
    size_t n;
    assert_int_equal(
        store_scan_back(s, str_from(prefix), str_from(before), limit, &arena, &rows, &n), 0);
    return shown(rows, n);
}

static void test_values(void **state)
{
    struct store *s = open_dir();
    struct str v;
    struct stat st;
    assert_int_equal(stat(str_printf(&arena, "%s/lamina.db", dir).p, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(store_get(s, S("k"), &arena, &v), -ENOENT);
    put(s, "k", "1");
    put(s, "k", "2");
    assert_int_equal(store_get(s, S("k"), &arena, &v), 0);
    assert_str(v, "2");
    put(s, "empty", "");
    assert_int_equal(store_get(s, S("empty"), &arena, &v), 0);
    assert_true(str_has(v));
    assert_int_equal(v.n, 0);
    assert_int_equal(store_commit(s), 0);
    assert_int_equal(store_delete(s, S("k")), 0);
    assert_int_equal(store_delete(s, S("never")), 0);
    assert_false(store_has(s, S("k")));
    assert_int_equal(store_put(s, S(""), S("v")), -EINVAL);
    assert_int_equal(store_put(s, S("\xffz"), S("v")), -EINVAL);
    store_close(s); /* without commit: the deletion is forgotten */
    s = open_dir();
    assert_int_equal(store_get(s, S("k"), &arena, &v), 0);
    assert_str(v, "2");
    store_close(s);
}

static void test_scan(void **state)
{
    struct store *s = open_dir();
    put(s, "b/2", "two");
    put(s, "a", "x");
    put(s, "b/1", "one");
    put(s, "b/10", "ten");
    put(s, "b\xff", "y");
    put(s, "c", "z");
    assert_string_equal(scan(s, "b/", NULL, 10), "b/1=one b/10=ten b/2=two");
    assert_string_equal(scan(s, "b/", NULL, 2), "b/1=one b/10=ten");
    assert_string_equal(scan(s, "b/", "b/10", 2), "b/2=two");
    assert_string_equal(scan(s, "b/", "b/100", 2), "b/2=two");
    assert_string_equal(scan(s, "b/", "a", 1), "b/1=one");
    assert_string_equal(scan(s, "b/", "zz", 9), "");
    assert_string_equal(scan(s, "b\xff", NULL, 9), "b\xff=y");
    assert_string_equal(scan(s, "", NULL, 2), "a=x b/1=one");
    assert_string_equal(scan_back(s, "b/", NULL, 2), "b/2=two b/10=ten");
    assert_string_equal(scan_back(s, "b/", "b/10", 2), "b/1=one");
    assert_string_equal(scan_back(s, "", NULL, 1), "c=z");
    int64_t n;
    assert_int_equal(store_count(s, S("b/"), &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(store_delete_prefix(s, S("b/1")), 0);
    assert_int_equal(store_count(s, S("b/"), &n), 0);
    assert_int_equal(n, 1);
    store_close(s);
}

static void test_keys(void **state)
{
    struct str odd = str_of("x\0y\1z", 5);
    struct str key = store_key(&arena, 3, S("a"), odd, S(""));
    assert_int_equal(key.n, 2 + 7 + 1);
    assert_str(store_key_part(&arena, key, 0), "a");
    assert_true(str_eq(store_key_part(&arena, key, 1), odd));
    assert_true(str_has(store_key_part(&arena, key, 2)));
    assert_false(str_has(store_key_part(&arena, key, 3)));
    /* Order of keys is the order of their parts. */
    static const struct str parts[] = {S_INIT(""),  S_INIT("\0"),  S_INIT("\0a"), S_INIT("\1"),
                                       S_INIT("a"), S_INIT("a\0"), S_INIT("a b"), S_INIT("aa")};
    for (size_t i = 0; i + 1 < ARRAY_LEN(parts); i++)
        assert_true(str_cmp(store_key(&arena, 2, parts[i], S("zz")),
                            store_key(&arena, 2, parts[i + 1], S("a"))) < 0);
    static const int64_t numbers[] = {INT64_MIN, -2, -1, 0, 1, 255, 256, INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        int64_t back;
        struct str text = store_ordered(&arena, numbers[i]);
        assert_int_equal(store_ordered_parse(text, &back), 0);
        assert_true(back == numbers[i]);
        if (i)
            assert_true(str_cmp(store_ordered(&arena, numbers[i - 1]), text) < 0);
    }
}

static void test_marks(void **state)
{
    struct store *s = open_dir();
    put(s, "a", "1");
    struct store_mark outer = store_mark(s);
    put(s, "b", "1");
    struct store_mark inner = store_mark(s);
    put(s, "a", "2");
    put(s, "c", "1");
    assert_int_equal(store_undo_to(s, inner), 0);
    assert_string_equal(scan(s, "", NULL, 9), "a=1 b=1");
    inner = store_mark(s);
    put(s, "d", "1");
    assert_int_equal(store_release(s, inner), 0);
    inner = store_mark(s); /* nothing is written after it */
    assert_int_equal(store_undo_to(s, inner), 0);
    assert_string_equal(scan(s, "", NULL, 9), "a=1 b=1 d=1");
    assert_int_equal(store_undo_to(s, outer), 0);
    assert_string_equal(scan(s, "", NULL, 9), "a=1");
    outer = store_mark(s);
    inner = store_mark(s);
    put(s, "e", "1");
    assert_int_equal(store_release(s, outer), 0); /* ends the inner one as well */
    assert_int_equal(store_commit(s), 0);
    store_close(s);
    s = open_dir();
    assert_string_equal(scan(s, "", NULL, 9), "a=1 e=1");
    store_close(s);
}

static void test_one_owner(void **state)
{
    struct store *s = open_dir();
    pid_t owner = getpid();
    pid_t child = fork();
    if (child == 0) {
        struct store *other;
        struct store_error err;
        int r = store_open(&(struct store_options){.dir = dir}, &other, &err);
        _exit(r == -EBUSY && err.pid == owner && strstr(err.message, "in use by process") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store_close(s);
    store_close(open_dir()); /* free again */
}

static void run_sql(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(str_printf(&arena, "%s/lamina.db", dir).p, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* What an older version has made becomes this one's; a newer one's is refused. */
static void test_versions(void **state)
{
    struct store_error err;
    struct store *s;
    store_close(open_dir());
    run_sql("PRAGMA user_version=1");
    store_close(open_dir());
    run_sql("CREATE TABLE v(n CHECK(n >= 2)); INSERT INTO v SELECT * FROM pragma_user_version;"
            "PRAGMA user_version=99");
    assert_int_equal(store_open(&(struct store_options){.dir = dir}, &s, &err), -EPROTONOSUPPORT);
    assert_non_null(strstr(err.message, "newer version"));
}

static size_t count_files(const char *path)
{
    struct str *items;
    size_t n, files = 0;
    assert_int_equal(fs_walk(&arena, path, &items, &n), 0);
    for (size_t i = 0; i < n; i++)
        files += !str_ends(items[i], S("/"));
    return files;
}

static void test_blobs(void **state)
{
    struct store *s = open_dir();
    const char *blobs = str_printf(&arena, "%s/blobs", dir).p;
    struct str kept, undone, adopted;
    int fd;
    int64_t size;
    assert_int_equal(blob_put(s, S("hello"), &arena, &kept), 0);
    struct store_mark mark = store_mark(s);
    assert_int_equal(blob_put(s, S("never"), &arena, &undone), 0);
    assert_int_equal(store_undo_to(s, mark), 0);
    const char *temp = str_printf(&arena, "%s/up", store_tmp(s)).p;
    assert_int_equal(fs_write(temp, S("spooled"), 0600), 0);
    assert_int_equal(blob_adopt(s, temp, &arena, &adopted), 0);
    assert_false(fs_exists(temp));
    assert_int_equal(store_commit(s), 0);
    assert_int_equal(count_files(blobs), 2);
    assert_int_equal(blob_open(s, undone, &fd, &size), -ENOENT);
    assert_int_equal(blob_open(s, adopted, &fd, &size), 0);
    assert_int_equal(size, 7);
    assert_int_equal(blob_delete(s, adopted), 0);
    assert_true(fs_exists(blob_path(s, adopted, &arena).p)); /* until the commit */
    assert_int_equal(store_commit(s), 0);
    assert_false(fs_exists(blob_path(s, adopted, &arena).p));
    char text[8] = "";
    assert_int_equal(read(fd, text, 7), 7); /* a reader has it still */
    assert_string_equal(text, "spooled");
    close(fd);
    assert_int_equal(blob_delete(s, kept), 0);
    store_close(s); /* not committed */
    s = open_dir();
    assert_int_equal(blob_open(s, kept, &fd, &size), 0);
    close(fd);
    struct blob *b = blob_create(s);
    assert_int_equal(blob_write(b, "x", 1), 0);
    blob_abort(b);
    assert_int_equal(count_files(store_tmp(s)), 0);
    store_close(s);
}

static void test_disk_full(void **state)
{
    struct store *s;
    struct str value = str_of(arena_alloc(&arena, 100000), 100000), v;
    assert_int_equal(store_open(&(struct store_options){.dir = dir, .max_pages = 100}, &s, NULL),
                     0);
    put(s, "before", "1");
    assert_int_equal(store_commit(s), 0);
    put(s, "same turn", "1");
    int r = 0;
    for (int i = 0; i < 20 && r == 0; i++)
        r = store_put(s, str_printf(&arena, "big%d", i), value);
    assert_int_equal(r, -ENOSPC);
    assert_int_equal(store_put(s, S("after"), S("1")), -ENOSPC);
    assert_int_equal(store_commit(s), -ENOSPC); /* all calls of the turn answer it */
    assert_string_equal(scan(s, "", NULL, 9), "before=1");
    put(s, "next turn", "1");
    assert_int_equal(store_commit(s), 0);
    assert_int_equal(store_get(s, S("next turn"), &arena, &v), 0);
    store_close(s);
}

/* A child writes without end and says after each commit how far it is, in memory that outlives it.
 */
static void writer(volatile uint64_t *acknowledged)
{
    struct store *s;
    if (store_open(&(struct store_options){.dir = dir}, &s, NULL) < 0)
        _exit(1);
    struct arena a;
    arena_init(&a);
    for (uint64_t i = *acknowledged + 1;; i++) {
        struct str text = str_printf(&a, "%016llx", (unsigned long long)i), id;
        if (store_put(s, text, text) < 0 || blob_put(s, text, &a, &id) < 0 ||
            store_put(s, str_printf(&a, "of%.*s", STR(text)), id) < 0 || store_commit(s) < 0)
            _exit(2);
        *acknowledged = i;
        arena_reset(&a);
    }
}

static void test_kill(void **state)
{
    volatile uint64_t *acknowledged =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(acknowledged != MAP_FAILED);
    for (int round = 0; round < 20; round++) {
        uint64_t before = *acknowledged;
        uint32_t wanted;
        random_bytes(&wanted, sizeof(wanted));
        wanted %= 40;
        pid_t child = fork();
        if (child == 0)
            writer(acknowledged);
        while (*acknowledged <= before + wanted && waitpid(child, NULL, WNOHANG) == 0)
            sched_yield();
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        struct store *s = open_dir();
        for (uint64_t i = before + 1; i <= *acknowledged; i++) {
            struct str key = str_printf(&arena, "%016llx", (unsigned long long)i), v;
            assert_int_equal(store_get(s, key, &arena, &v), 0);
            assert_true(str_eq(v, key));
            assert_int_equal(store_get(s, str_printf(&arena, "of%.*s", STR(key)), &arena, &v), 0);
            int fd;
            int64_t size;
            assert_int_equal(blob_open(s, v, &fd, &size), 0);
            assert_int_equal(size, 16);
            close(fd);
        }
        int64_t keys;
        assert_int_equal(store_count(s, store_prefix(&arena, 1, S("blob")), &keys), 0);
        /* The turn in flight is there whole or not at all, and no file is left over. */
        assert_true((uint64_t)keys == *acknowledged || (uint64_t)keys == *acknowledged + 1);
        assert_int_equal(count_files(str_printf(&arena, "%s/blobs", dir).p), keys);
        *acknowledged = (uint64_t)keys;
        store_close(s);
    }
}

static const char *got(struct store *s, const char *key)
{
    struct str value;
    int r = store_get(s, str_from(key), &arena, &value);
    return r == -ENOENT ? "none" : r < 0 ? "error" : str_c(&arena, value);
}

/* What was read before is kept in memory: it must follow whatever is written and taken back. */
static void test_read_again(void **state)
{
    struct store *s = open_dir();
    assert_string_equal(got(s, "a"), "none");
    put(s, "a", "1");
    assert_string_equal(got(s, "a"), "1");
    assert_int_equal(store_commit(s), 0);
    assert_string_equal(got(s, "a"), "1");
    assert_string_equal(got(s, "b"), "none");

    struct store_mark mark = store_mark(s);
    put(s, "a", "2");
    put(s, "b", "2");
    assert_string_equal(got(s, "a"), "2");
    assert_string_equal(got(s, "b"), "2");
    assert_int_equal(store_undo_to(s, mark), 0);
    assert_string_equal(got(s, "a"), "1");
    assert_string_equal(got(s, "b"), "none");

    assert_int_equal(store_delete(s, S("a")), 0);
    assert_string_equal(got(s, "a"), "none");
    put(s, "a", "3");
    assert_string_equal(got(s, "a"), "3");
    assert_int_equal(store_delete_prefix(s, S("a")), 0);
    assert_string_equal(got(s, "a"), "none");
    assert_int_equal(store_commit(s), 0);

    /* Many, so that they take each other's place; and one too long to be kept. */
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            char key[16], value[16];
            snprintf(key, sizeof(key), "n%d", i);
            snprintf(value, sizeof(value), "%d", i + round);
            put(s, key, value);
            assert_string_equal(got(s, key), value);
        }
    }
    char *big = arena_alloc(&arena, 5001);
    memset(big, 'x', 5000);
    put(s, "big", big);
    assert_string_equal(got(s, "big"), big);
    assert_string_equal(got(s, "big"), big);
    assert_int_equal(store_commit(s), 0);
    store_close(s);
}

/* A turn that a full disk has undone is undone for those who read before, too. */
static void test_read_again_after_loss(void **state)
{
    struct store *s;
    assert_int_equal(store_open(&(struct store_options){.dir = dir, .max_pages = 30}, &s, NULL), 0);
    put(s, "a", "old");
    assert_int_equal(store_commit(s), 0);
    put(s, "a", "new");
    assert_string_equal(got(s, "a"), "new");
    char *big = arena_alloc(&arena, 1 << 20);
    assert_int_equal(store_put(s, S("big"), str_of(big, 1 << 20)), -ENOSPC);
    assert_int_equal(store_commit(s), -ENOSPC);
    assert_string_equal(got(s, "a"), "old");
    store_close(s);
}

/* Reading, and looking at what is not there, leaves nothing to be written. */
static void test_idle_turn(void **state)
{
    struct store *s = open_dir();
    struct stat before, after;
    const char *wal = str_printf(&arena, "%s/lamina.db-wal", dir).p;
    put(s, "a", "1");
    assert_int_equal(store_commit(s), 0);
    assert_int_equal(stat(wal, &before), 0);
    for (int i = 0; i < 10; i++) {
        struct store_mark mark = store_mark(s);
        got(s, "a");
        got(s, "none");
        scan(s, "", NULL, 9);
        assert_int_equal(store_release(s, mark), 0);
        assert_int_equal(store_commit(s), 0);
    }
    assert_int_equal(stat(wal, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_true(memcmp(&after.st_mtim, &before.st_mtim, sizeof(after.st_mtim)) == 0);
    store_close(s);
}

static void test_ephemeral(void **state)
{
    struct store *s;
    assert_int_equal(store_open(&(struct store_options){0}, &s, NULL), 0);
    const char *where = str_copy(&arena, str_from(store_dir(s))).p;
    struct str id;
    put(s, "k", "v");
    assert_int_equal(blob_put(s, S("x"), &arena, &id), 0);
    assert_int_equal(store_commit(s), 0);
    assert_string_equal(scan(s, "k", NULL, 9), "k=v");
    assert_true(fs_exists(where));
    store_close(s);
    assert_false(fs_exists(where));
}

/* What a killed daemon's children still write keeps nobody out, and is in nobody's way. */
static void opens_while_others_write_into_tmp(void **state)
{
    char path[128];
    store_close(open_dir());
    pid_t child = fork();
    if (child == 0) {
        for (unsigned i = 0;; i++) {
            snprintf(path, sizeof(path), "%s/tmp/old", dir);
            mkdir(path, 0700);
            snprintf(path, sizeof(path), "%s/tmp/old/%u", dir, i);
            close(open(path, O_WRONLY | O_CREAT, 0600));
        }
    }
    for (int i = 0; i < 50; i++)
        store_close(open_dir());
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    store_close(open_dir());
    snprintf(path, sizeof(path), "%s/tmp/old", dir);
    assert_false(fs_exists(path));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(test_values),     CASE(test_scan),
        CASE(test_keys),       CASE(test_marks),
        CASE(test_one_owner),  CASE(test_blobs),
        CASE(test_disk_full),  CASE(test_kill),
        CASE(test_ephemeral),  CASE(test_versions),
        CASE(test_read_again), CASE(test_read_again_after_loss),
        CASE(test_idle_turn),  CASE(opens_while_others_write_into_tmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
