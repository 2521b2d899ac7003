/* tls - TLS over a non-blocking socket: OpenSSL, certificates and host names checked. May use
 * base/. */
#pragma once
#include <stddef.h>
#include <sys/types.h>
#include "base/str.h"

struct tls_context; /* what all connections to one host share */
/* Trusts what the machine trusts, and AWS_CA_BUNDLE when it is set. -EINVAL with *why (in the
 * arena). */
int tls_context_open(struct arena *a, struct str host, struct tls_context **ret, struct str *why);
void tls_context_close(struct tls_context *context); /* accepts NULL */

struct tls;
struct tls *tls_new(struct tls_context *context, int fd);
void tls_free(struct tls *t); /* accepts NULL; does not close the socket */
/* All: -EAGAIN when the socket must become readable or writable first; -EPROTO when TLS failed
 * (tls_why()); other -errno of the socket. */
int tls_handshake(struct tls *t);
ssize_t tls_read(struct tls *t, void *p, size_t n); /* 0: the end */
ssize_t tls_write(struct tls *t, const void *p, size_t n);
const char *tls_why(const struct tls *t); /* static or owned by t */
