/* test_base - text, buffers, maps, lists, time, digests, files. */
#include <limits.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/body.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/list.h"
#include "base/map.h"
#include "base/utf8.h"
#include "check.h"

static struct arena arena;
static char dir[64];

static int setup(void **state)
{
    arena_init(&arena);
    snprintf(dir, sizeof(dir), "/tmp/lamina-test-base-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    arena_done(&arena);
    return fs_remove_tree(dir);
}

static void test_str(void **state)
{
    struct str head, rest;
    assert_true(str_cut(S("a=b=c"), '=', &head, &rest));
    assert_str(head, "a");
    assert_str(rest, "b=c");
    assert_false(str_cut(S("abc"), '=', &head, &rest));
    assert_str(head, "abc");
    assert_int_equal(rest.n, 0);
    assert_str(str_trim(S(" \t a b\r\n")), "a b");
    assert_int_equal(str_find(S("abcabd"), S("abd")), 3);
    assert_int_equal(str_find(S("ab"), S("abc")), -1);
    assert_int_equal(str_find_last_byte(S("a/b/c"), '/'), 3);
    assert_true(str_cmp(S("a"), S("ab")) < 0);
    assert_true(str_cmp(S("a\x80"), S("a\x7f")) > 0);
    assert_true(str_eq((struct str){0}, S("")));
    assert_false(str_has(str_from(NULL)));
    assert_true(str_eq_nocase(S("Content-TYPE"), S("content-type")));
    assert_false(str_eq_nocase(S("@"), S("`")));
    assert_str(str_slice(S("abc"), 1, 99), "bc");
    assert_str(str_slice(S("abc"), 5, 2), "");
    struct str parts[] = {S("a"), S(""), S("b")};
    assert_str(str_join(&arena, S(", "), parts, 3), "a, , b");
    assert_str(str_lower(&arena, S("A-Z\xc3\x84")), "a-z\xc3\x84");
    assert_null(str_c(&arena, (struct str){0}));
    assert_int_equal(str_printf(&arena, "%400d", 1).n, 400);
}

static void test_int(void **state)
{
    static const struct {
        const char *in;
        int r;
        int64_t v;
    } rows[] = {
        {"0", 0, 0},
        {"-7", 0, -7},
        {"+7", 0, 7},
        {"007", 0, 7},
        {"", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"0x1", -EINVAL, 0},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", -ERANGE, 0},
        {"-9223372036854775809", -ERANGE, 0},
        {"99999999999999999999x", -EINVAL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v = 0;
        int r = str_to_int64(str_from(rows[i].in), &v);
        if (r != rows[i].r || v != rows[i].v)
            fail_msg("\"%s\": %d, %lld", rows[i].in, r, (long long)v);
    }
}

static void test_buf(void **state)
{
    auto_buf struct buf b;
    buf_init(&b, 10);
    buf_text(&b, "12345");
    buf_printf(&b, "%s", "67890"); /* exactly full: no room is taken by a NUL */
    assert_false(buf_failed(&b));
    buf_byte(&b, 'x');
    assert_true(buf_failed(&b));
    assert_str(buf_view(&b), "1234567890");
    buf_drop(&b, 8);
    assert_str(buf_view(&b), "90");
    buf_clear(&b);
    buf_int(&b, -100);
    assert_str(buf_view(&b), "-100");
    auto_buf struct buf big;
    buf_init(&big, SIZE_MAX);
    buf_int(&big, INT64_MIN);
    assert_str(buf_view(&big), "-9223372036854775808");
}

#define CHECK_FORMAT(...)                                                                          \
    do {                                                                                           \
        char wanted[64];                                                                           \
        int n = snprintf(wanted, sizeof(wanted), __VA_ARGS__);                                     \
        auto_arena struct arena a;                                                                 \
        arena_init(&a);                                                                            \
        struct str s = str_printf(&a, __VA_ARGS__);                                                \
        assert_int_equal(s.n, n);                                                                  \
        assert_string_equal(s.p, wanted);                                                          \
    } while (0)

/* What is written without libc is what libc writes. */
static void test_format(void **state)
{
    const char *text = "text";
    CHECK_FORMAT("%%|%s|%.*s|%.*s|%c", text, 2, "cut", 9, "whole", 'c');
    CHECK_FORMAT("%.*s%.*s", 0, text, -1, "negative");
    CHECK_FORMAT("%d %d %d %u", 0, INT_MIN, INT_MAX, UINT_MAX);
    CHECK_FORMAT("%ld %lld %lu", LONG_MIN, LLONG_MAX, ULONG_MAX);
    CHECK_FORMAT("%zu %zd", SIZE_MAX, (ssize_t)-1);
    CHECK_FORMAT("%02d|%03d|%04d|%09d|%02d", 5, -5, 12345, -1, 0);
    CHECK_FORMAT("%x %08x %08llx %lx %zx", 0, 0xbeefU, 0x12345678LL, ULONG_MAX, SIZE_MAX);
    CHECK_FORMAT("%03ld %05lld %04lu %04zu %09u", -7L, LLONG_MIN, 5UL, (size_t)77, UINT_MAX);
    CHECK_FORMAT("%s %-2x %-4s| %.2f %5d", text, 10, "b", 1.005, 42); /* libc's */
    CHECK_FORMAT("%s %012d %+d %X %hhd %jd %0*d %ld", text, 5, 7, 10U, 'c', (intmax_t)9, 4,
                 8, 10L);
    CHECK_FORMAT("no conversion");
    auto_buf struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 60; i++)
        buf_printf(&b, "%s-%d;", text, i % 10);
    buf_printf(&b, "%.*s%d", 300, buf_view(&b).p, 7); /* longer than what is tried at first */
    assert_int_equal(b.n, 60 * 7 + 301);
    assert_memory_equal(b.p + 420, b.p, 300);
    assert_int_equal(b.p[720], '7');
}

static void test_map(void **state)
{
    struct map m;
    map_init(&m);
    static char values[5000];
    char key[16];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5000; i++) {
            snprintf(key, sizeof(key), "key%d", i);
            assert_ptr_equal(map_put(&m, str_from(key), &values[i]), NULL);
        }
        assert_ptr_equal(map_put(&m, S("key7"), &values[8]), &values[7]);
        assert_ptr_equal(map_put(&m, S("key7"), &values[7]), &values[8]);
        assert_int_equal(m.n, 5000);
        assert_null(map_find(&m, S("key5000")));
        size_t pos = 0, seen = 0;
        void *value;
        struct str k;
        while (map_next(&m, &pos, &k, &value)) {
            seen++;
            snprintf(key, sizeof(key), "key%d", (int)((char *)value - values));
            assert_str(k, key);
        }
        assert_int_equal(seen, 5000);
        for (int i = 0; i < 5000; i++) {
            snprintf(key, sizeof(key), "key%d", i);
            assert_ptr_equal(map_remove(&m, str_from(key)), &values[i]);
            assert_null(map_find(&m, str_from(key)));
        }
        assert_int_equal(m.n, 0);
    }
    assert_true(m.cap <= 16384); /* tombstones do not make it grow for ever */
    assert_null(map_put(&m, S("a\0b"), &values[1]));
    assert_null(map_find(&m, S("a\0c")));
    assert_null(map_put(&m, S(""), &values[2]));
    assert_ptr_equal(map_find(&m, S("")), &values[2]);
    map_done(&m);
}

