/* test_sandbox - real environments on the machine that runs the test, as root or as anybody.
 *
 * What the machine cannot do is skipped with a message that says so. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <grp.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <glob.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "sandbox/sandbox.h"

static struct spawner *spawner;
static struct sandbox_abilities can;
static uv_loop_t loop;
static char scratch[] = "/tmp/test-sandbox-XXXXXX";

/* ---- running one command to its end ---- */

struct run {
    struct environment *env;
    struct buf output;
    int fd;
    bool started, ended;
    int error;
    char why[512];
    struct environment_exit how;
    int64_t peak;
    int processes_ended;
    struct environment_exit process_how[8];
    void (*on_started)(struct run *run);
};

static void read_output(struct run *run)
{
    char block[4096];
    for (ssize_t n; (n = read(run->fd, block, sizeof(block))) > 0;)
        buf_add(&run->output, block, (size_t)n);
}

static void on_start(struct environment *env, int error, const char *why, void *user)
{
    struct run *run = user;
    run->started = true;
    run->error = error;
    snprintf(run->why, sizeof(run->why), "%s", why);
    if (error) {
        run->ended = true;
        return;
    }
    if (run->fd < 0)
        run->fd = environment_take_output(env);
    if (run->on_started)
        run->on_started(run);
}

static void on_exit_event(struct environment *env, const struct environment_exit *how, void *user)
{
    struct run *run = user;
    run->ended = true;
    run->how = *how;
    read_output(run);
    environment_memory_peak(env, &run->peak);
}

static void on_process_exit(struct environment *env, int index, const struct environment_exit *how,
                            void *user)
{
    struct run *run = user;
    assert_true(index >= 0 && index < 8);
    run->processes_ended++;
    run->process_how[index] = *how;
}

static const struct environment_events events = {
    .on_start = on_start, .on_exit = on_exit_event, .on_process_exit = on_process_exit};
static const char *const plain_env[] = {"PATH=/usr/bin:/bin", "LANG=C", NULL};

static struct sandbox_plan shell_plan(const char *const argv[])
{
    return (struct sandbox_plan){.argv = argv, .envp = plain_env, .memory_mb = 256};
}

static void run_begin(struct run *run, const struct sandbox_plan *plan)
{
    run->fd = -1;
    buf_init(&run->output, 1 << 20);
    assert_int_equal(environment_start(spawner, plan, &events, run, &run->env), 0);
}

static void run_wait(struct run *run)
{
    while (!run->ended)
        uv_run(&loop, UV_RUN_ONCE);
    buf_byte(&run->output, '\0');
}

static void run_done(struct run *run)
{
    environment_free(run->env);
    if (run->fd >= 0)
        close(run->fd);
    buf_done(&run->output);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void run_sh(struct run *run, struct sandbox_plan plan, const char *script)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    plan.argv = argv;
    run_begin(run, &plan);
    run_wait(run);
    if (run->error)
        fail_msg("did not start: %s", run->why);
}

static void expect_output(struct sandbox_plan plan, const char *script, const char *want)
{
    struct run run = {0};
    run_sh(&run, plan, script);
    assert_string_equal(run.output.p, want);
    run_done(&run);
}

#define NEEDS(condition, what)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_message("skipped: %s\n", what);                                                  \
            skip();                                                                                \
        }                                                                                          \
    } while (0)
#define NEEDS_SANDBOX NEEDS(can.can_run, can.note)

static const char *make_file(const char *name, const char *text)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", scratch, name);
    char dir[512];
    snprintf(dir, sizeof(dir), "%s", path);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(fs_mkdirs(dir, 0755), 0);
    assert_int_equal(fs_write(path, str_from(text), 0644), 0);
    return path;
}

/* ---- the view from inside ---- */

