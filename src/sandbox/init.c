/* init - sets an environment up, carries out its plan, and looks after its processes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "sandbox/command.h"
#include "sandbox/message.h"
#include "sandbox/net.h"
#include "sandbox/ops.h"
#include "sandbox/root.h"
#include "sandbox/shed.h"
#include "sandbox/spare.h"
#include "sandbox/unneeded.h"

#define SOCK_FD 3
static int spawner_sock; /* moves to SOCK_FD when all other descriptors are closed */

struct init {
    const struct init_setup *setup;
    int sock; /* the daemon's */
    int signals;
    pid_t command;
    struct plan_head head;
    struct command_plan plan;
    struct spare spare;
    struct event event; /* too big for the stack of every function */
    struct {
        pid_t pid; /* 0: free */
        int index;
    } spawned[SANDBOX_PROCESSES];
};

/* ---- setting up ---- */

/* What is still needed: to start the command under its own user, to kill it, and to make it the one
 * that the out-of-memory killer may choose, for good. */
static int keep_few_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    const uint32_t wanted =
        1U << CAP_KILL | 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_SYS_RESOURCE;
    if (syscall(SYS_capget, &head, data) < 0)
        return -errno;
    data[0].permitted &= wanted; /* root in a container may lack some to begin with */
    data[0].effective = data[0].permitted;
    data[0].inheritable = 0;
    data[1] = (struct __user_cap_data_struct){0};
    return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static void default_signals(void)
{
    sigset_t all;
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL); /* SIGCHLD is read from a descriptor */
}

static void protect_from_oom(void)
{
    auto_close int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "-1000", 5) < 0)
        return; /* an ordinary user may not: then it is the likelier victim's turn anyway */
}

/* There is at most one init in a process: the set-up is its own. */
static int own_fds(struct init_setup *s)
{
    int sock = s->spawner_sock, own_user = s->own_user;
    int null = open("/dev/null", O_RDWR);
    if (null < 0)
        return -errno;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(null, fd) < 0)
            return -errno;
    if (own_user >= 0 && (own_user = fcntl(own_user, F_DUPFD, OWN_USER_FD + 1)) < 0)
        return -errno; /* the socket may belong where it is, or it where the socket is */
    if (sock != SOCK_FD && dup2(sock, SOCK_FD) < 0)
        return -errno;
    if (own_user >= 0) {
        if (dup3(own_user, OWN_USER_FD, O_CLOEXEC) < 0)
            return -errno;
        s->own_user = OWN_USER_FD;
    }
    fcntl(SOCK_FD, F_SETFD, FD_CLOEXEC);
    spawner_sock = SOCK_FD;
    return close_range(own_user < 0 ? SOCK_FD + 1 : OWN_USER_FD + 1, ~0U, 0) < 0 ? -errno : 0;
}

static int set_up(struct init_setup *s, char *why)
{
    int r = cgroup_join(s->cgroup);
    unneeded_drop_heap();
    if (r < 0)
        return why_printf(why, r, "join the control groups");
    if (!s->user_namespace)
        protect_from_oom();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "lamina-init");
    r = own_fds(s);
    if (r < 0)
        return why_printf(why, r, "arrange file descriptors");
    unshare(CLONE_NEWCGROUP); /* hides the group's place in the tree; nothing depends on it */
    if (sethostname(SANDBOX_ADDRESS, strlen(SANDBOX_ADDRESS)) < 0)
        return why_printf(why, -errno, "set the host name");
    r = net_up();
    if (r < 0)
        return why_printf(why, r, "bring the loopback up");
    r = root_set_up(why);
    if (r < 0)
        return r;
    r = shed_bounding_set();
    if (r < 0)
        return why_printf(why, r, "drop the capability bounding set");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return why_printf(why, -errno, "set no_new_privs");
    return 0;
}

/* ---- specialisation ---- */

/* A packet, and behind it the lists of what is in it: they take less than the items themselves. */
struct packet {
    char bytes[MESSAGE_MAX];
    char *list[MESSAGE_MAX / sizeof(char *)];
    size_t listed;
};

