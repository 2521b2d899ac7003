/* intake - the bytes of an object or a part on their way in: summed, checked, put away.
 *
 *     s3_intake_prepare -> s3_intake_run -- small --> compute -> check -> finish
 *                                        \- big ----> pool: compute --> loop: check -> finish */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "service/s3/record.h"

#define CHUNK (256 * 1024)

int s3_intake_prepare(struct s3_intake *t, const struct str *checksums, struct str algorithm,
                      struct str content_md5)
{
    struct call *call = t->call;
    if (t->body.size > S3_PUT_MAX)
        return call_fail(call, S3_ENTITY_TOO_LARGE,
                         "Your proposed upload exceeds the maximum allowed size");
    int given = s3_checksum_given(checksums);
    if (given == -E2BIG)
        return call_fail(
            call, S3_INVALID_REQUEST,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not "
            "allowed.");
    if (given >= S3_ALGORITHMS)
        return call_fail(call, S3_NOT_IMPLEMENTED,
                         "The checksum algorithms SHA512, MD5 and XXHASH are not supported.");
    t->algorithm = S3_CRC64NVME; /* what S3 computes when nobody asked for another */
    if (given >= 0) {
        t->algorithm = given;
        t->checksum = checksums[given];
        t->check_checksum = true;
        struct str raw;
        uint8_t none[32];
        size_t size = digest_close(digest_open(s3_algorithm_digest(given)), none);
        if (base64_decode(call->arena, t->checksum, &raw) < 0 || raw.n != size)
            return call_fail(call, S3_INVALID_REQUEST,
                             "Value for x-amz-checksum-%.*s header is invalid.",
                             STR(str_lower(call->arena, str_from(s3_algorithm_name(given)))));
    } else if (algorithm.n) {
        t->algorithm = s3_algorithm_find(algorithm);
        if (t->algorithm < 0)
            return call_fail(call, S3_NOT_IMPLEMENTED,
                             "The checksum algorithm %.*s is not supported.", STR(algorithm));
    }
    if (str_has(content_md5)) {
        t->check_md5 = true;
        if (base64_decode(call->arena, content_md5, &t->md5) < 0 || t->md5.n != sizeof t->sums.md5)
            return call_fail(call, S3_INVALID_DIGEST, "The Content-MD5 you specified was invalid.");
    }
    return 0;
}

static int check_and_finish(struct s3_intake *t)
{
    struct call *call = t->call;
    if (t->check_md5 && memcmp(t->md5.p, t->sums.md5, t->md5.n) != 0)
        return call_fail(call, S3_BAD_DIGEST,
                         "The Content-MD5 you specified did not match what we received.");
    if (t->check_checksum && !str_eq(t->checksum, s3_intake_checksum(t)))
        return call_fail(call, S3_BAD_DIGEST,
                         "The %s you specified did not match the calculated checksum.",
                         s3_algorithm_name(t->algorithm));
    return t->finish(t);
}

int s3_intake_end(struct s3_intake *t, int result)
{
    if (t->own_file && t->body.in_file) {
        close(t->body.fd);
        if (t->path)
            unlink(t->path); /* not there any more when it was taken over */
    }
    return result;
}

static int compute(void *user)
{
    struct s3_intake *t = user;
    return s3_sums_compute(&t->body, t->algorithm, &t->sums);
}

static void computed(struct call *call, void *user, int result)
{
    struct s3_intake *t = user;
    struct store_mark mark = store_mark(call->store);
    int r = result < 0 ? result : check_and_finish(t);
    if (r < 0)
        store_undo_to(call->store, mark);
    else
        store_release(call->store, mark);
    call_finish(call, s3_intake_end(t, r));
}

int s3_intake_run(struct s3_intake *t)
{
    if (t->body.size >= S3_OFFLOAD_MIN) {
        call_offload(t->call, compute, computed, t);
        return CALL_LATER;
    }
    int r = compute(t);
    return s3_intake_end(t, r < 0 ? r : check_and_finish(t));
}

/* A range of somebody else's file becomes a blob by copying. */
static int copy_range(struct call *call, const struct body *body, struct str *ret_blob)
{
    struct blob *blob = blob_create(call->store);
    auto_free char *chunk = mem_alloc(CHUNK);
    int r = 0;
    for (int64_t at = 0; r == 0 && at < body->size;) {
        size_t want = body->size - at < CHUNK ? (size_t)(body->size - at) : CHUNK;
        ssize_t n = pread(body->fd, chunk, want, body->offset + at);
        if (n <= 0) {
            blob_abort(blob);
            return n < 0 ? -errno : -EIO;
        }
        r = blob_write(blob, chunk, (size_t)n);
        at += n;
    }
    return blob_finish(blob, call->arena, ret_blob);
}

int s3_intake_store(struct s3_intake *t, size_t inline_max, struct str *ret_data,
                    struct str *ret_blob)
{
    struct call *call = t->call;
    if (!t->body.has || (size_t)t->body.size <= inline_max) {
        if (!t->body.has)
            return 0;
        return body_load(&t->body, inline_max, call->arena, ret_data);
    }
    if (!t->body.in_file)
        return blob_put(call->store, t->body.mem, call->arena, ret_blob);
    struct stat st;
    if (t->path && t->body.offset == 0 && fstat(t->body.fd, &st) == 0 && st.st_size == t->body.size)
        return blob_adopt(call->store, t->path, call->arena, ret_blob);
    return copy_range(call, &t->body, ret_blob);
}

struct str s3_intake_etag(struct s3_intake *t)
{
    return hex_encode(t->call->arena, t->sums.md5, sizeof t->sums.md5);
}

struct str s3_intake_checksum(struct s3_intake *t)
{
    return base64_encode(t->call->arena,
                         str_of((const char *)t->sums.checksum, t->sums.checksum_size));
}