static void test_runs_a_command(void **state)
{
    NEEDS_SANDBOX;
    expect_output(shell_plan(NULL), "echo out; echo err >&2; pwd; id -u; id -g; echo $$ $LANG",
                  "out\nerr\n/var/task\n993\n990\n2 C\n");
}

static void test_sees_nothing_of_the_host(void **state)
{
    NEEDS_SANDBOX;
    expect_output(
        shell_plan(NULL),
        "ls -d /root /home /boot /mnt /srv /sys 2>/dev/null; ls / | grep -vE 'lib32|libx32';"
        "cat /etc/hosts; grep sbx /etc/passwd; hostname",
        "bin\ndev\netc\nlambda-entrypoint.sh\nlib\nlib64\nopt\nproc\nsbin\ntmp\nusr\nvar\n"
        "127.0.0.1 localhost\n169.254.100.1 sandbox.localdomain sandbox\n"
        "sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n169.254.100.1\n");
}

static void test_only_tmp_is_writable(void **state)
{
    NEEDS_SANDBOX;
    char dir[512];
    make_file("code/app.py", "print()\n");
    snprintf(dir, sizeof(dir), "%s/code", scratch);
    struct sandbox_plan plan = shell_plan(NULL);
    plan.task_dir = dir;
    expect_output(plan,
                  "ls; for d in /var/task /opt / /etc /usr /var /dev /proc/sys/kernel; do"
                  " (: >$d/x) 2>/dev/null && echo wrote $d; done; : >/tmp/x && ls /tmp",
                  "app.py\nx\n");
}

static void test_has_no_privileges(void **state)
{
    NEEDS_SANDBOX;
    expect_output(
        shell_plan(NULL),
        "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs' /proc/self/status | tr -d '\\t';"
        "ulimit -n; ps -e 2>/dev/null | grep -c lamina-init;"
        "(kill -9 1; kill -TERM 1) 2>/dev/null; mount -t tmpfs x /tmp 2>/dev/null || echo refused;"
        "unshare -U true 2>/dev/null || echo refused; cat /proc/1/environ 2>/dev/null",
        "CapInh:0000000000000000\nCapPrm:0000000000000000\nCapEff:0000000000000000\n"
        "CapBnd:0000000000000000\nCapAmb:0000000000000000\nNoNewPrivs:1\n1024\n1\n"
        "refused\nrefused\n");
}

static void test_filters_system_calls(void **state)
{
    NEEDS_SANDBOX;
    NEEDS(can.seccomp, "no seccomp");
    expect_output(shell_plan(NULL), "grep Seccomp: /proc/self/status | tr -d '\\t'", "Seccomp:2\n");
}

static void test_tmp_has_its_size(void **state)
{
    NEEDS_SANDBOX;
    struct sandbox_plan plan = shell_plan(NULL);
    plan.tmp_mb = 3;
    expect_output(plan,
                  "head -c 2000000 /dev/zero >/tmp/a && echo fits;"
                  "head -c 2000000 /dev/zero >/tmp/b 2>/dev/null || echo full",
                  "fits\nfull\n");
}

static void test_last_layer_wins(void **state)
{
    NEEDS_SANDBOX;
    char dirs[3][512];
    const char *layers[3];
    for (int i = 0; i < 3; i++) {
        snprintf(dirs[i], sizeof(dirs[i]), "%s/layer,%d:x", scratch, i);
        layers[i] = dirs[i];
    }
    make_file("layer,0:x/same", "first\n");
    make_file("layer,1:x/same", "second\n");
    make_file("layer,2:x/same", "third\n");
    make_file("layer,0:x/python/a", "a0\n");
    make_file("layer,1:x/python/b", "b1\n");
    make_file("layer,1:x/python/a", "a1\n");
    struct sandbox_plan plan = shell_plan(NULL);
    plan.layer_dirs = layers;
    plan.n_layers = 3;
    for (int i = 0; i < 2; i++) /* the second time from what is kept */
        expect_output(plan, "cd /opt; cat same python/a python/b; (: >new) 2>/dev/null || echo ro",
                      "third\na1\nb1\nro\n");
    plan.n_layers = 1;
    expect_output(plan, "cat /opt/same", "first\n");
    layers[1] = layers[2] = layers[0]; /* layers of the same content are one folder */
    plan.n_layers = 3;
    expect_output(plan, "cat /opt/same", "first\n");
    layers[1] = dirs[1];
    expect_output(plan, "cat /opt/same /opt/python/b", "first\nb1\n");
}

