/* spawner - the daemon's end: starting, asking and ending the spawner process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "sandbox/limits.h"
#include "sandbox/message.h"
#include "sandbox/process.h"
#include "sandbox/spawner.h"

int spawner_start(const struct spawner_options *options, struct spawner **ret)
{
    int pair[2];
    limits_be_prompt();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    fflush(NULL); /* or the child's copy of what is buffered could be written a second time */
    pid_t pid = fork();
    if (pid < 0) {
        int r = -errno;
        close(pair[0]);
        close(pair[1]);
        return r;
    }
    if (pid == 0)
        spawner_main(pair[1], options);
    close(pair[1]);
    struct spawner *s = MEM_NEW(struct spawner);
    s->pid = pid;
    s->control = pair[0];
    s->options = *options;
    s->options.cache_dir = mem_dup_text(options->cache_dir);
    *ret = s;
    return 0;
}

/* -EPIPE: the spawner is gone. */
static int read_report(struct spawner *s, int flags)
{
    struct spawner_report report;
    size_t n, n_fds;
    int r = message_recv(s->control, &report, sizeof(report), flags, &n, NULL, &n_fds);
    if (r < 0)
        return r;
    if (n != sizeof(report))
        return -EPIPE;
    s->abilities = report.abilities;
    s->known = true;
    return 0;
}

int spawner_abilities(struct spawner *s, struct sandbox_abilities *ret)
{
    int r = s->known ? 0 : read_report(s, 0);
    if (r == 0)
        *ret = s->abilities;
    return r;
}

static void on_readable(uv_poll_t *watch, int status, int events)
{
    (void)status;
    (void)events;
    struct spawner *s = watch->data;
    int r = read_report(s, MSG_DONTWAIT);
    if (r == 0 || r == -EAGAIN)
        return;
    uv_poll_stop(s->watch);
    if (s->on_gone)
        s->on_gone(s->user);
}

static int watch_control(struct spawner *s, uv_loop_t *loop)
{
    uv_poll_t *watch = MEM_NEW(uv_poll_t);
    int r = uv_poll_init(loop, watch, s->control);
    if (r < 0) {
        free(watch);
        return r;
    }
    s->watch = watch;
    watch->data = s;
    uv_unref((uv_handle_t *)watch); /* does not keep a loop running by itself */
    return uv_poll_start(watch, UV_READABLE | UV_DISCONNECT, on_readable);
}

int spawner_attach(struct spawner *s, uv_loop_t *loop, void (*on_gone)(void *user), void *user)
{
    int r = watch_control(s, loop);
    if (r < 0)
        return r;
    s->on_gone = on_gone;
    s->user = user;
    s->loop = loop;
    return 0;
}

/* ---- another one in its place ---- */

static void watch_closed(uv_handle_t *handle)
{
    free(handle);
}

static void forget_dead(struct spawner *s)
{
    uv_poll_stop(s->watch);
    uv_close((uv_handle_t *)TAKE(s->watch), watch_closed);
    close(s->control);
    s->control = -1;
    kill(s->pid, SIGKILL); /* it may have closed its socket only */
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int execute_again(const struct spawner *s, int control, pid_t *ret)
{
    char spares[16], overlay[16];
    snprintf(spares, sizeof(spares), "%d", s->options.spares);
    snprintf(overlay, sizeof(overlay), "%d", s->options.without_overlay);
    char *argv[] = {"lamina", SPAWNER_WORD, spares, overlay, (char *)s->options.cache_dir, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, control, 3);
    int r = posix_spawn(ret, "/proc/self/exe", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

int spawner_revive(struct spawner *s)
{
    int pair[2];
    if (s->watch)
        forget_dead(s);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    /* dup2() of a descriptor to itself would leave it close-on-exec. */
    auto_close int theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, 4);
    close(pair[1]);
    int r = theirs < 0 ? -errno : execute_again(s, theirs, &s->pid);
    if (r < 0) {
        close(pair[0]);
        return r;
    }
    s->control = pair[0];
    s->known = false;
    return watch_control(s, s->loop);
}

_Noreturn void spawner_again(int argc, char **argv)
{
    struct spawner_options options = {0};
    if (argc < 4)
        _exit(2);
    options.spares = atoi(argv[2]);
    options.without_overlay = atoi(argv[3]) != 0;
    options.cache_dir = argc > 4 ? argv[4] : NULL;
    spawner_main(3, &options);
}

static void spawner_free(struct spawner *s)
{
    free((char *)s->options.cache_dir);
    free(s);
}

static void on_closed(uv_handle_t *handle)
{
    struct spawner *s = handle->data;
    free(s->watch);
    spawner_free(s);
}

void spawner_stop(struct spawner *s)
{
    if (!s)
        return;
    if (s->watch)
        uv_poll_stop(s->watch);
    if (s->control >= 0) {               /* else it is dead, and was not revived */
        shutdown(s->control, SHUT_RDWR); /* also when a child of ours still holds a copy */
        close(s->control);
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (s->watch)
        uv_close((uv_handle_t *)s->watch, on_closed);
    else
        spawner_free(s);
}

int spawner_want_spare(struct spawner *s, const struct sandbox_plan *plan)
{
    auto_buf struct buf bytes;
    buf_init(&bytes, MESSAGE_MAX);
    int r = plan->spare ? plan_write(plan, &bytes) : -EINVAL;
    return r < 0 ? r : message_send(s->control, bytes.p, bytes.n, NULL, 0);
}

pid_t spawner_pid(const struct spawner *s)
{
    return s->pid;
}

int sandbox_probe(struct sandbox_abilities *ret)
{
    struct spawner *s;
    struct spawner_options options = {.spares = 0};
    int r = spawner_start(&options, &s);
    if (r < 0)
        return r;
    r = spawner_abilities(s, ret);
    spawner_stop(s);
    return r;
}
