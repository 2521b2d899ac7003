/* test_http_connection - answers that come later or never, clients that leave, limits, the stop. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include "base/cleanup.h"
#include "http_served.h"

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

/* Who sends many requests and closes his half gets all answers, though one turn of the loop does
 * not give them all; and what is cut off at the end of them gets none. */
static void test_half_closed(void **state)
{
    enum { N = 3000, SIZE = 1 << 20 };
    auto_close int fd = dial();
    auto_free char *text = malloc(SIZE);
    char pad[100];
    memset(pad, 'x', sizeof(pad));
    struct buf all;
    buf_init(&all, SIZE);
    for (int i = 0; i < N; i++)
        buf_printf(&all, "GET / HTTP/1.1\r\nHost: a\r\nPad: %.*s\r\n\r\n", (int)sizeof(pad), pad);
    buf_printf(&all, "GET / HTTP/1.1\r\n");
    for (size_t sent = 0; sent < all.n;) {
        ssize_t n = send(fd, all.p + sent, all.n - sent, MSG_NOSIGNAL);
        assert_true(n > 0);
        sent += (size_t)n;
    }
    buf_done(&all);
    shutdown(fd, SHUT_WR);
    struct str rest = hear(fd, NULL, text, SIZE);
    int answers = 0;
    for (ssize_t at; (at = str_find(rest, S("HTTP/1.1 200 "))) >= 0; answers++)
        rest = str_slice(rest, (size_t)at + 1, rest.n);
    assert_int_equal(answers, N);
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
        CASE(test_later),         CASE(test_patient),
        CASE(test_gone),          CASE(test_half_closed),
        CASE(test_turn),          CASE(test_slow_head),
        CASE(test_stop),          CASE(test_stop_is_outlasted),
        CASE(test_listener_free), CASE(test_connection_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
