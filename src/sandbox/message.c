/* message - packets with file descriptors; plans as bytes. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include "sandbox/message.h"

static void item_write(struct buf *b, enum plan_kind kind, const char *first, const char *second)
{
    size_t n = strlen(first) + 1, m = second ? strlen(second) + 1 : 0;
    struct plan_item item = {.kind = kind, .size = (uint32_t)(n + m)};
    buf_add(b, &item, sizeof(item));
    buf_add(b, first, n);
    if (second)
        buf_add(b, second, m);
}

static void layers_write(struct buf *b, const char *const *dirs, size_t n)
{
    struct plan_item item = {.kind = PLAN_LAYERS};
    for (size_t i = 0; i < n; i++)
        item.size += (uint32_t)strlen(dirs[i]) + 1;
    buf_add(b, &item, sizeof(item));
    for (size_t i = 0; i < n; i++)
        buf_add(b, dirs[i], strlen(dirs[i]) + 1);
}

static bool plan_is_valid(const struct sandbox_plan *plan)
{
    if (!plan->argv || !plan->argv[0] || !plan->envp || plan->n_ports > SANDBOX_PORTS ||
        plan->n_layers > SANDBOX_LAYERS || plan->memory_mb < 0 || plan->tmp_mb < 0 ||
        plan->n_binds + 4 > MESSAGE_FDS - 2)
        return false;
    if ((plan->root_dir && plan->root_dir[0] != '/') ||
        (plan->task_dir && plan->task_dir[0] != '/') ||
        (plan->runtime_dir && plan->runtime_dir[0] != '/') || (plan->cwd && plan->cwd[0] != '/'))
        return false;
    for (size_t i = 0; i < plan->n_layers; i++)
        if (plan->layer_dirs[i][0] != '/')
            return false;
    for (size_t i = 0; i < plan->n_binds; i++)
        if (plan->binds[i].from[0] != '/' || plan->binds[i].to[0] != '/')
            return false;
    for (size_t i = 0; i < plan->n_links; i++)
        if (!plan->links[i].target[0] || plan->links[i].path[0] != '/')
            return false;
    return true;
}

void plan_write_command(const char *const *argv, const char *const *envp, struct buf *ret)
{
    for (const char *const *s = argv; *s; s++)
        item_write(ret, PLAN_ARG, *s, NULL);
    for (const char *const *s = envp; *s; s++)
        item_write(ret, PLAN_ENV, *s, NULL);
}

/* Not what belongs to the function alone. */
static void kind_write(const struct sandbox_plan *plan, struct buf *ret)
{
    const struct sandbox_spare *spare = plan->spare;
    if (spare) {
        const char *dir = spare->zygote_dir;
        item_write(ret, PLAN_SPARE, dir ? "fork" : "exec", dir ? dir : "");
        for (const char *const *e = spare->envp; *e; e++)
            item_write(ret, PLAN_SPARE_ENV, *e, NULL);
        for (const char *const *s = spare->argv ? spare->argv : plan->argv; *s; s++)
            item_write(ret, PLAN_SPARE_ARG, *s, NULL);
    }
    if (plan->runtime_dir)
        item_write(ret, PLAN_BIND, plan->runtime_dir, "/var/runtime");
    for (size_t i = 0; i < plan->n_binds; i++)
        item_write(ret, PLAN_BIND, plan->binds[i].from, plan->binds[i].to);
    for (size_t i = 0; i < plan->n_links; i++)
        item_write(ret, PLAN_LINK, plan->links[i].target, plan->links[i].path);
    for (size_t i = 0; i < plan->n_ports; i++) {
        const struct sandbox_port *port = &plan->ports[i];
        char number[8];
        snprintf(number, sizeof(number), "%u", port->port);
        item_write(ret, PLAN_PORT, port->local ? port->local : number,
                   port->local      ? "unix"
                   : port->datagram ? "udp"
                                    : "tcp");
    }
    for (const char *const *s = plan->argv; *s; s++)
        item_write(ret, PLAN_ARG, *s, NULL);
    if (spare)
        item_write(ret, PLAN_KIND_END, "", NULL);
}

