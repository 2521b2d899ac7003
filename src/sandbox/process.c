/* process - the spawner: makes environments ready, gives plans to them, and cleans up behind them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/sched.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "sandbox/abilities.h"
#include "sandbox/init.h"
#include "sandbox/message.h"
#include "sandbox/process.h"
#include "sandbox/root.h"

#define REFILL_AFTER_MS 20 /* the command that was started last needs the processors now */
#define RETRY_MS 5

/* An environment as the spawner sees it: first a spare, then used, then dead until its control
 * groups are gone. */
struct shell {
    struct list link; /* in process.shells */
    pid_t pid;
    int pidfd; /* and the control group's files: closed once it is used */
    int sock;  /* kept open: closing it with a report unread would take the plan away, too */
    bool used, dead;
    struct cgroup cgroup;
};

struct process {
    int control, signals;
    struct spawner_options options;
    struct cgroups cgroups;
    struct sock_fprog filter;
    struct sandbox_abilities abilities;
    struct list shells;
    int spares;
    int64_t refill_at_ms; /* 0: no need */
    bool stopping;
};

static int64_t now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

/* ---- shells ---- */

static void shell_close_fds(struct shell *s)
{
    if (s->pidfd >= 0)
        close(s->pidfd);
    s->pidfd = -1;
    cgroup_close_fds(&s->cgroup);
}

static void shell_close_sock(struct shell *s)
{
    if (s->sock >= 0)
        close(s->sock);
    s->sock = -1;
}

static pid_t clone_shell(const struct process *p, struct shell *s)
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
    return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static int shell_make(struct process *p, struct shell **ret, char *why)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return why_printf(why, -errno, "make a socket pair");
    struct shell *s = MEM_NEW(struct shell);
    s->sock = pair[0];
    s->pidfd = -1;
    int r = cgroup_make(&p->cgroups, &s->cgroup);
    if (r < 0) {
        close(pair[0]);
        close(pair[1]);
        free(s);
        return why_printf(why, r, "make a control group");
    }

    s->pid = clone_shell(p, s);
    if (s->pid == 0) {
        struct init_setup setup = {
            .spawner_sock = pair[1],
            .cgroup = &s->cgroup,
            .filter = p->abilities.seccomp ? &p->filter : NULL,
            .user_namespace = p->abilities.user_namespace,
            .memory_is_limited = p->abilities.memory != SANDBOX_CGROUP_NONE,
            .processes_are_limited = p->abilities.pids != SANDBOX_CGROUP_NONE,
        };
        init_main(&setup);
    }
    r = s->pid < 0 ? why_printf(why, -errno, "make namespaces") : 0;
    close(pair[1]);
    if (r < 0) {
        shell_close_fds(s);
        shell_close_sock(s);
        cgroup_remove(&p->cgroups, &s->cgroup);
        free(s);
        return r;
    }
    list_append(&p->shells, &s->link);
    p->spares++;
    *ret = s;
    return 0;
}

static void shell_remove(struct process *p, struct shell *s)
{
    if (cgroup_remove(&p->cgroups, &s->cgroup) < 0)
        return; /* somebody in it is still on the way out: the loop comes back */
    list_remove(&s->link);
    free(s);
}

static struct shell *find_spare(struct process *p)
{
    LIST_EACH(&p->shells, struct shell, link, s)
        if (!s->used && !s->dead)
            return s;
    return NULL;
}

/* ---- starting ---- */

struct order {
    char bytes[MESSAGE_MAX];
    size_t size;
    int fds[MESSAGE_FDS]; /* the daemon's socket, the output; then mounts */
    size_t n_fds;
};

static int open_mounts(struct process *p, struct order *o, struct plan_cursor plan, char *why)
{
    struct plan_item item;
    const char *text;
    while (plan_next(&plan, &item, &text)) {
        int fd, r;
        if (item.kind == PLAN_BIND)
            r = mount_open(text, &fd);
        else if (item.kind == PLAN_LAYERS)
            r = layers_open(&item, text, p->options.cache_dir, &fd);
        else
            continue;
        if (r < 0 && item.kind == PLAN_LAYERS)
            return why_printf(why, r, "merge layers from %s on", text);
        if (r < 0)
            return why_printf(why, r, "bind %s to %s", text, plan_text_after(&item, text, text));
        if (o->n_fds == MESSAGE_FDS) {
            close(fd);
            return why_printf(why, -E2BIG, "bind %s", text);
        }
        o->fds[o->n_fds++] = fd;
    }
    return 0;
}