/* Replaces the spawner for one test. */
static struct spawner *change_spawner(const struct spawner_options *options)
{
    struct spawner *before = spawner;
    assert_int_equal(spawner_start(options, &spawner), 0);
    assert_int_equal(spawner_attach(spawner, &loop, NULL, NULL), 0);
    return before;
}

static void restore_spawner(struct spawner *before)
{
    spawner_stop(spawner);
    spawner = before;
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void test_layers_without_overlayfs(void **state)
{
    NEEDS_SANDBOX;
    struct spawner_options options = {.cache_dir = scratch, .without_overlay = true};
    struct spawner *before = change_spawner(&options);
    struct sandbox_abilities now;
    assert_int_equal(spawner_abilities(spawner, &now), 0);
    assert_false(now.overlay);
    assert_non_null(strstr(now.note, "hard links"));

    char dirs[2][512], outside[512];
    const char *layers[] = {dirs[0], dirs[1]};
    for (int i = 0; i < 2; i++)
        snprintf(dirs[i], sizeof(dirs[i]), "%s/merge%d", scratch, i);
    make_file("merge0/a/file", "a0\n");
    make_file("merge0/a/other", "kept\n");
    make_file("merge0/folder/x", "x\n");
    make_file("merge1/a/file", "a1\n");
    make_file("merge1/folder", "now a file\n");
    snprintf(outside, sizeof(outside), "%s/merge0/link", scratch);
    assert_int_equal(symlink("/etc/passwd", outside), 0);
    struct sandbox_plan plan = shell_plan(NULL);
    plan.layer_dirs = layers;
    plan.n_layers = 2;
    for (int i = 0; i < 2; i++)
        expect_output(plan,
                      "cd /opt; cat a/file a/other folder; readlink link;"
                      "(: >new) 2>/dev/null || echo ro",
                      "a1\nkept\nnow a file\n/etc/passwd\nro\n");
    restore_spawner(before);

    options.cache_dir = NULL;
    before = change_spawner(&options);
    const char *argv[] = {"/bin/true", NULL};
    plan.argv = argv;
    struct run run = {0};
    run_begin(&run, &plan);
    run_wait(&run);
    assert_int_equal(run.error, -EOPNOTSUPP);
    run_done(&run);
    restore_spawner(before);
}

static void test_binds_and_links(void **state)
{
    NEEDS_SANDBOX;
    char dir[512];
    make_file("lang/bin/tool", "tool\n");
    snprintf(dir, sizeof(dir), "%s/lang", scratch);
    const struct sandbox_bind binds[] = {{dir, "/root/lang"}, {"/etc/passwd", "/srv/one/file"}};
    const struct sandbox_link links[] = {{"/root/lang/bin/tool", "/var/lang/bin/tool"}};
    struct sandbox_plan plan = shell_plan(NULL);
    plan.binds = binds;
    plan.n_binds = 2;
    plan.links = links;
    plan.n_links = 1;
    expect_output(plan, "cat /var/lang/bin/tool; head -c 4 /srv/one/file", "tool\nroot");
}

/* ---- how it ends ---- */

static void test_exit_status_and_signal(void **state)
{
    NEEDS_SANDBOX;
    static const struct {
        const char *script, *text;
        int status, signal;
    } cases[] = {
        {"exit 0", "exit status 0", 0, 0},
        {"exit 7", "exit status 7", 7, 0},
        {"kill -9 $$", "signal: killed", -1, SIGKILL},
        {"kill -SEGV $$", "signal: segmentation fault", -1, SIGSEGV},
        {"kill -TERM $$", "signal: terminated", -1, SIGTERM},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run = {0};
        run_sh(&run, shell_plan(NULL), cases[i].script);
        assert_string_equal(run.how.text, cases[i].text);
        assert_int_equal(run.how.status, cases[i].status);
        assert_int_equal(run.how.signal, cases[i].signal);
        assert_false(run.how.oom);
        assert_false(run.how.lost);
        run_done(&run);
    }
}

static void expect_failure(struct sandbox_plan plan, const char *why)
{
    struct run run = {0};
    run_begin(&run, &plan);
    run_wait(&run);
    assert_int_equal(run.error, -ENOENT);
    assert_string_equal(run.why, why);
    run_done(&run);
}

static void test_failed_start_names_the_step(void **state)
{
    NEEDS_SANDBOX;
    const char *nothing[] = {"/var/task/bootstrap", NULL}, *true_[] = {"true", NULL};
    expect_failure(shell_plan(nothing), "execute /var/task/bootstrap: No such file or directory");
    struct sandbox_plan plan = shell_plan(true_);
    plan.task_dir = "/nonexistent";
    expect_failure(plan, "bind /nonexistent to /var/task: No such file or directory");
    plan = shell_plan(true_);
    plan.cwd = "/nonexistent";
    expect_failure(plan, "execute true: /nonexistent: No such file or directory");
    plan.task_dir = "relative";
    struct environment *env;
    assert_int_equal(environment_start(spawner, &plan, &events, NULL, &env), -EINVAL);
}

static void test_memory_limit_kills(void **state)
{
    NEEDS_SANDBOX;
    NEEDS(can.memory, "no memory cgroup");
    struct run run = {0};
    struct sandbox_plan plan = shell_plan(NULL);
    plan.memory_mb = 64;
    run_sh(&run, plan, "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo survived");
    assert_string_equal(run.how.text, "signal: killed");
    assert_true(run.how.oom);
    assert_true(run.peak > 40 << 20 && run.peak <= 64 << 20);
    run_done(&run);
}

static void test_memory_peak_leaves_tmp_out(void **state)
{
    NEEDS_SANDBOX;
    struct run run = {0};
    run_sh(&run, shell_plan(NULL), "head -c 50000000 /dev/zero >/tmp/x; echo done");
    assert_string_equal(run.output.p, "done\n");
    assert_true(run.peak > 0 && run.peak < 20 << 20);
    run_done(&run);
}

static void test_tmp_is_not_memory(void **state)
{
    NEEDS_SANDBOX;
    NEEDS(can.memory, "no memory cgroup");
    struct run run = {0};
    struct sandbox_plan plan = shell_plan(NULL);
    plan.memory_mb = 64;
    run_sh(&run, plan,
           "head -c 150000000 /dev/zero >/tmp/x && echo kept;"
           "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo survived");
    assert_string_equal(run.output.p, "kept\n");
    assert_string_equal(run.how.text, "signal: killed");
    assert_true(run.how.oom);
    assert_int_equal(run.peak, 64 << 20);
    run_done(&run);
}

static void test_processes_are_limited(void **state)
{
    NEEDS_SANDBOX;
    NEEDS(can.pids, "no pids cgroup");
    struct run run = {0};
    struct sandbox_plan plan = shell_plan(NULL);
    plan.max_processes = 10;
    run_sh(&run, plan, "i=0; while [ $i -lt 20 ]; do sleep 100 & i=$((i+1)); done; echo all");
    assert_null(strstr(run.output.p, "all"));
    assert_non_null(strstr(run.output.p, "fork"));
    run_done(&run);
}

/* ---- network ---- */

static void test_has_only_its_loopback(void **state)
{
    NEEDS_SANDBOX;
    expect_output(shell_plan(NULL), "sed -n '3,$s/:.*//p' /proc/net/dev | tr -d ' '", "lo\n");
}

static void serve_ports(struct run *run)
{
    for (size_t i = 0; i < 2; i++) {
        int port = environment_take_port(run->env, i);
        assert_true(port >= 0);
        assert_true(fcntl(port, F_GETFL) & O_NONBLOCK);
        struct pollfd p = {.fd = port, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 10000), 1);
        int fd = accept(port, NULL, NULL);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, i ? "b\n" : "a\n", 2), 2);
        close(fd);
        close(port);
    }
}

