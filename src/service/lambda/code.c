/* code - deployment packages: fetched, checked, unpacked once a hash, kept while something uses
 * them.
 *
 *     DATA/code/SHA256/       the unpacked package, as /var/task or a part of /opt
 *     DATA/code/.tmp-XXXX/    being unpacked      } swept when the daemon starts
 *     DATA/code/.trash-XXXX/  being removed       }
 *     store: lambda code SHA256 -> CodeRecord     how many versions and layers use it; the zip's
 * blob
 *
 * A folder appears by rename before the record that names it is committed, and goes after the
 * commit that removed the last record: a kill in between leaves a folder without record, never the
 * other way round. */
#include "sandbox/sandbox.h"
#include "service/lambda/code_keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/log.h"
#include "build/zip.h"
#include "http/server.h"
#include "wire/request.h"
#include "wire/s3.h"

struct fetch {
    struct call *call;
    struct body zip;
    struct str root, tmp_zip, tmp_dir;
    struct str digest, digest_base64;
    struct zip_report report;
    bool was_there; /* already unpacked: by another version, or before a rollback */
    bool from_s3;
    code_done_fn *done;
    void *user;
};

struct str code_dir(struct cloud *cloud, struct arena *a, struct str digest)
{
    return str_printf(a, "%.*s/code/%.*s", STR(cloud_data_dir(cloud)), STR(digest));
}

struct str key_code(struct arena *a, struct str digest)
{
    return store_key(a, 3, S("lambda"), S("code"), digest);
}

/* On a worker thread: no store, no call. */
static int copy_zip(struct fetch *f)
{
    auto_close int to = open(f->tmp_zip.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return -errno;
    if (!f->zip.in_file)
        return fs_write_all(to, f->zip.mem.p, f->zip.mem.n);
    char chunk[65536];
    for (int64_t done = 0; done < f->zip.size;) {
        int64_t left = f->zip.size - done;
        size_t want = left < (int64_t)sizeof(chunk) ? (size_t)left : sizeof(chunk);
        ssize_t n = pread(f->zip.fd, chunk, want, f->zip.offset + done);
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        int r = fs_write_all(to, chunk, (size_t)n);
        if (r < 0)
            return r;
        done += n;
    }
    return 0;
}

static int unpack_work(void *user)
{
    struct fetch *f = user;
    uint8_t hash[32];
    int r = digest_body(DIGEST_SHA256, &f->zip, hash);
    if (r < 0)
        return r;
    /* The arena is the call's, and the call waits for us: nobody else allocates meanwhile... but
     * children of the call might. So only fixed memory is written here. */
    static const char digits[] = "0123456789abcdef";
    char *hex = (char *)f->digest.p;
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digits[hash[i] >> 4];
        hex[2 * i + 1] = digits[hash[i] & 15];
    }
    memcpy((char *)f->digest_base64.p, hash, 32);
    r = copy_zip(f);
    if (r < 0)
        return r;
    char there[4096];
    snprintf(there, sizeof(there), "%.*s/%.*s", STR(f->root), STR(f->digest));
    if (fs_exists(there)) {
        f->was_there = true;
        return zip_tree_check(f->tmp_zip.p, LAMBDA_UNZIPPED_MAX, &f->report);
    }
    f->was_there = false;
    if (mkdir(f->tmp_dir.p, 0755) < 0)
        return -errno;
    r = zip_tree_unpack(f->tmp_zip.p, f->tmp_dir.p, LAMBDA_UNZIPPED_MAX, &f->report);
    if (r < 0)
        fs_remove_tree(f->tmp_dir.p); /* here: it may be large */
    return r;
}

static int explain(struct fetch *f, int r)
{
    struct call *call = f->call;
    switch (f->report.fault) {
    case ZIP_FAULT_SIZE:
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Unzipped size must be smaller than %d bytes", LAMBDA_UNZIPPED_MAX);
    case ZIP_FAULT_BAD:
    case ZIP_FAULT_UNSAFE:
        log_debug("lambda: package refused: %s", f->report.why);
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Could not unzip uploaded file. Please check your file, then try to "
                           "upload again.");
    case ZIP_FAULT_SYSTEM:
        log_error("lambda: cannot unpack a package: %s", f->report.why);
        return f->report.error < 0 ? f->report.error : -EIO;
    case ZIP_FAULT_NONE:
        break;
    }
    log_error("lambda: cannot keep a package: %s", strerror(-r));
    return r;
}

