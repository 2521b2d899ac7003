/* zygote - starting one, asking it for children, hearing it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/sched.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "sandbox/fork_request.h"
#include "sandbox/kinds.h"
#include "sandbox/ops.h"
#include "sandbox/root.h"
#include "sandbox/shed.h"
#include "sandbox/stage.h"

#define BACK_OFF_FIRST_MS 1000
#define BACK_OFF_MAX_MS 60000
#define SILENCE_MAX_MS 5000 /* a fork takes milliseconds, of which a busy machine makes hundreds   \
                             */

/* ---- in the new process ---- */

/* What its children have to give up, and what it takes to put them where they belong. Kept through
 * execve() as ambient ones: in a user namespace it is not root. Root in a container may lack some
 * to begin with. */
static int keep_capabilities(void)
{
    static const int wanted[] = {CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_SYS_PTRACE,  CAP_SETUID,
                                 CAP_SETGID,    CAP_SETPCAP,    CAP_SYS_RESOURCE};
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    uint32_t mask = 0;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
        mask |= 1U << wanted[i];
    if (syscall(SYS_capget, &head, data) < 0)
        return -errno;
    data[0].permitted &= mask;
    data[0].effective = data[0].inheritable = data[0].permitted;
    data[1] = (struct __user_cap_data_struct){0};
    if (syscall(SYS_capset, &head, data) < 0)
        return -errno;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
        if ((data[0].permitted & 1U << wanted[i]) &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, wanted[i], 0, 0) < 0)
            return -errno;
    return 0;
}

/* stderr stays the daemon's: a runtime that cannot be loaded says so there. 4 is /proc, for the
 * scout. */
static int own_fds(int sock, int proc)
{
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || (sock != 3 && dup2(sock, 3) < 0) ||
        (proc != 4 && dup2(proc, 4) < 0))
        return -errno;
    fcntl(3, F_SETFD, 0);
    fcntl(4, F_SETFD, 0);
    return close_range(5, ~0U, 0) < 0 ? -errno : 0;
}

static int own_root(const struct kind *k, const char *dir, char *why)
{
    struct plan_head head;
    struct plan_cursor plan;
    int mounts[MESSAGE_FDS], library;
    size_t n;
    int r = kind_open_mounts(k, mounts, MESSAGE_FDS, &n, why);
    if (r < 0)
        return r;
    r = mount_open(dir, &library);
    if (r < 0)
        return why_printf(why, r, "bind %s", dir);
    r = stage_build_root(why);
    if (r == 0)
        r = plan_begin(k->bytes, k->size, &head, &plan);
    if (r == 0)
        r = root_attach(plan, mounts, n, why);
    if (r == 0)
        r = root_attach_one(library, "/var/spare");
    if (r == 0 && (r = op_mount("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777,size=1m")) < 0)
        why_printf(why, r, "mount /tmp");
    return r < 0 ? r : root_close(why);
}

static _Noreturn void zygote_main(const struct kind *k, int sock)
{
    static char *argv[65], *envp[68];
    char why[WHY_MAX] = "";
    size_t n_argv = 0, n_envp = 0;
    const char *text, *dir = "";
    struct plan_head head;
    struct plan_cursor plan;
    struct plan_item item;
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    plan_begin(k->bytes, k->size, &head, &plan);
    while (plan_next(&plan, &item, &text))
        if (item.kind == PLAN_SPARE_ARG && n_argv < 64)
            argv[n_argv++] = (char *)text;
        else if (item.kind == PLAN_SPARE_ENV && n_envp < 64)
            envp[n_envp++] = (char *)text;
        else if (item.kind == PLAN_SPARE)
            dir = plan_text_after(&item, text, text);
    envp[n_envp++] = "_LAMINA_SPARE_FD=3";
    envp[n_envp++] = "_LAMINA_ZYGOTE=1";
    sethostname(SANDBOX_ADDRESS, strlen(SANDBOX_ADDRESS));
    int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    sock = fcntl(sock, F_DUPFD, 5); /* neither is to be where the other belongs */
    proc = fcntl(proc, F_DUPFD, 5);
    int r = sock < 0 || proc < 0 ? why_printf(why, -errno, "keep /proc") : own_root(k, dir, why);
    if (r == 0 && (r = own_fds(sock, proc)) < 0)
        why_printf(why, r, "arrange file descriptors");
    if (r == 0 && (r = keep_capabilities()) < 0)
        why_printf(why, r, "keep capabilities");
    if (r == 0) {
        execve(argv[0], argv, envp);
        why_printf(why, -errno, "execute %s", argv[0]);
    }
    dprintf(2, "lamina: a zygote cannot be started: %s\n", why);
    _exit(1);
}

