/* address - where a generator connects to: see address.h. */
#include "bench/address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>

static bool visible(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] == 127)
            return false;
    return true;
}

static int invalid(struct arena *a, struct str url, const char *what, struct str *why)
{
    *why = str_printf(a, "\"%.*s\" %s", STR(url), what);
    return -EINVAL;
}

/* "host:port", "[::1]:port" */
static int parse_authority(struct arena *a, struct str url, struct address *ret, struct str *why)
{
    struct str port = {0}, host = ret->authority;
    if (str_find_byte(host, '@') >= 0)
        return invalid(a, url, "has a user in it, which is not supported", why);
    if (str_starts(host, S("["))) {
        ssize_t end = str_find_byte(host, ']');
        if (end < 0)
            return invalid(a, url, "lacks a ']'", why);
        port = str_slice(host, (size_t)end + 1, host.n);
        host = str_slice(host, 1, (size_t)end);
        if (port.n && port.p[0] != ':')
            return invalid(a, url, "has no ':' behind the address", why);
        port = str_slice(port, 1, port.n);
    } else {
        str_cut(host, ':', &host, &port);
    }
    int64_t number = ret->tls ? 443 : 80;
    if (port.n && (str_to_int64(port, &number) < 0 || number < 1 || number > 65535))
        return invalid(a, url, "has no port between 1 and 65535", why);
    if (!host.n)
        return invalid(a, url, "has no host", why);
    ret->host = str_copy(a, host);
    ret->port = (int)number;
    return 0;
}

int address_parse(struct arena *a, struct str url, struct address *ret, struct str *why)
{
    *ret = (struct address){0};
    struct str rest = url;
    if (str_starts(url, S("http://")))
        rest = str_slice(url, 7, url.n);
    else if (str_starts(url, S("https://")))
        rest = str_slice(url, 8, url.n);
    else
        return invalid(a, url, "is not http://HOST[:PORT]/... or https://...", why);
    if (!visible(url))
        return invalid(a, url, "has blanks or control characters in it", why);
    ret->tls = url.p[4] == 's';
    struct str fragment;
    str_cut(rest, '#', &rest, &fragment);
    size_t end = 0;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    ret->authority = str_copy(a, str_slice(rest, 0, end));
    rest = str_slice(rest, end, rest.n);
    struct str query;
    if (str_cut(rest, '?', &rest, &query))
        ret->query = str_copy(a, query);
    ret->path = str_copy(a, rest.n ? rest : S(""));
    return parse_authority(a, url, ret, why);
}

static bool is_loopback(const struct sockaddr *at)
{
    if (at->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)at)->sin_addr.s_addr) >> 24 == 127;
    return at->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)at)->sin6_addr);
}

static void add_loopback(struct address *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)address->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)address->port),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    memcpy(&address->list[0].at, &v4, sizeof(v4));
    memcpy(&address->list[1].at, &v6, sizeof(v6));
    address->list[0].size = sizeof(v4);
    address->list[1].size = sizeof(v6);
    address->n = 2;
    address->loopback = true;
}

int address_resolve(struct arena *a, struct address *address, struct str *why)
{
    struct str host = str_lower(a, address->host);
    if (str_is(host, "localhost") || str_ends(host, S(".localhost"))) {
        add_loopback(address); /* RFC 6761: whatever the resolver knows of it */
        return 0;
    }
    struct addrinfo want = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    char port[16];
    snprintf(port, sizeof(port), "%d", address->port);
    int r = getaddrinfo(str_c(a, address->host), port, &want, &found);
    if (r != 0) {
        *why = str_printf(a, "the address of %.*s is not known: %s", STR(address->host),
                          r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
        return -EHOSTUNREACH;
    }
    address->n = 0;
    address->loopback = true;
    for (struct addrinfo *i = found; i && address->n < BENCH_ADDRESSES_MAX; i = i->ai_next) {
        struct address_one *one = &address->list[address->n++];
        memcpy(&one->at, i->ai_addr, i->ai_addrlen);
        one->size = i->ai_addrlen;
        address->loopback = address->loopback && is_loopback(i->ai_addr);
    }
    freeaddrinfo(found);
    return 0;
}
