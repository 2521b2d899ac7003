/* test_http - bytes in, bytes out, over real sockets: the server's loop runs in a thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include "http/server.h"
#include "http/parse.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "check.h"

static uv_loop_t loop;
static uv_async_t stop_async;
static pthread_t thread;
static struct http_server *server;
static struct http_listener *listener, *lasting;
static int port, events[2]; /* a pipe: what the handlers want the test to know */
static char spool[64];
static _Atomic int turn_result;
static int turns_with_answers, answers_in_turn;
static struct http_request *waiting;
static int stream_left;
static struct http_request *paused;
static int64_t in_bytes;
static unsigned in_sum;

static void tell(char c)
{
    assert_int_equal(write(events[1], &c, 1), 1);
}

static char told(void)
{
    char c = 0;
    struct pollfd p = {.fd = events[0], .events = POLLIN};
    if (poll(&p, 1, 5000) != 1 || read(events[0], &c, 1) != 1)
        fail_msg("nothing was told within 5 s");
    return c;
}

static void on_gone(struct http_request *req)
{
    waiting = NULL;
    tell('g');
}

static void on_stopped(void *user)
{
    tell('s');
}

static void stream_on(struct http_request *req)
{
    static const char block[16384];
    while (stream_left > 0) {
        stream_left--;
        if (!http_write(req, str_of(block, sizeof(block))))
            return;
    }
    http_end(req);
}

static void reply_text(struct http_request *req, int status, struct str text)
{
    static const struct http_header headers[] = {{S_INIT("X-Odd"), S_INIT("a\r\nb")}};
    http_reply(req, status, headers, 1, body_mem(text));
}

static void on_request(struct http_request *req)
{
    struct arena *a = req->arena;
    if (str_is(req->path, "/echo")) {
        http_reply(req, 200, NULL, 0, req->body);
    } else if (str_is(req->path, "/where")) {
        reply_text(req, 200,
                   req->body.in_file ? S("file")
                   : req->body.has   ? S("memory")
                                     : S("none"));
    } else if (str_is(req->path, "/wait")) {
        req->on_gone = on_gone;
        waiting = req;
        tell('w');
    } else if (str_is(req->path, "/wake")) {
        reply_text(waiting, 200, S("woken"));
        waiting = NULL;
        reply_text(req, 200, S("wakes"));
    } else if (str_is(req->path, "/stop")) {
        http_server_stop(server, on_stopped, NULL);
        reply_text(req, 200, S("stops"));
    } else if (str_is(req->path, "/unlisten")) {
        req->on_gone = on_gone;
        http_listener_free(req->listener); /* as when the environment of a function is ended */
    } else if (str_is(req->path, "/stream")) {
        stream_left = 100;
        req->on_drain = stream_on;
        http_reply_start(req, 200, NULL, 0);
        stream_on(req);
    } else if (str_starts(req->path, S("/in"))) {
        struct str last = req->n_trailers ? req->trailers[req->n_trailers - 1].value : S("-");
        tell('e');
        reply_text(req, 200,
                   str_printf(a, "%lld of %lld bytes, sum %u, %zu trailers, last %.*s",
                              (long long)in_bytes, (long long)req->body.size, in_sum,
                              req->n_trailers, STR(last)));
    } else if (str_is(req->path, "/resume")) {
        http_resume(paused);
        reply_text(req, 200, S("resumed"));
    } else if (str_is(req->path, "/patient")) {
        http_reply_may_wait(req);
        reply_text(req, 200, S("patient"));
    } else if (str_is(req->path, "/none")) {
        http_reply(req, 204, NULL, 0, (struct body){.fd = -1});
    } else {
        reply_text(req, 200,
                   str_printf(a, "%.*s|%.*s|%.*s|%.*s", STR(req->method), STR(req->path),
                              STR(req->query), STR(http_header_get(req, "x-a"))));
    }
    answers_in_turn++;
}

/* Bodies that are taken as they come: below /in. /in/pause rests after each piece until /resume. */
static void on_data(struct http_request *req, struct str data)
{
    in_bytes += (int64_t)data.n;
    for (size_t i = 0; i < data.n; i++)
        in_sum += (uint8_t)data.p[i];
    if (str_is(req->path, "/in/pause")) {
        paused = req;
        http_pause(req);
        tell('p');
    } else if (str_is(req->path, "/in/enough")) {
        reply_text(req, 413, S("enough"));
    }
}

static void on_refuse(struct http_request *req, int status)
{
    if (req->on_data)
        tell('r');
}