/* ---- in the spawner ---- */

static int64_t now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

int zygote_start(struct kind *k, const struct machine *m, char *why)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return why_printf(why, -errno, "make a socket pair");
    struct clone_args args = {
        .flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
        .exit_signal = SIGCHLD,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        zygote_main(k, pair[1]);
    int r = pid < 0 ? -errno : 0;
    close(pair[1]);
    if (r < 0) {
        close(pair[0]);
        return why_printf(why, r, "make namespaces");
    }
    k->zygote = pid;
    k->sock = pair[0];
    k->zygote_ready = false;
    static const char no_filter = 0;
    size_t n = m->abilities.seccomp ? m->filter.len * sizeof(*m->filter.filter) : 1;
    return message_send(k->sock, m->abilities.seccomp ? (const void *)m->filter.filter : &no_filter,
                        n, NULL, 0);
}

int zygote_fork(struct kind *k, struct shell *s, const struct machine *m)
{
    struct plan_head head;
    memcpy(&head, k->bytes, sizeof(head));
    struct fork_request request = {
        .user_namespace = m->abilities.user_namespace,
        .own_user = s->own_user >= 0,
        .files = (unsigned long)head.max_files,
        .processes = m->abilities.pids ? SHED_KEEP : (unsigned long)head.max_processes,
    };
    int fds[FORK_FDS] = {s->pidfd, s->child_end, s->output[1]};
    size_t n = FORK_FD_GROUPS;
    auto_close int v2 = -1;
    for (size_t i = 0; i < CGROUP_HIERARCHIES; i++)
        if (s->cgroup.procs[i] >= 0)
            fds[n++] = s->cgroup.procs[i];
    if (s->cgroup.dir_v2 >= 0) {
        v2 = openat(s->cgroup.dir_v2, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (v2 < 0)
            return -errno;
        fds[n++] = v2;
    }
    if (s->own_user >= 0)
        fds[n++] = s->own_user;
    int r = message_send(k->sock, &request, sizeof(request), fds, n);
    if (list_empty(&k->forking))
        k->heard_ms = now_ms();
    s->spare = SPARE_FORKING;
    list_append(&k->forking, &s->queue);
    shell_close_unneeded(s);
    return r;
}

/* What it has of its own, without a file or in one that it has made of it (pristine.h): its
 * children share it until they write. */
static int64_t own_memory(pid_t pid)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    auto_fclose FILE *f = fopen(path, "re");
    long long kb, sum = 0;
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "RssAnon: %lld", &kb) == 1 || sscanf(line, "RssShmem: %lld", &kb) == 1)
            sum += kb;
    return (int64_t)sum << 10;
}

int zygote_hear(struct kind *k, struct shell **ret, int *ret_error)
{
    struct fork_answer answer;
    size_t n, n_fds;
    int r = message_recv(k->sock, &answer, sizeof(answer), 0, &n, NULL, &n_fds);
    if (r < 0 || n != sizeof(answer))
        return -EPIPE;
    *ret = NULL;
    *ret_error = answer.error;
    k->heard_ms = now_ms();
    if (!k->zygote_ready) {
        k->zygote_ready = true;
        k->failures = 0;
        k->baseline = own_memory(k->zygote);
        k->copied = 0;
        return 0;
    }
    if (list_empty(&k->forking))
        return -EPIPE;
    *ret = LIST_ENTRY(k->forking.next, struct shell, queue);
    list_remove(&(*ret)->queue);
    if (answer.error)
        dprintf(2, "lamina: a zygote could not %.*s: %s\n", (int)sizeof(answer.step), answer.step,
                strerror(-answer.error));
    return 0;
}

int64_t zygote_silent_ms(const struct kind *k)
{
    return list_empty(&k->forking) ? -1 : k->heard_ms + SILENCE_MAX_MS;
}

void zygote_end(struct kind *k)
{
    if (k->zygote)
        kill(k->zygote, SIGKILL);
    if (k->sock >= 0)
        close(k->sock);
    k->zygote = 0;
    k->sock = -1;
    k->zygote_ready = false;
    int64_t wait = BACK_OFF_FIRST_MS;
    for (int i = 0; i < k->failures && wait < BACK_OFF_MAX_MS; i++)
        wait *= 2;
    k->failures++;
    k->retry_ms = now_ms() + wait;
    LIST_EACH(&k->forking, struct shell, queue, s) {
        list_remove(&s->queue); /* their inits see the end of the socket */
        s->spare = SPARE_NONE;
    }
}
