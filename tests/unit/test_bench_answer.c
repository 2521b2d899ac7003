/* test_bench_answer - what the load generator reads: answers, REPORT lines, phases, addresses; and
 * when requests are due. */
#include "check.h"
#include <math.h>
#include <sched.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "bench/address.h"
#include "bench/generator.h"
#include "bench/machine.h"
#include "bench/outcome.h"
#include "bench/phases.h"
#include "bench/report_line.h"
#include "bench/schedule.h"

#define OK "HTTP/1.1 200 OK\r\n"

/* ---- where an answer ends ---- */

static const struct {
    const char *name, *bytes;
    enum answer_state state; /* at their end, before the connection's */
    int64_t body;
    size_t rest; /* bytes that are not the answer's */
    enum answer_state closed;
} framings[] = {
    {"length", OK "Content-Length: 4\r\n\r\nfour", ANSWER_DONE, 4, 0, ANSWER_DONE},
    {"no body", OK "Content-Length: 0\r\n\r\n", ANSWER_DONE, 0, 0, ANSWER_DONE},
    {"no content", "HTTP/1.1 204 No Content\r\n\r\n", ANSWER_DONE, 0, 0, ANSWER_DONE},
    {"line feeds alone", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", ANSWER_DONE, 1, 0, ANSWER_DONE},
    {"cut off", OK "Content-Length: 4\r\n\r\nfou", ANSWER_LENGTH, 3, 0, ANSWER_BAD},
    {"until the end", OK "\r\nabc", ANSWER_CLOSE, 3, 0, ANSWER_DONE},
    {"more than was said", OK "Content-Length: 1\r\n\r\nxyz", ANSWER_DONE, 1, 2, ANSWER_DONE},
    {"an interim one first", "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
     ANSWER_DONE, 1, 0, ANSWER_DONE},
    {"chunks", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
     ANSWER_DONE, 13, 0, ANSWER_DONE},
    {"a trailer", OK "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\nz", ANSWER_DONE, 0, 1,
     ANSWER_DONE},
    {"chunks without an end", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
     ANSWER_CHUNK_SIZE, 3, 0, ANSWER_BAD},
    {"a chunk too long", OK "Transfer-Encoding: chunked\r\n\r\n1\r\nabc", ANSWER_BAD, 1, 1,
     ANSWER_BAD},
    {"a size that is none", OK "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", ANSWER_BAD, 0, 4,
     ANSWER_BAD},
    {"no size", OK "Transfer-Encoding: chunked\r\n\r\n\r\n", ANSWER_BAD, 0, 1, ANSWER_BAD},
    {"a size beyond all", OK "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", ANSWER_BAD,
     0, 3, ANSWER_BAD},
    {"both", OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", ANSWER_BAD, 0, 0,
     ANSWER_BAD},
    {"two lengths", OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", ANSWER_BAD, 0, 0,
     ANSWER_BAD},
    {"a negative length", OK "Content-Length: -3\r\n\r\n", ANSWER_BAD, 0, 0, ANSWER_BAD},
    {"gzip", OK "Transfer-Encoding: gzip\r\n\r\n", ANSWER_BAD, 0, 0, ANSWER_BAD},
    {"no HTTP", "220 mail ESMTP\r\n\r\n", ANSWER_BAD, 0, 0, ANSWER_BAD},
    {"no status", "HTTP/1.1 abc OK\r\n\r\n", ANSWER_BAD, 0, 0, ANSWER_BAD},
    {"a switch", "HTTP/1.1 101 Switching Protocols\r\n\r\n", ANSWER_BAD, 0, 0, ANSWER_BAD},
    {"half a head", "HTTP/1.1 200 O", ANSWER_HEAD, 0, 0, ANSWER_BAD},
    {"nothing", "", ANSWER_HEAD, 0, 0, ANSWER_BAD},
};

/* In pieces of any size it is the same answer. */
static void ends_where_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(framings); i++)
        for (size_t step = 1; step < 100; step = step < 8 ? step + 1 : step * 3) {
            struct answer a;
            struct str in = str_from(framings[i].bytes);
            size_t used = 0;
            answer_init(&a);
            while (used < in.n && a.state != ANSWER_DONE && a.state != ANSWER_BAD) {
                struct str piece = str_slice(in, used, used + step);
                used += answer_feed(&a, piece.p, piece.n);
            }
            bool same = a.state == framings[i].state && a.body_bytes == framings[i].body &&
                        in.n - used == framings[i].rest;
            answer_end(&a);
            if (!same || a.state != framings[i].closed || (a.state == ANSWER_BAD && !a.bad))
                fail_msg("%s in steps of %zu: %zu left, %lld of body, then %d", framings[i].name,
                         step, in.n - used, (long long)a.body_bytes, a.state);
            answer_done(&a);
        }
}

