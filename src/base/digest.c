/* digest - hashes and checksums, on libcrypto and by tables. */
#include "base/digest.h"
#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <unistd.h>
#include <zlib.h>
#include "base/body.h"
#include "base/mem.h"

/* Fetching searches the providers by name and takes microseconds to milliseconds: once a process,
 * and not before the first hash is wanted. */
static const EVP_MD *fetched[3];

static const EVP_MD *fetch(enum digest_kind kind)
{
    static const char *const names[3] = {"SHA256", "SHA1", "MD5"};
    const EVP_MD *md = __atomic_load_n(&fetched[kind], __ATOMIC_ACQUIRE);
    if (md)
        return md;
    EVP_MD *mine = EVP_MD_fetch(NULL, names[kind], NULL);
    if (!mine)
        abort(); /* a libcrypto without SHA-256 is broken */
    const EVP_MD *none = NULL;
    if (!__atomic_compare_exchange_n(&fetched[kind], &none, mine, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        EVP_MD_free(mine); /* another thread was first */
        return none;
    }
    return mine;
}

/* One context a thread is enough for hashing in one go. */
static __thread EVP_MD_CTX *thread_ctx;
static pthread_key_t ctx_key;
static pthread_once_t ctx_once = PTHREAD_ONCE_INIT;

static void ctx_free(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

static void ctx_key_make(void)
{
    if (pthread_key_create(&ctx_key, ctx_free) != 0)
        abort();
}

static EVP_MD_CTX *ctx_get(void)
{
    if (!thread_ctx) {
        pthread_once(&ctx_once, ctx_key_make);
        thread_ctx = EVP_MD_CTX_new();
        if (!thread_ctx || pthread_setspecific(ctx_key, thread_ctx) != 0)
            abort();
    }
    return thread_ctx;
}

static void check(int ok)
{
    if (ok != 1)
        abort(); /* hashing memory fails only when there is none left */
}

static void hash_2(enum digest_kind kind, struct str a, struct str b, uint8_t *ret)
{
    EVP_MD_CTX *ctx = ctx_get();
    check(EVP_DigestInit_ex2(ctx, fetch(kind), NULL));
    check(EVP_DigestUpdate(ctx, a.p, a.n));
    if (b.n)
        check(EVP_DigestUpdate(ctx, b.p, b.n));
    check(EVP_DigestFinal_ex(ctx, ret, NULL));
}

void digest_sha256(struct str data, uint8_t ret[32])
{
    hash_2(DIGEST_SHA256, data, (struct str){0}, ret);
}

void digest_sha1(struct str data, uint8_t ret[20])
{
    hash_2(DIGEST_SHA1, data, (struct str){0}, ret);
}

void digest_md5(struct str data, uint8_t ret[16])
{
    hash_2(DIGEST_MD5, data, (struct str){0}, ret);
}

/* RFC 2104 on the digest itself: EVP_MAC costs several times as much for short data. */
void digest_hmac_sha256(struct str key, struct str data, uint8_t ret[32])
{
    uint8_t block[64] = {0}, inner[32];
    char pad[64];
    if (key.n > sizeof(block))
        digest_sha256(key, block);
    else if (key.n)
        memcpy(block, key.p, key.n);
    for (size_t i = 0; i < sizeof(block); i++)
        pad[i] = (char)(block[i] ^ 0x36);
    hash_2(DIGEST_SHA256, str_of(pad, sizeof(pad)), data, inner);
    for (size_t i = 0; i < sizeof(block); i++)
        pad[i] = (char)(block[i] ^ 0x5c);
    hash_2(DIGEST_SHA256, str_of(pad, sizeof(pad)), str_of((char *)inner, sizeof(inner)), ret);
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
    EVP_MD_CTX *ctx;
    uint64_t crc;
};

struct digest *digest_open(enum digest_kind kind)
{
    struct digest *d = MEM_NEW(struct digest);
    d->kind = kind;
    switch (kind) {
    case DIGEST_SHA256:
    case DIGEST_SHA1:
    case DIGEST_MD5:
        d->ctx = EVP_MD_CTX_new();
        if (!d->ctx)
            abort();
        check(EVP_DigestInit_ex2(d->ctx, fetch(kind), NULL));
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
    case DIGEST_SHA1:
    case DIGEST_MD5:
        check(EVP_DigestUpdate(d->ctx, p, n));
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
    unsigned hashed = 0;
    switch (d->kind) {
    case DIGEST_SHA256:
    case DIGEST_SHA1:
    case DIGEST_MD5:
        check(EVP_DigestFinal_ex(d->ctx, ret, &hashed));
        EVP_MD_CTX_free(d->ctx);
        n = hashed;
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
