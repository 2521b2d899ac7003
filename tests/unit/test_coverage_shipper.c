/* The shipper's parts that need no network: answers, decisions, keys, what is new in an arena. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "../../layers/python-coverage/arena.h"
#include "arenas.h"
#include "base/arena.h"
#include "check.h"
#include "events.h"
#include "identity.h"
#include "ledger.h"
#include "retry.h"
#include "s3.h"
#include "snapshot.h"

static struct arena a;

/* ---- answers ---- */

static int parse(const char *text, size_t n, bool closed, struct reply *ret)
{
    char *bytes = arena_copy(&a, text, n);
    return reply_parse(bytes, n, closed, ret);
}

/* Every beginning of an answer is not an answer yet; all of it is. */
static void expect_reply(const char *text, int status, const char *body, bool keep_alive)
{
    struct reply r;
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(parse(text, i, false, &r), 0);
    assert_int_equal(parse(text, n, false, &r), 1);
    assert_int_equal(r.status, status);
    assert_true(str_is(r.body, body));
    assert_int_equal(r.keep_alive, keep_alive);
    assert_int_equal(r.size, n);
}

static void test_replies(void **state)
{
    expect_reply("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true);
    expect_reply("HTTP/1.1 200 \r\ncontent-length:0\r\nConnection: Close\r\n\r\n", 200, "", false);
    expect_reply("HTTP/1.0 404 Not Found\nContent-Length: 1\n\nx", 404, "x", false);
    expect_reply("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true);
    expect_reply("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200,
                 "ok", true);
    expect_reply("HTTP/1.1 500 E\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5;name=value\r\nhello\r\nA\r\n, chunked!\r\n0\r\nTrailer: 1\r\n\r\n",
                 500, "hello, chunked!", true);
}

static void test_reply_until_close(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\n\r\nall of it";
    struct reply r;
    assert_int_equal(parse(text, strlen(text), false, &r), 0);
    assert_int_equal(parse(text, strlen(text), true, &r), 1);
    assert_true(str_is(r.body, "all of it"));
    assert_false(r.keep_alive);
}

static void test_what_is_no_reply(void **state)
{
    static const char *const bad[] = {
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n",
    };
    struct reply r;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse(bad[i], strlen(bad[i]), false, &r), -EBADMSG);
    static const char *const big[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    };
    for (size_t i = 0; i < sizeof(big) / sizeof(big[0]); i++)
        assert_int_equal(parse(big[i], strlen(big[i]), false, &r), -EMSGSIZE);
}

static void test_elements_and_headers(void **state)
{
    static const char text[] = "HTTP/1.1 301 Moved\r\nX-Amz-Bucket-Region:  eu-west-1 \r\n"
                               "Content-Length: 58\r\n\r\n"
                               "<Error><Codes>1</Codes><Code>PermanentRedirect</Code><Region";
    struct reply r;
    assert_int_equal(parse(text, strlen(text), false, &r), 1);
    assert_true(str_is(reply_header(&r, "x-amz-bucket-region"), "eu-west-1"));
    assert_false(str_has(reply_header(&r, "Region")));
    assert_true(str_is(reply_element(&r, "Code"), "PermanentRedirect"));
    assert_false(str_has(reply_element(&r, "Region")));
}

/* ---- decisions ---- */

static void test_judge(void **state)
{
    static const struct {
        int error, status;
        const char *code;
        enum retry_verdict verdict;
    } cases[] = {
        {0, 200, NULL, RETRY_DONE},
        {0, 503, "SlowDown", RETRY_LATER},
        {0, 500, NULL, RETRY_LATER},
        {0, 429, NULL, RETRY_LATER},
        {0, 400, "RequestTimeout", RETRY_LATER},
        {0, 409, "OperationAborted", RETRY_LATER},
        {-ETIMEDOUT, 0, NULL, RETRY_LATER},
        {-ECONNREFUSED, 0, NULL, RETRY_LATER},
        {-ECONNRESET, 0, NULL, RETRY_LATER},
        {-ENOENT, 0, NULL, RETRY_LATER},
        {0, 301, "PermanentRedirect", RETRY_NOW},
        {0, 307, "TemporaryRedirect", RETRY_NOW},
        {0, 403, "RequestTimeTooSkewed", RETRY_NOW},
        {0, 400, "AuthorizationHeaderMalformed", RETRY_NOW},
        {0, 403, "AccessDenied", RETRY_NEVER},
        {0, 403, NULL, RETRY_NEVER},
        {0, 404, "NoSuchBucket", RETRY_NEVER},
        {0, 400, "InvalidBucketName", RETRY_NEVER},
        {-EKEYREJECTED, 0, NULL, RETRY_NEVER},
        {-EBADMSG, 0, NULL, RETRY_NEVER},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(retry_judge(cases[i].error, cases[i].status, str_from(cases[i].code)),
                         cases[i].verdict);
    assert_non_null(strstr(retry_advice(0, 404, S("NoSuchBucket")), "COVERAGE_S3_BUCKET"));
    assert_non_null(strstr(retry_advice(0, 403, S("")), "s3:PutObject"));
}

static void test_pauses(void **state)
{
    static const struct {
        unsigned n;
        int64_t least, most;
    } cases[] = {{1, 25, 50}, {2, 50, 100}, {4, 200, 400}, {8, 2500, 5000}, {4000, 2500, 5000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(retry_pause_ms(cases[i].n, 0), cases[i].least);
        assert_int_equal(retry_pause_ms(cases[i].n, UINT32_MAX), cases[i].most);
    }
    assert_int_equal(retry_rest_ms(1), 1000);
    assert_int_equal(retry_rest_ms(2), 2000);
    assert_int_equal(retry_rest_ms(9), 256000);
    assert_int_equal(retry_rest_ms(10), 300000);
    assert_int_equal(retry_rest_ms(UINT32_MAX), 300000);
}

static void test_endpoints(void **state)
{
    struct endpoint e;
    struct str path;
    assert_int_equal(endpoint_parse(S("http://169.254.3.1:4566"), &e, &path), 0);
    assert_true(str_is(e.host, "169.254.3.1") && e.port == 4566 && !e.tls && !path.n);
    assert_int_equal(endpoint_parse(S("https://[::1]/base/"), &e, &path), 0);
    assert_true(str_is(e.host, "::1") && e.port == 443 && e.tls && str_is(path, "/base"));
    static const char *const bad[] = {"",           "s3.amazonaws.com", "http://",
                                      "http://:1",  "http://a:0",       "http://a:65536",
                                      "http://a:b", "http://u@a",       "ftp://a"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(endpoint_parse(str_from(bad[i]), &e, &path), -EINVAL);
}

static void test_hosts(void **state)
{
    static const struct {
        const char *bucket, *region;
        bool fips, dual_stack;
        const char *host;
    } cases[] = {
        {"b", "eu-west-1", false, false, "b.s3.eu-west-1.amazonaws.com"},
        {"a.b", "us-east-1", false, false, "s3.us-east-1.amazonaws.com"},
        {"b", "cn-north-1", false, false, "b.s3.cn-north-1.amazonaws.com.cn"},
        {"b", "us-gov-west-1", true, false, "b.s3-fips.us-gov-west-1.amazonaws.com"},
        {"b", "us-east-2", true, true, "b.s3-fips.dualstack.us-east-2.amazonaws.com"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct settings settings = {.bucket = str_from(cases[i].bucket),
                                    .region = str_from(cases[i].region),
                                    .fips = cases[i].fips,
                                    .dual_stack = cases[i].dual_stack};
        struct s3 s;
        s3_init(&s, &settings);
        assert_true(str_is(s.endpoint.host, cases[i].host));
        assert_true(s.endpoint.tls && s.endpoint.port == 443);
        s3_done(&s);
    }
}

static void test_keys(void **state)
{
    struct str key = s3_key(&a, S("coverage/"), 1795291505123, S("orders"), S("00ff"));
    assert_true(str_is(key, "coverage/2026/11/21/orders/200505-00ff.coverage"));
    assert_true(
        str_is(identity_of_stream(S("2026/11/21/[$LATEST]0123456789abcdef0123456789abcdef")),
               "0123456789abcdef0123456789abcdef"));
    assert_false(str_has(identity_of_stream(S("2026/11/21/[$LATEST]0123456789abcdef"))));
    assert_false(str_has(identity_of_stream(S(""))));
}

static void test_events(void **state)
{
    struct event e;
    assert_int_equal(event_parse(&a,
                                 S("{\"eventType\":\"INVOKE\",\"deadlineMs\":9999999999999,"
                                   "\"requestId\":\"r\"}"),
                                 &e),
                     0);
    assert_int_equal(e.type, EVENT_INVOKE);
    assert_true(str_is(e.request_id, "r"));
    assert_true(e.deadline_ms - conn_now_ms() <= 16 * 60000); /* whatever the clock says */
    assert_int_equal(
        event_parse(&a, S("{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"timeout\"}"), &e), 0);
    assert_int_equal(e.type, EVENT_SHUTDOWN);
    assert_true(e.deadline_ms <= conn_now_ms());
    assert_int_equal(event_parse(&a, S("{}"), &e), 0);
    assert_int_equal(e.type, EVENT_OTHER);
    assert_int_equal(event_parse(&a, S("[]"), &e), -EBADMSG);
    assert_int_equal(event_parse(&a, S(""), &e), -EBADMSG);
}

/* ---- ledger ---- */

static struct bits bits_of(const int *lines, size_t n)
{
    uint8_t *p = arena_alloc(&a, 64);
    for (size_t i = 0; i < n; i++)
        bits_set(p, (uint32_t)lines[i]);
    return (struct bits){p, 64};
}
#define LINES(...)                                                                                 \
    bits_of((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static struct ledger_counts enter(struct ledger *l, const char *context, struct bits lines,
                                  struct object_arc *arcs, size_t n)
{
    struct ledger_counts counts = {0};
    ledger_context(l, str_from(context), 5);
    struct ledger_file *f = ledger_file(l, S("/var/task/app.py"));
    assert_true(ledger_enter(l, f, LINES(1, 2, 3, 9), lines, arcs, n, false, &counts));
    return counts;
}

static struct object written(struct ledger *l)
{
    uint8_t *bytes;
    size_t n;
    struct object o;
    struct object_error error;
    struct object_meta meta = {S("function"), S("f")};
    assert_int_equal(ledger_write(l, &meta, 1, NULL, 0, &bytes, &n), 0);
    struct str copy = str_copy(&a, str_of((char *)bytes, n));
    free(bytes);
    struct object_reader *reader = object_reader_new();
    assert_int_equal(object_read(reader, copy, &a, &o, &error), 0);
    /* What is in the reader goes with it. */
    struct object_file *files = arena_copy(&a, o.files, o.n_files * sizeof(*o.files));
    for (size_t i = 0; i < o.n_files; i++) {
        struct object_hits *hits =
            arena_copy(&a, files[i].hits, files[i].n_hits * sizeof(*files[i].hits));
        for (size_t k = 0; k < files[i].n_hits; k++)
            hits[k].lines.p = arena_copy(&a, hits[k].lines.p, hits[k].lines.n);
        files[i].raw.p = arena_copy(&a, files[i].raw.p, files[i].raw.n);
        files[i].path = str_copy(&a, files[i].path);
        files[i].hits = hits;
    }
    struct object_context *contexts =
        arena_copy(&a, o.contexts, o.n_contexts * sizeof(*o.contexts));
    for (size_t i = 0; i < o.n_contexts; i++)
        contexts[i].name = str_copy(&a, contexts[i].name);
    o.contexts = contexts;
    o.files = files;
    object_reader_free(reader);
    return o;
}

static void test_only_news_are_entered(void **state)
{
    struct ledger *l = ledger_new();
    struct object_arc first[] = {{2, 3}, {-1, 1}, {2, 3}, {2, -1}};
    struct ledger_counts c = enter(l, "init", LINES(1, 2), first, 4);
    assert_true(c.lines == 2 && c.arcs == 3);
    c = enter(l, "same", LINES(1, 2), first, 3);
    assert_true(c.lines == 0 && c.arcs == 0);
    struct object_arc more[] = {{-1, 1}, {3, 9}};
    c = enter(l, "more", LINES(1, 9), more, 2);
    assert_true(c.lines == 1 && c.arcs == 1);

    struct object o = written(l);
    assert_int_equal(o.n_contexts, 2); /* one that has hit nothing new is not there */
    assert_true(str_is(o.contexts[0].name, "init") && str_is(o.contexts[1].name, "more"));
    assert_int_equal(o.n_files, 1);
    assert_true(bits_equal(o.files[0].raw, LINES(1, 2, 3, 9)));
    assert_int_equal(o.files[0].n_hits, 2);
    assert_true(bits_equal(o.files[0].hits[0].lines, LINES(1, 2)));
    assert_int_equal(o.files[0].hits[0].n_arcs, 3);
    assert_true(bits_equal(o.files[0].hits[1].lines, LINES(9)));
    assert_int_equal(o.files[0].hits[1].n_arcs, 1);
    assert_int_equal(o.files[0].hits[1].arcs[0].to, 9);

    /* The next shipper goes on where this one has been: same contexts, nothing twice. */
    struct ledger *again = ledger_new();
    ledger_load(again, &o);
    c = enter(again, "init", LINES(1, 2, 9), more, 2);
    assert_true(c.lines == 0 && c.arcs == 0);
    c = enter(again, "init", LINES(3), NULL, 0);
    assert_true(c.lines == 1);
    struct object p = written(again);
    assert_int_equal(p.n_contexts, 2);
    assert_true(bits_equal(p.files[0].hits[0].lines, LINES(1, 2, 3)));
    ledger_free(l);
    ledger_free(again);
}

static void test_random_unions(void **state)
{
    srandom(7);
    for (int round = 0; round < 30; round++) {
        struct ledger *l = ledger_new();
        uint8_t all[64] = {0};
        for (int i = 0; i < 20; i++) {
            uint8_t *some = arena_alloc(&a, 64);
            struct object_arc arcs[8];
            for (int k = 0; k < 20; k++)
                bits_set(some, (uint32_t)random() % 512);
            for (int k = 0; k < 8; k++)
                arcs[k] = (struct object_arc){(int)(random() % 20) - 10, (int)(random() % 20)};
            bits_join(all, (struct bits){some, 64});
            enter(l, str_printf(&a, "%ld", random() % 6).p, (struct bits){some, 64}, arcs, 8);
        }
        struct object o = written(l);
        uint8_t sum[64] = {0};
        size_t count = 0;
        for (size_t i = 0; i < o.files[0].n_hits; i++) {
            count += bits_count(o.files[0].hits[i].lines);
            bits_join(sum, o.files[0].hits[i].lines);
        }
        assert_true(bits_equal((struct bits){sum, 64}, (struct bits){all, 64}));
        assert_int_equal(count, bits_count((struct bits){all, 64})); /* each line once */
        ledger_free(l);
    }
}

/* ---- arenas ---- */

struct made {
    struct covarena_header h;
    struct covarena_file f;
    uint64_t lines[2], raw[2];
    char path[8];
    struct covarena_chunk c;
    uint64_t hit[1], arcs[64];
};

static struct made arena_made(void)
{
    struct made m = {
        .h = {.version = COVARENA_VERSION,
              .header_bytes = sizeof(m.h),
              .size = sizeof(m),
              .cursor = sizeof(m),
              .news = 3,
              .first_file = offsetof(struct made, f),
              .flags = COVARENA_CONTEXTS},
        .f = {.path_bytes = 4, .n_words = 2, .arcs = offsetof(struct made, c)},
        .lines = {1u << 3, 1},
        .raw = {1u << 3, 1},
        .path = "a.py",
        .c = {.capacity = 64, .used = 2},
        .hit = {1},
    };
    memcpy(m.h.magic, COVARENA_MAGIC, 8);
    m.arcs[0] = 7ull << 32 | 3; /* 3 -> 7 */
    m.arcs[1] = 8ull << 32 | 3; /* not taken */
    return m;
}

static int file_of(const void *p, size_t n)
{
    char name[] = "/tmp/shipper-arena-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, p, n), n);
    return fd;
}

static void test_snapshot(void **state)
{
    struct made m = arena_made();
    int fd = file_of(&m, sizeof(m));
    struct snapshot s = {0};
    struct ledger *l = ledger_new();
    struct ledger_counts counts = {0};
    assert_int_equal(snapshot_read(&s, fd, 1 << 20), 0);
    snapshot_enter(&s, l, false, &counts);
    assert_true(counts.lines == 2 && counts.arcs == 1);
    struct object o = written(l);
    assert_true(str_is(o.files[0].path, "a.py"));
    assert_true(bits_equal(o.files[0].hits[0].lines, LINES(3, 64)));
    assert_int_equal(o.files[0].hits[0].arcs[0].from, 3);
    assert_int_equal(o.files[0].hits[0].arcs[0].to, 7);
    assert_int_equal(snapshot_read(&s, fd, 100), -EFBIG);
    ledger_free(l);
    close(fd);
}

static void test_hits_are_taken(void **state)
{
    struct made m = arena_made();
    int fd = file_of(&m, sizeof(m));
    struct snapshot s = {0};
    struct ledger *l = ledger_new();
    struct ledger_counts counts = {0};
    assert_int_equal(snapshot_take(&s, fd, 1 << 20), 0);
    snapshot_enter(&s, l, true, &counts);
    assert_true(counts.lines == 2 && counts.arcs == 1);
    assert_int_equal(pread(fd, &m, sizeof(m), 0), sizeof(m));
    assert_true(!m.lines[0] && !m.lines[1] && !m.hit[0] && m.raw[0] && m.arcs[0]);
    assert_int_equal(m.h.epoch, 1);
    snapshot_done(&s);
    ledger_free(l);
    close(fd);
}

/* Whatever is in the file: no crash, no endless walk. */
static void test_snapshot_of_anything(void **state)
{
    srandom(11);
    for (int round = 0; round < 3000; round++) {
        struct made m = arena_made();
        size_t n = sizeof(m);
        for (int i = 0; i < 1 + round % 6; i++) {
            size_t at = (size_t)random() % (sizeof(m) - 8);
            if (round % 3)
                at = sizeof(m.h) + at % (sizeof(m) - sizeof(m.h) - 8);
            uint64_t odd[] = {0, UINT64_MAX, 8, sizeof(m.h), (uint64_t)random(), 1ull << 62};
            memcpy((char *)&m + (at & ~7ul), &odd[random() % 6], 1 + (size_t)random() % 8);
        }
        if (round % 7 == 0)
            n = (size_t)random() % n;
        int fd = file_of(&m, n);
        struct snapshot s = {0};
        struct ledger *l = ledger_new();
        struct ledger_counts counts = {0};
        if ((round % 2 ? snapshot_take : snapshot_read)(&s, fd, 1 << 20) == 0)
            snapshot_enter(&s, l, round % 2, &counts);
        snapshot_done(&s);
        ledger_free(l);
        close(fd);
    }
}

/* ---- who asks ---- */

static void make_arena(const char *path, uint64_t started_ms, uint32_t pid, uint64_t deadline_ms)
{
    struct {
        struct covarena_header h;
        struct covarena_request request;
        char rest[3000];
    } all = {.h = {.version = COVARENA_VERSION,
                   .header_bytes = sizeof(all.h) + sizeof(all.request),
                   .size = sizeof(all),
                   .cursor = sizeof(all.h) + sizeof(all.request),
                   .flags = COVARENA_REQUEST | COVARENA_READY,
                   .pid = pid,
                   .started_ms = started_ms},
             .request = {.deadline_ms = deadline_ms}};
    memcpy(all.h.magic, COVARENA_MAGIC, 8);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, &all, sizeof(all)), sizeof(all));
    close(fd);
}

/* The invocation is that of the newest process that lives, in whatever order a folder has them. */
static void test_whose_invocation_it_is(void **state)
{
    static const uint32_t dead = 0x3ffffff0;
    struct {
        uint64_t started[2];
        uint32_t pids[2];
    } cases[] = {{{1, 2}, {dead, dead}},
                 {{2, 1}, {dead, dead}},
                 {{2, 1}, {dead, (uint32_t)getpid()}},
                 {{1, 2}, {(uint32_t)getpid(), dead}}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool second = i == 0 || i == 2;
        char dir[] = "/tmp/test-arenas-XXXXXX", one[64], other[64], fifo[64];
        assert_non_null(mkdtemp(dir));
        snprintf(one, sizeof(one), "%s/arena-1-1", dir);
        snprintf(other, sizeof(other), "%s/arena-1-2", dir);
        snprintf(fifo, sizeof(fifo), "%s/done", dir);
        make_arena(one, cases[i].started[0], cases[i].pids[0], 1000);
        make_arena(other, cases[i].started[1], cases[i].pids[1], 2000);
        struct arenas *arenas;
        struct covarena_request r;
        bool busy;
        assert_int_equal(arenas_open(dir, false, &arenas), 0);
        assert_true(arenas_look(arenas) && arenas_request(arenas, &r, &busy));
        assert_int_equal(r.deadline_ms, second ? 2000 : 1000);
        assert_false(arenas_others(arenas));
        arenas_close(arenas);
        unlink(one);
        unlink(other);
        unlink(fifo);
        rmdir(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_reply_until_close),
        cmocka_unit_test(test_what_is_no_reply),
        cmocka_unit_test(test_elements_and_headers),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_only_news_are_entered),
        cmocka_unit_test(test_random_unions),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_hits_are_taken),
        cmocka_unit_test(test_snapshot_of_anything),
        cmocka_unit_test(test_whose_invocation_it_is),
    };
    arena_init(&a);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_done(&a);
    return failed;
}
