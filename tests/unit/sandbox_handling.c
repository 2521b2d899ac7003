/* sandbox_handling - killing, restarting, freezing environments; and what is left of them. */
#include "sandbox_run.h"

void test_kill(void **state)
{
    NEEDS_SANDBOX;
    struct run run = {0};
    begin_and_wait_for(&run, "trap '' TERM; (sleep 1000)& echo ready; wait; wait", "ready\n");
    int64_t peak;
    assert_int_equal(environment_memory_peak(run.env, &peak), 0);
    assert_int_equal(environment_kill(run.env), 0);
    run_wait(&run);
    assert_string_equal(run.how.text, "signal: killed");
    assert_true(run.how.lost);
    assert_int_equal(environment_restart(run.env), -ESRCH);
    run_done(&run);
}

void test_signal_reaches_the_command(void **state)
{
    NEEDS_SANDBOX;
    struct run run = {0};
    begin_and_wait_for(&run,
                       "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
                       "ready\n");
    assert_int_equal(environment_signal(run.env, SIGTERM), 0);
    run_wait(&run);
    assert_string_equal(run.output.p, "ready\ngot it\n");
    assert_int_equal(run.how.status, 3);
    run_done(&run);
}

void test_restart_keeps_tmp(void **state)
{
    NEEDS_SANDBOX;
    struct run run = {0};
    begin_and_wait_for(
        &run, "ls /tmp; echo x >/tmp/kept; (sleep 1000)& echo ready; exec sleep 1000", "ready\n");
    run.started = false;
    buf_clear(&run.output);
    assert_int_equal(environment_restart(run.env), 0);
    while (!run.started)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(run.error, 0);
    wait_for(&run, "ready\n");
    assert_memory_equal(run.output.p, "kept\nready\n", 11);
    assert_false(run.ended);
    run_done(&run);
}

void test_oom_is_forgotten_by_restart(void **state)
{
    NEEDS_SANDBOX;
    NEEDS(can.memory, "no memory cgroup");
    struct run run = {0};
    struct sandbox_plan plan = shell_plan(NULL);
    plan.memory_mb = 64;
    run_sh(&run, plan,
           "[ -e /tmp/again ] && exit 5; : >/tmp/again;"
           "x=$(head -c 200000000 /dev/zero | tr '\\0' x)");
    assert_true(run.how.oom);
    run.ended = false;
    assert_int_equal(environment_restart(run.env), 0);
    run_wait(&run);
    assert_string_equal(run.how.text, "exit status 5");
    assert_false(run.how.oom);
    run_done(&run);
}

static void spawn_sh(struct run *run, const char *script, int *ret_index, int *ret_output)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    assert_int_equal(environment_spawn(run->env, argv, plain_env, ret_index, ret_output), 0);
}

static void expect_text(int fd, const char *want)
{
    char text[256] = "";
    size_t n = 0;
    for (int64_t end = clock_mono_ns() + 10000000000; n < strlen(want) && clock_mono_ns() < end;) {
        ssize_t r = read(fd, text + n, sizeof(text) - 1 - n);
        n += r > 0 ? (size_t)r : 0;
        if (r <= 0)
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 100);
    }
    assert_string_equal(text, want);
}

static void expect_end(int fd)
{
    char c;
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10000), 1);
    assert_int_equal(read(fd, &c, 1), 0);
}

static void wait_processes(struct run *run, int n)
{
    while (run->processes_ended < n)
        uv_run(&loop, UV_RUN_ONCE);
}

