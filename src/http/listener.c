/* listener - sockets that connections come by. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "base/mem.h"
#include "http/internal.h"

/* One listener's clients must not take the place of all others'. */
static bool has_room(const struct http_listener *l)
{
    int most = l->options.max_connections;
    return l->server->n_conns < (size_t)l->server->options.max_connections &&
           (!most || l->n_conns < (size_t)most);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct http_listener *l = (struct http_listener *)poll;
    struct http_server *s = l->server;
    for (int i = 0; i < 64 && !l->closed; i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof(from);
        char peer[48] = "";
        int fd = -1;
        if (has_room(l))
            fd = accept4(l->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        else
            errno = EMFILE;
        if (fd < 0) {
            int error = errno;
            if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS) {
                uv_poll_stop(&l->poll); /* until a connection closes, or the timer looks */
                l->paused = true;
                server_timer_start(s);
                if (l->options.on_starved && has_room(l))
                    l->options.on_starved(l->options.user, -error);
            }
            return;
        }
        if (from.ss_family == AF_INET)
            inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, peer, sizeof(peer));
        else if (from.ss_family == AF_INET6)
            inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&from)->sin6_addr, peer, sizeof(peer));
        conn_open(l, fd, peer);
        server_timer_start(s);
    }
}

void listeners_resume(struct http_server *s)
{
    LIST_EACH(&s->listeners, struct http_listener, link, l) {
        if (l->paused && !l->closed && !l->stopping && has_room(l)) {
            l->paused = false;
            uv_poll_start(&l->poll, UV_READABLE, on_connection);
        }
    }
}

static int open_socket(const char *host, int port, int *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    const struct sockaddr *address = (struct sockaddr *)&v4;
    socklen_t size = sizeof(v4);
    if (port < 0 || port > 65535)
        return -EINVAL;
    if (inet_pton(AF_INET, host ? host : "127.0.0.1", &v4.sin_addr) != 1) {
        if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
            return -EINVAL;
        address = (struct sockaddr *)&v6;
        size = sizeof(v6);
    }
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, address, size) < 0 || listen(fd, 1024) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    *ret = fd;
    return 0;
}

static int socket_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t size = sizeof(a);
    if (getsockname(fd, (struct sockaddr *)&a, &size) < 0)
        return 0;
    if (a.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&a)->sin_port);
    return a.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&a)->sin6_port) : 0;
}

int http_listen(struct http_server *s, const struct http_listener_options *options,
                struct http_listener **ret)
{
    int fd = options->fd, one = 1;
    int r = fd < 0 ? open_socket(options->host, options->port, &fd) : 0;
    if (r < 0)
        return r;
    /* Accepted connections inherit it. Fails on unix sockets, which have no such delay. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (options->fd >= 0 || !options->host || strncmp(options->host, "127.", 4) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno",
                   4); /* the cheapest: nothing gets lost */
    struct http_listener *l = MEM_NEW(struct http_listener);
    l->fd = fd;
    l->server = s;
    l->options = *options;
    l->options.host = NULL;
    l->options.spool_dir = l->spool_dir = mem_dup_text(options->spool_dir);
    l->port = socket_port(fd);
    list_init(&l->conns);
    r = uv_poll_init_socket(s->loop, &l->poll, fd);
    if (r < 0) {
        close(fd);
        free(l->spool_dir);
        free(l);
        return r;
    }
    s->handles++;
    list_append(&s->listeners, &l->link);
    uv_poll_start(&l->poll, UV_READABLE, on_connection);
    *ret = l;
    return 0;
}

static void listener_freed(uv_handle_t *handle)
{
    struct http_listener *l = (struct http_listener *)handle;
    struct http_server *s = l->server;
    free(l->spool_dir);
    free(l);
    if (--s->handles == 0 && s->freeing)
        server_gone(s);
}

/* Requests whose client has left may last longer. */
static void forget_listener(struct list *exchanges, const struct http_listener *l)
{
    LIST_EACH(exchanges, struct exchange, link, ex)
        if (ex->req.listener == l)
            ex->req.listener = NULL;
}

void http_listener_free(struct http_listener *l)
{
    if (!l || l->closed)
        return;
    l->closed = true;
    uv_poll_stop(&l->poll);
    if (l->fd >= 0)
        close(l->fd);
    while (!list_empty(&l->conns))
        conn_gone(LIST_ENTRY(l->conns.next, struct conn, link));
    list_remove(&l->link);
    forget_listener(&l->server->live, l);
    forget_listener(&l->server->dead, l);
    uv_close((uv_handle_t *)&l->poll, listener_freed);
}

/* A handler may close connections, or the listener: they stay until the loop's next turn. */
void http_listener_read(struct http_listener *l)
{
    struct conn *now[64];
    size_t n = 0;
    if (!l || l->closed)
        return;
    LIST_EACH(&l->conns, struct conn, link, c)
        if (n < sizeof(now) / sizeof(now[0]))
            now[n++] = c;
    for (size_t i = 0; i < n && !l->closed; i++)
        conn_read(now[i]);
}

int http_listener_port(const struct http_listener *l)
{
    return l->port;
}
