/* sandbox_run - see sandbox_run.h. */
#include "sandbox_run.h"

struct spawner *spawner;
struct sandbox_abilities can;
uv_loop_t loop;
char scratch[] = "/tmp/test-sandbox-XXXXXX";

void read_output(struct run *run)
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

const struct environment_events run_events = {
    .on_start = on_start, .on_exit = on_exit_event, .on_process_exit = on_process_exit};
const char *const plain_env[] = {"PATH=/usr/bin:/bin", "LANG=C", NULL};

struct sandbox_plan shell_plan(const char *const argv[])
{
    return (struct sandbox_plan){.argv = argv, .envp = plain_env, .memory_mb = 256};
}

void run_begin(struct run *run, const struct sandbox_plan *plan)
{
    run->fd = -1;
    buf_init(&run->output, 1 << 20);
    assert_int_equal(environment_start(spawner, plan, &run_events, run, &run->env), 0);
}

void run_wait(struct run *run)
{
    while (!run->ended)
        uv_run(&loop, UV_RUN_ONCE);
    buf_byte(&run->output, '\0');
}

void run_done(struct run *run)
{
    environment_free(run->env);
    if (run->fd >= 0)
        close(run->fd);
    buf_done(&run->output);
    uv_run(&loop, UV_RUN_NOWAIT);
}

void run_sh(struct run *run, struct sandbox_plan plan, const char *script)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    plan.argv = argv;
    run_begin(run, &plan);
    run_wait(run);
    if (run->error)
        fail_msg("did not start: %s", run->why);
}

void expect_output(struct sandbox_plan plan, const char *script, const char *want)
{
    struct run run = {0};
    run_sh(&run, plan, script);
    assert_string_equal(run.output.p, want);
    run_done(&run);
}

const char *make_file(const char *name, const char *text)
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

/* Replaces the spawner for one test. */
struct spawner *change_spawner(const struct spawner_options *options)
{
    struct spawner *before = spawner;
    assert_int_equal(spawner_start(options, &spawner), 0);
    assert_int_equal(spawner_attach(spawner, &loop, NULL, NULL), 0);
    return before;
}

void restore_spawner(struct spawner *before)
{
    spawner_stop(spawner);
    spawner = before;
    uv_run(&loop, UV_RUN_NOWAIT);
}

void wait_for(struct run *run, const char *text)
{
    while (!memmem(run->output.p ? run->output.p : "", run->output.n, text, strlen(text))) {
        struct pollfd p = {.fd = run->fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 10000), 1);
        read_output(run);
    }
}

void begin_and_wait_for(struct run *run, const char *script, const char *text)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    struct sandbox_plan plan = shell_plan(argv);
    run_begin(run, &plan);
    while (!run->started)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(run->error, 0);
    wait_for(run, text);
}

size_t groups_of(pid_t pid)
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