static void keeps_heads_bounded(void **state)
{
    (void)state;
    struct answer a;
    static char junk[BENCH_HEAD_MAX + 10];
    memset(junk, 'a', sizeof(junk));
    answer_init(&a);
    assert_int_equal(answer_feed(&a, junk, sizeof(junk)), BENCH_HEAD_MAX);
    assert_int_equal(a.state, ANSWER_BAD);
    answer_done(&a);
}

/* ---- what it means ---- */

#define FAILED OK "X-Amz-Function-Error: Unhandled\r\n\r\n"
#define SERVICE(status, type) "HTTP/1.1 " status "\r\nx-amzn-ErrorType: " type "\r\n\r\n"

static const struct {
    const char *name, *bytes;
    bool url;
    const char *report_status;
    enum bench_outcome outcome;
    const char *type; /* NULL: absent */
} meanings[] = {
    {"success", OK "\r\n{}", false, NULL, BENCH_OK, NULL},
    {"an answer that looks like an error", OK "\r\n{\"errorType\":\"E\"}", false, NULL, BENCH_OK,
     NULL},
    {"what a gateway would make a failure", OK "\r\n{\"statusCode\": 500, \"body\": \"no\"}", false,
     NULL, BENCH_FUNCTION_ERROR, "statusCode 500"},
    {"a status code behind the body",
     OK "\r\n{\"body\":\"{\\\"statusCode\\\":200}\",\"x\":[{}],"
        "\"statusCode\" : \"404\" }",
     false, NULL, BENCH_FUNCTION_ERROR, "statusCode 404"},
    {"a status code of success", OK "\r\n{\"statusCode\":200,\"body\":\"\"}", false, NULL, BENCH_OK,
     NULL},
    {"a status code of something in it", OK "\r\n{\"sent\":{\"statusCode\":500}}", false, NULL,
     BENCH_OK, NULL},
    {"a status code that is a text about it", OK "\r\n[\"statusCode\",500]", false, NULL, BENCH_OK,
     NULL},
    {"a status code that is none", OK "\r\n{\"statusCode\":5000}", false, NULL, BENCH_OK, NULL},
    {"a URL's body is the caller's", OK "\r\n{\"statusCode\":500}", true, NULL, BENCH_OK, NULL},
    {"the function's error", FAILED "{\"errorType\":\"Value\"}", false, NULL, BENCH_FUNCTION_ERROR,
     "Value"},
    {"an error without a type", FAILED "null", false, NULL, BENCH_FUNCTION_ERROR, "Unhandled"},
    {"its timeout", FAILED "{\"errorType\":\"Sandbox.Timedout\"}", false, NULL, BENCH_TIMED_OUT,
     "Sandbox.Timedout"},
    {"its timeout, as it was", FAILED "{\"errorMessage\":\"2026 id Task timed out after 1.00 s\"}",
     false, NULL, BENCH_TIMED_OUT, "Sandbox.Timedout"},
    {"an error that speaks of a timeout",
     FAILED "{\"errorType\":\"E\",\"errorMessage\":\"Task timed out after 1\"}", false, NULL,
     BENCH_FUNCTION_ERROR, "E"},
    {"the REPORT line knows", FAILED "null", false, "timeout", BENCH_TIMED_OUT, "Sandbox.Timedout"},
    {"throttled",
     SERVICE("429 x", "TooManyRequestsException:http://a/b") "{\"Reason\":"
                                                             "\"ReservedFunctionConcurrentInvocatio"
                                                             "nLimitExceeded\"}",
     false, NULL, BENCH_THROTTLED, "ReservedFunctionConcurrentInvocationLimitExceeded"},
    {"throttled without a reason", SERVICE("429 x", "TooManyRequestsException"), false, NULL,
     BENCH_THROTTLED, "TooManyRequestsException"},
    {"another refusal", SERVICE("404 x", "ResourceNotFoundException"), false, NULL, BENCH_REFUSED,
     "ResourceNotFoundException"},
    {"a code in the body", "HTTP/1.1 400 x\r\n\r\n{\"__type\":\"com.x#BadThing\"}", false, NULL,
     BENCH_REFUSED, "BadThing"},
    {"no code at all", "HTTP/1.1 503 x\r\n\r\n<html>", false, NULL, BENCH_REFUSED, "HTTP 503"},
    {"elsewhere", "HTTP/1.1 302 x\r\n\r\n", false, NULL, BENCH_REFUSED, "HTTP 302"},
    {"a URL's failure", "HTTP/1.1 502 x\r\n\r\nInternal Server Error", true, NULL,
     BENCH_FUNCTION_ERROR, "HTTP 502"},
    {"a URL's own status", "HTTP/1.1 302 x\r\n\r\n", true, NULL, BENCH_OK, NULL},
    {"a URL that is forbidden", SERVICE("403 x", "AccessDeniedException"), true, NULL,
     BENCH_REFUSED, "AccessDeniedException"},
};

