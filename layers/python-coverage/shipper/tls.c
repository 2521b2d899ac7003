/* tls - see tls.h. Authorities are looked up one by one in the system's file of certificates: to
 * parse all of them takes 15 ms and 3 MB, for the one that is needed. */
#include "tls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "conn.h"

struct tls {
    SSL *ssl;
    SSL_CTX *ctx;
};

static const char *const authorities[] = {
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Amazon Linux, Fedora */
    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt", /* Debian */
    "/etc/ssl/cert.pem",                                                      /* Alpine */
};

/* The file of authorities, mapped while a handshake goes on. */
static struct str bundle;

static int open_bundle(struct str ca_file)
{
    auto_close int fd = -1;
    if (ca_file.n) {
        char path[4096];
        snprintf(path, sizeof(path), "%.*s", STR(ca_file));
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    for (size_t i = 0; fd < 0 && !ca_file.n && i < ARRAY_LEN(authorities); i++)
        fd = open(authorities[i], O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !st.st_size)
        return -ENOENT;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    bundle = str_of(p, (size_t)st.st_size);
    return 0;
}

static void close_bundle(void)
{
    if (bundle.n)
        munmap((void *)bundle.p, bundle.n);
    bundle = (struct str){0};
}

/* DER of the next certificate in PEM's text, in room of at least rest->n bytes; 0: no more. */
static size_t next_der(struct str *rest, uint8_t *room)
{
    static const struct str begin = S_INIT("-----BEGIN CERTIFICATE-----");
    static const struct str end = S_INIT("-----END CERTIFICATE-----");
    for (;;) {
        ssize_t from = str_find(*rest, begin);
        if (from < 0)
            return 0;
        struct str text = str_slice(*rest, (size_t)from + begin.n, rest->n);
        ssize_t to = str_find(text, end);
        if (to < 0)
            return 0;
        *rest = str_slice(text, (size_t)to + end.n, text.n);
        EVP_ENCODE_CTX *decoder = EVP_ENCODE_CTX_new();
        int n = 0, tail = 0;
        EVP_DecodeInit(decoder);
        bool good = decoder &&
                    EVP_DecodeUpdate(decoder, room, &n, (const uint8_t *)text.p, (int)to) >= 0 &&
                    EVP_DecodeFinal(decoder, room + n, &tail) >= 0;
        EVP_ENCODE_CTX_free(decoder);
        if (good && n + tail > 0)
            return (size_t)(n + tail);
    }
}

/* OpenSSL asks who has issued x: the authority whose name and key fit. */
static int find_issuer(X509 **ret, X509_STORE_CTX *ctx, X509 *x)
{
    uint8_t *name = NULL, room[8192];
    int name_size = i2d_X509_NAME(X509_get_issuer_name(x), &name);
    struct str rest = bundle;
    int found = 0;
    while (name_size > 0 && !found && rest.n) {
        /* One certificate at a time, as long as it fits: base64 shrinks. */
        ssize_t end = str_find(rest, S("-----END CERTIFICATE-----"));
        if (end < 0)
            break;
        size_t whole = (size_t)end + 25;
        struct str one = str_slice(rest, 0, whole);
        rest = str_slice(rest, whole, rest.n);
        ssize_t from = str_find(one, S("-----BEGIN CERTIFICATE-----"));
        if (from < 0 || one.n - (size_t)from > sizeof(room))
            continue;
        size_t n = next_der(&one, room);
        const uint8_t *der = room;
        if (!n || !memmem(room, n, name, (size_t)name_size))
            continue;
        X509 *authority = d2i_X509(NULL, &der, (long)n);
        if (authority && X509_check_issued(authority, x) == X509_V_OK &&
            X509_cmp_current_time(X509_get0_notAfter(authority)) > 0) {
            *ret = authority;
            found = 1;
        } else {
            X509_free(authority);
        }
    }
    OPENSSL_free(name);
    ERR_clear_error();
    return found;
}

static SSL_CTX *new_context(void)
{
    /* No configuration file is read: it may name modules that a static program cannot load. */
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    X509_STORE_set_get_issuer(SSL_CTX_get_cert_store(ctx), find_issuer);
    return ctx;
}

static SSL *new_session(SSL_CTX *ctx, int fd, const char *host)
{
    SSL *ssl = SSL_new(ctx);
    if (!ssl)
        return NULL;
    struct in6_addr ip;
    bool literal = inet_pton(AF_INET, host, &ip) == 1 || inet_pton(AF_INET6, host, &ip) == 1;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    bool good = literal ? X509_VERIFY_PARAM_set1_ip_asc(param, host)
                        : X509_VERIFY_PARAM_set1_host(param, host, 0) &&
                              SSL_set_tlsext_host_name(ssl, host);
    if (!good || !SSL_set_fd(ssl, fd)) {
        SSL_free(ssl);
        return NULL;
    }
    return ssl;
}

/* What OpenSSL's result means: -EAGAIN with what to wait for, or an end. */
static ssize_t meaning(struct tls *t, int result, short *ret_wants)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *ret_wants = POLLIN;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *ret_wants = POLLOUT;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return -ECONNRESET;
    }
}

static int handshake(struct tls *t, int fd, int64_t deadline_ms, char *why, size_t why_size)
{
    for (;;) {
        ERR_clear_error();
        int r = SSL_connect(t->ssl);
        if (r == 1)
            return 0;
        short wants = POLLIN;
        if (meaning(t, r, &wants) == -EAGAIN) {
            r = conn_wait(fd, wants, deadline_ms);
            if (!r)
                continue;
            snprintf(why, why_size, "TLS handshake: %s", strerror(-r));
            return r;
        }
        long verified = SSL_get_verify_result(t->ssl);
        if (verified != X509_V_OK) {
            snprintf(why, why_size, "the server's certificate is not accepted: %s",
                     X509_verify_cert_error_string(verified));
            return -EKEYREJECTED;
        }
        const char *reason = ERR_reason_error_string(ERR_peek_error());
        snprintf(why, why_size, "TLS handshake: %s", reason ? reason : "connection closed");
        return reason ? -EPROTO : -ECONNRESET;
    }
}

int tls_open(int fd, const char *host, struct str ca_file, int64_t deadline_ms, struct tls **ret,
             char *why, size_t why_size)
{
    int r = open_bundle(ca_file);
    if (r < 0) {
        snprintf(why, why_size, "no file of certificate authorities%s%.*s", ca_file.n ? ": " : "",
                 STR(ca_file));
        return -EKEYREJECTED;
    }
    struct tls *t = calloc(1, sizeof(*t));
    r = -ENOMEM;
    if (t)
        t->ctx = new_context();
    if (t && t->ctx)
        t->ssl = new_session(t->ctx, fd, host);
    if (t && t->ssl)
        r = handshake(t, fd, deadline_ms, why, why_size);
    else
        snprintf(why, why_size, "TLS cannot be set up");
    close_bundle();
    if (r < 0)
        tls_free(t);
    else
        *ret = t;
    return r;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    free(t);
}

ssize_t tls_read(struct tls *t, void *p, size_t n, short *ret_wants)
{
    ERR_clear_error();
    int r = SSL_read(t->ssl, p, (int)n);
    return r > 0 ? r : meaning(t, r, ret_wants);
}

ssize_t tls_write(struct tls *t, struct str s, short *ret_wants)
{
    ERR_clear_error();
    int r = SSL_write(t->ssl, s.p, s.n > INT32_MAX ? INT32_MAX : (int)s.n);
    if (r > 0)
        return r;
    ssize_t why = meaning(t, r, ret_wants);
    return why ? why : -ECONNRESET;
}
