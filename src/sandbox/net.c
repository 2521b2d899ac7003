/* net - loopback and listeners, by the oldest interface there is: it needs no netlink library. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/cleanup.h"
#include "sandbox/net.h"
#include "sandbox/ops.h"
#include "sandbox/sandbox.h"

#ifndef SO_PASSRIGHTS /* headers before Linux 6.16; other numbers where SOL_SOCKET is not 1 */
#define SO_PASSRIGHTS 83
#endif

static void set_address(struct ifreq *ifr, const char *text)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    inet_pton(AF_INET, text, &sin.sin_addr);
    memcpy(&ifr->ifr_addr, &sin, sizeof(sin));
}

int net_up(void)
{
    auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct ifreq ifr = {.ifr_name = "lo"};
    ifr.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
        return -errno;
    /* A second address, not instead of 127.0.0.1. Its class would give it /16: say /32. */
    ifr = (struct ifreq){.ifr_name = "lo:0"};
    set_address(&ifr, SANDBOX_ADDRESS);
    if (ioctl(fd, SIOCSIFADDR, &ifr) < 0)
        return -errno;
    set_address(&ifr, "255.255.255.255");
    return ioctl(fd, SIOCSIFNETMASK, &ifr) < 0 ? -errno : 0;
}

int net_listen(uint16_t port, bool datagram)
{
    int type = (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    auto_close int fd = socket(AF_INET, type, 0);
    if (fd < 0)
        return -errno;
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, SANDBOX_ADDRESS, &sin.sin_addr);
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0)
        return -errno;
    if (!datagram && listen(fd, 512) < 0)
        return -errno;
    return TAKE_FD(fd);
}

/* Abstract names belong to the network they were bound in, so nobody outside finds this one. Who
 * connects may not send descriptors: whoever reads would be the one to close them, and that may
 * take as long as the sender likes (SO_LINGER). Connections have it from the listener. */
static int listen_local(const char *name)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    int no = 0;
    if (n == 0 || n >= sizeof(sun.sun_path))
        return -EINVAL;
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no)) < 0)
        return -EOPNOTSUPP;
    memcpy(sun.sun_path + 1, name, n);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
    if (bind(fd, (struct sockaddr *)&sun, size) < 0 || listen(fd, 512) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int listen_at(const char *where, const char *kind)
{
    if (strcmp(kind, "unix") == 0)
        return listen_local(where);
    return net_listen((uint16_t)atoi(where), strcmp(kind, "udp") == 0);
}

int net_listen_all(struct plan_cursor plan, int fds[SANDBOX_PORTS], size_t *ret_n, char *why)
{
    struct plan_item item;
    const char *text;
    size_t n = 0;
    while (plan_next(&plan, &item, &text)) {
        if (item.kind != PLAN_PORT)
            continue;
        const char *kind = plan_text_after(&item, text, text);
        int fd = n == SANDBOX_PORTS || !kind ? -EINVAL : listen_at(text, kind);
        if (fd == -EOPNOTSUPP)
            continue;
        if (fd < 0)
            return why_printf(why, fd, "listen at port %s", text);
        fds[n++] = fd;
        *ret_n = n;
    }
    return 0;
}
