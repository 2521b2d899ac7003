/* test_http - requests and answers: bytes in, bytes out, over real sockets. */
#include <fcntl.h>
#include <sys/socket.h>
#include "http/parse.h"
#include "base/cleanup.h"
#include "http_served.h"

struct byte_case {
    const char *name;
    struct str in;
    const char *statuses; /* of all answers, in order */
    const char *holds;    /* text in the answer, NULL: anything */
};

#define ROW(name, in, ...)                                                                         \
    {                                                                                              \
        name, S_INIT(in), __VA_ARGS__                                                              \
    }
#define H "Host: a\r\n"
#define LAST "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static const struct byte_case cases[] = {
    ROW("plain",
        "GET /a%2Fb/../c?x=%20&y HTTP/1.1\r\nHost: a\r\nX-A:  v \r\nConnection: close\r\n\r\n",
        "200", "GET|/a%2Fb/../c|x=%20&y|v"),
    ROW("keep alive", "GET / HTTP/1.1\r\n" H "\r\n" LAST, "200 200", "GET|/last||"),
    ROW("1.0 closes", "GET / HTTP/1.0\r\n\r\n", "200", "Connection: close"),
    ROW("1.0 keeps when asked", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" LAST, "200 200",
        "Connection: keep-alive"),
    ROW("absolute form", "GET http://b/p?q HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "200",
        "GET|/p|q|"),
    ROW("empty lines before", "\r\n\r\n" LAST, "200", "/last"),
    ROW("length", "PUT /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello" LAST, "200 200",
        "hello"),
    ROW("length 0", "PUT /where HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n" LAST, "200 200",
        "memory"),
    ROW("no body", "PUT /where HTTP/1.1\r\n" H "\r\n" LAST, "200 200", "none"),
    ROW("chunks",
        "PUT /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
        "3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n" LAST,
        "200 200", "abc0123456789"),
    ROW("HEAD", "HEAD /hello HTTP/1.1\r\n" H "\r\n" LAST, "200 200", "Content-Length: 13"),
    ROW("204", "GET /none HTTP/1.1\r\n" H "\r\n" LAST, "204 200", NULL),
    ROW("no header of ours in theirs", "GET / HTTP/1.1\r\n" H "\r\n" LAST, "200 200",
        "X-Odd: a  b\r\n"),
    ROW("length and chunks",
        "PUT /echo HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\n",
        "400", NULL),
    ROW("chunks and length",
        "PUT /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
        "0\r\n\r\n",
        "400", NULL),
    ROW("two lengths",
        "PUT /echo HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "400",
        NULL),
    ROW("list of lengths", "PUT /echo HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\nhello", "400",
        NULL),
    ROW("signed length", "PUT /echo HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\nhello", "400", NULL),
    ROW("negative length", "PUT /echo HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\nhello", "400",
        NULL),
    ROW("huge length", "PUT /echo HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n",
        "400", NULL),
    ROW("unknown coding", "PUT /echo HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n",
        "501", NULL),
    ROW("chunks in 1.0", "PUT /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400",
        NULL),
    ROW("bad chunk size", "PUT /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "400", NULL),
    ROW("chunk longer than said",
        "PUT /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "400", NULL),
    ROW("chunk with bare line feed",
        "PUT /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\na\r\n", "400", NULL),
    ROW("no Host", "GET / HTTP/1.1\r\n\r\n", "400", NULL),
    ROW("two Hosts", "GET / HTTP/1.1\r\n" H H "\r\n", "400", NULL),
    ROW("bare line feeds", "GET / HTTP/1.1\nHost: a\n\n", "400", NULL),
    ROW("folded line", "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", "400", NULL),
    ROW("blank before colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400", NULL),
    ROW("NUL in header", "GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n", "400", NULL),
    ROW("CR in header", "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", "400", NULL),
    ROW("no version", "GET /\r\n\r\n", "400", NULL),
    ROW("blank in target", "GET /a b HTTP/1.1\r\n" H "\r\n", "400", NULL),
    ROW("HTTP/2", "GET / HTTP/2.0\r\n" H "\r\n", "505", NULL),
    ROW("TLS", "\x16\x03\x01\x02\x01", "400", NULL),
    ROW("unknown expectation",
        "PUT / HTTP/1.1\r\n" H "Expect: wonders\r\nContent-Length: 1\r\n\r\n", "417", NULL),
    ROW("refused by on_head", "PUT /forbidden HTTP/1.1\r\n" H "Content-Length: 1000\r\n\r\nabc",
        "403", "no"),
    ROW("limit by on_head", "PUT /small HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", "413",
        NULL),
    ROW("limit by on_head, chunked",
        "PUT /small HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "413",
        NULL),
    ROW("too long", "PUT / HTTP/1.1\r\n" H "Content-Length: 999999999\r\n\r\n", "413", NULL),
};

static void check_answer(const struct byte_case *c, struct str answer)
{
    char statuses[64] = "";
    for (const char *p = answer.p; (p = strstr(p, "HTTP/1.1 ")); p += 12)
        snprintf(statuses + strlen(statuses), sizeof(statuses) - strlen(statuses), "%s%.3s",
                 statuses[0] ? " " : "", p + 9);
    if (strcmp(statuses, c->statuses) != 0 || (c->holds && !strstr(answer.p, c->holds)))
        fail_msg("%s: wanted %s with \"%s\", got %s:\n%s", c->name, c->statuses,
                 c->holds ? c->holds : "", statuses, answer.p);
    size_t dates = 0, answers = 0;
    for (const char *p = answer.p; (p = strstr(p, "\r\nDate: ")); p++)
        dates++;
    for (const char *p = answer.p; (p = strstr(p, "HTTP/1.1 ")); p++)
        answers++;
    assert_int_equal(dates, answers);
}

static void test_bytes(void **state)
{
    static char text[8192];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_close int fd = dial();
        say(fd, cases[i].in);
        check_answer(&cases[i], hear(fd, NULL, text, sizeof(text)));
    }
    /* The same one byte at a time: no answer may depend on how the bytes are cut. */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_close int fd = dial();
        for (size_t at = 0; at < cases[i].in.n; at++)
            if (send(fd, cases[i].in.p + at, 1, MSG_NOSIGNAL) != 1)
                break; /* refused before the end */
        check_answer(&cases[i], hear(fd, NULL, text, sizeof(text)));
    }
}

