/* spare - see spare.h. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "sandbox/net.h"
#include "sandbox/ops.h"
#include "sandbox/spare.h"
#include "sandbox/unneeded.h"

/* Its turn comes when all that were asked for before are there; when it hangs, the spawner ends it,
 * and the command is executed. */
#define HELLO_LIMIT_S 60

bool spare_is_adoption(const char *bytes, size_t n)
{
    struct plan_head head;
    struct plan_cursor plan;
    return plan_begin(bytes, n, &head, &plan) == 0 && head.adopt;
}

/* ---- adoption ---- */

static size_t strings_of(struct plan_cursor plan, unsigned kind, char **ret, size_t max)
{
    struct plan_item item;
    const char *text;
    size_t n = 0;
    while (plan_next(&plan, &item, &text))
        if (item.kind == kind && n < max)
            ret[n++] = (char *)text;
    ret[n] = NULL;
    return n;
}

static int execute_spare(struct spare *s, const struct init_setup *setup,
                         const struct plan_head *head, struct plan_cursor kind, int end, char *why)
{
    char *argv[65], *envp[67];
    strings_of(kind, PLAN_SPARE_ARG, argv, 64);
    size_t n = strings_of(kind, PLAN_SPARE_ENV, envp, 64);
    envp[n] = "_LAMINA_SPARE_FD=3";
    envp[n + 1] = NULL;
    struct command_plan plan = {
        .argv = argv,
        .envp = envp,
        .cwd = "/",
        .max_processes = head->max_processes,
        .max_files = head->max_files,
        .output = s->output,
        .keep_fd = end,
        .setup = setup,
    };
    pid_t pid = command_start(&plan, why);
    if (pid < 0)
        return pid;
    s->pid = pid;
    return 0;
}

int spare_adopt(struct spare *s, const struct init_setup *setup, const char *bytes, size_t n,
                int *fds, size_t n_fds, char *why)
{
    struct plan_head head;
    struct plan_cursor plan, kind, rest;
    struct plan_item item;
    const char *text;
    if (plan_begin(bytes, n, &head, &plan) < 0 || !plan_kind(plan, &kind, &rest) || n_fds < 3)
        return why_printf(why, -EBADMSG, "read what the spare is");
    plan_next(&plan, &item, &text);
    s->sock = fds[0];
    s->output = fds[1];
    auto_close int end = fds[2];
    int r = net_listen_all(kind, s->ports, &s->n_ports, why);
    if (r == 0 && strcmp(text, "exec") == 0)
        r = execute_spare(s, setup, &head, kind, end, why);
    return r;
}

/* ---- use ---- */

/* A zygote's child tells its pid as its last act before it waits. */
static bool hear_pid(struct spare *s)
{
    struct timeval limit = {.tv_sec = HELLO_LIMIT_S};
    int pid;
    if (s->pid)
        return true;
    setsockopt(s->sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (recv(s->sock, &pid, sizeof(pid), MSG_WAITALL) != sizeof(pid) || pid < 2)
        return false;
    s->pid = pid;
    return true;
}

/* The other limits are the kind's. */
static bool limit_memory(pid_t pid, const struct command_plan *plan)
{
    struct shed_limits l;
    command_limits(plan, &l);
    struct rlimit data = {l.data, l.data};
    return l.data == SHED_KEEP || prlimit(pid, RLIMIT_DATA, &data, NULL) == 0;
}

/* Not from the heap, which init does not have: see unneeded.h. */
static _Alignas(4096) struct {
    char p[2 * MESSAGE_MAX];
    size_t n;
} letter;

static bool letter_add(const void *p, size_t n)
{
    if (n > sizeof(letter.p) - letter.n)
        return false;
    memcpy(letter.p + letter.n, p, n);
    letter.n += n;
    return true;
}

static bool tell(int sock, const struct command_plan *plan)
{
    uint32_t size = 0;
    letter.n = 0;
    bool fits = letter_add(&size, sizeof(size)) && letter_add(plan->cwd, strlen(plan->cwd) + 1);
    for (char **e = plan->envp; fits && *e; e++)
        fits = letter_add(*e, strlen(*e) + 1);
    size = (uint32_t)(letter.n - sizeof(size));
    for (size_t i = 0; i < sizeof(size); i++)
        letter.p[i] = (char)(size >> (8 * i) & 0xff);
    for (size_t done = 0; fits && done < letter.n;) {
        ssize_t n = send(sock, letter.p + done, letter.n - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        done += (size_t)n;
    }
    return fits;
}

void spare_meet(struct spare *s)
{
    if (s->sock && !hear_pid(s))
        spare_forget(s);
}

pid_t spare_feed(struct spare *s, const struct command_plan *plan)
{
    pid_t pid = !s->sock || s->fed ? 0 : s->pid;
    s->fed = true;
    if (pid && (!limit_memory(pid, plan) || !tell(s->sock, plan))) {
        kill(pid, SIGKILL);
        pid = 0;
    }
    unneeded_drop(&letter, sizeof(letter));
    if (!pid)
        spare_forget(s);
    return pid;
}

bool spare_ended_early(struct spare *s)
{
    char byte;
    /* The kernel resets a socket whose other end was closed with something unread. */
    bool unread = s->sock && recv(s->sock, &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNRESET;
    spare_forget(s);
    return unread;
}

void spare_forget(struct spare *s)
{
    if (s->sock)
        close(s->sock);
    s->sock = 0;
}
