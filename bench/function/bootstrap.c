/* bootstrap - the least that a function can be: a static program that speaks the Runtime API over
 * one socket and answers each event with itself. The C row of the benchmarks: what is left of its
 * time is Lamina's and the kernel's. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static char in[7 << 20], head[4096];

/* The whole answer; its body begins at *ret and goes to the end. -1: the connection is gone. */
static ssize_t receive(int fd, char **ret)
{
    size_t have = 0, want = 0;
    do {
        ssize_t n = read(fd, in + have, sizeof(in) - 1 - have);
        if (n <= 0)
            return -1;
        have += (size_t)n;
        if (!want) {
            in[have] = 0;
            char *end = strstr(in, "\r\n\r\n");
            if (!end)
                continue;
            *end = 0;
            char *length = strcasestr(in, "\r\nContent-Length:");
            *ret = end + 4;
            want = (size_t)(*ret - in) + (length ? strtoul(length + 17, NULL, 10) : 0);
        }
    } while (!want || have < want);
    return (ssize_t)(want - (size_t)(*ret - in));
}

int main(void)
{
    char host[100] = "", *port, *body;
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    snprintf(host, sizeof(host), "%s", api ? api : "127.0.0.1:9001");
    port = strrchr(host, ':');
    *port++ = 0;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((unsigned short)atoi(port)),
                             .sin_addr.s_addr = inet_addr(host)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    for (;;) {
        static const char next[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
                                   "Host: a\r\n\r\n";
        if (write(fd, next, sizeof(next) - 1) < 0)
            return 1;
        ssize_t n = receive(fd, &body);
        char *id = n < 0 ? NULL : strcasestr(in, "\r\nLambda-Runtime-Aws-Request-Id:");
        if (!id)
            return 1;
        id += 32 + strspn(id + 32, " ");
        int h = snprintf(head, sizeof(head),
                         "POST /2018-06-01/runtime/invocation/%.*s/response HTTP/1.1\r\nHost: a\r\n"
                         "Content-Length: %zd\r\n\r\n",
                         (int)strcspn(id, "\r"), id, n);
        struct iovec out[2] = {{head, (size_t)h}, {body, (size_t)n}};
        char *ignored;
        if (writev(fd, out, 2) < 0 || receive(fd, &ignored) < 0)
            return 1;
    }
}
