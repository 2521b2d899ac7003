/* lamina - see lamina.h. */
#include "bench/lamina.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "wire/lambda.h"

#define ANSWER_MAX (64 << 20)
#define PATIENCE_S 10
#define GONE_POLLS 500

/* http://HOST[:PORT][/...] */
static int take_apart(struct arena *a, struct str url, char **ret_host, char **ret_port,
                      struct str *ret_authority)
{
    struct str host, port = S("80"), rest;
    if (!str_starts(url, S("http://")))
        return -EINVAL;
    str_cut(str_slice(url, 7, url.n), '/', ret_authority, &rest);
    host = *ret_authority;
    ssize_t colon = str_find_last_byte(host, ':');
    if (colon >= 0 && str_find_byte(host, ']') < colon) {
        port = str_slice(host, (size_t)colon + 1, host.n);
        host = str_slice(host, 0, (size_t)colon);
    }
    if (host.n > 2 && host.p[0] == '[')
        host = str_slice(host, 1, host.n - 1);
    *ret_host = str_c(a, host);
    *ret_port = str_c(a, port);
    return host.n ? 0 : -EINVAL;
}

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    struct timeval patience = {.tv_sec = PATIENCE_S};
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return -EHOSTUNREACH;
    int r = -ECONNREFUSED;
    for (struct addrinfo *one = found; one && r < 0; one = one->ai_next) {
        auto_close int fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        r = connect(fd, one->ai_addr, one->ai_addrlen) < 0 ? -errno : TAKE_FD(fd);
    }
    freeaddrinfo(found);
    return r;
}

int lamina_ask(struct arena *a, struct str endpoint, const char *method, struct str path,
               struct str *ret_body)
{
    char *host, *port, part[8192];
    struct str authority;
    int r = take_apart(a, endpoint, &host, &port, &authority);
    if (r < 0)
        return r;
    auto_close int fd = connect_to(host, port);
    if (fd < 0)
        return fd;
    struct str request = str_printf(
        a, "%s %.*s HTTP/1.1\r\nHost: %.*s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        method, STR(path), STR(authority));
    r = fs_write_all(fd, request.p, request.n);
    if (r < 0)
        return r;
    auto_buf struct buf b;
    buf_init(&b, ANSWER_MAX);
    ssize_t n;
    while ((n = read(fd, part, sizeof(part))) > 0)
        buf_add(&b, part, (size_t)n);
    if (n < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    struct str answer = buf_copy(&b, a);
    ssize_t end = str_find(answer, S("\r\n\r\n"));
    if (!str_starts(answer, S("HTTP/1.1 200")) || end < 0)
        return -EPROTO;
    *ret_body = str_slice(answer, (size_t)end + 4, answer.n);
    return 0;
}

struct str lamina_endpoint(struct arena *a, struct aws_client *aws)
{
    struct str endpoint, body;
    struct json *health;
    if (!aws_client_is_local(aws))
        return (struct str){0};
    endpoint = aws_client_endpoint(aws, &lambda_model, a);
    if (lamina_ask(a, endpoint, "GET", S("/_lamina/health"), &body) < 0 ||
        json_parse(a, body, &health, NULL) < 0 || !json_is(health, JSON_OBJECT))
        return (struct str){0};
    return endpoint;
}

static int64_t number_of(const struct json *o, const char *name)
{
    int64_t v = 0;
    json_int(json_get(o, name), &v);
    return v;
}

int lamina_drop(struct arena *a, struct str endpoint, struct str region, struct str function,
                struct str version, struct lamina_dropped *ret)
{
    struct str path =
        str_printf(a, "/_lamina/lambda/drop?region=%.*s&function=%.*s", STR(region), STR(function));
    struct lamina_dropped all = {0};
    if (version.n) /* digits, or $LATEST */
        path = str_printf(a, "%.*s&version=%s%.*s", STR(path), version.p[0] == '$' ? "%24" : "",
                          STR(str_slice(version, version.p[0] == '$', version.n)));
    for (int i = 0; i < GONE_POLLS; i++) {
        struct str body;
        struct json *o;
        int r = lamina_ask(a, endpoint, "POST", path, &body);
        if (r < 0)
            return r;
        if (json_parse(a, body, &o, NULL) < 0)
            return -EPROTO;
        all.dropped += number_of(o, "dropped");
        all.busy = number_of(o, "busy");
        all.provisioned = number_of(o, "provisioned");
        if (!number_of(o, "ending"))
            break;
        poll(NULL, 0, i < 20 ? 1 : 10); /* its end would take processor time of the next one */
    }
    *ret = all;
    return 0;
}
