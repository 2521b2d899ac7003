/* digest - hashes and checksums, on libcrypto and by tables.
 *
 * SHA and MD5 are called by their own names, which OpenSSL 3 deprecates in favour of EVP, because
 * the program is linked with libcrypto.a: these names bring in a dozen objects, EVP brings in
 * everything (2 MB, 12,000 relocations a start), and costs more than the hash itself of short
 * texts. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"
#include <endian.h>
#include <errno.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <unistd.h>
#include <zlib.h>
#include "base/body.h"
#include "base/mem.h"

void digest_sha256(struct str data, uint8_t ret[32])
{
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, data.p, data.n);
    SHA256_Final(ret, &c);
}

void digest_sha1(struct str data, uint8_t ret[20])
{
    SHA_CTX c;
    SHA1_Init(&c);
    SHA1_Update(&c, data.p, data.n);
    SHA1_Final(ret, &c);
}

void digest_md5(struct str data, uint8_t ret[16])
{
    MD5_CTX c;
    MD5_Init(&c);
    MD5_Update(&c, data.p, data.n);
    MD5_Final(ret, &c);
}

static void padded_sha256(const uint8_t block[64], uint8_t pad, struct str data, uint8_t ret[32])
{
    uint8_t padded[64];
    for (size_t i = 0; i < sizeof(padded); i++)
        padded[i] = block[i] ^ pad;
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, padded, sizeof(padded));
    SHA256_Update(&c, data.p, data.n);
    SHA256_Final(ret, &c);
}

/* RFC 2104. */
void digest_hmac_sha256(struct str key, struct str data, uint8_t ret[32])
{
    uint8_t block[64] = {0}, inner[32];
    if (key.n > sizeof(block))
        digest_sha256(key, block);
    else if (key.n)
        memcpy(block, key.p, key.n);
    padded_sha256(block, 0x36, data, inner);
    padded_sha256(block, 0x5c, str_of((char *)inner, sizeof(inner)), ret);
}

/* CRCs, reflected, eight bytes a step by eight tables. */
struct crc_tables {
    uint64_t t[8][256];
};
static struct crc_tables crc32c_tables, crc64_tables;
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_tables_make(struct crc_tables *tables, uint64_t polynomial)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ polynomial : c >> 1;
        tables->t[0][i] = c;
    }
    for (unsigned i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            tables->t[k][i] = tables->t[k - 1][i] >> 8 ^ tables->t[0][tables->t[k - 1][i] & 0xff];
}

static void crc_make(void)
{
    crc_tables_make(&crc32c_tables, 0x82f63b78u);                 /* Castagnoli, RFC 3720 */
    crc_tables_make(&crc64_tables, UINT64_C(0x9a6c9329ac4bc9b5)); /* NVM Express, reflected */
}

static uint64_t crc_add(const struct crc_tables *tables, uint64_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        word = le64toh(word) ^ crc;
        crc = tables->t[7][word & 0xff] ^ tables->t[6][word >> 8 & 0xff] ^
              tables->t[5][word >> 16 & 0xff] ^ tables->t[4][word >> 24 & 0xff] ^
              tables->t[3][word >> 32 & 0xff] ^ tables->t[2][word >> 40 & 0xff] ^
              tables->t[1][word >> 48 & 0xff] ^ tables->t[0][word >> 56];
    }
    while (n--)
        crc = crc >> 8 ^ tables->t[0][(crc ^ *p++) & 0xff];
    return crc;
}

struct digest {
    enum digest_kind kind;
    union {
        SHA256_CTX sha256;
        SHA_CTX sha1;
        MD5_CTX md5;
        uint64_t crc;
    };
};

struct digest *digest_open(enum digest_kind kind)
{
    struct digest *d = MEM_NEW(struct digest);
    d->kind = kind;
    switch (kind) {
    case DIGEST_SHA256:
        SHA256_Init(&d->sha256);
        break;
    case DIGEST_SHA1:
        SHA1_Init(&d->sha1);
        break;
    case DIGEST_MD5:
        MD5_Init(&d->md5);
        break;
    case DIGEST_CRC32:
        d->crc = crc32_z(0, NULL, 0);
        break;
    case DIGEST_CRC32C:
        pthread_once(&crc_once, crc_make);
        d->crc = UINT32_MAX;
        break;
    case DIGEST_CRC64NVME:
        pthread_once(&crc_once, crc_make);
        d->crc = UINT64_MAX;
        break;
    }
    return d;
}

void digest_add(struct digest *d, const void *p, size_t n)
{
    if (n == 0)
        return;
    switch (d->kind) {
    case DIGEST_SHA256:
        SHA256_Update(&d->sha256, p, n);
        break;
    case DIGEST_SHA1:
        SHA1_Update(&d->sha1, p, n);
        break;
    case DIGEST_MD5:
        MD5_Update(&d->md5, p, n);
        break;
    case DIGEST_CRC32:
        d->crc = crc32_z(d->crc, p, n);
        break;
    case DIGEST_CRC32C:
        d->crc = crc_add(&crc32c_tables, d->crc, p, n);
        break;
    case DIGEST_CRC64NVME:
        d->crc = crc_add(&crc64_tables, d->crc, p, n);
        break;
    }
}

static size_t put_big_endian(uint8_t *ret, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    return n;
}

size_t digest_close(struct digest *d, uint8_t ret[32])
{
    size_t n = 0;
    switch (d->kind) {
    case DIGEST_SHA256:
        SHA256_Final(ret, &d->sha256);
        n = SHA256_DIGEST_LENGTH;
        break;
    case DIGEST_SHA1:
        SHA1_Final(ret, &d->sha1);
        n = SHA_DIGEST_LENGTH;
        break;
    case DIGEST_MD5:
        MD5_Final(ret, &d->md5);
        n = MD5_DIGEST_LENGTH;
        break;
    case DIGEST_CRC32:
        n = put_big_endian(ret, d->crc, 4);
        break;
    case DIGEST_CRC32C:
        n = put_big_endian(ret, ~d->crc & UINT32_MAX, 4);
        break;
    case DIGEST_CRC64NVME:
        n = put_big_endian(ret, ~d->crc, 8);
        break;
    }
    free(d);
    return n;
}

static int add_file(struct digest *d, int fd, int64_t offset, int64_t left)
{
    char *chunk = mem_alloc(64 * 1024);
    int r = 0;
    while (left > 0 && r == 0) {
        size_t want = left < 64 * 1024 ? (size_t)left : 64 * 1024;
        ssize_t n = pread(fd, chunk, want, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r = n < 0 ? -errno : -EIO; /* shorter than it was said to be */
            break;
        }
        digest_add(d, chunk, (size_t)n);
        offset += n;
        left -= n;
    }
    free(chunk);
    return r;
}

int digest_body(enum digest_kind kind, const struct body *body, uint8_t ret[32])
{
    if (kind == DIGEST_SHA256 && body->has && !body->in_file) {
        digest_sha256(body->mem, ret);
        return 32;
    }
    struct digest *d = digest_open(kind);
    int r = 0;
    if (body->has && body->in_file)
        r = add_file(d, body->fd, body->offset, body->size);
    else if (body->has)
        digest_add(d, body->mem.p, body->mem.n);
    uint8_t sum[32];
    size_t n = digest_close(d, sum);
    if (r < 0)
        return r;
    memcpy(ret, sum, n);
    return (int)n;
}
