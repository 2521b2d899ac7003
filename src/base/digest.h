/* digest - hashes, checksums and their text forms. */
#pragma once
#include "base/str.h"

void digest_sha256(struct str data, uint8_t ret[32]);
void digest_sha1(struct str data, uint8_t ret[20]);
void digest_md5(struct str data, uint8_t ret[16]);
void digest_hmac_sha256(struct str key, struct str data, uint8_t ret[32]);

/* Piecewise, for bodies in files. digest_open() never fails; digest_close() may be called early. */
enum digest_kind {
    DIGEST_SHA256,
    DIGEST_SHA1,
    DIGEST_MD5,
    DIGEST_CRC32,
    DIGEST_CRC32C,
    DIGEST_CRC64NVME
};
struct digest;
struct digest *digest_open(enum digest_kind kind);
void digest_add(struct digest *d, const void *p, size_t n);
size_t digest_close(struct digest *d, uint8_t ret[32]); /* number of bytes; CRCs big-endian */
/* The whole body at once; returns number of bytes or -errno. */
struct body;
int digest_body(enum digest_kind kind, const struct body *body, uint8_t ret[32]);

struct str hex_encode(struct arena *a, const void *p, size_t n); /* lower case */
int hex_decode(struct arena *a, struct str s, struct str *ret);
struct str base64_encode(struct arena *a, struct str s);
int base64_digit(char c);                                          /* its value; -1: none */
int base64_decode(struct arena *a, struct str s, struct str *ret); /* strict alphabet; -EBADMSG */
struct str sha256_hex(struct arena *a, struct str data);

void random_bytes(void *p, size_t n);
struct str random_hex(struct arena *a, size_t digits);
struct str random_uuid(struct arena *a); /* version 4 */
/* n characters out of an alphabet, uniformly. */
struct str random_text(struct arena *a, const char *alphabet, size_t n);