static void test_listeners_are_inside(void **state)
{
    NEEDS_SANDBOX;
    const struct sandbox_port ports[] = {{9001, false}, {4566, false}};
    const char *argv[] = {"/bin/bash", "-c",
                          "cat </dev/tcp/169.254.100.1/9001;"
                          "cat </dev/tcp/sandbox.localdomain/4566",
                          NULL};
    struct sandbox_plan plan = shell_plan(argv);
    plan.ports = ports;
    plan.n_ports = 2;
    struct run run = {.on_started = serve_ports};
    run_begin(&run, &plan);
    run_wait(&run);
    assert_string_equal(run.output.p, "a\nb\n");
    run_done(&run);
}

/* ---- handling ---- */

static void wait_for(struct run *run, const char *text)
{
    while (!memmem(run->output.p ? run->output.p : "", run->output.n, text, strlen(text))) {
        struct pollfd p = {.fd = run->fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 10000), 1);
        read_output(run);
    }
}

static void begin_and_wait_for(struct run *run, const char *script, const char *text)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    struct sandbox_plan plan = shell_plan(argv);
    run_begin(run, &plan);
    while (!run->started)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(run->error, 0);
    wait_for(run, text);
}

static void test_kill(void **state)
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

static void test_signal_reaches_the_command(void **state)
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