static void means_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        auto_arena struct arena arena;
        struct answer a;
        struct verdict v;
        arena_init(&arena);
        answer_init(&a);
        answer_feed(&a, meanings[i].bytes, strlen(meanings[i].bytes));
        answer_end(&a);
        outcome_judge(&arena, &a, meanings[i].url, str_from(meanings[i].report_status), &v);
        if (a.state != ANSWER_DONE || v.outcome != meanings[i].outcome ||
            !str_eq(v.type, str_from(meanings[i].type)))
            fail_msg("%s: %s, \"%.*s\"", meanings[i].name, bench_outcome_name(v.outcome),
                     STR(v.type));
        answer_done(&a);
    }
}

/* ---- REPORT ---- */

static void reads_report_lines(void **state)
{
    (void)state;
    auto_arena struct arena a;
    struct report_line r;
    arena_init(&a);
    report_line_find(&a,
                     S("START RequestId: 1\nREPORT RequestId: 8f5\tDuration: 3.01 ms\tBilled "
                       "Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit "
                       "Duration: 98.70 ms\t\nXRAY TraceId: 1-2\n"),
                     &r);
    assert_true(r.found);
    assert_str(r.request_id, "8f5");
    assert_float_equal(r.duration_ms, 3.01, 1e-9);
    assert_float_equal(r.init_ms, 98.7, 1e-9);
    assert_int_equal(r.billed_ms, 4);
    assert_int_equal(r.memory_mb, 128);
    assert_int_equal(r.max_memory_mb, 36);
    assert_false(str_has(r.status));

    report_line_find(&a,
                     S("{\"type\":\"platform.report\",\"record\":{\"requestId\":\"x\",\"metrics\":"
                       "{\"durationMs\":1000.0,\"billedDurationMs\":1000,\"memorySizeMB\":256,"
                       "\"maxMemoryUsedMB\":40},\"status\":\"timeout\"}}\n"),
                     &r);
    assert_true(r.found);
    assert_float_equal(r.duration_ms, 1000, 1e-9);
    assert_true(r.init_ms < 0);
    assert_str(r.status, "timeout");

    /* What a function prints is no report, nor is half a one. */
    report_line_find(&a, S("{\"type\":\"mine\",\"text\":\"platform.report\"}\n  REPORT Request"),
                     &r);
    assert_false(r.found);
    report_line_find(&a, S("REPORT RequestId: x\tDuration: many ms\tBilled Duration: 1e9 ms"), &r);
    assert_true(r.found);
    assert_true(r.duration_ms < 0 && r.billed_ms < 0);
}

static void reads_phases(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a);
    struct phases p;
    struct bench_run run;
    struct answer answer = {.status = 200};
    bench_run_init(&run);
    struct bench_sample *s = bench_run_sample(&run);
    answer.phases = S("environment=2026/11/21/[$LATEST]0f;cold=1;queue=80;sandbox=900;init=21000;"
                      "handler=350;after=12;unknown=1;response=x;queue=-4");
    phases_read(&a, &answer, s, &p);
    assert_str(p.environment, "2026/11/21/[$LATEST]0f");
    assert_true(s->cold);
    assert_int_equal(s->queue_us, 80);
    assert_int_equal(s->sandbox_us, 900);
    assert_int_equal(s->init_us, 21000);
    assert_int_equal(s->handler_us, 350);
    assert_int_equal(s->response_us, -1);
    assert_int_equal(s->billed_ms, -1);
    /* Duration has what comes after the answer in it: together they would count it twice. */
    answer.log_result = base64_encode(
        &a, S("REPORT RequestId: x\tDuration: 0.40 ms\tBilled Duration: 22 ms\tMemory Size: 128 "
              "MB\tMax Memory Used: 9 MB\tInit Duration: 21.00 ms\n"));
    phases_read(&a, &answer, s, &p);
    assert_int_equal(s->handler_us, 400);
    assert_int_equal(s->after_us, -1);
    assert_int_equal(s->billed_ms, 22);
    assert_int_equal(s->memory_mb, 9);
    /* A log tail that is none. */
    answer.log_result = S("***");
    phases_read(&a, &answer, s, &p);
    bench_run_done(&run);
}

/* ---- schedules ---- */