void test_processes_beside_the_command(void **state)
{
    NEEDS_SANDBOX;
    struct run run = {0};
    int first, second, third, output[3];
    struct sandbox_plan plan = shell_plan(NULL);
    const char *argv[] = {"/bin/sh", "-c", "cat /tmp/said; exec sleep 60", NULL};
    const char *nothing[] = {"/opt/nothing", NULL};
    plan.argv = argv;
    plan.held = true;
    run_begin(&run, &plan);
    while (!run.started)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(run.error, 0);

    /* Before the command, as the same user, with an output of its own. */
    spawn_sh(&run, "id -u; pwd; echo early >/tmp/said; exit 3", &first, &output[0]);
    expect_text(output[0], "993\n/\n");
    wait_processes(&run, 1);
    assert_int_equal(run.process_how[first].status, 3);
    assert_string_equal(run.process_how[first].text, "exit status 3");

    run.started = false;
    assert_int_equal(environment_run(run.env), 0);
    while (!run.started)
        uv_run(&loop, UV_RUN_ONCE);
    expect_text(run.fd, "early\n");

    /* Beside it; signals reach a process and its children, and nobody else. */
    spawn_sh(&run, "sleep 60 & echo up; wait", &second, &output[1]);
    expect_text(output[1], "up\n");
    assert_int_equal(environment_spawn(run.env, nothing, plain_env, &third, &output[2]), 0);
    wait_processes(&run, 2);
    assert_int_equal(run.process_how[third].error, -ENOENT);
    assert_int_equal(environment_signal_process(run.env, second, SIGKILL), 0);
    wait_processes(&run, 3);
    assert_string_equal(run.process_how[second].text, "signal: killed");
    expect_end(output[1]); /* nobody holds its other end any more */
    assert_false(run.ended);

    /* All of them are killed by a restart, which stops before the command again. */
    for (int i = 0; i < 3; i++)
        close(output[i]);
    spawn_sh(&run, "echo up; sleep 60", &first, &output[0]);
    expect_text(output[0], "up\n");
    run.started = false;
    assert_int_equal(environment_restart(run.env), 0);
    while (!run.started)
        uv_run(&loop, UV_RUN_ONCE);
    expect_end(output[0]);
    assert_int_equal(run.processes_ended, 3);
    assert_false(run.ended);
    close(output[0]);
    run_done(&run);
}

void test_restart_after_exit(void **state)
{
    NEEDS_SANDBOX;
    struct run run = {0};
    run_sh(&run, shell_plan(NULL), "ls /tmp; : >/tmp/kept; exit 4");
    assert_int_equal(run.how.status, 4);
    run.ended = false;
    assert_int_equal(environment_restart(run.env), 0);
    buf_clear(&run.output);
    run_wait(&run);
    assert_string_equal(run.output.p, "kept\n");
    assert_int_equal(run.how.status, 4);
    run_done(&run);
}

/* True when nothing arrives for as long as twenty lines take otherwise. */
static bool is_silent(struct run *run)
{
    struct pollfd p = {.fd = run->fd, .events = POLLIN};
    poll(&p, 1, 20); /* what was on its way */
    read_output(run);
    return poll(&p, 1, 200) == 0;
}

void test_freeze_and_thaw(void **state)
{
    NEEDS_SANDBOX;
    struct run run = {0};
    begin_and_wait_for(&run, "while :; do echo tick; sleep 0.01; done", "tick\n");
    assert_int_equal(environment_freeze(run.env), 0);
    assert_true(is_silent(&run));
    assert_int_equal(environment_thaw(run.env), 0);
    assert_false(is_silent(&run));
    assert_int_equal(environment_freeze(run.env), 0);
    assert_int_equal(environment_kill(run.env), 0); /* frozen ones die as well */
    run_wait(&run);
    run_done(&run);
}

void test_cpu_share(void **state)
{
    NEEDS_SANDBOX;
    NEEDS(can.cpu, "no cpu cgroup");
    struct run run = {0};
    begin_and_wait_for(&run, "echo ready; while :; do :; done", "ready\n");
    assert_int_equal(environment_set_cpu(run.env, 177), 0); /* a tenth */
    int64_t before, after, began = clock_mono_ns();
    assert_int_equal(environment_cpu_usage(run.env, &before), 0);
    poll(NULL, 0, 400); /* the measure is time itself */
    assert_int_equal(environment_cpu_usage(run.env, &after), 0);
    int64_t elapsed_us = (clock_mono_ns() - began) / 1000;
    assert_true(after > before);
    assert_true(after - before < elapsed_us / 4);
    assert_int_equal(environment_set_cpu(run.env, 0), 0);
    run_done(&run);
}

