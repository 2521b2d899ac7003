/* load - asks one HTTP question again and again, on many connections and one thread, and says how
 * long each answer took. A client in C, because one in Python takes longer to ask than Lamina to
 * answer.
 *
 *     load [-c CONNECTIONS] [-n COUNT] [-t SECONDS] [-w WARM] [-s SERVICE] [-i] PORT METHOD PATH
 *
 * The body comes from stdin. -s signs the requests for that service (SigV4, key test; anew each
 * second, so that the time of signing is not in the figures); without it they are unsigned. The
 * first WARM answers are not counted. It ends after COUNT answers or SECONDS, whichever is first.
 * Prints one line: status of the last answer, answers with another status than 2xx, nanoseconds
 * from the first counted question to the last answer, number of answers; then, one a line, sorted,
 * the nanoseconds of each answer. With -i instead, in the order they came: monotonic clock when it
 * was asked and when the answer was there, and the id that the answer gave the request.
 *
 * Answers need a Content-Length or be of a kind without a body; a server that closes after each
 * answer gets a new connection each time, and the time of that is its own. */
#define _GNU_SOURCE
#define OPENSSL_SUPPRESS_DEPRECATED
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define REGION "us-east-1"
#define PATIENCE_MS 30000

struct conn {
    int fd;
    long began_ns;
    size_t sent, have, want; /* want: bytes of the whole answer, 0 while unknown */
    bool closes;
    char answer[64 * 1024]; /* the head and what comes with it; the rest is only counted */
};

static struct {
    int port, connections;
    long count, warm, seconds;
    const char *service, *method, *path;
    bool ids;
} options = {.connections = 1, .count = 1000};

static char body[8 << 20], request[9 << 20];
static size_t body_n, request_n;
static time_t signed_at;
static char (*ids)[40];
static long *took, *asked, n_took, n_sent, n_done, n_failed, began_ns, ended_ns;
static int last_status, loop;

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

/* ---- the request ---- */

static void hex(const unsigned char *p, char *ret)
{
    for (int i = 0; i < 32; i++)
        sprintf(ret + 2 * i, "%02x", p[i]);
}

static void hmac(const void *key, size_t n, const char *text, unsigned char ret[32])
{
    HMAC(EVP_sha256(), key, (int)n, (const unsigned char *)text, strlen(text), ret, NULL);
}

static void make_request(void)
{
    time_t now = time(NULL);
    if (request_n && (!options.service || now == signed_at))
        return;
    signed_at = now;
    size_t n = (size_t)sprintf(request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", options.method,
                               options.path, options.port);
    if (options.service) {
        static char text[8192], canonical[4096];
        char date[20], hash[65], scope[200];
        unsigned char key[32], sum[32];
        const char *query = strchr(options.path, '?');
        int path_n = query ? (int)(query - options.path) : (int)strlen(options.path);
        strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", gmtime(&now));
        sprintf(scope, "%.8s/" REGION "/%s/aws4_request", date, options.service);
        SHA256((unsigned char *)body, body_n, sum);
        hex(sum, hash);
        snprintf(canonical, sizeof(canonical),
                 "%s\n%.*s\n%s\nhost:127.0.0.1:%d\nx-amz-content-sha256:%s\nx-amz-date:%s\n\n"
                 "host;x-amz-content-sha256;x-amz-date\n%s",
                 options.method, path_n, options.path, query ? query + 1 : "", options.port, hash,
                 date, hash);
        n += (size_t)sprintf(request + n, "X-Amz-Date: %s\r\nX-Amz-Content-Sha256: %s\r\n", date,
                             hash);
        SHA256((unsigned char *)canonical, strlen(canonical), sum);
        hex(sum, hash);
        sprintf(text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hash);
        date[8] = 0;
        hmac("AWS4test", 8, date, key);
        hmac(key, 32, REGION, key);
        hmac(key, 32, options.service, key);
        hmac(key, 32, "aws4_request", key);
        hmac(key, 32, text, sum);
        hex(sum, hash);
        n += (size_t)sprintf(request + n,
                             "Authorization: AWS4-HMAC-SHA256 Credential=test/%s, SignedHeaders="
                             "host;x-amz-content-sha256;x-amz-date, Signature=%s\r\n",
                             scope, hash);
    }
    n += (size_t)sprintf(request + n, "Content-Length: %zu\r\n\r\n", body_n);
    memcpy(request + n, body, body_n);
    request_n = n + body_n;
}

/* ---- connections ---- */

static void watch(struct conn *c, unsigned events, int how)
{
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(loop, how, c->fd, &e) < 0)
        fail("epoll");
}