/* NULL: there is none. init has no heap: see unneeded.h. */
static char **list_of(struct packet *p, struct plan_cursor plan, unsigned kind)
{
    struct plan_item item;
    const char *text;
    size_t begin = p->listed, n = begin;
    while (plan_next(&plan, &item, &text))
        if (item.kind == kind && n + 2 < ARRAY_LEN(p->list))
            p->list[n++] = (char *)text;
    p->list[n] = NULL;
    p->listed = n + 1;
    return n > begin ? p->list + begin : NULL;
}

static char *no_strings[] = {NULL};

static int read_command(struct init *in, struct packet *p, struct plan_cursor plan, char *why)
{
    struct plan_item item;
    const char *text;

    in->plan.argv = list_of(p, plan, PLAN_ARG);
    in->plan.envp = list_of(p, plan, PLAN_ENV);
    while (plan_next(&plan, &item, &text))
        if (item.kind == PLAN_CWD)
            in->plan.cwd = text;
    if (!in->plan.envp)
        in->plan.envp = no_strings;
    if (!in->plan.argv || !in->plan.cwd)
        return why_printf(why, -EBADMSG, "read the plan");
    return 0;
}

/* The environment is ready; its command may wait. */
static int tell_ready(struct init *in, const int *ports, size_t n_ports)
{
    in->event = (struct event){.kind = EVENT_READY, .exec_ns = clock_mono_ns()};
    return message_send(in->sock, &in->event, sizeof(in->event), ports, n_ports);
}

static void tell_exited(struct init *in, int wait_status, int64_t max_rss)
{
    in->event =
        (struct event){.kind = EVENT_EXITED, .wait_status = wait_status, .max_rss = max_rss};
    message_send(in->sock, &in->event, sizeof(in->event), NULL, 0);
}

/* Of a spare that has failed: the daemon believes it to run. */
static void execute_instead(struct init *in)
{
    char why[WHY_MAX];
    in->command = command_start(&in->plan, why);
    if (in->command < 0) {
        in->command = 0;
        tell_exited(in, 127 << 8, 0);
    }
}

static int start_command(struct init *in, const int *ports, size_t n_ports, char *why)
{
    if (in->spare.sock && !in->spare.fed) {
        /* Ready first: whoever wakes the spare may have to wait until it sleeps again, and the
         * daemon has something to prepare meanwhile. */
        tell_ready(in, ports, n_ports);
        in->command = spare_feed(&in->spare, &in->plan);
        if (in->command > 0)
            return 0;
        execute_instead(in);
        return 0;
    }
    int64_t began = clock_mono_ns();
    pid_t pid = command_start(&in->plan, why);
    if (pid < 0)
        return pid;
    in->command = pid;
    in->event = (struct event){.kind = EVENT_READY, .exec_ns = began};
    return message_send(in->sock, &in->event, sizeof(in->event), ports, n_ports);
}

static int specialise(struct init *in, struct packet *p, size_t size, int *fds, size_t n_fds,
                      char *why)
{
    struct plan_cursor plan, kind, rest;
    struct spare *spare = &in->spare;

    int r = plan_begin(p->bytes, size, &in->head, &plan);
    if (r < 0)
        return why_printf(why, r, "read the plan");
    if (spare->sock) { /* what its kind needs is there, where its output goes is known */
        plan_kind(plan, &kind, &rest);
        close(in->plan.output);
        in->plan.output = spare->output;
        r = root_attach(rest, fds + 2, n_fds - 2, why);
    } else {
        struct plan_cursor mounts = plan;
        if (in->head.placed && plan_kind(plan, &kind, &rest))
            mounts = rest;
        r = root_prepare(mounts, why);
        if (r == 0)
            r = root_attach(mounts, fds + 2, n_fds - 2, why);
        if (r == 0)
            r = root_close(why);
        if (r == 0)
            r = net_listen_all(plan, spare->ports, &spare->n_ports, why);
    }
    if (r == 0)
        r = root_resize_tmp(in->head.tmp_mb, why);
    if (r == 0)
        r = read_command(in, p, plan, why);
    spare_meet(spare);
    if (r == 0) {
        r = keep_few_capabilities();
        if (r < 0)
            why_printf(why, r, "drop capabilities");
    }
    prctl(PR_SET_DUMPABLE, 0); /* in a user namespace the command runs as the same user */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    in->plan.setup = in->setup;
    in->plan.memory_mb = in->head.memory_mb;
    in->plan.max_processes = in->head.max_processes;
    in->plan.max_files = in->head.max_files;
    if (r == 0)
        r = in->head.held ? tell_ready(in, spare->ports, spare->n_ports)
                          : start_command(in, spare->ports, spare->n_ports, why);
    for (size_t i = 0; i < spare->n_ports; i++)
        close(
            spare->ports[i]); /* the daemon's alone: when it closes them, connections are refused */
    return r;
}

