/* spawner - the daemon's end: starting, asking and ending the spawner process. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "sandbox/message.h"
#include "sandbox/process.h"
#include "sandbox/spawner.h"

int spawner_start(const struct spawner_options *options, struct spawner **ret)
{
    int pair[2];
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
    if (r == 0 && s->on_known) {
        uv_unref((uv_handle_t *)&s->watch);
        s->on_known(&s->abilities, s->known_user);
    }
    if (r == 0 || r == -EAGAIN)
        return;
    uv_poll_stop(&s->watch);
    if (s->on_gone)
        s->on_gone(s->user);
}

int spawner_attach(struct spawner *s, uv_loop_t *loop, void (*on_gone)(void *user), void *user)
{
    int r = uv_poll_init(loop, &s->watch, s->control);
    if (r < 0)
        return r;
    s->watch.data = s;
    s->on_gone = on_gone;
    s->user = user;
    s->loop = loop;
    uv_timer_init(loop, &s->soon);
    s->soon.data = s;
    uv_unref((uv_handle_t *)&s->watch); /* does not keep a loop running by itself */
    return uv_poll_start(&s->watch, UV_READABLE | UV_DISCONNECT, on_readable);
}

static void on_soon(uv_timer_t *timer)
{
    struct spawner *s = timer->data;
    s->on_known(&s->abilities, s->known_user);
}

void spawner_on_abilities(struct spawner *s,
                          void (*on_known)(const struct sandbox_abilities *can, void *user),
                          void *user)
{
    s->on_known = on_known;
    s->known_user = user;
    if (s->known)
        uv_timer_start(&s->soon, on_soon, 0, 0);
    else
        uv_ref((uv_handle_t *)&s->watch); /* somebody waits: the loop must not end before */
}

static void on_closed(uv_handle_t *handle)
{
    struct spawner *s = handle->data;
    if (--s->handles == 0)
        free(s);
}

void spawner_stop(struct spawner *s)
{
    if (!s)
        return;
    if (s->loop)
        uv_poll_stop(&s->watch);
    shutdown(s->control, SHUT_RDWR); /* also when a child of ours still holds a copy */
    close(s->control);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (s->loop) {
        s->handles = 2;
        uv_close((uv_handle_t *)&s->soon, on_closed);
        uv_close((uv_handle_t *)&s->watch, on_closed);
    } else {
        free(s);
    }
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
