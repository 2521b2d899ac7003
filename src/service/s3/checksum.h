/* checksum - the checksums that S3 keeps of objects, beside MD5.
 *
 * Generated structs have one member an algorithm, in the same order everywhere; they are reached as
 * an array that begins at the CRC32 member. */
#pragma once
#include "base/body.h"
#include "base/digest.h"
#include "base/str.h"

struct arena;

enum s3_algorithm {
    S3_CRC32,
    S3_CRC32C,
    S3_CRC64NVME,
    S3_SHA1,
    S3_SHA256,
    S3_ALGORITHMS, /* those above are kept */
    S3_MEMBERS = 10,
};

const char *s3_algorithm_name(int algorithm); /* "CRC64NVME" */
int s3_algorithm_find(struct str name);       /* -ENOENT: none that is kept */
enum digest_kind s3_algorithm_digest(int algorithm);
bool s3_algorithm_is_crc(int algorithm);

/* The one member that is set: its number; -ENOENT: none is; -E2BIG: several are. */
int s3_checksum_given(const struct str *members);

/* MD5 and one checksum of a body in one pass. Runs on any thread. */
struct s3_sums {
    uint8_t md5[16];
    uint8_t checksum[32];
    size_t checksum_size;
};
int s3_sums_compute(const struct body *body, int algorithm, struct s3_sums *ret);

/* Multipart: the checksum over the parts' checksums (base64), as "<base64>-n". -EBADMSG. */
int s3_checksum_of_parts(struct arena *a, int algorithm, const struct str *parts, size_t n,
                         struct str *ret);
/* The ETag of a multipart object: MD5 over the parts' MD5s (hex), as "<hex>-n". -EBADMSG. */
int s3_etag_of_parts(struct arena *a, const struct str *etags, size_t n, struct str *ret);
