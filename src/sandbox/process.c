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
#include "sandbox/kinds.h"
#include "sandbox/limits.h"
#include "sandbox/message.h"
#include "sandbox/process.h"
#include "sandbox/ops.h"
#include "sandbox/root.h"
#include "sandbox/stage.h"

#define REFILL_AFTER_MS 20 /* the command that was started last needs the processors now */
#define REFILL_AT_LAST_MS 100
#define FIRST_TRIES 4
#define TIDY_AFTER_MS 5
#define RETRY_MS 5
#define AGE_MS 10000 /* kinds are looked at */
#define SHELLS 2

/* What the loop waits for; the address of one is what epoll gives back. */
enum source { SOURCE_CONTROL, SOURCE_SIGNALS };
static const enum source control_source = SOURCE_CONTROL, signals_source = SOURCE_SIGNALS;

struct process {
    int control, signals, events;
    struct spawner_options options;
    struct machine machine;
    struct list shells, kinds;
    int spares;               /* shells that wait and are of no kind */
    int64_t refill_at_ms;     /* 0: no need */
    int64_t wanting_since_ms; /* plans have come since then without a pause */
    int64_t tidy_at_ms;       /* 0: no need */
    bool stopping;
};

static int64_t now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

/* Without a kind: for commands of which nothing is known before. */
static int least_shells(const struct process *p)
{
    return p->options.spares == SPARES_ADAPTIVE ? SHELLS : p->options.spares;
}

/* ---- shells ---- */

static void watch(struct process *p, int fd, const void *what)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = (void *)what};
    epoll_ctl(p->events, EPOLL_CTL_ADD, fd, &e);
}

/* Closing is not enough: a child that is being made still has it. */
static void unwatch(struct process *p, int fd)
{
    epoll_ctl(p->events, EPOLL_CTL_DEL, fd, NULL);
}

static int make_shell(struct process *p, struct kind *k, struct shell **ret, char *why)
{
    int r = shell_make(&p->machine, k, ret, why);
    if (r < 0)
        return r;
    list_append(&p->shells, &(*ret)->link);
    p->spares++;
    return 0;
}

static void shell_remove(struct process *p, struct shell *s)
{
    if (s->spare == SPARE_FORKING || cgroup_remove(&p->machine.cgroups, &s->cgroup) < 0)
        return; /* an answer is due, or somebody in it is still on the way out: the loop comes back
                 */
    list_remove(&s->link);
    free(s);
}

/* One that is still in the making is better than none: what is missing comes by itself. */
static struct shell *find_spare(struct process *p, const struct kind *k)
{
    struct shell *best = NULL;
    LIST_EACH(&p->shells, struct shell, link, s)
        if (!s->used && !s->dead && s->kind == k && (!k || s->spare != SPARE_NONE) &&
            (!best || s->spare > best->spare))
            best = s;
    return best;
}

/* ---- kinds ---- */

static int adopt(struct process *p, struct shell *s, struct kind *k, char *why)
{
    int r = shell_adopt(s, k, why);
    p->spares--;
    watch(p, s->sock, s);
    if (r < 0) {
        s->used = true; /* by nobody */
        kill(s->pid, SIGKILL);
    }
    return r;
}

static void on_zygote_end(struct process *p, struct kind *k)
{
    if (k->sock >= 0)
        unwatch(p, k->sock);
    LIST_EACH(&k->forking, struct shell, queue, s)
        if (!s->used)
            kill(s->pid, SIGKILL);
    zygote_end(k, now_ms());
}

static void on_kind_gone(struct kind *k, void *user)
{
    struct process *p = user;
    on_zygote_end(p, k);
    LIST_EACH(&p->shells, struct shell, link, s) {
        if (s->kind != k)
            continue;
        if (!s->used && !s->dead)
            kill(s->pid, SIGKILL);
        if (s->spare == SPARE_ADOPTING)
            s->spare = SPARE_NONE;
        s->kind = NULL;
        s->used = true;
        shell_close_unneeded(s);
    }
    kind_free(k);
}

static int kind_count(struct process *p, const struct kind *k)
{
    int n = 0;
    LIST_EACH(&p->shells, struct shell, link, s)
        n += !s->used && !s->dead && s->kind == k;
    return n;
}

static bool can_make(const struct kind *k)
{
    return k->forks ? k->zygote_ready : true;
}