static void test_restart_keeps_tmp(void **state)
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

static void test_oom_is_forgotten_by_restart(void **state)
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

static void test_processes_beside_the_command(void **state)
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

static void test_restart_after_exit(void **state)
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

static void test_freeze_and_thaw(void **state)
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

static void test_cpu_share(void **state)
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

static void test_many_at_once(void **state)
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

static void test_free_while_starting(void **state)
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

static size_t groups_of(pid_t pid)
{
    char pattern[128];
    size_t n = 0;
    static const char *const places[] = {"/sys/fs/cgroup/lamina/%d-*",
                                         "/sys/fs/cgroup/*/lamina/%d-*"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        glob_t g;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(pattern, sizeof(pattern), places[i], (int)pid);
#pragma GCC diagnostic pop
        if (glob(pattern, 0, NULL, &g) == 0)
            n += g.gl_pathc;
        globfree(&g);
    }
    return n;
}

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
        environment_start(spawner, &plan, &events, &runs[i], &runs[i].env);
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

static void test_nothing_is_left_behind(void **state)
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

static void test_spawner_killed_takes_all_along(void **state)
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

/* ---- commands that are started before they are wanted ---- */

/* Waits as runtimes/README.md asks for it, and says what it has been told. */
#define WAITS                                                                                      \
    "if [ -n \"$_LAMINA_SPARE_FD\" ]; then\n"                                                      \
    "  n=$(dd bs=1 count=4 2>/dev/null <&3 | od -An -tu4)\n"                                       \
    "  [ -n \"$n\" ] || exit 0\n"                                                                  \
    "  echo spare; dd bs=1 count=$((n)) 2>/dev/null <&3 | tr '\\0' '\\n'; exec 3<&-\n"             \
    "else\n"                                                                                       \
    "  echo executed; pwd; echo A=$A\n"                                                            \
    "fi\n"
#define LOOKS "id -u; ulimit -n; echo $PPID; ls /proc/self/fd | wc -l; exit 5"