/* ---- looking after it ---- */

static void send_failed(struct init *in, int error, const char *why)
{
    in->event = (struct event){.kind = EVENT_FAILED, .error = error};
    snprintf(in->event.why, sizeof(in->event.why), "%s", why);
    message_send(in->sock, &in->event, sizeof(in->event), NULL, 0);
}

static void process_exited(struct init *in, int index, int error, int wait_status)
{
    in->event = (struct event){
        .kind = EVENT_PROCESS_EXITED, .index = index, .error = error, .wait_status = wait_status};
    message_send(in->sock, &in->event, sizeof(in->event), NULL, 0);
}

static void spawned_ended(struct init *in, pid_t pid, int wait_status)
{
    for (size_t i = 0; i < ARRAY_LEN(in->spawned); i++) {
        if (in->spawned[i].pid != pid)
            continue;
        in->spawned[i].pid = 0;
        process_exited(in, in->spawned[i].index, 0, wait_status);
        return;
    }
}

static void spawn(struct init *in, int index, struct packet *p, size_t n, int output)
{
    struct plan_cursor items = {p->bytes + sizeof(struct command), p->bytes + n};
    struct command_plan plan = in->plan;
    size_t slot = 0;
    char why[WHY_MAX];

    while (slot < ARRAY_LEN(in->spawned) && in->spawned[slot].pid)
        slot++;
    p->listed = 0;
    plan.argv = list_of(p, items, PLAN_ARG);
    plan.envp = list_of(p, items, PLAN_ENV);
    plan.cwd = "/";
    plan.output = output;
    pid_t pid = slot == ARRAY_LEN(in->spawned) ? -EAGAIN
                : plan.argv && plan.envp       ? command_start(&plan, why)
                                               : -EBADMSG;
    if (pid < 0) {
        process_exited(in, index, pid, 0);
        return;
    }
    in->spawned[slot].pid = pid;
    in->spawned[slot].index = index;
}

static void signal_process(struct init *in, int index, int sig)
{
    for (size_t i = 0; i < ARRAY_LEN(in->spawned); i++)
        if (in->spawned[i].pid && in->spawned[i].index == index)
            kill(-in->spawned[i].pid, sig); /* a session of its own, and so a group */
}

static void reap(struct init *in)
{
    int status;
    struct rusage usage;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
        if (pid != in->command) {
            spawned_ended(in, pid, status);
            continue;
        }
        in->command = 0;
        if (spare_ended_early(&in->spare)) {
            execute_instead(in);
            continue;
        }
        tell_exited(in, status, (int64_t)usage.ru_maxrss << 10);
    }
}

static void restart(struct init *in)
{
    char why[WHY_MAX];
    in->command = 0;
    spare_forget(&in->spare);
    memset(in->spawned, 0, sizeof(in->spawned));
    /* All processes may have ended, and new ones may be born while we kill: until none is left. */
    do
        kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0);
    int r = in->head.held ? tell_ready(in, NULL, 0) : start_command(in, NULL, 0, why);
    if (r < 0)
        send_failed(in, r, why);
}

static void run(struct init *in)
{
    char why[WHY_MAX];
    int r = in->command ? -EALREADY : start_command(in, NULL, 0, why);
    if (r < 0 && r != -EALREADY)
        send_failed(in, r, why);
}