static int send_made(struct process *p, const struct shell *s, int sock)
{
    struct event e = {
        .kind = EVENT_MADE,
        .pid = s->pid,
        .freeze = p->abilities.freeze,
        .memory = p->abilities.memory,
        .cpu = p->abilities.cpu,
        .cpu_stat = cgroups_cpu_stat_kind(&p->cgroups),
    };
    int fds[CGROUP_FILES + 1] = {s->pidfd};
    size_t n = 1;
    for (size_t i = 0; i < CGROUP_FILES; i++) {
        if (s->cgroup.files[i] < 0)
            continue;
        e.files |= 1U << i;
        fds[n++] = s->cgroup.files[i];
    }
    return message_send(sock, &e, sizeof(e), fds, n);
}

static int carry_out(struct process *p, struct order *o, char *why)
{
    struct plan_head head;
    struct plan_cursor plan;
    struct shell *s = find_spare(p);

    if (p->abilities.error) {
        snprintf(why, WHY_MAX, "%.*s", WHY_MAX - 1, p->abilities.note);
        return p->abilities.error;
    }
    int r = plan_begin(o->bytes, o->size, &head, &plan);
    if (r == 0)
        r = open_mounts(p, o, plan, why);
    if (r == 0 && !s)
        r = shell_make(p, &s, why);
    if (r < 0)
        return r;

    r = cgroup_limit(&p->cgroups, &s->cgroup, head.memory_mb, head.tmp_mb, head.max_processes);
    if (r < 0)
        return why_printf(why, r, "set the limits");
    r = send_made(p, s, o->fds[0]);
    if (r == 0)
        r = message_send(s->sock, o->bytes, o->size, o->fds, o->n_fds);
    s->used = true; /* whatever happened: nobody else shall have it */
    p->spares--;
    shell_close_fds(s);
    return r < 0 ? why_printf(why, r, "hand over the plan") : 0;
}

static void on_control(struct process *p)
{
    static struct order o;
    static struct event failed;
    int r = message_recv(p->control, o.bytes, sizeof(o.bytes), 0, &o.size, o.fds, &o.n_fds);
    if (r == 0 && o.size == 0) {
        p->stopping = true; /* the daemon is gone */
        return;
    }
    if (r < 0)
        return;
    if (o.n_fds == 2) {
        failed = (struct event){.kind = EVENT_FAILED};
        failed.error = carry_out(p, &o, failed.why);
        if (failed.error < 0)
            message_send(o.fds[0], &failed, sizeof(failed), NULL, 0);
        p->refill_at_ms = now_ms() + REFILL_AFTER_MS;
    }
    for (size_t i = 0; i < o.n_fds; i++)
        close(o.fds[i]);
}

/* ---- the loop ---- */

static void retry_removals(struct process *p)
{
    LIST_EACH(&p->shells, struct shell, link, s)
        if (s->dead)
            shell_remove(p, s);
}

static void on_death(struct process *p, pid_t pid)
{
    LIST_EACH(&p->shells, struct shell, link, s) {
        if (s->pid != pid)
            continue;
        if (!s->used) {
            p->spares--;
            p->refill_at_ms = now_ms() + 1000; /* not in a tight circle */
        }
        shell_close_fds(s);
        shell_close_sock(s);
        s->dead = true;
        shell_remove(p, s);
        return;
    }
}