static void due_times_follow_from_the_seed(void **state)
{
    (void)state;
    struct schedule s, t, u;
    double weights[] = {3, 1, 1}, credit[3], other[3];
    schedule_init(&s, 1, 1000, false, weights, credit, 3, false);
    assert_int_equal(schedule_due(&s), 0);
    for (int i = 1; i < 999; i++)
        schedule_due(&s);
    assert_int_equal(schedule_due(&s), 999000000);

    schedule_init(&t, 42, 1000, true, weights, credit, 3, false);
    schedule_init(&u, 42, 1000, true, weights, other, 3, false);
    int64_t last = 0, due = 0;
    double squares = 0;
    for (int i = 0; i < 100000; i++) {
        due = schedule_due(&t);
        assert_int_equal(due, schedule_due(&u));
        assert_true(due >= last);
        squares += pow((double)(due - last) / 1e6, 2);
        last = due;
    }
    assert_float_equal((double)due / 1e9, 100, 1.5); /* mean gap 1 ms, 100,000 of them */
    assert_float_equal(squares / 100000, 2, .1);     /* of exponential gaps: twice its square */
}

static void payloads_keep_their_shares(void **state)
{
    (void)state;
    struct schedule s;
    double weights[] = {97, 3, .5}, credit[3];
    size_t seen[3] = {0};
    schedule_init(&s, 1, 0, false, weights, credit, 3, false);
    for (int i = 0; i < 2010; i++) {
        seen[schedule_payload(&s)]++;
        for (int k = 0; k < 3; k++)
            assert_true(fabs((double)seen[k] - (i + 1) * weights[k] / 100.5) < 2);
    }
    assert_int_equal(seen[0], 1940);
    assert_int_equal(seen[1], 60);
    memset(seen, 0, sizeof(seen));
    schedule_init(&s, 1, 0, false, weights, credit, 3, true);
    for (int i = 0; i < 100500; i++)
        seen[schedule_payload(&s)]++;
    assert_float_equal((double)seen[1], 3000, 300);
    assert_float_equal((double)seen[2], 500, 120);
}

/* ---- the rest ---- */

static void takes_addresses_apart(void **state)
{
    (void)state;
    auto_arena struct arena a;
    struct address at;
    struct str why;
    arena_init(&a);
    assert_int_equal(address_parse(&a, S("https://x.example:8443/a/b?c=d#e"), &at, &why), 0);
    assert_true(at.tls);
    assert_str(at.host, "x.example");
    assert_str(at.authority, "x.example:8443");
    assert_str(at.path, "/a/b");
    assert_str(at.query, "c=d");
    assert_int_equal(at.port, 8443);
    assert_int_equal(address_parse(&a, S("http://[::1]:80"), &at, &why), 0);
    assert_str(at.host, "::1");
    assert_str(at.path, "");
    assert_int_equal(address_parse(&a, S("http://fn.localhost:99/"), &at, &why), 0);
    assert_int_equal(address_resolve(&a, &at, &why), 0);
    assert_true(at.loopback);
    static const char *const bad[] = {"",           "gopher://x", "http://",          "http://:80",
                                      "http://x:0", "http://x:y", "http://x:70000",   "http://[::1",
                                      "http://u@x", "http://x y", "http://x/\r\nX: y"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (address_parse(&a, str_from(bad[i]), &at, &why) == 0)
            fail_msg("%s", bad[i]);
}

static void reads_processor_time(void **state)
{
    (void)state;
    pid_t pid, parent;
    int64_t own, ended;
    assert_true(machine_parse_stat("17 (a) b) R 4 17 17 0 -1 4194304 1 2 3 4 50 60 70 80 20 0",
                                   &pid, &parent, &own, &ended));
    assert_int_equal(pid, 17);
    assert_int_equal(parent, 4);
    assert_int_equal(own, 110);
    assert_int_equal(ended, 150);
    assert_false(machine_parse_stat("17 (a", &pid, &parent, &own, &ended));
    assert_false(machine_parse_stat("", &pid, &parent, &own, &ended));
}

/* The real-time priority of an open loop is no licence to keep a processor. */
static void who_never_waits_loses_its_priority(void **state)
{
    if (!generator_precise(true))
        skip(); /* one processor, or no permission */
    int64_t until = clock_thread_ns() + 5000000000;
    while (sched_getscheduler(0) != SCHED_OTHER && clock_thread_ns() < until)
        ;
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
    generator_precise(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_where_it_says),
        cmocka_unit_test(keeps_heads_bounded),
        cmocka_unit_test(means_what_it_says),
        cmocka_unit_test(reads_report_lines),
        cmocka_unit_test(reads_phases),
        cmocka_unit_test(due_times_follow_from_the_seed),
        cmocka_unit_test(payloads_keep_their_shares),
        cmocka_unit_test(takes_addresses_apart),
        cmocka_unit_test(reads_processor_time),
        cmocka_unit_test(who_never_waits_loses_its_priority),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
