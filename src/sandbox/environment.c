/* environment - the daemon's end of one: from its plan to its removal. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "sandbox/environment.h"

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void take_over(int *slot, int fd)
{
    close_fd(slot);
    *slot = fd;
}

/* ---- how it ended, in words ---- */

static const char *const signal_names[] = {
    [SIGHUP] = "hangup",
    [SIGINT] = "interrupt",
    [SIGQUIT] = "quit",
    [SIGILL] = "illegal instruction",
    [SIGTRAP] = "trace/breakpoint trap",
    [SIGABRT] = "aborted",
    [SIGBUS] = "bus error",
    [SIGFPE] = "floating point exception",
    [SIGKILL] = "killed",
    [SIGUSR1] = "user defined signal 1",
    [SIGSEGV] = "segmentation fault",
    [SIGUSR2] = "user defined signal 2",
    [SIGPIPE] = "broken pipe",
    [SIGALRM] = "alarm clock",
    [SIGTERM] = "terminated",
};

static void exit_describe(int wait_status, struct environment_exit *ret)
{
    if (WIFSIGNALED(wait_status)) {
        int sig = WTERMSIG(wait_status);
        ret->status = -1;
        ret->signal = sig;
        if ((size_t)sig < ARRAY_LEN(signal_names) && signal_names[sig])
            snprintf(ret->text, sizeof(ret->text), "signal: %s", signal_names[sig]);
        else
            snprintf(ret->text, sizeof(ret->text), "signal: signal %d", sig);
        return;
    }
    ret->status = WEXITSTATUS(wait_status);
    snprintf(ret->text, sizeof(ret->text), "exit status %d", ret->status);
}

/* ---- events ---- */

static void on_made(struct environment *env, const int *fds, size_t n_fds)
{
    const struct event *e = &env->event;
    size_t used = 0;
    env->pid = e->pid;
    env->freeze = e->freeze;
    env->memory = e->memory;
    env->cpu = e->cpu;
    env->cpu_stat = e->cpu_stat;
    if (used < n_fds)
        take_over(&env->pidfd, fds[used++]);
    for (size_t i = 0; i < CGROUP_FILES; i++)
        if ((e->files & 1U << i) && used < n_fds)
            take_over(&env->files[i], fds[used++]);
    if (e->output && used < n_fds) /* a spare has had its own from the start */
        take_over(&env->output, fds[used++]);
    env->baseline = e->baseline;
    env->spare = e->output;
    while (used < n_fds)
        close(fds[used++]);
    pressure_start(env);
}

static void on_ready(struct environment *env, const int *fds, size_t n_fds)
{
    for (size_t i = 0; i < n_fds; i++)
        if (i < SANDBOX_PORTS)
            take_over(&env->ports[i], fds[i]);
        else
            close(fds[i]);
    env->exec_ns = env->event.exec_ns;
    env->state = ENV_RUNNING;
    env->ready = true;
    if (env->events.on_start)
        env->events.on_start(env, 0, "", env->user);
}

static void on_failed(struct environment *env, int error, const char *why)
{
    env->state = ENV_FAILED;
    if (env->events.on_start)
        env->events.on_start(env, error, why, env->user);
}

static void on_exited(struct environment *env, int wait_status, bool lost)
{
    struct environment_exit how = {.lost = lost};
    env->state = lost ? ENV_LOST : ENV_IDLE;
    exit_describe(wait_status, &how);
    environment_oom_killed(env, &how.oom);
    how.oom_all = env->oom_all;
    if (env->events.on_exit)
        env->events.on_exit(env, &how, env->user);
}

static void on_process_exited(struct environment *env)
{
    struct environment_exit how = {.error = env->event.error};
    if (!how.error)
        exit_describe(env->event.wait_status, &how);
    environment_oom_killed(env, &how.oom);
    how.oom_all = env->oom_all;
    if (env->events.on_process_exit)
        env->events.on_process_exit(env, env->event.index, &how, env->user);
}

static void on_socket(struct environment *env, const int *fds, size_t n_fds)
{
    for (size_t i = 1; i < n_fds; i++)
        close(fds[i]);
    int fd = n_fds ? fds[0] : env->event.error < 0 ? env->event.error : -EBADMSG;
    if (env->events.on_socket)
        env->events.on_socket(env, fd, env->user);
    else if (fd >= 0)
        close(fd);
}

