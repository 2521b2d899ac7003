/* unwrap - bodies out of what they travel in: the hash of a big one is checked, aws-chunked
 * decoded. In libuv's pool when the body is in a file. */
#include <errno.h>
#include <fcntl.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "cloud/internal.h"
#include "wire/chunked.h"

/* Work on the body that may be long. Runs in the pool when the body is in a file: the loop's thread
 * does not touch the frame meanwhile. */
struct unwrap {
    struct frame *frame;
    struct wire_error err;
    char *path; /* of the decoded file */
    int fd;
    struct wire_pair checksum;
    struct body body;
};

static int check_hash(struct unwrap *u)
{
    struct frame *f = u->frame;
    uint8_t hash[32];
    int r = digest_body(DIGEST_SHA256, &f->wire.body, hash);
    if (r < 0)
        return r;
    if (str_eq(hex_encode(f->call.arena, hash, sizeof(hash)), f->auth.payload_sha256))
        return 0;
    bool s3 = f->mounted->model->protocol == PROTOCOL_REST_XML;
    wire_error_set(&u->err, f->mounted->model,
                   s3 ? S("XAmzContentSHA256Mismatch") : S("InvalidSignatureException"),
                   S("The provided 'x-amz-content-sha256' header does not match what was "
                     "computed."));
    u->err.status = s3 ? 400 : 403;
    return -EBADMSG;
}

static int unwrap_work(void *user)
{
    struct unwrap *u = user;
    struct frame *f = u->frame;
    if (f->auth.payload == SIGV4_PAYLOAD_SIGNED)
        return check_hash(u);
    return chunked_body(&f->auth, &f->wire, u->fd, f->call.arena, &u->body, &u->checksum, &u->err);
}

/* The body as the operation shall see it, and the headers that described its wrapping. */
static void unwrapped(struct frame *f, struct unwrap *u)
{
    struct arena *a = f->call.arena;
    struct wire_headers headers = {0};
    for (size_t i = 0; i < f->routed.n_headers; i++) {
        struct wire_header h = f->routed.headers[i];
        if (str_eq_nocase(h.name, S("Content-Encoding"))) {
            struct str first, rest;
            if (str_cut(h.value, ',', &first, &rest) && str_is(str_trim(first), "aws-chunked"))
                h.value = str_trim(rest);
            else if (str_is(str_trim(h.value), "aws-chunked"))
                continue;
        } else if (str_eq_nocase(h.name, S("Content-Length"))) {
            h.value = str_printf(a, "%lld", (long long)u->body.size);
        }
        wire_headers_add(a, &headers, h.name, h.value);
    }
    if (u->checksum.name.n)
        wire_headers_add(a, &headers, u->checksum.name, u->checksum.value);
    f->routed.headers = headers.items;
    f->routed.n_headers = headers.n;
    f->routed.body = u->body;
    if (u->body.in_file) {
        close(f->body_fd);
        f->body_fd = TAKE_FD(u->fd);
        f->call.body_path = f->body_file = u->path;
    }
}

static void unwrap_done(struct call *call, void *user, int result)
{
    struct unwrap *u = user;
    struct frame *f = u->frame;
    if (u->fd >= 0 && (result < 0 || !f->request))
        unlink(u->path);
    if (!f->request) {
        result = -ECANCELED; /* released below: the pool has let go of it */
    } else if (result == -EBADMSG) {
        dispatch_fail(f, &u->err);
    } else if (result < 0) {
        dispatch_fault(f, result, &u->err);
        dispatch_fail(f, &u->err);
    } else if (f->auth.payload != SIGV4_PAYLOAD_SIGNED) {
        unwrapped(f, u);
    }
    if (u->fd >= 0)
        close(u->fd);
    if (result == -ECANCELED)
        frame_release(f);
    else if (result >= 0)
        dispatch_carry_out(f);
}

void unwrap_body(struct frame *f)
{
    bool chunked = !f->auth.anonymous && f->auth.payload >= SIGV4_PAYLOAD_CHUNKED;
    bool unhashed = !f->auth.anonymous && f->auth.payload == SIGV4_PAYLOAD_SIGNED &&
                    f->wire.body.has && f->wire.body.in_file;
    if (!chunked && !unhashed) {
        dispatch_carry_out(f);
        return;
    }
    struct arena *a = f->call.arena;
    struct unwrap *u = ARENA_NEW(a, struct unwrap);
    u->frame = f;
    u->fd = -1;
    if (!f->wire.body.in_file) {
        unwrap_done(&f->call, u, unwrap_work(u));
        return;
    }
    if (chunked) {
        u->path = str_c(
            a, str_printf(a, "%s/body-%.*s", store_tmp(f->call.store), STR(random_hex(a, 16))));
        u->fd = open(u->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    call_offload(&f->call, unwrap_work, unwrap_done, u);
}