static void on_signal(struct process *p)
{
    struct signalfd_siginfo info;
    while (read(p->signals, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo == SIGTERM)
            p->stopping = true;
    for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
        on_death(p, pid);
}

static bool any_dead(struct process *p)
{
    LIST_EACH(&p->shells, struct shell, link, s)
        if (s->dead)
            return true;
    return false;
}

static int next_timeout(struct process *p)
{
    int timeout = any_dead(p) ? RETRY_MS : -1;
    if (p->spares >= p->options.spares || p->abilities.error)
        return timeout;
    int64_t wait = p->refill_at_ms - now_ms();
    wait = wait < 0 ? 0 : wait;
    return timeout >= 0 && timeout < wait ? timeout : (int)wait;
}

static void serve(struct process *p)
{
    struct pollfd fds[] = {{.fd = p->control, .events = POLLIN},
                           {.fd = p->signals, .events = POLLIN}};
    while (!p->stopping) {
        int n = poll(fds, ARRAY_LEN(fds), next_timeout(p));
        if (n < 0)
            continue;
        if (fds[0].revents)
            on_control(p);
        if (fds[1].revents)
            on_signal(p);
        if (n > 0)
            continue; /* work first, spares when there is none */
        retry_removals(p);
        char why[WHY_MAX];
        struct shell *s;
        if (p->spares < p->options.spares && now_ms() >= p->refill_at_ms &&
            shell_make(p, &s, why) < 0)
            p->refill_at_ms = now_ms() + 1000;
    }
}

static void end_all(struct process *p)
{
    LIST_EACH(&p->shells, struct shell, link, s) {
        if (!s->dead)
            kill(s->pid, SIGKILL);
        cgroup_kill(&p->cgroups, &s->cgroup); /* thaws what is frozen, too */
    }
    while (waitpid(-1, NULL, 0) > 0)
        ;
    LIST_EACH(&p->shells, struct shell, link, s)
        cgroup_remove(&p->cgroups, &s->cgroup);
    cgroups_close(&p->cgroups);
    layers_forget_all(p->options.cache_dir);
}

/* ---- the beginning ---- */

static void look_at_machine(struct process *p)
{
    struct sandbox_abilities *a = &p->abilities;
    if (p->options.without_overlay)
        layers_avoid_overlay();
    a->overlay = layers_have_overlay();
    a->seccomp = filter_compile(&p->filter) == 0;
    a->memory = cgroups_kind(&p->cgroups, CGROUP_MEMORY);
    a->cpu = cgroups_kind(&p->cgroups, CGROUP_CPU);
    a->pids = cgroups_kind(&p->cgroups, CGROUP_PIDS);
    a->freeze = cgroups_kind(&p->cgroups, CGROUP_FREEZER);
    a->kill = cgroups_kill_kind(&p->cgroups);

    abilities_describe(a);
}

/* Nothing tells whether an environment can be made as surely as making one: it becomes a spare. */
static int make_first(struct process *p, char *why)
{
    struct shell *s;
    struct shell_report report;
    size_t n, n_fds;
    int r = shell_make(p, &s, why);
    if (r < 0)
        return r;
    r = message_recv(s->sock, &report, sizeof(report), 0, &n, NULL, &n_fds);
    if (r == 0 && n != sizeof(report))
        r = -EIO;
    if (r < 0)
        return why_printf(why, r, "set an environment up");
    snprintf(why, WHY_MAX, "%s", report.why);
    return report.error;
}

static void detach_from_daemon(int *control)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
    }
    if (*control != 3)
        dup2(*control, 3);
    *control = 3;
    fcntl(3, F_SETFD, FD_CLOEXEC);
    close_range(4, ~0U, 0);
    setsid(); /* Ctrl-C is for the daemon; we follow it by ourselves */
    prctl(PR_SET_NAME, "lamina-spawner");
    umask(022);
    if (chdir("/") < 0)
        return;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int open_signals(void)
{
    sigset_t all, some;
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigemptyset(&some);
    sigaddset(&some, SIGCHLD);
    sigaddset(&some, SIGTERM);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    return signalfd(-1, &some, SFD_CLOEXEC | SFD_NONBLOCK);
}

_Noreturn void spawner_main(int control, const struct spawner_options *options)
{
    static struct process p;
    static struct spawner_report report;
    char why[WHY_MAX] = "";

    p.options = *options;
    list_init(&p.shells);
    pid_t parent = getppid();
    detach_from_daemon(&control);
    p.control = control;
    p.signals = open_signals();
    int r = namespaces_own(&p.abilities, why);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* besides the socket's end; after the ids have changed */
    if (getppid() != parent)
        _exit(0);
    if (r == 0)
        r = stage_open(why);
    if (r == 0) {
        cgroups_open(&p.cgroups);
        look_at_machine(&p);
        r = make_first(&p, why);
    }
    p.abilities.error = r;
    p.abilities.can_run = r == 0;
    p.abilities.net_namespace = r == 0;
    if (r < 0)
        snprintf(p.abilities.note, sizeof(p.abilities.note), "cannot run functions: %s", why);
    report.abilities = p.abilities;
    message_send(p.control, &report, sizeof(report), NULL, 0);

    serve(&p);
    end_all(&p);
    _exit(0);
}
