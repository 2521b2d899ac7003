/* libssl - its functions, loaded by dlopen when the first TLS connection is made: linked in, it and
 * what it takes of libcrypto would double the program, of which local runs need nothing. */
#pragma once
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* clang-format off */
#define LIBSSL_FUNCTIONS(F)                                                                        \
    F(ERR_clear_error) F(ERR_error_string_n) F(ERR_peek_error)                                     \
    F(SSL_CTX_ctrl) F(SSL_CTX_free) F(SSL_CTX_load_verify_file) F(SSL_CTX_new)                     \
    F(SSL_CTX_set_default_verify_paths) F(SSL_CTX_set_verify) F(SSL_connect) F(SSL_ctrl)           \
    F(SSL_free) F(SSL_get0_param) F(SSL_get_error) F(SSL_get_verify_result) F(SSL_new)             \
    F(SSL_read) F(SSL_set1_host) F(SSL_set_alpn_protos) F(SSL_set_fd) F(SSL_write)                 \
    F(TLS_client_method) F(X509_VERIFY_PARAM_set1_ip_asc) F(X509_verify_cert_error_string)
/* clang-format on */

struct libssl {
#define F(name) __typeof__(name) *name;
    LIBSSL_FUNCTIONS(F)
#undef F
};

/* Usable once libssl_load() has given 0; -ELIBACC: it is not there. One thread. */
extern struct libssl libssl;
int libssl_load(void);
