/* process - the spawner: makes environments ready, gives plans to them, and cleans up behind them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
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
#include "sandbox/environment.h"
#include "sandbox/init.h"
#include "sandbox/limits.h"
#include "sandbox/ops.h"
#include "sandbox/own_user.h"
#include "sandbox/process.h"
#include "sandbox/root.h"
#include "sandbox/stage.h"
#include "sandbox/unneeded.h"

#define FIRST_TRIES 4
#define RETRY_MS 5
#define AGE_MS 10000 /* kinds are looked at */

/* What the loop waits for; the address of one is what epoll gives back. */
enum source { SOURCE_CONTROL, SOURCE_SIGNALS };
static const enum source control_source = SOURCE_CONTROL, signals_source = SOURCE_SIGNALS;

int64_t process_now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

void process_watch(struct process *p, int fd, const void *what)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = (void *)what};
    epoll_ctl(p->events, EPOLL_CTL_ADD, fd, &e);
}

/* Closing is not enough: a child that is being made still has it. */
void process_unwatch(struct process *p, int fd)
{
    epoll_ctl(p->events, EPOLL_CTL_DEL, fd, NULL);
}

static void shell_remove(struct process *p, struct shell *s)
{
    if (s->spare == SPARE_FORKING || cgroup_remove(&p->machine.cgroups, &s->cgroup) < 0)
        return; /* an answer is due, or somebody in it is still on the way out: the loop comes back
                 */
    list_remove(&s->link);
    free(s);
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
    LIST_EACH(&p->kinds, struct kind, link, k)
        if (k->zygote == pid) {
            k->zygote = 0;
            supply_on_zygote_end(p, k);
            return;
        }
    LIST_EACH(&p->shells, struct shell, link, s) {
        if (s->pid != pid)
            continue;
        if (!s->used) {
            p->spares -= s->kind == NULL;
            p->refill_at_ms = process_now_ms() + 1000; /* not in a tight circle */
        }
        process_unwatch(p, s->sock);
        shell_close_all(s);
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

/* What spares have copied of their zygote is charged to them: it must not be counted twice. */
static void measure(struct process *p, const struct shell *s)
{
    int64_t own = meter_own(s->cgroup.files[CGROUP_FILE_MEMORY], p->machine.abilities.memory);
    if (own > s->kind->copied)
        s->kind->copied = own;
}

static void tidy(struct process *p)
{
    p->tidy_at_ms = 0;
    LIST_EACH(&p->shells, struct shell, link, s)
        if (s->used)
            shell_close_unneeded(s);
        else if (s->kind && s->kind->forks && s->spare == SPARE_READY && !s->dead)
            measure(p, s);
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
    int timeout = p->tidy_at_ms           ? TIDY_AFTER_MS
                  : any_dead(p)           ? RETRY_MS
                  : list_empty(&p->kinds) ? -1
                                          : AGE_MS;
    int64_t due = p->machine.abilities.error ? -1 : supply_due_ms(p);
    if (due < 0)
        return timeout;
    int64_t wait = due - process_now_ms();
    wait = wait < 0 ? 0 : wait;
    return timeout >= 0 && timeout < wait ? timeout : (int)wait;
}

static void dispatch(struct process *p, void *what)
{
    if (what == &control_source) {
        order_hear(p);
        return;
    }
    if (what == &signals_source) {
        on_signal(p);
        return;
    }
    LIST_EACH(&p->kinds, struct kind, link, k)
        if (k == what) {
            supply_on_zygote(p, k);
            return;
        }
    LIST_EACH(&p->shells, struct shell, link, s)
        if (s == what && !s->dead) {
            supply_on_report(p, s);
            return;
        }
}

static void serve(struct process *p)
{
    process_watch(p, p->control, &control_source);
    process_watch(p, p->signals, &signals_source);
    while (!p->stopping) {
        struct epoll_event e;
        int n = epoll_wait(p->events, &e, 1, next_timeout(p));
        if (n < 0)
            continue;
        if (n > 0) {
            dispatch(p, e.data.ptr);
            continue; /* work first, spares when there is none */
        }
        if (p->tidy_at_ms && process_now_ms() >= p->tidy_at_ms)
            tidy(p);
        retry_removals(p);
        if (process_now_ms() >= p->refill_at_ms && !p->machine.abilities.error)
            supply_some(p);
    }
}

static void end_all(struct process *p)
{
    LIST_EACH(&p->shells, struct shell, link, s) {
        if (!s->dead)
            kill(s->pid, SIGKILL);
        cgroup_kill(&p->machine.cgroups, &s->cgroup); /* thaws what is frozen, too */
    }
    LIST_EACH(&p->kinds, struct kind, link, k)
        supply_forget_kind(k, p);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    LIST_EACH(&p->shells, struct shell, link, s)
        cgroup_remove(&p->machine.cgroups, &s->cgroup);
    cgroups_close(&p->machine.cgroups);
    layers_forget_all(p->options.cache_dir);
}

/* ---- the beginning ---- */

/* Inits have no heap. */
static void keep_filter(struct sock_fprog *f)
{
    static struct sock_filter kept[BPF_MAXINSNS];
    memcpy(kept, f->filter, f->len * sizeof(kept[0]));
    free(f->filter);
    f->filter = kept;
}

static void look_at_machine(struct process *p)
{
    struct sandbox_abilities *a = &p->machine.abilities;
    if (p->options.without_overlay)
        layers_avoid_overlay();
    a->overlay = layers_have_overlay();
    a->seccomp = filter_compile(&p->machine.filter) == 0;
    if (a->seccomp)
        keep_filter(&p->machine.filter);
    int own_user = a->user_namespace ? -EPERM : own_user_make();
    a->own_users = own_user >= 0;
    if (own_user >= 0)
        close(own_user);
    a->memory = cgroups_kind(&p->machine.cgroups, CGROUP_MEMORY);
    a->cpu = cgroups_kind(&p->machine.cgroups, CGROUP_CPU);
    a->pids = cgroups_kind(&p->machine.cgroups, CGROUP_PIDS);
    a->freeze = cgroups_kind(&p->machine.cgroups, CGROUP_FREEZER);
    a->kill = cgroups_kill_kind(&p->machine.cgroups);

    abilities_describe(a);
}

/* -EIO: it has ended before it could say anything. */
static int try_first(struct process *p, char *why)
{
    struct shell *s;
    struct shell_report report;
    size_t n, n_fds;
    int r = supply_shell(p, NULL, false, &s, why);
    if (r < 0)
        return r;
    s->reports_due--;
    r = message_recv(s->sock, &report, sizeof(report), 0, &n, NULL, &n_fds);
    if (r == 0 && n != sizeof(report))
        r = -EIO;
    if (r < 0)
        return why_printf(why, r, "set an environment up");
    snprintf(why, WHY_MAX, "%s", report.why);
    return report.error;
}

/* Nothing tells whether an environment can be made as surely as making one: it becomes a spare. One
 * that somebody has killed tells nothing. */
static int make_first(struct process *p, char *why)
{
    int r = -EIO;
    for (int i = 0; i < FIRST_TRIES && r == -EIO; i++)
        r = try_first(p, why);
    return r;
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
    limits_prepare();
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
    list_init(&p.kinds);
    p.demand.ahead = AHEAD_EXECUTED;
    demand_expected(&p.demand, options->spares, process_now_ms());
    pid_t parent = getppid();
    detach_from_daemon(&control);
    p.control = control;
    p.signals = open_signals();
    p.events = epoll_create1(EPOLL_CLOEXEC);
    int r = namespaces_own(&p.machine.abilities, why);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* besides the socket's end; after the ids have changed */
    if (getppid() != parent)
        _exit(0);
    /* What a zygote has forked into an environment and not reaped keeps that environment's end
     * waiting: when the zygote dies it is ours to reap, not of a stranger who takes his time. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (r == 0)
        r = stage_open(why);
    if (r == 0)
        r = templates_open(why);
    if (r == 0)
        r = template_make((struct plan_cursor){0}, NULL, 0, &p.machine.base, why);
    if (r == 0) {
        cgroups_open(&p.machine.cgroups);
        look_at_machine(&p);
        unneeded_look();
        r = make_first(&p, why);
    }
    p.machine.abilities.error = r;
    p.machine.abilities.can_run = r == 0;
    p.machine.abilities.net_namespace = r == 0;
    if (r < 0)
        snprintf(p.machine.abilities.note, sizeof(p.machine.abilities.note),
                 "cannot run functions: %s", why);
    report.abilities = p.machine.abilities;
    message_send(p.control, &report, sizeof(report), NULL, 0);

    serve(&p);
    end_all(&p);
    _exit(0);
}
