/* tls - OpenSSL on a socket that does not block: see tls.h. */
#include "bench/tls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/mem.h"
#include "bench/libssl.h"

struct tls_context {
    SSL_CTX *ctx;
    char *host;
    bool numeric;
};

struct tls {
    SSL *ssl;
    char why[160];
};

static int refuse(struct arena *a, struct tls_context *c, struct str text, struct str *why)
{
    *why = text;
    tls_context_close(c);
    libssl.ERR_clear_error();
    return -EINVAL;
}

int tls_context_open(struct arena *a, struct str host, struct tls_context **ret, struct str *why)
{
    unsigned char numeric[16];
    const char *bundle = getenv("AWS_CA_BUNDLE");
    if (libssl_load() < 0) {
        *why = S("TLS needs libssl.so.3, which this machine does not have");
        return -EINVAL;
    }
    struct tls_context *c = MEM_NEW(struct tls_context);
    c->host = mem_dup_text(str_c(a, host));
    c->numeric =
        inet_pton(AF_INET, c->host, numeric) == 1 || inet_pton(AF_INET6, c->host, numeric) == 1;
    c->ctx = libssl.SSL_CTX_new(libssl.TLS_client_method());
    if (!c->ctx)
        return refuse(a, c, S("TLS cannot be set up"), why);
    libssl.SSL_CTX_ctrl(c->ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
    libssl.SSL_CTX_ctrl(c->ctx, SSL_CTRL_MODE,
                        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS,
                        NULL);
    libssl.SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    libssl.SSL_CTX_set_default_verify_paths(c->ctx);
    if (bundle && *bundle && libssl.SSL_CTX_load_verify_file(c->ctx, bundle) != 1)
        return refuse(a, c, str_printf(a, "AWS_CA_BUNDLE: %s holds no certificates", bundle), why);
    *ret = c;
    return 0;
}

void tls_context_close(struct tls_context *context)
{
    if (!context)
        return;
    libssl.SSL_CTX_free(context->ctx);
    free(context->host);
    free(context);
}

struct tls *tls_new(struct tls_context *context, int fd)
{
    static const unsigned char http11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    struct tls *t = MEM_NEW(struct tls);
    t->ssl = libssl.SSL_new(context->ctx);
    if (!t->ssl)
        abort(); /* out of memory */
    libssl.SSL_set_alpn_protos(t->ssl, http11, sizeof(http11));
    if (context->numeric) {
        libssl.X509_VERIFY_PARAM_set1_ip_asc(libssl.SSL_get0_param(t->ssl), context->host);
    } else {
        libssl.SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                        context->host);
        libssl.SSL_set1_host(t->ssl, context->host);
    }
    libssl.SSL_set_fd(t->ssl, fd);
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    libssl.SSL_free(t->ssl);
    free(t);
}

const char *tls_why(const struct tls *t)
{
    return t->why[0] ? t->why : "TLS failed";
}

static void remember(struct tls *t)
{
    long verified = libssl.SSL_get_verify_result(t->ssl);
    unsigned long e = libssl.ERR_peek_error();
    if (verified != X509_V_OK)
        snprintf(t->why, sizeof(t->why), "the certificate is not trusted: %s",
                 libssl.X509_verify_cert_error_string(verified));
    else if (e)
        libssl.ERR_error_string_n(e, t->why, sizeof(t->why));
    libssl.ERR_clear_error();
}

/* What a result <= 0 of OpenSSL means. */
static int meaning(struct tls *t, int result, int saved_errno)
{
    switch (libssl.SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        libssl.ERR_clear_error();
        return saved_errno ? -saved_errno : -ECONNRESET;
    default:
        remember(t);
        return -EPROTO;
    }
}

int tls_handshake(struct tls *t)
{
    libssl.ERR_clear_error();
    errno = 0;
    int r = libssl.SSL_connect(t->ssl);
    if (r == 1)
        return 0;
    r = meaning(t, r, errno);
    return r == 0 ? -ECONNRESET : r;
}

ssize_t tls_read(struct tls *t, void *p, size_t n)
{
    libssl.ERR_clear_error();
    errno = 0;
    int r = libssl.SSL_read(t->ssl, p, n < INT32_MAX ? (int)n : INT32_MAX);
    return r > 0 ? r : meaning(t, r, errno);
}

ssize_t tls_write(struct tls *t, const void *p, size_t n)
{
    libssl.ERR_clear_error();
    errno = 0;
    int r = libssl.SSL_write(t->ssl, p, n < INT32_MAX ? (int)n : INT32_MAX);
    if (r > 0)
        return r;
    r = meaning(t, r, errno);
    return r == 0 ? -EPIPE : r;
}