static void on_head(struct http_request *req)
{
    if (str_starts(req->path, S("/in"))) {
        in_bytes = in_sum = 0;
        req->on_data = on_data;
        req->on_gone = on_gone;
        req->max_body = 16 << 20;
    }
    if (str_is(req->path, "/forbidden"))
        reply_text(req, 403, S("no"));
    if (str_is(req->path, "/small"))
        req->max_body = 4;
}

static int on_turn(void *user)
{
    if (answers_in_turn)
        turns_with_answers++;
    int r = answers_in_turn ? turn_result : 0;
    answers_in_turn = 0;
    return r;
}

static void on_turn_failed(struct http_request *req, int error, void *user)
{
    reply_text(req, 503, str_printf(req->arena, "failed %d", error));
}

static void on_stop(uv_async_t *async)
{
    http_server_free(server);
    uv_close((uv_handle_t *)&stop_async, NULL);
}

static void *run(void *arg)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    return NULL;
}

static int setup(void **state)
{
    struct http_server_options options = {
        .on_turn_failed = on_turn_failed, .head_ms = 300, .stall_ms = 2000, .max_connections = 100};
    snprintf(spool, sizeof(spool), "/tmp/lamina-test-http-XXXXXX");
    if (!mkdtemp(spool) || pipe2(events, O_CLOEXEC) < 0)
        return -1;
    turn_result = turns_with_answers = answers_in_turn = 0;
    uv_loop_init(&loop);
    uv_async_init(&loop, &stop_async, on_stop);
    server = http_server_new(&loop, &options);
    http_server_set_turn_hook(server, on_turn, NULL);
    struct http_listener_options where = {.fd = -1,
                                          .max_body = 64 << 20,
                                          .max_spooled = 5 << 20,
                                          .max_connections = 7,
                                          .spool_dir = spool,
                                          .on_request = on_request,
                                          .on_head = on_head,
                                          .on_refuse = on_refuse};
    if (http_listen(server, &where, &listener) < 0)
        return -1;
    port = http_listener_port(listener);
    where.outlasts = true;
    if (http_listen(server, &where, &lasting) < 0)
        return -1;
    return pthread_create(&thread, NULL, run, NULL);
}

static int teardown(void **state)
{
    uv_async_send(&stop_async);
    pthread_join(thread, NULL);
    int r = uv_loop_close(&loop); /* fails when a handle was forgotten */
    close(events[0]);
    close(events[1]);
    struct str *left;
    size_t n_left;
    struct arena a;
    arena_init(&a);
    if (fs_walk(&a, spool, &left, &n_left) == 0 && n_left)
        r = -1; /* a spooled body was forgotten */
    arena_done(&a);
    fs_remove_tree(spool);
    return r;
}

static int dial_port(int to_port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)to_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static int dial(void)
{
    return dial_port(port);
}

static void say(int fd, struct str bytes)
{
    assert_int_equal(send(fd, bytes.p, bytes.n, MSG_NOSIGNAL), bytes.n);
}

/* Everything until the server closes, or until `end` has come. */
static struct str hear(int fd, const char *end, char *text, size_t size)
{
    size_t n = 0;
    while (n + 1 < size) {
        ssize_t got = recv(fd, text + n, size - 1 - n, 0);
        if (got < 0 && errno == EAGAIN)
            fail_msg("no answer within 5 s after \"%.*s\"", (int)n, text);
        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = 0;
        if (end && strstr(text, end))
            break;
    }
    text[n] = 0;
    return str_of(text, n);
}

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

