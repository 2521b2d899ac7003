/* test_sandbox - real environments on the machine that runs the test, as root or as anybody.
 *
 * What the machine cannot do is skipped with a message that says so. */
#include "sandbox_run.h"

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
    assert_int_equal(environment_start(spawner, &plan, &run_events, NULL, &env), -EINVAL);
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
    const struct sandbox_port ports[] = {{.port = 9001}, {.port = 4566}};
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