static struct sandbox_plan spare_plan(const char *const argv[], const char *zygote_dir)
{
    static struct sandbox_spare spare;
    static const char *const own[] = {"A=mine", NULL};
    struct sandbox_plan plan = shell_plan(argv);
    spare = (struct sandbox_spare){.envp = plain_env, .zygote_dir = zygote_dir};
    plan.spare = &spare;
    plan.envp = own;
    plan.cwd = "/tmp";
    plan.max_files = 77;
    return plan;
}

static bool run_to_end(const struct sandbox_plan *plan, const char *want_spare,
                       const char *want_executed)
{
    struct run run = {0};
    run_begin(&run, plan);
    run_wait(&run);
    if (run.error)
        fail_msg("did not start: %s", run.why);
    bool is_spare = strncmp(run.output.p, "spare\n", 6) == 0;
    assert_string_equal(run.output.p, is_spare ? want_spare : want_executed);
    assert_int_equal(run.how.status, 5);
    run_done(&run);
    return is_spare;
}

/* They are made when nobody wants anything. */
static void leave_time_for_spares(void)
{
    usleep(50000);
}

static void test_spares_are_told_what_they_are_for(void **state)
{
    NEEDS(can.can_run, "environments");
    const char *argv[] = {"/bin/sh", "-c", WAITS LOOKS, NULL};
    struct sandbox_plan plan = spare_plan(argv, NULL);
    struct spawner_options options = {.spares = 2};
    struct spawner *before = change_spawner(&options);
    assert_int_equal(spawner_want_spare(spawner, &plan), 0);
    int found = 0;
    for (int i = 0; i < 300 && found < 3; i++) {
        found += run_to_end(&plan, "spare\n/tmp\nA=mine\n993\n77\n1\n4\n",
                            "executed\n/tmp\nA=mine\n993\n77\n1\n4\n");
        leave_time_for_spares();
    }
    assert_int_equal(found, 3);
    plan.spare = NULL;
    assert_int_equal(spawner_want_spare(spawner, &plan), -EINVAL);
    restore_spawner(before);
}

/* Whatever becomes of it, the plan is carried out. */
static void test_spares_that_fail_are_not_missed(void **state)
{
    NEEDS(can.can_run, "environments");
    const char *argv[] = {"/bin/sh", "-c",
                          "[ -n \"$_LAMINA_SPARE_FD\" ] && exit 1; " WAITS "exit 5", NULL};
    static const char *const dirs[] = {NULL, "/usr", "/nowhere"};
    struct spawner_options options = {.spares = 1};
    struct spawner *before = change_spawner(&options);
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        struct sandbox_plan plan = spare_plan(argv, dirs[i]);
        assert_int_equal(spawner_want_spare(spawner, &plan), 0);
        for (int k = 0; k < 10; k++)
            assert_false(run_to_end(&plan, "", "executed\n/tmp\nA=mine\n"));
    }
    restore_spawner(before);
}

static void test_a_spare_is_restarted_by_executing(void **state)
{
    NEEDS(can.can_run, "environments");
    const char *argv[] = {"/bin/sh", "-c", WAITS, NULL};
    struct sandbox_plan plan = spare_plan(argv, NULL);
    struct spawner_options options = {.spares = 1};
    struct spawner *before = change_spawner(&options);
    bool found = false;
    for (int i = 0; i < 300 && !found; i++) {
        struct run run = {0};
        run_begin(&run, &plan);
        run_wait(&run);
        found = strncmp(run.output.p, "spare\n", 6) == 0;
        run.ended = false;
        run.output.n--;
        assert_int_equal(environment_restart(run.env), 0);
        run_wait(&run);
        if (found)
            assert_string_equal(run.output.p, "spare\n/tmp\nA=mine\nexecuted\n/tmp\nA=mine\n");
        run_done(&run);
        leave_time_for_spares();
    }
    assert_true(found);
    restore_spawner(before);
}