/* Something from a shell: its set-up, and then its adoption, are over. */
static void on_shell_report(struct process *p, struct shell *s)
{
    static struct shell_report report;
    size_t n, n_fds;
    int r = message_recv(s->sock, &report, sizeof(report), 0, &n, NULL, &n_fds);
    bool failed = r < 0 || n != sizeof(report) || report.error;
    if (!failed && --s->reports_due > 0)
        return;
    unwatch(p, s->sock);
    if (s->spare != SPARE_ADOPTING)
        return;
    s->spare = SPARE_NONE;
    if (!failed && s->kind->forks && s->kind->zygote_ready)
        failed = zygote_fork(s->kind, s, &p->machine) < 0;
    else if (!failed && !s->kind->forks)
        s->spare = SPARE_READY;
    else
        failed = true;
    shell_close_unneeded(s);
    if (failed && !s->used)
        kill(s->pid, SIGKILL);
}

static void on_zygote(struct process *p, struct kind *k)
{
    struct shell *s;
    int error;
    if (zygote_hear(k, &s, &error) < 0) {
        on_zygote_end(p, k);
        return;
    }
    if (!s)
        return;
    s->spare = error ? SPARE_NONE : SPARE_READY;
    if (!k->copied && !p->tidy_at_ms)
        p->tidy_at_ms = now_ms() + TIDY_AFTER_MS;
    if (error && !s->used && !s->dead)
        kill(s->pid, SIGKILL);
}

