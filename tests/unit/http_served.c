/* http_served - the server that tests talk to: its handlers, and its loop in a thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include "base/fs.h"
#include "http_served.h"

static uv_loop_t loop;
static uv_async_t stop_async;
static pthread_t thread;
static struct http_server *server;
static struct http_listener *listener;
struct http_listener *lasting;
static int port, events[2]; /* a pipe: what the handlers want the test to know */
static char spool[64];
_Atomic int turn_result;
int turns_with_answers;
static int answers_in_turn;
static struct http_request *waiting;
static int stream_left;
static struct http_request *paused;
int64_t in_bytes;
static unsigned in_sum;

static void tell(char c)
{
    assert_int_equal(write(events[1], &c, 1), 1);
}

char told(void)
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

int setup(void **state)
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

int teardown(void **state)
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

int dial_port(int to_port)
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

int dial(void)
{
    return dial_port(port);
}

void say(int fd, struct str bytes)
{
    assert_int_equal(send(fd, bytes.p, bytes.n, MSG_NOSIGNAL), bytes.n);
}

struct str hear(int fd, const char *end, char *text, size_t size)
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
