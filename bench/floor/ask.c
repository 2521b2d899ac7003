/* ask - sends one prepared HTTP request over and over on one connection and prints how long each
 * answer took, in nanoseconds, one a line. A server that closes after each answer gets a new
 * connection each time, and the time of that is its own.
 *
 *     ask PORT COUNT WARM < request        the first WARM answers are not printed
 *
 * The first line of output is the status of the last answer. Answers need a Content-Length (or be
 * of a kind that has no body). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char request[1 << 20], answer[1 << 20];

static long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int reach(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 20};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((unsigned short)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

/* Reads one answer; returns its status. */
static int read_answer(int fd, int *ret_closes)
{
    size_t have = 0, want = 0;
    for (;;) {
        ssize_t n = read(fd, answer + have, sizeof(answer) - 1 - have);
        if (n <= 0)
            fail("read");
        have += (size_t)n;
        answer[have] = 0;
        if (!want) {
            char *end = strstr(answer, "\r\n\r\n");
            if (!end)
                continue;
            *end = 0;
            char *length = strcasestr(answer, "\r\nContent-Length:");
            *ret_closes = strcasestr(answer, "\r\nConnection: close") != NULL;
            *end = '\r';
            want = (size_t)(end + 4 - answer) + (length ? strtoul(length + 17, NULL, 10) : 0);
        }
        if (have >= want)
            return atoi(answer + 9);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int count = atoi(argv[2]), warm = atoi(argv[3]), status = 0;
    size_t n = fread(request, 1, sizeof(request), stdin);
    int port = atoi(argv[1]), fd = -1, closes = 0;
    long *took = calloc((size_t)count, sizeof(*took));
    for (int i = -warm; i < count; i++) {
        long start = now_ns();
        if (fd < 0)
            fd = reach(port);
        if (write(fd, request, n) != (ssize_t)n)
            fail("write");
        status = read_answer(fd, &closes);
        if (i >= 0)
            took[i] = now_ns() - start;
        if (closes) {
            close(fd);
            fd = -1;
        }
    }
    printf("%d\n", status);
    for (int i = 0; i < count; i++)
        printf("%ld\n", took[i]);
    return 0;
}