void test_many_at_once(void **state)
{
    NEEDS_SANDBOX;
    enum { N = 20 };
    static struct run runs[N];
    const char *argv[] = {"/bin/sh", "-c", "hostname; : >/tmp/x; ls /tmp; exec sleep 0.2", NULL};
    struct sandbox_plan plan = shell_plan(argv);
    for (int i = 0; i < N; i++)
        run_begin(&runs[i], &plan);
    for (int i = 0; i < N; i++) {
        run_wait(&runs[i]);
        assert_string_equal(runs[i].why, "");
        assert_string_equal(runs[i].output.p, "169.254.100.1\nx\n");
        assert_string_equal(runs[i].how.text, "exit status 0");
    }
    for (int i = 0; i < N; i++)
        run_done(&runs[i]);
}

void test_free_while_starting(void **state)
{
    NEEDS_SANDBOX;
    const char *argv[] = {"/bin/sleep", "1000", NULL};
    struct sandbox_plan plan = shell_plan(argv);
    struct run run = {0};
    run_begin(&run, &plan);
    run_done(&run);
    expect_output(shell_plan(NULL), "echo next", "next\n");
}

/* ---- what is left behind ---- */

static void wait_for_end(pid_t pid)
{
    auto_close int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
}

static _Noreturn void be_a_daemon(int report, int n)
{
    static struct run runs[8];
    const char *argv[] = {"/bin/sh", "-c", "sleep 1000 & sleep 1000", NULL};
    struct sandbox_plan plan = shell_plan(argv);
    struct spawner_options options = {.spares = 2};
    pid_t pids[9];
    uv_loop_init(&loop);
    if (spawner_start(&options, &spawner) < 0 || spawner_attach(spawner, &loop, NULL, NULL) < 0)
        _exit(1);
    pids[0] = spawner_pid(spawner);
    for (int i = 0; i < n; i++) {
        runs[i].fd = -1;
        environment_start(spawner, &plan, &run_events, &runs[i], &runs[i].env);
        while (!runs[i].started)
            uv_run(&loop, UV_RUN_ONCE);
        pids[i + 1] = environment_pid(runs[i].env);
    }
    environment_freeze(runs[0].env);
    if (write(report, pids, sizeof(pids[0]) * (size_t)(n + 1)) < 0)
        _exit(1);
    for (;;)
        pause();
}

void test_nothing_is_left_behind(void **state)
{
    NEEDS_SANDBOX;
    enum { N = 3 };
    int report[2];
    pid_t pids[N + 1];
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    pid_t daemon_pid = fork();
    if (daemon_pid == 0)
        be_a_daemon(report[1], N);
    close(report[1]);
    assert_int_equal(read(report[0], pids, sizeof(pids)), sizeof(pids));
    close(report[0]);
    if (can.memory)
        assert_true(groups_of(pids[0]) > 0);
    kill(daemon_pid, SIGKILL);
    waitpid(daemon_pid, NULL, 0);
    for (int i = 0; i <= N; i++) {
        wait_for_end(pids[i]);
        errno = 0;
        assert_true(kill(pids[i], 0) < 0 || errno == 0);
    }
    assert_int_equal(groups_of(pids[0]), 0);
}

void test_spawner_killed_takes_all_along(void **state)
{
    NEEDS_SANDBOX;
    int report[2];
    pid_t pids[2];
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    pid_t daemon_pid = fork();
    if (daemon_pid == 0)
        be_a_daemon(report[1], 1);
    close(report[1]);
    assert_int_equal(read(report[0], pids, sizeof(pids)), sizeof(pids));
    close(report[0]);
    auto_close int environment = pidfd_open(pids[1], 0);
    kill(pids[0], SIGKILL);
    wait_for_end(pids[1]);
    kill(daemon_pid, SIGKILL);
    waitpid(daemon_pid, NULL, 0);
    /* The kernel has killed the processes; their empty groups go at the next start of any spawner.
     */
    struct sandbox_abilities again;
    assert_int_equal(sandbox_probe(&again), 0);
    assert_int_equal(groups_of(pids[0]), 0);
}