static void test_probe(void **state)
{
    struct sandbox_abilities a;
    assert_int_equal(sandbox_probe(&a), 0);
    assert_int_equal(a.can_run, can.can_run);
    if (!a.can_run)
        assert_true(strlen(a.note) > 0);
    print_message(
        "abilities: userns %d overlay %d seccomp %d memory v%d cpu v%d pids v%d freeze v%d "
        "kill v%d\n%s\n",
        a.user_namespace, a.overlay, a.seccomp, a.memory, a.cpu, a.pids, a.freeze, a.kill, a.note);
}

static int set_up(void **state)
{
    struct spawner_options options = {.spares = 2, .cache_dir = scratch};
    if (!mkdtemp(scratch) || chmod(scratch, 0755) < 0)
        return -1;
    if (spawner_start(&options, &spawner) < 0 || spawner_abilities(spawner, &can) < 0)
        return -1;
    uv_loop_init(&loop);
    return spawner_attach(spawner, &loop, NULL, NULL);
}

static int tear_down(void **state)
{
    pid_t pid = spawner_pid(spawner);
    spawner_stop(spawner);
    uv_run(&loop, UV_RUN_DEFAULT);
    int r = uv_loop_close(&loop);
    if (groups_of(pid) != 0)
        r = -1;
    fs_remove_tree(scratch);
    return r;
}

/* Root may also ask how it would be for somebody else: see test_sandbox_user.c. */
#ifndef TEST_AS_USER
#define TEST_AS_USER 0
#endif

static int become_user(void)
{
    if (geteuid() != 0)
        return 0; /* we are one */
    if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
        setresuid(65534, 65534, 65534) < 0)
        return -1;
    return prctl(PR_SET_DUMPABLE, 1); /* as after an exec: /proc/self is ours */
}

int main(void)
{
    if (TEST_AS_USER && become_user() < 0) {
        perror("becoming an ordinary user");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_runs_a_command),
        cmocka_unit_test(test_sees_nothing_of_the_host),
        cmocka_unit_test(test_only_tmp_is_writable),
        cmocka_unit_test(test_has_no_privileges),
        cmocka_unit_test(test_filters_system_calls),
        cmocka_unit_test(test_tmp_has_its_size),
        cmocka_unit_test(test_last_layer_wins),
        cmocka_unit_test(test_layers_without_overlayfs),
        cmocka_unit_test(test_binds_and_links),
        cmocka_unit_test(test_exit_status_and_signal),
        cmocka_unit_test(test_failed_start_names_the_step),
        cmocka_unit_test(test_memory_limit_kills),
        cmocka_unit_test(test_memory_peak_leaves_tmp_out),
        cmocka_unit_test(test_tmp_is_not_memory),
        cmocka_unit_test(test_processes_are_limited),
        cmocka_unit_test(test_has_only_its_loopback),
        cmocka_unit_test(test_listeners_are_inside),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_signal_reaches_the_command),
        cmocka_unit_test(test_restart_keeps_tmp),
        cmocka_unit_test(test_restart_after_exit),
        cmocka_unit_test(test_processes_beside_the_command),
        cmocka_unit_test(test_oom_is_forgotten_by_restart),
        cmocka_unit_test(test_freeze_and_thaw),
        cmocka_unit_test(test_cpu_share),
        cmocka_unit_test(test_spares_are_told_what_they_are_for),
        cmocka_unit_test(test_spares_that_fail_are_not_missed),
        cmocka_unit_test(test_a_spare_is_restarted_by_executing),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_free_while_starting),
        cmocka_unit_test(test_nothing_is_left_behind),
        cmocka_unit_test(test_spawner_killed_takes_all_along),
    };
    return cmocka_run_group_tests_name(TEST_AS_USER ? "sandbox_user" : "sandbox", tests, set_up,
                                       tear_down);
}