static void on_event(struct environment *env, int *fds, size_t n_fds)
{
    switch (env->event.kind) {
    case EVENT_MADE:
        on_made(env, fds, n_fds);
        return;
    case EVENT_READY:
        on_ready(env, fds, n_fds);
        return;
    case EVENT_FAILED:
        on_failed(env, env->event.error, env->event.why);
        return;
    case EVENT_EXITED:
        if (env->event.max_rss > env->max_rss)
            env->max_rss = env->event.max_rss;
        /* After environment_restart() the end of what it has killed is not news. */
        if (env->state == ENV_RUNNING)
            on_exited(env, env->event.wait_status, false);
        return;
    case EVENT_PROCESS_EXITED:
        on_process_exited(env);
        return;
    case EVENT_SOCKET:
        on_socket(env, fds, n_fds);
        return;
    }
}

/* error: why it cannot be heard any more, 0 when it has ended. */
static void on_end(struct environment *env, int error)
{
    uv_poll_stop(&env->watch);
    if (env->state == ENV_STARTING && error)
        on_failed(env, error, strerror(-error));
    else if (env->state == ENV_STARTING)
        on_failed(env, -ECONNRESET, "the environment ended before it was ready");
    else if (env->state == ENV_RUNNING)
        on_exited(env, SIGKILL, true);
    else if (env->state == ENV_IDLE)
        env->state = ENV_LOST;
}

static void on_readable(uv_poll_t *watch, int status, int events)
{
    (void)status;
    (void)events;
    struct environment *env = watch->data;
    while (!env->freed) {
        int fds[MESSAGE_FDS];
        size_t n, n_fds;
        int r =
            message_recv(env->sock, &env->event, sizeof(env->event), MSG_DONTWAIT, &n, fds, &n_fds);
        if (r == -EAGAIN)
            return;
        if (r == -EMFILE && env->ready) { /* what has come without its descriptor is a socket */
            env->event.error = r;
            on_event(env, fds, 0);
            continue;
        }
        if (r < 0 || n != sizeof(env->event)) {
            on_end(env, r);
            return;
        }
        on_event(env, fds, n_fds);
    }
}

/* ---- start and end ---- */

static struct environment *environment_new(struct spawner *s)
{
    struct environment *env = MEM_NEW(struct environment);
    env->spawner = s;
    env->sock = env->output = env->pidfd = env->pressure_fd = -1;
    for (size_t i = 0; i < SANDBOX_PORTS; i++)
        env->ports[i] = -1;
    for (size_t i = 0; i < CGROUP_FILES; i++)
        env->files[i] = -1;
    return env;
}

static void close_fds(struct environment *env)
{
    close_fd(&env->sock);
    close_fd(&env->output);
    close_fd(&env->pidfd);
    close_fd(&env->pressure_fd);
    for (size_t i = 0; i < SANDBOX_PORTS; i++)
        close_fd(&env->ports[i]);
    for (size_t i = 0; i < CGROUP_FILES; i++)
        close_fd(&env->files[i]);
}

static int send_plan(struct environment *env, const struct sandbox_plan *plan)
{
    int pair[2], output[2];
    auto_buf struct buf bytes;
    buf_init(&bytes, MESSAGE_MAX);
    int r = plan_write(plan, &bytes);
    if (r < 0)
        return r;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    env->sock = pair[0];
    auto_close int theirs = pair[1];
    if (pipe2(output, O_CLOEXEC) < 0)
        return -errno;
    env->output = output[0];
    auto_close int write_end = output[1];
    fcntl(env->output, F_SETFL, O_NONBLOCK); /* ours only: the command's end blocks as usual */
    r = uv_poll_init(env->spawner->loop, &env->watch, env->sock);
    if (r < 0)
        return r;
    env->watched = true;
    env->handles++;
    env->watch.data = env;
    uv_poll_start(&env->watch, UV_READABLE, on_readable);
    const int fds[] = {theirs, write_end};
    return message_send(env->spawner->control, bytes.p, bytes.n, fds, ARRAY_LEN(fds));
}

int environment_start(struct spawner *s, const struct sandbox_plan *plan,
                      const struct environment_events *events, void *user, struct environment **ret)
{
    if (!s->loop)
        return -EINVAL;
    struct environment *env = environment_new(s);
    env->events = *events;
    env->user = user;
    env->memory_mb = plan->memory_mb;
    env->tmp_mb = plan->tmp_mb ? plan->tmp_mb : 512;
    int r = send_plan(env, plan);
    if (r < 0) {
        environment_free(env);
        return r;
    }
    *ret = env;
    return 0;
}

int environment_command(struct environment *env, int kind, int sig)
{
    struct command c = {.kind = kind, .signal = sig};
    if (env->state != ENV_RUNNING && env->state != ENV_IDLE)
        return -ESRCH;
    return message_send(env->sock, &c, sizeof(c), NULL, 0);
}

int environment_restart(struct environment *env)
{
    environment_thaw(env);
    int r = environment_command(env, COMMAND_RESTART, 0);
    if (r == 0) {
        env->state = ENV_STARTING;
        env->baseline = 0;     /* from now on it is executed, and shares nothing */
        meter_forget_oom(env); /* what killed the last command says nothing of the next */
    }
    return r;
}