static void unpacked(struct call *call, void *user, int result)
{
    struct fetch *f = user;
    if (result == 0) {
        struct str dir = code_dir(call->cloud, call->arena, f->digest);
        if (f->was_there && !fs_exists(dir.p)) { /* removed since the worker looked */
            unlink(f->tmp_zip.p);
            call_offload(call, unpack_work, unpacked, f);
            return;
        }
        if (!f->was_there && rename(f->tmp_dir.p, dir.p) < 0 && errno != ENOTEMPTY &&
            errno != EEXIST)
            result = -errno;
    }
    struct code code = {0};
    if (result < 0) {
        result = explain(f, result);
    } else {
        code.digest = f->digest;
        code.sha256_base64 = base64_encode(call->arena, f->digest_base64);
        code.zipped_bytes = f->zip.size;
        code.unpacked_bytes = f->report.unpacked_bytes;
        code.tmp_zip = str_c(call->arena, f->tmp_zip);
    }
    f->done(call, result, &code, f->user);
    /* What was not taken over by now is not needed. */
    unlink(f->tmp_zip.p);
    if (fs_exists(f->tmp_dir.p))
        fs_remove_tree(f->tmp_dir.p);
}

static void unpack(struct fetch *f)
{
    struct call *call = f->call;
    struct str id = random_hex(call->arena, 16);
    f->root = lambda_state(call)->codes->root;
    f->tmp_zip = str_printf(call->arena, "%s/lambda-%.*s.zip", store_tmp(call->store), STR(id));
    f->tmp_dir = str_printf(call->arena, "%.*s/.tmp-%.*s", STR(f->root), STR(id));
    f->digest = str_of(arena_alloc(call->arena, 65), 64);
    f->digest_base64 = str_of(arena_alloc(call->arena, 33), 32);
    call_offload(call, unpack_work, unpacked, f);
}

static void got_object(struct call *child, void *user)
{
    struct fetch *f = user;
    struct call *call = f->call;
    const struct code none = {0};
    if (child->result < 0) {
        struct str code = child->error ? str_from(child->error->code) : S("InternalError");
        int r;
        if (str_is(code, "AccessDenied"))
            r = call_fail(call, LAMBDA_ACCESS_DENIED,
                          "Your access has been denied by S3, please make sure your request "
                          "credentials have permission to GetObject for %s. S3 Error Code: "
                          "AccessDenied. S3 Error Message: %.*s",
                          "the object", STR(child->message));
        else
            r = lambda_fail(
                call, LAMBDA_INVALID_PARAMETER_VALUE,
                "Error occurred while GetObject. S3 Error Code: %.*s. S3 Error Message: "
                "%.*s",
                STR(code), STR(child->message));
        f->done(call, r, &none, f->user);
        return;
    }
    const struct s3_get_object_output *out = child->out;
    f->zip = out->body;
    if (f->zip.size > LAMBDA_UNZIPPED_MAX) {
        int r = lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                            "Unzipped size must be smaller than %d bytes", LAMBDA_UNZIPPED_MAX);
        f->done(call, r, &none, f->user);
        return;
    }
    unpack(f);
}

void code_fetch(struct call *call, const struct code_source *from, code_done_fn *done, void *user)
{
    struct fetch *f = ARENA_NEW(call->arena, struct fetch);
    *f = (struct fetch){.call = call, .done = done, .user = user};
    if (str_has(from->zip_file)) {
        f->zip = body_mem(from->zip_file);
        unpack(f);
        return;
    }
    f->from_s3 = true;
    struct s3_get_object_input *in = ARENA_NEW(call->arena, struct s3_get_object_input);
    in->bucket = from->s3_bucket;
    in->key = from->s3_key;
    in->version_id = from->s3_object_version;
    call_send(call, &s3_get_object_op, in, got_object, f);
}

