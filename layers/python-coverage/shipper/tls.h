/* tls - TLS on a connected, non-blocking socket: the server's certificate is checked against the
 * system's authorities and must be of `host`. Nothing of it is touched, and nothing of OpenSSL is
 * set up, before the first connection. */
#pragma once
#include "base/str.h"

struct tls;

/* 0; -EKEYREJECTED: the certificate is not good, or there are no authorities to ask; -EPROTO,
 * -ETIMEDOUT, -ECONNRESET; with a text in why. The socket stays the caller's. ca_file absent: where
 * Amazon Linux, Debian and Alpine have it. */
int tls_open(int fd, const char *host, struct str ca_file, int64_t deadline_ms, struct tls **ret,
             char *why, size_t why_size);
void tls_free(struct tls *t); /* accepts NULL */

/* Bytes, 0 at the end of the stream, -EAGAIN: wait for *ret_wants (POLLIN or POLLOUT), -ECONNRESET.
 */
ssize_t tls_read(struct tls *t, void *p, size_t n, short *ret_wants);
ssize_t tls_write(struct tls *t, struct str s, short *ret_wants);