struct item {
    int v;
    struct list link;
};

static void test_list(void **state)
{
    struct list l;
    struct item items[4] = {{.v = 0}, {.v = 1}, {.v = 2}, {.v = 3}};
    int order = 0;
    list_init(&l);
    for (int i = 1; i < 4; i++)
        list_append(&l, &items[i].link);
    list_prepend(&l, &items[0].link);
    LIST_EACH(&l, struct item, link, it) {
        assert_int_equal(it->v, order++);
        list_remove(&it->link);
    }
    assert_int_equal(order, 4);
    assert_true(list_empty(&l));
    list_remove(&items[0].link); /* again: harmless */
}

static void test_arena(void **state)
{
    struct arena a;
    arena_init(&a);
    for (int round = 0; round < 6; round++) {
        if (round == 3) {
            arena_done(&a);
            arena_init_small(&a, 100);
        }
        for (size_t size = 0; size < 300000; size = size * 3 + 1) {
            char *p = arena_alloc(&a, size);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < size; i++)
                if (p[i])
                    fail_msg("not zeroed");
            if (size)
                memset(p, 'x', size);
        }
        arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
    int *numbers = NULL;
    size_t n = 0, cap = 0;
    for (int i = 0; i < 1000; i++)
        *(int *)arena_push(&a, (void **)&numbers, &n, &cap, sizeof(int)) = i;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
    arena_done(&a);
}

