/* test_sandbox_message - plans as bytes, packets with descriptors; no sandbox is made. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "sandbox/message.h"

static const char *const argv[] = {"/bin/x", "", NULL};
static const char *const envp[] = {"A=1", NULL};
static const char *const layers[] = {"/l/1", "/l/2"};
static const struct sandbox_bind binds[] = {{"/from", "/to"}};
static const struct sandbox_link links[] = {{"/target", "/path"}};
static const struct sandbox_port ports[] = {{.port = 9001}, {.port = 2000, .datagram = true}};

static struct sandbox_plan full_plan(void)
{
    return (struct sandbox_plan){.argv = argv,
                                 .envp = envp,
                                 .task_dir = "/code",
                                 .runtime_dir = "/rt",
                                 .layer_dirs = layers,
                                 .n_layers = 2,
                                 .binds = binds,
                                 .n_binds = 1,
                                 .links = links,
                                 .n_links = 1,
                                 .ports = ports,
                                 .n_ports = 2,
                                 .memory_mb = 128};
}

static void test_plan_survives(void **state)
{
    static const struct {
        uint32_t kind;
        const char *first, *second;
    } want[] = {
        {PLAN_BIND, "/rt", "/var/runtime"},
        {PLAN_BIND, "/from", "/to"},
        {PLAN_LINK, "/target", "/path"},
        {PLAN_PORT, "9001", "tcp"},
        {PLAN_PORT, "2000", "udp"},
        {PLAN_ARG, "/bin/x", NULL},
        {PLAN_ARG, "", NULL},
        {PLAN_BIND, "/code", "/var/task"},
        {PLAN_LAYERS, "/l/1", "/l/2"},
        {PLAN_CWD, "/var/task", NULL},
        {PLAN_ENV, "A=1", NULL},
    };
    struct sandbox_plan plan = full_plan();
    auto_buf struct buf b;
    buf_init(&b, MESSAGE_MAX);
    assert_int_equal(plan_write(&plan, &b), 0);

    struct plan_head head;
    struct plan_cursor c;
    assert_int_equal(plan_begin(b.p, b.n, &head, &c), 0);
    assert_int_equal(head.memory_mb, 128);
    assert_int_equal(head.tmp_mb, 512);
    assert_int_equal(head.max_processes, 1024);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct plan_item item;
        const char *text;
        assert_true(plan_next(&c, &item, &text));
        assert_int_equal(item.kind, want[i].kind);
        assert_string_equal(text, want[i].first);
        const char *second = plan_text_after(&item, text, text);
        if (want[i].second)
            assert_string_equal(second, want[i].second);
        else
            assert_null(second);
    }
    struct plan_item item;
    const char *text;
    assert_false(plan_next(&c, &item, &text));
}

/* What two functions of one runtime have in common, byte by byte; nothing else is in it. */
static void test_plans_of_one_kind(void **state)
{
    static const char *const spare_env[] = {"LANG=C", NULL};
    static const char *const other_env[] = {"B=2", NULL};
    static const struct sandbox_spare spare = {.envp = spare_env, .zygote_dir = "/z"};
    struct sandbox_plan plan = full_plan();
    struct plan_cursor c[3], kind[3], rest;
    struct plan_head head;
    struct buf b[3];
    for (int i = 0; i < 3; i++)
        buf_init(&b[i], MESSAGE_MAX);

    assert_int_equal(plan_write(&plan, &b[0]), 0);
    plan_begin(b[0].p, b[0].n, &head, &c[0]);
    assert_false(plan_kind(c[0], &kind[0], &rest)); /* has no spare */
    buf_done(&b[0]);
    buf_init(&b[0], MESSAGE_MAX);

    plan.spare = &spare;
    assert_int_equal(plan_write(&plan, &b[0]), 0);
    plan.task_dir = "/other";
    plan.envp = other_env;
    plan.n_layers = 0;
    plan.memory_mb = 1024;
    assert_int_equal(plan_write(&plan, &b[1]), 0);
    plan.runtime_dir = "/rt2";
    assert_int_equal(plan_write(&plan, &b[2]), 0);
    size_t size[3];
    for (int i = 0; i < 3; i++) {
        plan_begin(b[i].p, b[i].n, &head, &c[i]);
        assert_true(plan_kind(c[i], &kind[i], &rest));
        size[i] = (size_t)(kind[i].end - kind[i].p);
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(kind[0].p, kind[1].p, size[0]);
    assert_true(size[0] != size[2] || memcmp(kind[0].p, kind[2].p, size[0]) != 0);

    struct plan_item item;
    const char *text;
    plan_begin(b[0].p, b[0].n, &head, &c[0]);
    plan_kind(c[0], &kind[0], &rest);
    assert_true(plan_next(&kind[0], &item, &text));
    assert_int_equal(item.kind, PLAN_SPARE);
    assert_string_equal(text, "fork");
    assert_string_equal(plan_text_after(&item, text, text), "/z");
    assert_true(plan_next(&kind[0], &item, &text));
    assert_int_equal(item.kind, PLAN_SPARE_ENV);
    assert_true(plan_next(&rest, &item, &text));
    assert_string_equal(text, "/code");
    for (int i = 0; i < 3; i++)
        buf_done(&b[i]);
}

static void test_damaged_plans_end_early(void **state)
{
    struct sandbox_plan plan = full_plan();
    auto_buf struct buf b;
    buf_init(&b, MESSAGE_MAX);
    assert_int_equal(plan_write(&plan, &b), 0);
    for (size_t n = 0; n < b.n; n++) {
        auto_free char *copy = malloc(n ? n : 1); /* so that a sanitizer sees a step too far */
        memcpy(copy, b.p, n);
        struct plan_head head;
        struct plan_cursor c;
        struct plan_item item;
        const char *text;
        size_t items = 0;
        if (plan_begin(copy, n, &head, &c) < 0)
            continue;
        while (plan_next(&c, &item, &text))
            items += strlen(text) <= item.size;
        assert_true(items < 11);
    }
}

static void test_bad_plans_are_refused(void **state)
{
    auto_buf struct buf b;
    buf_init(&b, MESSAGE_MAX);
    struct sandbox_plan plan = full_plan();
    plan.task_dir = "code";
    assert_int_equal(plan_write(&plan, &b), -EINVAL);
    plan = full_plan();
    plan.n_ports = SANDBOX_PORTS + 1;
    assert_int_equal(plan_write(&plan, &b), -EINVAL);
    plan = full_plan();
    plan.memory_mb = -1;
    assert_int_equal(plan_write(&plan, &b), -EINVAL);
    plan = full_plan();
    plan.argv = argv + 2;
    assert_int_equal(plan_write(&plan, &b), -EINVAL);

    static char big[MESSAGE_MAX + 1];
    memset(big, 'x', MESSAGE_MAX);
    const char *big_env[] = {big, NULL};
    plan = full_plan();
    plan.envp = big_env;
    assert_int_equal(plan_write(&plan, &b), -E2BIG);
}

static void test_packets_carry_descriptors(void **state)
{
    int pair[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC), fds[MESSAGE_FDS];
    size_t n, n_fds;
    char text[8];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    int twice[] = {null, null};
    assert_int_equal(message_send(pair[0], "hello", 6, twice, 2), 0);
    assert_int_equal(message_recv(pair[1], text, sizeof(text), 0, &n, fds, &n_fds), 0);
    assert_int_equal(n, 6);
    assert_int_equal(n_fds, 2);
    assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    close(fds[0]);
    close(fds[1]);

    assert_int_equal(message_send(pair[0], "too long for it", 15, twice, 2), 0);
    assert_int_equal(message_recv(pair[1], text, sizeof(text), 0, &n, fds, &n_fds), -EMSGSIZE);
    assert_int_equal(message_recv(pair[1], text, 8, MSG_DONTWAIT, &n, fds, &n_fds), -EAGAIN);
    close(pair[0]);
    assert_int_equal(message_recv(pair[1], text, sizeof(text), 0, &n, fds, &n_fds), 0);
    assert_int_equal(n, 0);
    assert_int_equal(message_send(pair[1], "x", 1, NULL, 0), -EPIPE);
    close(pair[1]);
    close(null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_survives),
        cmocka_unit_test(test_plans_of_one_kind),
        cmocka_unit_test(test_damaged_plans_end_early),
        cmocka_unit_test(test_bad_plans_are_refused),
        cmocka_unit_test(test_packets_carry_descriptors),
    };
    return cmocka_run_group_tests_name("sandbox_message", tests, NULL, NULL);
}
