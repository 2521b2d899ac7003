/* resolve - see resolve.h. On c-ares. */
#include "resolve.h"
#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include "conn.h"

static int literal(const char *host, uint16_t port, struct resolved *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&ret->to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret->to;
    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_port = htons(port);
        ret->length = sizeof(*v4);
        ret->family = v4->sin_family = AF_INET;
        return 1;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_port = htons(port);
        ret->length = sizeof(*v6);
        ret->family = v6->sin6_family = AF_INET6;
        return 1;
    }
    return 0;
}

struct asking {
    bool finished;
    int status, n;
    struct resolved *found;
};

static void take_family(struct asking *a, const struct ares_addrinfo_node *nodes, int family)
{
    for (const struct ares_addrinfo_node *n = nodes; n && a->n < RESOLVED_MAX; n = n->ai_next) {
        if (n->ai_family != family || n->ai_addrlen > sizeof(struct sockaddr_storage))
            continue;
        struct resolved *to = &a->found[a->n++];
        memset(to, 0, sizeof(*to));
        to->family = family;
        to->length = n->ai_addrlen;
        memcpy(&to->to, n->ai_addr, n->ai_addrlen);
    }
}

static void answered(void *user, int status, int timeouts, struct ares_addrinfo *info)
{
    struct asking *a = user;
    a->finished = true;
    a->status = status;
    if (status != ARES_SUCCESS || !info)
        return;
    take_family(a, info->nodes, AF_INET);
    take_family(a, info->nodes, AF_INET6);
    ares_freeaddrinfo(info);
}

/* Serves the channel's sockets until the answer is there or the time is over. */
static void drive(ares_channel channel, struct asking *a, int64_t deadline_ms)
{
    while (!a->finished) {
        ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
        /* Bit i: socket i is to be read; bit 16 + i: written. c-ares' macros overflow an int. */
        unsigned mask = (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
        struct pollfd polls[ARES_GETSOCK_MAXNUM];
        nfds_t n = 0;
        for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
            short events = (short)((mask >> i & 1 ? POLLIN : 0) |
                                   (mask >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0));
            if (events)
                polls[n++] = (struct pollfd){.fd = sockets[i], .events = events};
        }
        int64_t left = deadline_ms - conn_now_ms();
        if (left <= 0)
            return;
        struct timeval most = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000}, tv;
        struct timeval *next = ares_timeout(channel, &most, &tv);
        poll(polls, n, (int)(next->tv_sec * 1000 + next->tv_usec / 1000 + 1));
        bool any = false;
        for (nfds_t i = 0; i < n; i++) {
            if (!polls[i].revents)
                continue;
            any = true;
            ares_process_fd(channel,
                            polls[i].revents & (POLLIN | POLLERR | POLLHUP) ? polls[i].fd
                                                                            : ARES_SOCKET_BAD,
                            polls[i].revents & POLLOUT ? polls[i].fd : ARES_SOCKET_BAD);
        }
        if (!any)
            ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
}

int resolve(const char *host, uint16_t port, int64_t deadline_ms, struct resolved ret[RESOLVED_MAX])
{
    if (literal(host, port, &ret[0]))
        return 1;
    struct ares_options options = {.timeout = 500, .tries = 3};
    ares_channel channel;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
        ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) != ARES_SUCCESS)
        return -ENOENT;
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NUMERICSERV | ARES_AI_NOSORT, /* sorting opens a socket an address */
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    struct asking a = {.found = ret};
    ares_getaddrinfo(channel, host, service, &hints, answered, &a);
    drive(channel, &a, deadline_ms);
    bool late = !a.finished;
    ares_destroy(channel); /* an unfinished question is answered with a failure by this */
    if (late || a.status == ARES_ETIMEOUT)
        return -ETIMEDOUT;
    return a.status == ARES_SUCCESS && a.n ? a.n : -ENOENT;
}