static void test_large_head(void **state)
{
    static char text[8192];
    size_t n = 900 * 1024;
    char *big = malloc(2 << 20);
    memset(big, 'v', 2 << 20);
    for (int over = 0; over < 2; over++) {
        auto_close int fd = dial();
        say(fd, S("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Big: "));
        if (over)
            n = 1100 * 1024;
        send(fd, big, n, MSG_NOSIGNAL);
        send(fd, "\r\n\r\n", 4, MSG_NOSIGNAL);
        struct str answer = hear(fd, NULL, text, sizeof(text));
        assert_true(str_starts(answer, over ? S("HTTP/1.1 431 ") : S("HTTP/1.1 200 ")));
    }
    free(big);
}

static void test_continue(void **state)
{
    char text[1024];
    auto_close int fd = dial();
    say(fd,
        S("PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
    assert_str(hear(fd, "\r\n\r\n", text, sizeof(text)), "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, S("abc"));
    assert_true(str_ends(hear(fd, "abc", text, sizeof(text)), S("\r\n\r\nabc")));
    /* Refused: no invitation to send the body. */
    auto_close int other = dial();
    say(other,
        S("PUT /small HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"));
    assert_true(str_starts(hear(other, NULL, text, sizeof(text)), S("HTTP/1.1 413 ")));
}

static void test_big_body(void **state)
{
    size_t size = 3 << 20, n = 0;
    char *body = malloc(size), *back = malloc(size + 1024);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)(i * 7 + i / 4096);
    auto_close int fd = dial();
    say(fd, S("PUT /where HTTP/1.1\r\nHost: a\r\nContent-Length: 3145728\r\n\r\n"));
    say(fd, str_of(body, size));
    char text[1024];
    assert_true(str_ends(hear(fd, "file", text, sizeof(text)), S("\r\n\r\nfile")));
    say(fd,
        S("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3145728\r\nConnection: close\r\n\r\n"));
    say(fd, str_of(body, size));
    ssize_t got;
    while ((got = recv(fd, back + n, size + 1024 - n, 0)) > 0)
        n += (size_t)got;
    assert_true(n > size);
    assert_memory_equal(back + n - size, body, size);
    free(body);
    free(back);
}

/* All bodies in files together have a limit, and what has ended counts no more. */
static void test_many_big_bodies(void **state)
{
    static char body[3 << 20];
    char text[1024];
    for (int i = 0; i < 3; i++) {
        auto_close int one = dial(), other = dial();
        say(one, S("PUT /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 3145728\r\n\r\n"));
        say(one, str_of(body, sizeof(body)));
        assert_int_equal(told(), 'w');
        say(other, S("PUT /where HTTP/1.1\r\nHost: a\r\nContent-Length: 3145728\r\n\r\n"));
        for (size_t n = 0; n < sizeof(body);) { /* refused in the middle */
            ssize_t sent = send(other, body + n, sizeof(body) - n, MSG_NOSIGNAL);
            if (sent < 0)
                break;
            n += (size_t)sent;
        }
        assert_true(str_starts(hear(other, "\r\n\r\n", text, sizeof(text)), S("HTTP/1.1 507 ")));
        auto_close int third = dial();
        say(third, S("GET /wake HTTP/1.1\r\nHost: a\r\n\r\n"));
        hear(one, "woken", text, sizeof(text));
        hear(third, "wakes", text, sizeof(text));
    }
}

static void test_stream(void **state)
{
    auto_close int fd = dial();
    say(fd, S("GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    char *back = malloc(4 << 20);
    size_t n = 0;
    ssize_t got;
    while ((got = recv(fd, back + n, (4 << 20) - n, 0)) > 0)
        n += (size_t)got;
    struct str all = str_of(back, n), data;
    ssize_t head = str_find(all, S("\r\n\r\n"));
    assert_true(head > 0 && str_find(str_slice(all, 0, (size_t)head), S("chunked")) > 0);
    all = str_slice(all, (size_t)head + 4, n);
    struct http_chunks chunks = {0};
    size_t total = 0;
    while (http_chunks_next(&chunks, &all, &data) > 0)
        total += data.n;
    assert_int_equal(chunks.state, CHUNK_DONE);
    assert_int_equal(total, 100 * 16384);
    free(back);
}

static void test_body_as_it_comes(void **state)
{
    char text[1024];
    auto_close int fd = dial();
    say(fd, S("POST /in HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n"
              "5\r\nhello\r\n3;x=y\r\n123\r\n0\r\nX-A: one\r\nContent-Length: 7\r\nX-B:  two "
              "\r\n\r\n"));
    assert_true(str_ends(hear(fd, "two", text, sizeof(text)),
                         S("8 of 8 bytes, sum 682, 2 trailers, last two")));
    assert_int_equal(told(), 'e');
    say(fd, S("POST /in HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"));
    assert_true(str_ends(hear(fd, "last -", text, sizeof(text)),
                         S("2 of 2 bytes, sum 195, 0 trailers, last -")));
    assert_int_equal(told(), 'e');
}

static void test_body_as_it_comes_ends(void **state)
{
    const struct str head = S("POST /in HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    char text[1024];
    int fd = dial(); /* the client leaves in the middle */
    say(fd, head);
    say(fd, S("5\r\nhello\r\n"));
    close(fd);
    assert_int_equal(told(), 'g');
    fd = dial(); /* no chunk */
    say(fd, head);
    say(fd, S("5\r\nhello\r\nzz\r\n"));
    assert_int_equal(told(), 'r');
    assert_true(str_starts(hear(fd, NULL, text, sizeof(text)), S("HTTP/1.1 400 ")));
    close(fd);
    fd = dial(); /* too long */
    say(fd, S("POST /in HTTP/1.1\r\nHost: a\r\nContent-Length: 16777217\r\n\r\n"));
    assert_int_equal(told(), 'r');
    assert_true(str_starts(hear(fd, NULL, text, sizeof(text)), S("HTTP/1.1 413 ")));
    close(fd);
    fd = dial(); /* answered before its end */
    say(fd, S("POST /in/enough HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
              "1\r\na\r\n1\r\nb\r\n"));
    assert_true(str_ends(hear(fd, NULL, text, sizeof(text)), S("enough")));
    assert_int_equal(in_bytes, 1);
    close(fd);
}

static void test_body_pause(void **state)
{
    enum { TOTAL = 8 << 20 };
    char text[1024];
    auto_free char *block = calloc(1, TOTAL);
    auto_close int fd = dial();
    auto_close int other = dial();
    memset(block, 1, TOTAL);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    say(fd, S("POST /in/pause HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
              "800000\r\n"));
    ssize_t sent = 0, n;
    while ((n = send(fd, block, (size_t)(TOTAL - sent), MSG_NOSIGNAL)) > 0)
        sent += n;
    assert_int_equal(told(), 'p');
    int64_t before = in_bytes;
    assert_true(before > 0 && before <= 65536); /* one piece, and no more while it rests */
    while (in_bytes < TOTAL) {                  /* what it reads makes room for more */
        n = send(fd, block, (size_t)(TOTAL - sent), MSG_NOSIGNAL);
        sent += n > 0 ? n : 0;
        say(other, S("GET /resume HTTP/1.1\r\nHost: a\r\n\r\n"));
        hear(other, "resumed", text, sizeof(text));
        assert_int_equal(told(), 'p');
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    say(fd, S("\r\n0\r\nX-A: end\r\n\r\n"));
    say(other, S("GET /resume HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(other, "resumed", text, sizeof(text));
    assert_int_equal(told(), 'e');
    assert_true(str_ends(hear(fd, "end", text, sizeof(text)),
                         S("8388608 of 8388608 bytes, sum 8388608, 1 trailers, last end")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(test_bytes),
        CASE(test_large_head),
        CASE(test_continue),
        CASE(test_big_body),
        CASE(test_stream),
        CASE(test_body_as_it_comes),
        CASE(test_body_as_it_comes_ends),
        CASE(test_body_pause),
        CASE(test_many_big_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