int code_hold(struct call *call, const struct code *code)
{
    struct str key = key_code(call->arena, code->digest);
    struct lambda_code_record c = {0};
    int r = record_get(call, key, &lambda_code_record_shape, &c);
    if (r == -ENOENT) {
        c.zipped_bytes = opt_int(code->zipped_bytes);
        c.unpacked_bytes = opt_int(code->unpacked_bytes);
        r = 0;
        if (code->image)
            c.image_uri = code->image->resolved_image_uri;
        else
            r = blob_adopt(call->store, code->tmp_zip, call->arena, &c.blob);
    }
    if (r < 0)
        return r;
    c.references = opt_int(c.references.is + 1);
    return record_put(call, key, &lambda_code_record_shape, &c);
}

int code_hold_again(struct call *call, struct str digest)
{
    struct str key = key_code(call->arena, digest);
    struct lambda_code_record c = {0};
    int r = record_get(call, key, &lambda_code_record_shape, &c);
    if (r < 0)
        return r == -ENOENT ? -EIO : r;
    c.references = opt_int(c.references.is + 1);
    return record_put(call, key, &lambda_code_record_shape, &c);
}

int code_release(struct call *call, struct str digest)
{
    struct code_keeper *k = lambda_state(call)->codes;
    struct str key = key_code(call->arena, digest);
    struct lambda_code_record c = {0};
    int r = record_get(call, key, &lambda_code_record_shape, &c);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    c.references = opt_int(c.references.is - 1);
    if (c.references.is > 0)
        return record_put(call, key, &lambda_code_record_shape, &c);
    r = record_delete(call, key);
    if (r == 0 && c.blob.n)
        r = blob_delete(call->store, c.blob);
    if (r < 0)
        return r;
    code_doom(k, digest);
    return 0;
}

/* ---- downloads ---- */

static struct str signature(struct code_keeper *k, struct arena *a, struct str digest,
                            int64_t expires_s)
{
    uint8_t mac[32];
    digest_hmac_sha256(str_of(k->secret, sizeof(k->secret)),
                       str_printf(a, "%.*s %lld", STR(digest), (long long)expires_s), mac);
    return hex_encode(a, mac, sizeof(mac));
}

/* A link that works for ten minutes and needs no credentials, as AWS's presigned ones. Functions
 * reach the cloud at their own address only. */
struct str code_location(struct call *call, struct str digest)
{
    struct code_keeper *k = lambda_state(call)->codes;
    int64_t expires = call->now_ms / 1000 + 600;
    struct str endpoint = str_starts(call->host, S(SANDBOX_ADDRESS))
                              ? str_printf(call->arena, "http://%.*s", STR(call->host))
                              : cloud_endpoint(call->cloud);
    return str_printf(call->arena, "%.*s%s%.*s?Expires=%lld&Signature=%.*s", STR(endpoint),
                      LAMBDA_CODE_PATH, STR(digest), (long long)expires,
                      STR(signature(k, call->arena, digest, expires)));
}

static int open_blob(struct lambda_state *state, struct arena *a, struct str digest, int *ret_fd,
                     int64_t *ret_size)
{
    struct call *call = lambda_own_call(state);
    struct lambda_code_record c = {0};
    int r = record_get(call, key_code(call->arena, digest), &lambda_code_record_shape, &c);
    if (r == 0)
        r = blob_open(state->store, c.blob, ret_fd, ret_size);
    call_close(call);
    return r;
}

void code_serve(void *user, struct http_request *req)
{
    struct lambda_state *state = user;
    struct arena *a = req->arena;
    static const struct http_header zip[] = {{S_INIT("Content-Type"), S_INIT("application/zip")}};
    struct str path = str_slice(req->path, sizeof(LAMBDA_CODE_PATH) - 1, req->path.n);
    int64_t expires = 0, size = 0;
    int fd = -1;
    if (!str_starts(req->path, S(LAMBDA_CODE_PATH)) ||
        str_to_int64(wire_query_get(a, req->query, S("Expires")), &expires) < 0 ||
        expires < clock_now_ms() / 1000 ||
        !str_eq(wire_query_get(a, req->query, S("Signature")),
                signature(state->codes, a, path, expires)))
        http_reply(req, 403, NULL, 0, body_mem(S("This link is not valid, or not any more.\n")));
    else if (open_blob(state, a, path, &fd, &size) < 0)
        http_reply(req, 404, NULL, 0, body_mem(S("The package has been deleted.\n")));
    else
        http_reply(req, 200, zip, 1, body_file(fd, 0, size));
}