/* One step towards what is wanted; false: nothing was to be done. */
static bool make_some(struct process *p)
{
    char why[WHY_MAX];
    struct shell *s;
    LIST_EACH(&p->kinds, struct kind, link, k) {
        if (!kind_age(k, p->options.spares, now_ms())) {
            on_kind_gone(k, p);
            continue;
        }
        if (k->want > 0 && k->forks && !k->zygote && now_ms() >= k->retry_ms) {
            if (zygote_start(k, &p->machine, why) == 0)
                watch(p, k->sock, k);
            else
                on_zygote_end(p, k);
            return true;
        }
        int n = kind_count(p, k);
        if (n > k->want && (s = find_spare(p, k))) {
            s->used = true;
            kill(s->pid, SIGKILL);
        }
        if (n >= k->want || !can_make(k))
            continue;
        s = NULL;
        if (make_shell(p, k, &s, why) < 0 || adopt(p, s, k, why) < 0)
            p->refill_at_ms = now_ms() + 1000;
        return true;
    }
    if (p->spares >= least_shells(p))
        return false;
    if (make_shell(p, NULL, &s, why) < 0)
        p->refill_at_ms = now_ms() + 1000;
    return true;
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
        if (item.kind == PLAN_BIND || item.kind == PLAN_ROOT)
            r = mount_open(text, &fd);
        else if (item.kind == PLAN_LAYERS)
            r = layers_open(&item, text, p->options.cache_dir, &fd);
        else
            continue;
        if (r < 0 && item.kind == PLAN_LAYERS)
            return why_printf(why, r, "merge layers from %s on", text);
        if (r < 0 && item.kind == PLAN_ROOT)
            return why_printf(why, r, "take %s as the root", text);
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

/* A shell for this plan: a spare of its kind, or one that becomes it meanwhile. */
static int choose(struct process *p, struct kind *k, struct shell **ret, char *why)
{
    struct shell *s = find_spare(p, k);
    int r = s ? 0 : make_shell(p, k, &s, why);
    if (r == 0 && k && s->spare == SPARE_NONE && k->forks && k->zygote_ready &&
        adopt(p, s, k, why) < 0)
        r = make_shell(p, k, &s, why);
    *ret = s;
    return r;
}

static int carry_out(struct process *p, struct order *o, char *why)
{
    struct plan_head head;
    struct plan_cursor plan, part, rest;
    struct shell *s;

    if (p->machine.abilities.error) {
        snprintf(why, WHY_MAX, "%.*s", WHY_MAX - 1, p->machine.abilities.note);
        return p->machine.abilities.error;
    }
    int r = plan_begin(o->bytes, o->size, &head, &plan);
    if (r < 0)
        return why_printf(why, r, "read the plan");
    struct kind *k = kinds_find(&p->kinds, o->bytes, o->size, on_kind_gone, p);
    if (k)
        kind_used(k, p->options.spares, now_ms());
    r = choose(p, k, &s, why);
    if (r < 0)
        return r;
    p->spares -= s->kind == NULL;
    if (s->is_of_kind && plan_kind(plan, &part, &rest)) {
        plan = rest;
        head.placed = 1;
        memcpy(o->bytes, &head, sizeof(head));
    }
    s->used = true; /* whatever happens: nobody else shall have it */
    r = open_mounts(p, o, plan, why);
    if (r == 0) {
        r = shell_send_made(&p->machine, s, o->fds[0]);
        if (r == 0)
            r = message_send(s->sock, o->bytes, o->size, o->fds, o->n_fds);
        if (r < 0)
            why_printf(why, r, "hand over the plan");
    }
    /* While init is at its mounts: they take longer. */
    if (r == 0) {
        int64_t shared = s->kind ? kind_shared(s->kind) : 0;
        r = cgroup_limit(&s->cgroup, head.memory_mb, head.tmp_mb, shared, head.max_processes);
        if (r < 0)
            why_printf(why, r, "set the limits");
    }
    if (r < 0)
        kill(s->pid, SIGKILL);
    p->tidy_at_ms = now_ms() + TIDY_AFTER_MS; /* closing takes longer than all of the above */
    return r;
}

/* A plan without descriptors only tells what kind is going to be wanted. */
static void expect(struct process *p, const struct order *o)
{
    struct kind *k = kinds_find(&p->kinds, o->bytes, o->size, on_kind_gone, p);
    if (k && !k->used_ms)
        kind_used(k, p->options.spares, now_ms());
}

/* What is being started needs the processors now; but who starts all the time needs spares most. */
static void postpone(struct process *p)
{
    int64_t now = now_ms();
    if (now > p->refill_at_ms + REFILL_AFTER_MS)
        p->wanting_since_ms = now;
    if (now - p->wanting_since_ms < REFILL_AT_LAST_MS)
        p->refill_at_ms = now + REFILL_AFTER_MS;
    else
        p->wanting_since_ms = now;
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
        postpone(p);
    } else if (o.n_fds == 0 && p->options.spares != 0) {
        expect(p, &o);
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
    LIST_EACH(&p->kinds, struct kind, link, k)
        if (k->zygote == pid) {
            k->zygote = 0;
            on_zygote_end(p, k);
            return;
        }
    LIST_EACH(&p->shells, struct shell, link, s) {
        if (s->pid != pid)
            continue;
        if (!s->used) {
            p->spares -= s->kind == NULL;
            p->refill_at_ms = now_ms() + 1000; /* not in a tight circle */
        }
        unwatch(p, s->sock);
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

/* When make_some() has something to do, -1: never. */
static int64_t due_ms(struct process *p)
{
    int64_t due = p->spares < least_shells(p) ? p->refill_at_ms : -1;
    LIST_EACH(&p->kinds, struct kind, link, k) {
        int64_t at = -1;
        if (k->forks && !k->zygote)
            at = k->want > 0 ? k->retry_ms : -1;
        else if (can_make(k) && kind_count(p, k) != k->want)
            at = p->refill_at_ms;
        if (at >= 0 && (due < 0 || at < due))
            due = at;
    }
    return due;
}

static int next_timeout(struct process *p)
{
    int timeout = p->tidy_at_ms           ? TIDY_AFTER_MS
                  : any_dead(p)           ? RETRY_MS
                  : list_empty(&p->kinds) ? -1
                                          : AGE_MS;
    int64_t due = p->machine.abilities.error ? -1 : due_ms(p);
    if (due < 0)
        return timeout;
    int64_t wait = due - now_ms();
    wait = wait < 0 ? 0 : wait;
    return timeout >= 0 && timeout < wait ? timeout : (int)wait;
}

static void dispatch(struct process *p, void *what)
{
    if (what == &control_source) {
        on_control(p);
        return;
    }
    if (what == &signals_source) {
        on_signal(p);
        return;
    }
    LIST_EACH(&p->kinds, struct kind, link, k)
        if (k == what) {
            on_zygote(p, k);
            return;
        }
    LIST_EACH(&p->shells, struct shell, link, s)
        if (s == what && !s->dead) {
            on_shell_report(p, s);
            return;
        }
}

static void serve(struct process *p)
{
    watch(p, p->control, &control_source);
    watch(p, p->signals, &signals_source);
    while (!p->stopping) {
        struct epoll_event e;
        int n = epoll_wait(p->events, &e, 1, next_timeout(p));
        if (n < 0)
            continue;
        if (n > 0) {
            dispatch(p, e.data.ptr);
            continue; /* work first, spares when there is none */
        }
        if (p->tidy_at_ms && now_ms() >= p->tidy_at_ms)
            tidy(p);
        retry_removals(p);
        if (now_ms() >= p->refill_at_ms && !p->machine.abilities.error)
            make_some(p);
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
        on_kind_gone(k, p);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    LIST_EACH(&p->shells, struct shell, link, s)
        cgroup_remove(&p->machine.cgroups, &s->cgroup);
    cgroups_close(&p->machine.cgroups);
    layers_forget_all(p->options.cache_dir);
}

/* ---- the beginning ---- */

static void look_at_machine(struct process *p)
{
    struct sandbox_abilities *a = &p->machine.abilities;
    if (p->options.without_overlay)
        layers_avoid_overlay();
    a->overlay = layers_have_overlay();
    a->seccomp = filter_compile(&p->machine.filter) == 0;
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
    int r = make_shell(p, NULL, &s, why);
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