static void reach(struct conn *c)
{
    int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((unsigned short)options.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    watch(c, EPOLLIN, EPOLL_CTL_ADD);
}

static void send_more(struct conn *c)
{
    ssize_t n = send(c->fd, request + c->sent, request_n - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
        fail("send");
    c->sent += n > 0 ? (size_t)n : 0;
    if (c->sent < request_n)
        watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

static void ask(struct conn *c)
{
    if (n_sent >= options.warm + options.count)
        return;
    /* A request that is half sent must not change under its connection: only bodies of megabytes
     * are, and these are asked for on one connection. */
    make_request();
    c->began_ns = now_ns();
    if (n_sent++ == options.warm)
        began_ns = c->began_ns;
    if (c->fd < 0)
        reach(c);
    c->sent = c->have = c->want = 0;
    send_more(c);
}

static void answered(struct conn *c)
{
    long now = now_ns();
    last_status = atoi(c->answer + 9);
    n_failed += last_status / 100 != 2;
    if (n_done++ >= options.warm) {
        if (options.ids) {
            char *id = strcasestr(c->answer, "\r\nX-Amzn-RequestId:");
            asked[n_took] = c->began_ns;
            if (id)
                sscanf(id + 19, " %39[^\r]", ids[n_took]);
        }
        took[n_took++] = now - c->began_ns;
        ended_ns = now;
    }
    if (c->closes) {
        close(c->fd);
        c->fd = -1;
    }
    if (options.seconds && began_ns && now - began_ns > options.seconds * 1000000000L)
        options.count = n_sent - options.warm; /* no more */
    ask(c);
}

static void receive(struct conn *c)
{
    static char rest[1 << 20];
    bool head = !c->want;
    char *into = head ? c->answer + c->have : rest;
    size_t room = head ? sizeof(c->answer) - 1 - c->have : sizeof(rest);
    ssize_t n = recv(c->fd, into, room, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        fail("recv");
    c->have += (size_t)n;
    if (head) {
        c->answer[c->have] = 0;
        char *end = strstr(c->answer, "\r\n\r\n");
        if (!end)
            return;
        *end = 0;
        char *length = strcasestr(c->answer, "\r\nContent-Length:");
        c->closes = strcasestr(c->answer, "\r\nConnection: close") != NULL;
        c->want = (size_t)(end + 4 - c->answer) + (length ? strtoul(length + 17, NULL, 10) : 0);
    }
    if (c->have >= c->want)
        answered(c);
}

static int by_size(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return x < y ? -1 : x > y;
}

static int read_options(int argc, char **argv)
{
    for (int o; (o = getopt(argc, argv, "c:n:t:w:s:i")) != -1;) {
        switch (o) {
        case 'c':
            options.connections = atoi(optarg);
            break;
        case 'n':
            options.count = atol(optarg);
            break;
        case 't':
            options.seconds = atol(optarg);
            break;
        case 'w':
            options.warm = atol(optarg);
            break;
        case 's':
            options.service = optarg;
            break;
        case 'i':
            options.ids = true;
            break;
        default:
            return -1;
        }
    }
    if (argc - optind != 3 || options.connections < 1 || options.count < 1)
        return -1;
    options.port = atoi(argv[optind]);
    options.method = argv[optind + 1];
    options.path = argv[optind + 2];
    return 0;
}

static int run(void)
{
    loop = epoll_create1(EPOLL_CLOEXEC);
    struct conn *conns = calloc((size_t)options.connections, sizeof(*conns));
    for (int i = 0; i < options.connections; i++) {
        conns[i].fd = -1;
        ask(&conns[i]);
    }
    while (n_done < n_sent) {
        struct epoll_event events[256];
        int n = epoll_wait(loop, events, 256, PATIENCE_MS);
        if (n == 0) {
            fprintf(stderr, "load: no answer for %d s\n", PATIENCE_MS / 1000);
            return -1;
        }
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) {
                watch(c, EPOLLIN, EPOLL_CTL_MOD);
                send_more(c);
            }
            if (events[i].events & ~(unsigned)EPOLLOUT)
                receive(c);
        }
    }
    return 0;
}

static void show(void)
{
    if (!options.ids)
        qsort(took, (size_t)n_took, sizeof(*took), by_size);
    printf("%d %ld %ld %ld\n", last_status, n_failed, ended_ns - began_ns, n_took);
    for (long i = 0; i < n_took; i++) {
        if (options.ids)
            printf("%ld %ld %s\n", asked[i], asked[i] + took[i], ids[i]);
        else
            printf("%ld\n", took[i]);
    }
}

int main(int argc, char **argv)
{
    if (read_options(argc, argv) < 0)
        return 2;
    body_n = fread(body, 1, sizeof(body), stdin);
    took = calloc((size_t)options.count, sizeof(*took));
    asked = calloc((size_t)options.count, sizeof(*asked));
    ids = calloc((size_t)options.count, sizeof(*ids));
    if (run() < 0)
        return 1;
    show();
    return 0;
}
