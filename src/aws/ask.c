/* ask - see ask.h. */
#include "aws/ask.h"
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"

#define ANSWER_MAX (64 << 20)
#define PATIENCE_S 10

/* http://HOST[:PORT][/...] */
static int parse_endpoint(struct arena *a, struct str url, char **ret_host, char **ret_port,
                          struct str *ret_authority)
{
    struct str authority, rest, host, port = S("80");
    if (!str_starts(url, S("http://")))
        return -EINVAL;
    str_cut(str_slice(url, 7, url.n), '/', &authority, &rest);
    host = authority;
    ssize_t colon = str_find_last_byte(authority, ':');
    if (colon >= 0 && str_find_byte(authority, ']') < colon) {
        host = str_slice(authority, 0, (size_t)colon);
        port = str_slice(authority, (size_t)colon + 1, authority.n);
    }
    if (host.n > 2 && host.p[0] == '[')
        host = str_slice(host, 1, host.n - 1);
    if (host.n == 0)
        return -EINVAL;
    *ret_host = str_c(a, host);
    *ret_port = str_c(a, port);
    *ret_authority = authority;
    return 0;
}

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    struct timeval patience = {.tv_sec = PATIENCE_S};
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return -EHOSTUNREACH;
    int r = -ECONNREFUSED;
    for (struct addrinfo *one = found; one; one = one->ai_next) {
        int fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        if (connect(fd, one->ai_addr, one->ai_addrlen) == 0) {
            r = fd;
            break;
        }
        r = -errno;
        close(fd);
    }
    freeaddrinfo(found);
    return r;
}

int ask(struct arena *a, struct str endpoint, const char *method, struct str path, int *ret_status,
        struct str *ret_body)
{
    char *host, *port;
    struct str authority;
    int r = parse_endpoint(a, endpoint, &host, &port, &authority);
    if (r < 0)
        return r;
    auto_close int fd = connect_to(host, port);
    if (fd < 0)
        return fd;
    struct str request = str_printf(a,
                                    "%s %.*s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n"
                                    "Content-Length: 0\r\n\r\n",
                                    method, STR(path), STR(authority));
    r = fs_write_all(fd, request.p, request.n);
    if (r < 0)
        return r;
    auto_buf struct buf b;
    buf_init(&b, ANSWER_MAX);
    char part[8192];
    ssize_t n;
    while ((n = read(fd, part, sizeof(part))) > 0)
        buf_add(&b, part, (size_t)n);
    if (n < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    struct str answer = buf_copy(&b, a);
    ssize_t end = str_find(answer, S("\r\n\r\n"));
    int64_t status;
    if (!str_starts(answer, S("HTTP/1.1 ")) || end < 0 ||
        str_to_int64(str_slice(answer, 9, 12), &status) < 0)
        return -EPROTO;
    *ret_status = (int)status;
    *ret_body = str_slice(answer, (size_t)end + 4, answer.n);
    return 0;
}