int plan_write(const struct sandbox_plan *plan, struct buf *ret)
{
    if (!plan_is_valid(plan))
        return -EINVAL;

    struct plan_head head = {
        .memory_mb = plan->memory_mb,
        .tmp_mb = plan->tmp_mb ? plan->tmp_mb : 512,
        .max_processes = plan->max_processes ? plan->max_processes : 1024,
        .max_files = plan->max_files ? plan->max_files : 1024,
        .held = plan->held,
    };
    buf_add(ret, &head, sizeof(head));
    kind_write(plan, ret);
    if (plan->root_dir)
        item_write(ret, PLAN_ROOT, plan->root_dir, NULL);
    if (plan->task_dir)
        item_write(ret, PLAN_BIND, plan->task_dir, "/var/task");
    if (plan->n_layers == 1)
        item_write(ret, PLAN_BIND, plan->layer_dirs[0], "/opt");
    else if (plan->n_layers > 1)
        layers_write(ret, plan->layer_dirs, plan->n_layers);
    item_write(ret, PLAN_CWD, plan->cwd ? plan->cwd : "/var/task", NULL);
    for (const char *const *e = plan->envp; *e; e++)
        item_write(ret, PLAN_ENV, *e, NULL);
    return buf_failed(ret) ? -E2BIG : 0;
}

int plan_begin(const void *bytes, size_t n, struct plan_head *ret_head, struct plan_cursor *ret)
{
    if (n < sizeof(*ret_head))
        return -EBADMSG;
    memcpy(ret_head, bytes, sizeof(*ret_head));
    *ret = (struct plan_cursor){(const char *)bytes + sizeof(*ret_head), (const char *)bytes + n};
    return 0;
}

bool plan_next(struct plan_cursor *c, struct plan_item *ret, const char **ret_text)
{
    if ((size_t)(c->end - c->p) < sizeof(*ret))
        return false;
    memcpy(ret, c->p, sizeof(*ret));
    const char *text = c->p + sizeof(*ret);
    if (ret->size == 0 || (size_t)(c->end - text) < ret->size || text[ret->size - 1] != '\0')
        return false;
    c->p = text + ret->size;
    *ret_text = text;
    return true;
}

bool plan_kind(struct plan_cursor plan, struct plan_cursor *ret_kind, struct plan_cursor *ret_rest)
{
    struct plan_item item;
    const char *text, *begin = plan.p;
    if (!plan_next(&plan, &item, &text) || item.kind != PLAN_SPARE)
        return false;
    while (plan_next(&plan, &item, &text)) {
        if (item.kind != PLAN_KIND_END)
            continue;
        *ret_kind = (struct plan_cursor){begin, plan.p};
        *ret_rest = plan;
        return true;
    }
    return false;
}

const char *plan_text_after(const struct plan_item *item, const char *text, const char *s)
{
    s += strlen(s) + 1;
    return s < text + item->size ? s : NULL;
}

/* A loop makes its sockets non-blocking; who asks to wait waits all the same. */
static bool wait_again(int sock, short events)
{
    struct pollfd p = {.fd = sock, .events = events};
    if (errno != EAGAIN)
        return errno == EINTR;
    return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

int message_send(int sock, const void *p, size_t n, const int *fds, size_t n_fds)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int) * MESSAGE_FDS)];
    } control;
    struct iovec iov = {(void *)p, n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n_fds > MESSAGE_FDS)
        return -E2BIG;
    if (n_fds) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    ssize_t r;
    do
        r = sendmsg(sock, &msg, MSG_NOSIGNAL);
    while (r < 0 && wait_again(sock, POLLOUT));
    return r < 0 ? -errno : 0;
}

int message_recv(int sock, void *p, size_t max, int flags, size_t *ret_n, int *ret_fds,
                 size_t *ret_n_fds)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int) * MESSAGE_FDS)];
    } control;
    struct iovec iov = {p, max};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    int fds[MESSAGE_FDS];
    size_t n_fds = 0;
    ssize_t r;

    do
        r = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | flags);
    while (r < 0 && (flags & MSG_DONTWAIT ? errno == EINTR : wait_again(sock, POLLIN)));
    if (r < 0)
        return errno == ECONNRESET ? (*ret_n = 0, *ret_n_fds = 0, 0) : -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(c), n_fds * sizeof(int));
    }
    if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (n_fds && !ret_fds)) {
        for (size_t i = 0; i < n_fds; i++)
            close(fds[i]);
        /* Nobody sends more descriptors than fit: this process may not have so many. */
        return msg.msg_flags & MSG_CTRUNC ? -EMFILE : -EMSGSIZE;
    }
    if (n_fds)
        memcpy(ret_fds, fds, n_fds * sizeof(int));
    *ret_n_fds = n_fds;
    *ret_n = (size_t)r;
    return 0;
}