static int command_process(struct environment *env, const struct command *c)
{
    if (!env->ready || env->freed || env->state == ENV_FAILED || env->state == ENV_LOST)
        return -ESRCH;
    return message_send(env->sock, c, sizeof(*c), NULL, 0);
}

int environment_run(struct environment *env)
{
    struct command c = {.kind = COMMAND_RUN};
    int r = command_process(env, &c);
    if (r == 0)
        env->state = ENV_STARTING;
    return r;
}

int environment_spawn(struct environment *env, const char *const *argv, const char *const *envp,
                      int *ret_index, int *ret_output)
{
    struct command c = {.kind = COMMAND_SPAWN, .index = env->spawned};
    auto_buf struct buf bytes;
    int output[2];
    buf_init(&bytes, MESSAGE_MAX);
    buf_add(&bytes, &c, sizeof(c));
    plan_write_command(argv, envp, &bytes);
    if (buf_failed(&bytes))
        return -E2BIG;
    if (!env->ready || env->freed || env->state == ENV_FAILED || env->state == ENV_LOST)
        return -ESRCH;
    if (pipe2(output, O_CLOEXEC) < 0)
        return -errno;
    auto_close int read_end = output[0];
    auto_close int write_end = output[1];
    fcntl(read_end, F_SETFL, O_NONBLOCK);
    int r = message_send(env->sock, bytes.p, bytes.n, &write_end, 1);
    if (r < 0)
        return r;
    *ret_index = env->spawned++;
    *ret_output = TAKE_FD(read_end);
    return 0;
}

int environment_sweep(struct environment *env)
{
    struct command c = {.kind = COMMAND_KILL};
    return command_process(env, &c);
}

int environment_signal_process(struct environment *env, int index, int sig)
{
    struct command c = {.kind = COMMAND_SIGNAL_PROCESS, .index = index, .signal = sig};
    return command_process(env, &c);
}

int environment_ask_socket(struct environment *env)
{
    struct command c = {.kind = COMMAND_SOCKET};
    return command_process(env, &c);
}

int environment_signal(struct environment *env, int sig)
{
    return environment_command(env, COMMAND_SIGNAL, sig);
}

int environment_kill(struct environment *env)
{
    int64_t peak;
    bool oom;
    environment_memory_peak(env, &peak); /* remembered: the meters go with the group */
    environment_oom_killed(env, &oom);
    /* To give a process's memory back takes a millisecond of its own: nobody waits for it. */
    cgroup_set_share(env->files[CGROUP_FILE_SHARE], env->cpu, CGROUP_SHARE_WAITING);
    if (env->files[CGROUP_FILE_KILL] >= 0 && write(env->files[CGROUP_FILE_KILL], "1", 1) == 1)
        return 0;
    if (env->pidfd < 0)
        return -ESRCH;
    int r = pidfd_send_signal(env->pidfd, SIGKILL, NULL, 0) < 0 ? -errno : 0;
    environment_thaw(env); /* v1's freezer holds even SIGKILL back */
    return r;
}

void environment_release(struct environment *env)
{
    if (--env->handles == 0)
        free(env);
}

static void on_closed(uv_handle_t *handle)
{
    environment_release(handle->data);
}

void environment_free(struct environment *env)
{
    if (!env || env->freed)
        return;
    env->freed = true;
    if (env->state != ENV_LOST)
        environment_kill(env);
    if (env->watched)
        uv_poll_stop(&env->watch);
    pressure_stop(env);
    close_fds(env);
    if (env->watched)
        uv_close((uv_handle_t *)&env->watch, on_closed);
    else
        free(env);
}

int environment_take_port(struct environment *env, size_t index)
{
    return index < SANDBOX_PORTS ? TAKE_FD(env->ports[index]) : -1;
}

int environment_take_output(struct environment *env)
{
    return TAKE_FD(env->output);
}

pid_t environment_pid(const struct environment *env)
{
    return env->pid;
}

bool environment_from_spare(const struct environment *env)
{
    return env->spare;
}

int64_t environment_exec_ns(const struct environment *env)
{
    return env->exec_ns;
}

/* ---- freezing ---- */

static int freezer(struct environment *env, bool frozen)
{
    int fd = env->files[CGROUP_FILE_FREEZE];
    if (fd < 0)
        return environment_command(env, frozen ? COMMAND_STOP : COMMAND_CONTINUE, 0);
    const char *text =
        env->freeze == SANDBOX_CGROUP_V2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED");
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int environment_freeze(struct environment *env)
{
    return freezer(env, true);
}

int environment_thaw(struct environment *env)
{
    return freezer(env, false);
}
