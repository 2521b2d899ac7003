/* echo - the least that an HTTP server can do: one epoll loop, every request is answered with its
 * body (or "ok"), nothing is checked. Prints "ready" and its port when it listens.
 *
 *     echo PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static char buf[1 << 20], out[1 << 20];

/* One request is read at once: that is so for the small ones of a benchmark. */
static int serve(int fd)
{
    ssize_t n = read(fd, buf, sizeof(buf) - 1);
    if (n <= 0)
        return -1;
    buf[n] = 0;
    char *end = strstr(buf, "\r\n\r\n");
    if (!end)
        return -1;
    *end = 0;
    char *length = strcasestr(buf, "\r\nContent-Length:");
    size_t want = length ? strtoul(length + 17, NULL, 10) : 0;
    char *body = end + 4;
    while ((size_t)(buf + n - body) < want) {
        ssize_t more = read(fd, buf + n, sizeof(buf) - 1 - (size_t)n);
        if (more <= 0)
            return -1;
        n += more;
    }
    if (!want) {
        body = "ok";
        want = 2;
    }
    int head = sprintf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", want);
    memcpy(out + head, body, want);
    return write(fd, out, (size_t)head + want) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((unsigned short)atoi(argv[1])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 64) < 0) {
        perror("listen");
        return 1;
    }
    int loop = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e);
    printf("ready http://127.0.0.1:%s\n", argv[1]);
    fflush(stdout);
    for (;;) {
        struct epoll_event got[64];
        int n = epoll_wait(loop, got, 64, -1);
        for (int i = 0; i < n; i++) {
            if (got[i].data.fd == fd) {
                int c = accept(fd, NULL, NULL);
                setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                struct epoll_event ce = {.events = EPOLLIN, .data.fd = c};
                epoll_ctl(loop, EPOLL_CTL_ADD, c, &ce);
            } else if (serve(got[i].data.fd) < 0) {
                close(got[i].data.fd);
            }
        }
    }
}