static void test_later(void **state)
{
    char text[1024];
    auto_close int first = dial();
    auto_close int second = dial();
    say(first, S("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(told(), 'w');
    say(second, S("GET /wake HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(str_ends(hear(first, "woken", text, sizeof(text)), S("woken")));
    assert_true(str_ends(hear(second, "wakes", text, sizeof(text)), S("wakes")));
}

/* An answer that may wait leaves with the next one of its connection, or at once with the last. */
static void test_patient(void **state)
{
    char text[2048];
    auto_close int first = dial();
    auto_close int second = dial();
    say(first, S("GET /patient HTTP/1.1\r\nHost: a\r\n\r\nGET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(told(), 'w');
    say(second, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(second, "GET|", text, sizeof(text)); /* that turn is over */
    assert_int_equal(recv(first, text, 1, MSG_DONTWAIT), -1);
    say(second, S("GET /wake HTTP/1.1\r\nHost: a\r\n\r\n"));
    struct str both = hear(first, "woken", text, sizeof(text));
    ssize_t patient = str_find(both, S("\r\n\r\npatientHTTP/1.1 200 OK\r\n"));
    assert_true(patient > 0 && str_ends(both, S("\r\n\r\nwoken")));
    say(first, S("GET /patient HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    assert_true(str_ends(hear(first, NULL, text, sizeof(text)), S("patient")));
}

static void test_gone(void **state)
{
    int fd = dial();
    say(fd, S("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(told(), 'w');
    close(fd);
    assert_int_equal(told(), 'g');
    /* With more pipelined requests behind it than are read ahead (not more than the kernel takes: a
     * FIN behind those would not arrive). */
    fd = dial();
    say(fd, S("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(told(), 'w');
    for (int i = 0; i < 1500; i++)
        say(fd, S("GET /pipelined/request HTTP/1.1\r\nHost: a\r\n\r\n"));
    close(fd);
    assert_int_equal(told(), 'g');
}

static void test_turn(void **state)
{
    char text[2048];
    auto_close int fd = dial();
    turn_result = -ENOSPC;
    say(fd, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    struct str answer = hear(fd, "failed -28", text, sizeof(text));
    assert_true(str_starts(answer, S("HTTP/1.1 503 ")));
    assert_int_equal(str_find(answer, S("200 OK")), -1);
    turn_result = 0;
    say(fd, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(str_starts(hear(fd, "GET|", text, sizeof(text)), S("HTTP/1.1 200 ")));
    assert_int_equal(turns_with_answers, 2);
}

static void test_slow_head(void **state)
{
    char text[1024];
    auto_close int fd = dial();
    say(fd, S("GET / HTTP/1.1\r\nHo"));
    assert_true(str_starts(hear(fd, NULL, text, sizeof(text)), S("HTTP/1.1 408 ")));
}

static void test_stop(void **state)
{
    char text[1024];
    auto_close int idle = dial();
    say(idle, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(idle, "GET|", text, sizeof(text));
    auto_close int held = dial();
    say(held, S("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(told(), 'w');
    auto_close int other = dial();
    say(other, S("GET /wake HTTP/1.1\r\nHost: a\r\n\r\nGET /stop HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(str_ends(hear(held, "woken", text, sizeof(text)), S("woken")));
    struct str answers = hear(other, NULL, text, sizeof(text));
    assert_true(str_find(answers, S("wakes")) > 0 && str_ends(answers, S("stops")));
    hear(idle, NULL, text, sizeof(text)); /* is closed */
    hear(held, NULL, text, sizeof(text));
    assert_int_equal(told(), 's');
}

/* A listener that outlasts the stop takes connections and keeps them, before and after. */
static void test_stop_is_outlasted(void **state)
{
    char text[1024];
    int inside = http_listener_port(lasting);
    auto_close int before = dial_port(inside);
    say(before, S("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(before, "|/a|", text, sizeof(text));
    auto_close int other = dial();
    say(other, S("GET /stop HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(str_ends(hear(other, NULL, text, sizeof(text)), S("stops")));
    assert_int_equal(told(), 's'); /* the connection from before is not waited for */
    auto_close int after = dial_port(inside);
    for (int i = 0; i < 2; i++) {
        say(before, S("GET /b HTTP/1.1\r\nHost: a\r\n\r\n"));
        struct str heard = hear(before, "|/b|", text, sizeof(text));
        assert_true(str_find(heard, S("|/b|")) > 0 && str_find(heard, S("Connection: close")) < 0);
        say(after, S("GET /c HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_true(str_find(hear(after, "|/c|", text, sizeof(text)), S("|/c|")) > 0);
    }
}

static void test_connection_limit(void **state)
{
    char text[1024];
    int fds[8];
    for (int i = 0; i < 8; i++) {
        fds[i] = dial(); /* the last one waits in the backlog */
        say(fds[i], S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        if (i < 7)
            hear(fds[i], "GET|", text, sizeof(text));
    }
    struct pollfd p = {.fd = fds[7], .events = POLLIN};
    assert_int_equal(poll(&p, 1, 100), 0);
    close(fds[3]);
    hear(fds[7], "GET|", text, sizeof(text));
    for (int i = 0; i < 8; i++)
        if (i != 3)
            close(fds[i]);
}

static void test_listener_free(void **state)
{
    char text[1024];
    auto_close int fd = dial();
    auto_close int other = dial();
    say(fd, S("GET /unlisten HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(told(), 'g');
    assert_str(hear(fd, NULL, text, sizeof(text)), "");
    assert_str(hear(other, NULL, text, sizeof(text)), "");
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
        CASE(test_later),
        CASE(test_patient),
        CASE(test_gone),
        CASE(test_turn),
        CASE(test_slow_head),
        CASE(test_stop),
        CASE(test_stop_is_outlasted),
        CASE(test_listener_free),
        CASE(test_connection_limit),
        CASE(test_many_big_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
