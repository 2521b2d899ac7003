/* shell - see shell.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/sched.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "sandbox/init.h"
#include "sandbox/kinds.h"
#include "sandbox/ops.h"
#include "sandbox/own_user.h"
#include "sandbox/shell.h"

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Each init that is made inherits a table with room for the spawner's highest descriptor. */
static bool has_its_plan(const struct shell *s)
{
    struct pollfd p = {.fd = s->sock};
    return s->sock >= 0 && s->reports_due <= 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

void shell_close_unneeded(struct shell *s)
{
    if (s->spare == SPARE_ADOPTING)
        return;
    close_fd(&s->own_user);
    close_fd(&s->child_end);
    close_fd(&s->output[1]);
    if (!s->used)
        return;
    close_fd(&s->output[0]);
    close_fd(&s->pidfd);
    cgroup_close_fds(&s->cgroup);
    if (has_its_plan(s))
        close_fd(&s->sock);
}

void shell_close_all(struct shell *s)
{
    s->used = true;
    if (s->spare == SPARE_ADOPTING)
        s->spare = SPARE_NONE;
    shell_close_unneeded(s);
    close_fd(&s->sock);
}

/* Without one it shares what the kernel grants a user: better than no environment. */
static int own_user(void)
{
    static bool said;
    int r = own_user_make();
    if (r < 0 && !said)
        dprintf(2, "lamina: environments share a user from now on: %s\n", strerror(-r));
    said = r < 0;
    return r;
}

static pid_t clone_shell(struct shell *s, const struct template *template)
{
    struct clone_args args = {
        .flags =
            CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&s->pidfd,
        .exit_signal = SIGCHLD,
    };
    if (s->cgroup.dir_v2 >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)s->cgroup.dir_v2;
    }
    int r = template_enter(template);
    pid_t pid = r < 0 ? r : (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        return 0;
    int error = errno;
    template_leave();
    errno = r < 0 ? -r : error;
    return pid < 0 ? -1 : pid;
}

int shell_make(struct machine *m, struct kind *k, bool waits, struct shell **ret, char *why)
{
    int pair[2];
    int r = k ? kind_template(k, why) : 0;
    if (r < 0)
        return r;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return why_printf(why, -errno, "make a socket pair");
    struct shell *s = MEM_NEW(struct shell);
    s->sock = pair[0];
    s->pidfd = s->own_user = s->child_end = s->output[0] = s->output[1] = -1;
    s->reports_due = 1;
    s->is_of_kind = k != NULL;
    r = cgroup_make(&m->cgroups, waits, &s->cgroup);
    if (r < 0) {
        close(pair[0]);
        close(pair[1]);
        free(s);
        return why_printf(why, r, "make a control group");
    }

    if (m->abilities.own_users)
        s->own_user = own_user();
    s->pid = clone_shell(s, k ? &k->template : &m->base);
    if (s->pid == 0) {
        struct init_setup setup = {
            .spawner_sock = pair[1],
            .cgroup = &s->cgroup,
            .filter = m->abilities.seccomp ? &m->filter : NULL,
            .user_namespace = m->abilities.user_namespace,
            .own_user = s->own_user,
            .memory_is_limited = m->abilities.memory != SANDBOX_CGROUP_NONE,
            .processes_are_limited = m->abilities.pids != SANDBOX_CGROUP_NONE,
        };
        init_main(&setup);
    }
    r = s->pid < 0 ? why_printf(why, -errno, "make namespaces") : 0;
    close(pair[1]);
    if (!k || !k->forks)
        close_fd(&s->own_user);
    if (r < 0) {
        shell_close_all(s);
        cgroup_remove(&m->cgroups, &s->cgroup);
        free(s);
        return r;
    }
    *ret = s;
    return 0;
}

int shell_adopt(struct shell *s, struct kind *k, char *why)
{
    int pair[2], output[2], fds[3];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return why_printf(why, -errno, "make a socket pair");
    s->child_end = pair[1];
    auto_close int init_end = pair[0];
    if (pipe2(output, O_CLOEXEC) < 0)
        return why_printf(why, -errno, "make a pipe");
    s->output[0] = output[0];
    s->output[1] = output[1];
    fcntl(s->output[0], F_SETFL, O_NONBLOCK); /* the daemon's; the writer's end blocks */
    fds[0] = init_end;
    fds[1] = output[1];
    fds[2] = pair[1];
    int r = message_send(s->sock, k->bytes, k->size, fds, 3);
    if (r < 0)
        why_printf(why, r, "hand over the kind");
    if (!k->forks) { /* init has them; whoever keeps a socket open hides that the spare has ended */
        close_fd(&s->child_end);
        close_fd(&s->output[1]);
    }
    s->kind = k;
    s->spare = SPARE_ADOPTING;
    s->reports_due++;
    return r;
}

int shell_send_made(const struct machine *m, const struct shell *s, int sock)
{
    struct event e = {
        .kind = EVENT_MADE,
        .pid = s->pid,
        .freeze = m->abilities.freeze,
        .memory = m->abilities.memory,
        .cpu = m->abilities.cpu,
        .cpu_stat = cgroups_cpu_stat_kind(&m->cgroups),
        .output = s->kind != NULL,
        .baseline = s->kind ? kind_shared(s->kind) : 0,
    };
    int fds[CGROUP_FILES + 2] = {s->pidfd};
    size_t n = 1;
    for (size_t i = 0; i < CGROUP_FILES; i++) {
        if (s->cgroup.files[i] < 0)
            continue;
        e.files |= 1U << i;
        fds[n++] = s->cgroup.files[i];
    }
    if (s->kind)
        fds[n++] = s->output[0];
    return message_send(sock, &e, sizeof(e), fds, n);
}