/* A socket belongs to the network where it was made, whoever connects it. */
static void make_socket(struct init *in)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    in->event = (struct event){.kind = EVENT_SOCKET, .error = fd < 0 ? -errno : 0};
    message_send(in->sock, &in->event, sizeof(in->event), &fd, fd >= 0);
    if (fd >= 0)
        close(fd);
}

/* What else is in the packet of n bytes, and `output`, come with COMMAND_SPAWN. */
static void obey(struct init *in, const struct command *c, struct packet *p, size_t n, int output)
{
    switch (c->kind) {
    case COMMAND_RESTART:
        restart(in);
        break;
    case COMMAND_SIGNAL:
        if (in->command > 0)
            kill(in->command, c->signal);
        break;
    case COMMAND_KILL:
        kill(-1, SIGKILL);
        break;
    case COMMAND_STOP:
        kill(-1, SIGSTOP);
        break;
    case COMMAND_CONTINUE:
        kill(-1, SIGCONT);
        break;
    case COMMAND_RUN:
        run(in);
        break;
    case COMMAND_SPAWN:
        spawn(in, c->index, p, n, output);
        break;
    case COMMAND_SIGNAL_PROCESS:
        signal_process(in, c->index, c->signal);
        break;
    case COMMAND_SOCKET:
        make_socket(in);
        break;
    }
}

static void hear(struct init *in)
{
    static _Alignas(4096) struct packet p;
    struct command c;
    int fds[MESSAGE_FDS];
    size_t n, n_fds;
    int r = message_recv(in->sock, p.bytes, sizeof(p.bytes), 0, &n, fds, &n_fds);
    if (r < 0 || n == 0)
        _exit(0); /* nobody wants us; the kernel takes all others along */
    if (n >= sizeof(c)) {
        memcpy(&c, p.bytes, sizeof(c));
        if (c.kind != COMMAND_SPAWN || n_fds == 1)
            obey(in, &c, &p, n, n_fds ? fds[0] : -1);
    }
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
}

static _Noreturn void look_after(struct init *in)
{
    struct pollfd fds[] = {{.fd = in->sock, .events = POLLIN},
                           {.fd = in->signals, .events = POLLIN}};
    unneeded_drop_stack(); /* of what the start took */
    for (;;) {
        if (poll(fds, ARRAY_LEN(fds), -1) < 0)
            continue;
        if (fds[1].revents) {
            struct signalfd_siginfo info;
            while (read(in->signals, &info, sizeof(info)) > 0)
                ;
            reap(in);
        }
        if (fds[0].revents)
            hear(in);
    }
}

static int open_signals(void)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

_Noreturn void init_main(struct init_setup *setup)
{
    static struct shell_report report;
    static struct init in;
    static _Alignas(4096) struct packet p; /* the plan stays: argv and envp point into it */
    int fds[MESSAGE_FDS];
    size_t n, n_fds;

    default_signals();
    in.setup = setup;
    spawner_sock = setup->spawner_sock;
    report.error = set_up(setup, report.why);
    unneeded_drop_stack();
    message_send(spawner_sock, &report, sizeof(report), NULL, 0);

    int r = message_recv(spawner_sock, p.bytes, sizeof(p.bytes), 0, &n, fds, &n_fds);
    if (r == 0 && spare_is_adoption(p.bytes, n)) {
        if (!report.error)
            report.error = spare_adopt(&in.spare, setup, p.bytes, n, fds, n_fds, report.why);
        message_send(spawner_sock, &report, sizeof(report), NULL, 0);
        r = message_recv(spawner_sock, p.bytes, sizeof(p.bytes), 0, &n, fds, &n_fds);
    }
    if (r < 0 || n == 0 || n_fds < 2)
        _exit(1); /* the spawner is gone, or has no use for us */
    close(spawner_sock);
    in.sock = fds[0];
    in.plan.output = fds[1];
    in.signals = open_signals();
    r = report.error ? report.error : specialise(&in, &p, n, fds, n_fds, report.why);
    if (r < 0) {
        send_failed(&in, r, report.why);
        _exit(1);
    }
    look_after(&in);
}
