/* address - a URL taken apart, and its host resolved. May use base/. */
#pragma once
#include <sys/socket.h>
#include "base/arena.h"
#include "base/str.h"

#define BENCH_ADDRESSES_MAX 16

struct address_one {
    struct sockaddr_storage at;
    socklen_t size;
};

struct address {
    bool tls;
    struct str host;      /* without brackets */
    struct str authority; /* as the Host header says it: host[:port] */
    struct str path;      /* what follows, "" or "/base"; without the query */
    struct str query;     /* behind '?', or absent */
    int port;
    bool loopback; /* every address is this machine's own */
    struct address_one list[BENCH_ADDRESSES_MAX];
    size_t n;
};

/* http://host[:port][/path][?query], or https. -EINVAL with *why. */
int address_parse(struct arena *a, struct str url, struct address *ret, struct str *why);
/* Asks the resolver, which may take seconds. -EHOSTUNREACH with *why. */
int address_resolve(struct arena *a, struct address *address, struct str *why);