static void test_clock(void **state)
{
    const int64_t ms = INT64_C(1764025880123); /* date -d @1764025880 */
    assert_str(clock_iso8601(&arena, ms), "2025-11-24T23:11:20.123Z");
    assert_str(clock_iso8601_s(&arena, ms), "2025-11-24T23:11:20Z");
    assert_str(clock_lambda_time(&arena, ms), "2025-11-24T23:11:20.123+0000");
    assert_str(clock_http_date(&arena, ms), "Mon, 24 Nov 2025 23:11:20 GMT");
    assert_str(clock_amz_date(&arena, ms), "20251124T231120Z");
    assert_str(clock_iso8601(&arena, 0), "1970-01-01T00:00:00.000Z");
    assert_str(clock_iso8601(&arena, -1), "1969-12-31T23:59:59.999Z");
    assert_str(clock_iso8601(&arena, INT64_C(951782400000)), "2000-02-29T00:00:00.000Z");
    assert_str(clock_iso8601(&arena, INT64_MAX), "9999-12-31T23:59:59.999Z");
    static const struct {
        const char *in;
        int64_t ms; /* -1: refused */
    } rows[] = {
        {"2025-11-24T23:11:20.123Z", INT64_C(1764025880123)},
        {"2025-11-24T23:11:20Z", INT64_C(1764025880000)},
        {"2025-11-24T23:11:20.1234567Z", INT64_C(1764025880123)},
        {"2025-11-25T00:41:20+01:30", INT64_C(1764025880000)},
        {"2025-11-24T22:11:20-0100", INT64_C(1764025880000)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
        {"2025-02-29T00:00:00Z", -1},
        {"2025-13-01T00:00:00Z", -1},
        {"2025-11-24T24:00:00Z", -1},
        {"2025-11-24T23:11:20", -1},
        {"2025-11-24T23:11:20.Z", -1},
        {"2025-11-24T23:11:20Zx", -1},
        {"", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = -1;
        int r = clock_parse_iso8601(str_from(rows[i].in), &got);
        if ((r == 0) != (rows[i].ms >= 0) || got != rows[i].ms)
            fail_msg("%s: %d %lld", rows[i].in, r, (long long)got);
    }
    int64_t got;
    assert_int_equal(clock_parse_http_date(S("Mon, 24 Nov 2025 23:11:20 GMT"), &got), 0);
    assert_true(got == INT64_C(1764025880000));
    assert_int_equal(clock_parse_http_date(S("Mon, 24 Nov 2025 23:11:20 CET"), &got), -EINVAL);
    assert_int_equal(clock_parse_amz_date(S("20251124T231120Z"), &got), 0);
    assert_true(got == INT64_C(1764025880000));
    for (int64_t day = -100000; day < 100000; day += 37) { /* there and back */
        assert_int_equal(clock_parse_iso8601(clock_iso8601(&arena, day * 86400000), &got), 0);
        assert_true(got == day * 86400000);
    }
}

static void test_digest(void **state)
{
    static const struct {
        enum digest_kind kind;
        const char *of_check; /* of "123456789", the customary check value */
        const char *of_empty;
    } rows[] = {
        {DIGEST_CRC32, "cbf43926", "00000000"},
        {DIGEST_CRC32C, "e3069283", "00000000"},
        {DIGEST_CRC64NVME, "ae8b14860a799888", "0000000000000000"},
        {DIGEST_MD5, "25f9e794323b453885f5181f1b624d0b", "d41d8cd98f00b204e9800998ecf8427e"},
        {DIGEST_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
         "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {DIGEST_SHA256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t cut = 0; cut <= 9; cut++) {
            uint8_t sum[32];
            struct digest *d = digest_open(rows[i].kind);
            digest_add(d, "123456789", cut);
            digest_add(d, "123456789" + cut, 9 - cut);
            size_t n = digest_close(d, sum);
            assert_str(hex_encode(&arena, sum, n), rows[i].of_check);
        }
        uint8_t sum[32];
        struct body empty = body_mem(S(""));
        int n = digest_body(rows[i].kind, &empty, sum);
        assert_str(hex_encode(&arena, sum, (size_t)n), rows[i].of_empty);
    }
    uint8_t mac[32]; /* RFC 4231, cases 2 and 6 */
    digest_hmac_sha256(S("Jefe"), S("what do ya want for nothing?"), mac);
    assert_str(hex_encode(&arena, mac, 32),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    char key[131];
    memset(key, 0xaa, sizeof(key));
    digest_hmac_sha256(str_of(key, sizeof(key)),
                       S("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    assert_str(hex_encode(&arena, mac, 32),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_base64(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
    static const char *const wrong[] = {
        "Z", "Zg", "Zg=", "Zg=a", "Z===", "====", "Zh==", "Zm9=", "Zm9v\n", "-_79", "Zg==Zg=="};
    struct str v;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_str(base64_encode(&arena, str_from(rows[i][0])), rows[i][1]);
        assert_int_equal(base64_decode(&arena, str_from(rows[i][1]), &v), 0);
        assert_str(v, rows[i][0]);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (base64_decode(&arena, str_from(wrong[i]), &v) == 0)
            fail_msg("%s", wrong[i]);
    assert_int_equal(hex_decode(&arena, S("00fFA5"), &v), 0);
    assert_true(str_eq(v, S("\x00\xff\xa5")));
    assert_int_equal(hex_decode(&arena, S("0"), &v), -EBADMSG);
    assert_int_equal(hex_decode(&arena, S("0g"), &v), -EBADMSG);
}

static void test_random(void **state)
{
    struct str u = random_uuid(&arena);
    assert_int_equal(u.n, 36);
    assert_true(u.p[14] == '4' && strchr("89ab", u.p[19]));
    assert_false(str_eq(u, random_uuid(&arena)));
    struct str t = random_text(&arena, "abc", 3000);
    int counts[3] = {0};
    for (size_t i = 0; i < t.n; i++)
        counts[t.p[i] - 'a']++;
    for (int i = 0; i < 3; i++)
        assert_true(counts[i] > 800 && counts[i] < 1200); /* 7 sigma */
}

/* What was fetched ahead is not known to two processes. */
static void test_random_after_fork(void **state)
{
    struct str parent = random_hex(&arena, 16), child;
    char text[16];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        child = random_hex(&arena, 16);
        _exit(write(ends[1], child.p, 16) != 16);
    }
    parent = random_hex(&arena, 16);
    assert_int_equal(read(ends[0], text, 16), 16);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(str_eq(parent, str_of(text, 16)));
    close(ends[0]);
    close(ends[1]);
}

static const char *at(const char *name)
{
    return fs_join(&arena, str_from(dir), str_from(name)).p;
}

static void test_fs(void **state)
{
    struct str v;
    struct stat st;
    assert_int_equal(fs_mkdirs(at("a/b/c"), 0755), 0);
    assert_int_equal(fs_mkdirs(at("a/b/c"), 0755), 0);
    assert_int_equal(fs_write(at("a/file"), S("one"), 0640), 0);
    assert_int_equal(fs_write(at("a/file"), S("two"), 0600), 0);
    assert_int_equal(fs_mkdirs(at("a/file/d"), 0755), -ENOTDIR);
    assert_int_equal(fs_read(at("a/file"), 3, &arena, &v), 0);
    assert_str(v, "two");
    assert_int_equal(fs_read(at("a/file"), 2, &arena, &v), -EMSGSIZE);
    assert_int_equal(fs_read(at("a/none"), 2, &arena, &v), -ENOENT);
    assert_int_equal(fs_read(at("a"), 2, &arena, &v), -EISDIR);
    assert_int_equal(fs_read("/proc/self/status", 1 << 20, &arena, &v), 0);
    assert_true(v.n > 100);
    assert_int_equal(symlink("../file", at("a/b/link")), 0);
    assert_int_equal(fs_write(at("a/b/x"), S(""), 0755), 0);
    assert_int_equal(fs_write("/dev/null", S("into a device"), 0644), 0); /* which stays one */
    assert_true(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
    assert_true(fs_is_special("/dev/null") && !fs_is_special(at("a/file")));
    char shm[64];
    snprintf(shm, sizeof(shm), "/dev/shm/lamina-test-%d", (int)getpid());
    assert_int_equal(fs_write(shm, S("a longer text"), 0600), 0);
    assert_int_equal(fs_write(shm, S("short"), 0600), 0);
    assert_int_equal(fs_read(shm, 64, &arena, &v), 0);
    assert_str(v, "short");
    assert_int_equal(unlink(shm), 0);
    assert_int_equal(chmod(at("a/b/c"), 0500), 0);
    assert_int_equal(fs_copy_tree(at("a"), at("copy")), 0);
    struct str *items;
    size_t n;
    assert_int_equal(fs_walk(&arena, at("copy"), &items, &n), 0);
    assert_str(str_join(&arena, S(" "), items, n), "b/ b/c/ b/link b/x file");
    assert_int_equal(lstat(at("copy/b/link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(at("copy/b/x"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(stat(at("copy/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0500);
    assert_int_equal(symlink(at("a"), at("to-a")), 0);
    assert_int_equal(fs_remove_tree(at("to-a")), 0); /* the link, not what it leads to */
    assert_true(fs_exists(at("a/file")));
    assert_int_equal(fs_remove_tree(at("a")), 0);
    assert_int_equal(fs_remove_tree(at("a")), 0);
    assert_false(fs_exists(at("a")));
    static const char *const names[][3] = {{"a/b", "a", "b"}, {"/a", "/", "a"},
                                           {"a", ".", "a"},   {"a/b/", "a", "b"},
                                           {"/", "/", "/"},   {"a//b", "a", "b"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_str(fs_dirname(&arena, str_from(names[i][0])), names[i][1]);
        assert_str(fs_basename(str_from(names[i][0])), names[i][2]);
    }
    assert_str(fs_join(&arena, S("a/"), S("b")), "a/b");
    assert_str(fs_join(&arena, S("a"), S("/b")), "/b");
}

static void test_body(void **state)
{
    struct str v;
    assert_int_equal(fs_write(at("f"), S("0123456789"), 0600), 0);
    auto_close int fd = open(at("f"), O_RDONLY | O_CLOEXEC);
    struct body b = body_file(fd, 2, 5);
    assert_int_equal(body_load(&b, 5, &arena, &v), 0);
    assert_str(v, "23456");
    assert_int_equal(body_load(&b, 4, &arena, &v), -EMSGSIZE);
    b.size = 50;
    assert_int_equal(body_load(&b, 100, &arena, &v), -EIO);
    uint8_t sum[32];
    assert_int_equal(digest_body(DIGEST_MD5, &b, sum), -EIO);
}

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        size_t width;
    } rows[] = {
        {"abc", true, 3},
        {"\xc3\xa9", true, 1},
        {"e\xcc\x81", true, 1},
        {"\xe6\x97\xa5\xe6\x9c\xac", true, 4},
        {"\xf0\x9f\x98\x80", true, 2},
        {"\xff", false, 1},
        {"\xe2\x82", false, 2},
        {"\xed\xa0\x80", false, 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(utf8_valid(str_from(rows[i].text)) == rows[i].valid);
        assert_int_equal(utf8_width(str_from(rows[i].text)), rows[i].width);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(test_str),    CASE(test_int),    CASE(test_buf),    CASE(test_format),
        CASE(test_map),    CASE(test_list),   CASE(test_arena),  CASE(test_clock),
        CASE(test_digest), CASE(test_base64), CASE(test_random), CASE(test_random_after_fork),
        CASE(test_fs),     CASE(test_body),   CASE(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
