/* checksum - the checksums that S3 keeps of objects. */
#include "service/s3/checksum.h"
#include <errno.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/mem.h"

#define CHUNK (256 * 1024)

static const struct {
    const char *name;
    enum digest_kind digest;
} algorithms[S3_ALGORITHMS] = {
    [S3_CRC32] = {"CRC32", DIGEST_CRC32},
    [S3_CRC32C] = {"CRC32C", DIGEST_CRC32C},
    [S3_CRC64NVME] = {"CRC64NVME", DIGEST_CRC64NVME},
    [S3_SHA1] = {"SHA1", DIGEST_SHA1},
    [S3_SHA256] = {"SHA256", DIGEST_SHA256},
};

const char *s3_algorithm_name(int algorithm)
{
    return algorithms[algorithm].name;
}

int s3_algorithm_find(struct str name)
{
    for (int i = 0; i < S3_ALGORITHMS; i++)
        if (str_eq_nocase(name, str_from(algorithms[i].name)))
            return i;
    return -ENOENT;
}

enum digest_kind s3_algorithm_digest(int algorithm)
{
    return algorithms[algorithm].digest;
}

bool s3_algorithm_is_crc(int algorithm)
{
    return algorithm <= S3_CRC64NVME;
}

int s3_checksum_given(const struct str *members)
{
    int found = -ENOENT;
    for (int i = 0; i < S3_MEMBERS; i++) {
        if (!str_has(members[i]))
            continue;
        if (found >= 0)
            return -E2BIG;
        found = i;
    }
    return found;
}

static void finish(struct digest *md5, struct digest *sum, struct s3_sums *ret)
{
    uint8_t digest[32];
    digest_close(md5, digest);
    memcpy(ret->md5, digest, sizeof ret->md5);
    ret->checksum_size = digest_close(sum, ret->checksum);
}

int s3_sums_compute(const struct body *body, int algorithm, struct s3_sums *ret)
{
    struct digest *md5 = digest_open(DIGEST_MD5), *sum = digest_open(algorithms[algorithm].digest);
    int r = 0;
    if (!body->in_file) {
        digest_add(md5, body->mem.p, body->mem.n);
        digest_add(sum, body->mem.p, body->mem.n);
    } else {
        char *chunk = mem_alloc(CHUNK);
        for (int64_t at = 0; at < body->size;) {
            size_t want = body->size - at < CHUNK ? (size_t)(body->size - at) : CHUNK;
            ssize_t n = pread(body->fd, chunk, want, body->offset + at);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0) {
                r = n < 0 ? -errno : -EIO;
                break;
            }
            digest_add(md5, chunk, (size_t)n);
            digest_add(sum, chunk, (size_t)n);
            at += n;
        }
        free(chunk);
    }
    finish(md5, sum, ret);
    return r;
}

int s3_checksum_of_parts(struct arena *a, int algorithm, const struct str *parts, size_t n,
                         struct str *ret)
{
    struct digest *d = digest_open(algorithms[algorithm].digest);
    uint8_t sum[32];
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct str raw;
        r = parts[i].n ? base64_decode(a, parts[i], &raw) : -EBADMSG;
        if (r == 0)
            digest_add(d, raw.p, raw.n);
    }
    size_t size = digest_close(d, sum);
    if (r < 0)
        return -EBADMSG;
    *ret = str_printf(a, "%.*s-%zu", STR(base64_encode(a, str_of((char *)sum, size))), n);
    return 0;
}

int s3_etag_of_parts(struct arena *a, const struct str *etags, size_t n, struct str *ret)
{
    struct digest *d = digest_open(DIGEST_MD5);
    uint8_t sum[32];
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct str raw;
        r = hex_decode(a, etags[i], &raw);
        if (r == 0)
            digest_add(d, raw.p, raw.n);
    }
    digest_close(d, sum);
    if (r < 0)
        return -EBADMSG;
    *ret = str_printf(a, "%.*s-%zu", STR(hex_encode(a, sum, 16)), n);
    return 0;
}
