/* resolve - names to addresses by DNS and /etc/hosts, without libc's plug-ins: a static program
 * cannot load those of a system that has another libc. */
#pragma once
#include <stdint.h>
#include <sys/socket.h>

#define RESOLVED_MAX 4

struct resolved {
    int family;
    socklen_t length;
    struct sockaddr_storage to;
};

/* How many addresses were found, IPv4 first, or -ENOENT (there is no such name, or no server says
 * so), -ETIMEDOUT. Deadline as for conn.h. Addresses as text cost nothing. */
int resolve(const char *host, uint16_t port, int64_t deadline_ms,
            struct resolved ret[RESOLVED_MAX]);
