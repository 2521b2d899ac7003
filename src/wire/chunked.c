/* chunked - bodies in aws-chunked encoding.
 *
 *   SIZE_LINE --size > 0--> DATA --all--> DATA_END --\r\n--> SIZE_LINE
 *       \------size == 0--> TRAILER --empty line--> DONE          (all in chunked_feed)
 */
#include "wire/chunked.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "wire/canonical.h"

#define LINE_MAX_BYTES 8192
#define CHUNK_MAX (1024ll * 1024 * 1024 * 5)

enum state { SIZE_LINE, DATA, DATA_END, TRAILER, DONE };

struct chunked {
    enum state state;
    const struct sigv4_result *auth;
    bool is_signed, has_trailer;
    int64_t decoded_length, decoded;
    int64_t left; /* of the chunk */
    struct buf line;
    char previous[65];    /* the signature before this chunk's */
    char claimed[65];     /* this chunk's */
    struct digest *chunk; /* of its data */
    struct digest *whole; /* the trailer's checksum, as it grows */
    struct str trailer;   /* name announced */
    struct buf trailers;  /* as they are signed: name:value\n */
    char checksum[96];    /* base64, as it came */
    bool trailer_signed;
};

static const struct {
    const char *name;
    enum digest_kind kind;
} checksums[] = {
    {"x-amz-checksum-crc32", DIGEST_CRC32}, {"x-amz-checksum-crc32c", DIGEST_CRC32C},
    {"x-amz-checksum-sha1", DIGEST_SHA1},   {"x-amz-checksum-sha256", DIGEST_SHA256},
    {"x-amz-checksum-md5", DIGEST_MD5},     {"x-amz-checksum-crc64nvme", DIGEST_CRC64NVME},
};

struct chunked *chunked_open(const struct sigv4_result *auth, int64_t decoded_length,
                             struct str trailer)
{
    struct chunked *c = MEM_NEW(struct chunked);
    c->auth = auth;
    c->is_signed = auth->payload != SIGV4_PAYLOAD_UNSIGNED_CHUNKED_TRAILER;
    c->has_trailer = auth->payload != SIGV4_PAYLOAD_CHUNKED;
    c->decoded_length = decoded_length;
    c->trailer = trailer;
    memcpy(c->previous, auth->signature, sizeof(c->previous));
    buf_init(&c->line, LINE_MAX_BYTES);
    buf_init(&c->trailers, LINE_MAX_BYTES);
    for (size_t i = 0; trailer.p && i < sizeof(checksums) / sizeof(checksums[0]); i++)
        if (str_eq_nocase(trailer, str_from(checksums[i].name)))
            c->whole = digest_open(checksums[i].kind);
    return c;
}

void chunked_close(struct chunked *c)
{
    uint8_t ignored[32];
    if (!c)
        return;
    if (c->chunk)
        digest_close(c->chunk, ignored);
    if (c->whole)
        digest_close(c->whole, ignored);
    buf_done(&c->line);
    buf_done(&c->trailers);
    free(c);
}

static int refuse(struct wire_error *err, const char *code, int status, const char *message)
{
    *err =
        (struct wire_error){.code = str_from(code), .status = status, .message = str_from(message)};
    return -EBADMSG;
}

static int incomplete(struct wire_error *err)
{
    return refuse(err, "IncompleteBody", 400, "The request body terminated unexpectedly");
}

static int wrong_signature(struct wire_error *err)
{
    return refuse(err, "SignatureDoesNotMatch", 403,
                  "The request signature we calculated does not match the signature you provided. "
                  "Check your key and signing method.");
}

/* Takes one line's bytes; true when it is whole, without its line end, in c->line. */
static bool take_line(struct chunked *c, const char **p, const char *end)
{
    const char *lf = memchr(*p, '\n', (size_t)(end - *p));
    buf_add(&c->line, *p, (size_t)((lf ? lf : end) - *p));
    *p = lf ? lf + 1 : end;
    if (lf && c->line.n && c->line.p[c->line.n - 1] == '\r')
        c->line.n--;
    return lf != NULL;
}

static int parse_size_line(struct chunked *c, struct wire_error *err)
{
    struct str size, extension, line = buf_view(&c->line);
    int64_t n = 0;
    str_cut(line, ';', &size, &extension);
    if (!size.n || size.n > 15)
        return incomplete(err);
    for (size_t i = 0; i < size.n; i++) {
        char d = size.p[i];
        int v = d >= '0' && d <= '9'                     ? d - '0'
                : (d | 0x20) >= 'a' && (d | 0x20) <= 'f' ? (d | 0x20) - 'a' + 10
                                                         : -1;
        if (v < 0)
            return incomplete(err);
        n = n << 4 | v;
    }
    if (n > CHUNK_MAX || (c->decoded_length >= 0 && n > c->decoded_length - c->decoded))
        return incomplete(err);
    c->left = n;
    if (!c->is_signed)
        return 0;
    struct str prefix = S("chunk-signature=");
    extension = str_trim(extension.p ? extension : S(""));
    if (!str_starts(extension, prefix) || extension.n != prefix.n + 64)
        return wrong_signature(err);
    memcpy(c->claimed, extension.p + prefix.n, 64);
    c->claimed[64] = 0;
    c->chunk = digest_open(DIGEST_SHA256);
    return 0;
}

/* The chunk's data has all come. */
static int check_chunk(struct chunked *c, struct arena *a, struct wire_error *err)
{
    uint8_t hash[32];
    char signature[65];
    if (!c->is_signed)
        return 0;
    digest_close(c->chunk, hash);
    c->chunk = NULL;
    struct str scope = credential_scope(a, c->auth->date, c->auth->region, c->auth->service);
    struct str text = str_printf(a, "AWS4-HMAC-SHA256-PAYLOAD\n%.*s\n%.*s\n%s\n%.*s\n%.*s",
                                 STR(c->auth->amz_date), STR(scope), c->previous,
                                 STR(sha256_hex(a, S(""))), STR(hex_encode(a, hash, 32)));
    sign_hex(c->auth->signing_key, text, signature);
    if (CRYPTO_memcmp(signature, c->claimed, 64) != 0)
        return wrong_signature(err);
    memcpy(c->previous, signature, sizeof(signature));
    return 0;
}

static int check_trailer_signature(struct chunked *c, struct str claimed, struct arena *a,
                                   struct wire_error *err)
{
    char signature[65];
    struct str scope = credential_scope(a, c->auth->date, c->auth->region, c->auth->service);
    struct str text =
        str_printf(a, "AWS4-HMAC-SHA256-TRAILER\n%.*s\n%.*s\n%s\n%.*s", STR(c->auth->amz_date),
                   STR(scope), c->previous, STR(sha256_hex(a, buf_view(&c->trailers))));
    sign_hex(c->auth->signing_key, text, signature);
    if (claimed.n != 64 || CRYPTO_memcmp(signature, claimed.p, 64) != 0)
        return wrong_signature(err);
    c->trailer_signed = true;
    return 0;
}

static int malformed_trailer(struct wire_error *err)
{
    return refuse(err, "MalformedTrailerError", 400,
                  "The request contained trailing data that was not well-formed or did not "
                  "conform to our published schema.");
}

static int take_trailer(struct chunked *c, struct arena *a, struct wire_error *err)
{
    struct str name, value;
    /* Nothing may follow the signature: it would not be signed. */
    if (!c->has_trailer || c->trailer_signed || !str_cut(buf_view(&c->line), ':', &name, &value))
        return malformed_trailer(err);
    name = str_lower(a, str_trim(name));
    value = str_trim(value);
    if (str_eq(name, S("x-amz-trailer-signature")))
        return c->is_signed ? check_trailer_signature(c, value, a, err) : 0;
    buf_str(&c->trailers, name);
    buf_byte(&c->trailers, ':');
    buf_str(&c->trailers, value);
    buf_byte(&c->trailers, '\n');
    if (c->trailer.p && str_eq_nocase(name, c->trailer) && value.n < sizeof(c->checksum)) {
        memcpy(c->checksum, value.p, value.n);
        c->checksum[value.n] = 0;
    }
    return 0;
}

static int take_data(struct chunked *c, const char **p, const char *end, chunked_sink_fn *sink,
                     void *user)
{
    size_t n = (size_t)(end - *p);
    if ((int64_t)n > c->left)
        n = (size_t)c->left;
    if (c->chunk)
        digest_add(c->chunk, *p, n);
    if (c->whole)
        digest_add(c->whole, *p, n);
    int r = sink(user, *p, n);
    if (r < 0)
        return r;
    *p += n;
    c->left -= (int64_t)n;
    c->decoded += (int64_t)n;
    return 0;
}

static int line_done(struct chunked *c, struct arena *a, struct wire_error *err)
{
    int r = 0;
    if (buf_failed(&c->line))
        return incomplete(err);
    switch (c->state) {
    case SIZE_LINE:
        r = parse_size_line(c, err);
        if (r == 0 && c->left == 0)
            r = check_chunk(c, a, err);
        c->state = c->left ? DATA : TRAILER;
        break;
    case DATA_END:
        if (c->line.n)
            return incomplete(err);
        r = check_chunk(c, a, err);
        c->state = SIZE_LINE;
        break;
    case TRAILER:
        if (!c->line.n)
            c->state = DONE;
        else
            r = take_trailer(c, a, err);
        break;
    default:
        break;
    }
    buf_clear(&c->line);
    return r;
}

int chunked_feed(struct chunked *c, const void *bytes, size_t n, chunked_sink_fn *sink, void *user,
                 struct arena *a, struct wire_error *err)
{
    const char *p = bytes, *end = p + n;
    while (p < end && c->state != DONE) {
        int r = 0;
        if (c->state == DATA) {
            r = take_data(c, &p, end, sink, user);
            if (r == 0 && c->left == 0)
                c->state = DATA_END;
        } else if (take_line(c, &p, end)) {
            r = line_done(c, a, err);
        } else if (buf_failed(&c->line)) {
            r = incomplete(err);
        }
        if (r < 0)
            return r;
    }
    return p < end ? malformed_trailer(err) : 0; /* there is something behind the end */
}

int chunked_end(struct chunked *c, struct arena *a, struct wire_pair *ret_checksum,
                struct wire_error *err)
{
    /* Some clients leave out the empty line after the last trailer. */
    if (c->state == TRAILER && c->line.n) {
        int r = line_done(c, a, err);
        if (r < 0)
            return r;
    }
    if (c->state != DONE && c->state != TRAILER)
        return incomplete(err);
    if (c->decoded_length >= 0 && c->decoded != c->decoded_length)
        return incomplete(err);
    if (c->has_trailer && c->is_signed && !c->trailer_signed)
        return wrong_signature(err);
    *ret_checksum = (struct wire_pair){0};
    if (!c->whole)
        return 0;
    uint8_t sum[32];
    size_t n = digest_close(c->whole, sum);
    c->whole = NULL;
    struct str actual = base64_encode(a, str_of((char *)sum, n));
    if (!c->checksum[0])
        return malformed_trailer(err);
    if (!str_is(actual, c->checksum)) {
        struct str algorithm = str_slice(c->trailer, strlen("x-amz-checksum-"), c->trailer.n);
        char *upper = str_c(a, algorithm);
        for (char *u = upper; *u; u++)
            *u = *u >= 'a' && *u <= 'z' ? (char)(*u - 32) : *u;
        return refuse(
            err, "BadDigest", 400,
            str_printf(a, "The %s you specified did not match the calculated checksum.", upper).p);
    }
    *ret_checksum = (struct wire_pair){str_lower(a, c->trailer), actual};
    return 0;
}

/* ---- whole bodies ---- */

struct target {
    struct buf memory;
    int fd;
    int64_t size;
};

static int into_memory(void *user, const void *p, size_t n)
{
    struct target *t = user;
    buf_add(&t->memory, p, n);
    t->size += (int64_t)n;
    return 0;
}

static int into_file(void *user, const void *p, size_t n)
{
    struct target *t = user;
    t->size += (int64_t)n;
    return fs_write_all(t->fd, p, n);
}

static int feed_file(struct chunked *c, const struct body *body, chunked_sink_fn *sink, void *user,
                     struct arena *a, struct wire_error *err)
{
    const size_t size = 65536;
    char *block = arena_alloc(a, size);
    for (int64_t at = 0; at < body->size;) {
        int64_t want = body->size - at < (int64_t)size ? body->size - at : (int64_t)size;
        ssize_t n = pread(body->fd, block, (size_t)want, body->offset + at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        int r = chunked_feed(c, block, (size_t)n, sink, user, a, err);
        if (r < 0)
            return r;
        at += n;
    }
    return 0;
}

int chunked_body(const struct sigv4_result *auth, const struct wire_request *req, int out_fd,
                 struct arena *a, struct body *ret, struct wire_pair *ret_checksum,
                 struct wire_error *err)
{
    struct target t = {.fd = out_fd};
    struct str length = wire_header(req, "X-Amz-Decoded-Content-Length");
    int64_t decoded = -1;
    if (!length.p)
        return refuse(err, "MissingContentLength", 411,
                      "You must provide the Content-Length HTTP header.");
    if (str_to_int64(length, &decoded) < 0 || decoded < 0)
        return refuse(err, "InvalidArgument", 400, "x-amz-decoded-content-length is not a number");
    off_t start = req->body.in_file ? lseek(out_fd, 0, SEEK_END) : 0;
    if (start < 0)
        return -errno;
    buf_init(&t.memory, SIZE_MAX);
    struct chunked *c = chunked_open(auth, decoded, wire_header(req, "X-Amz-Trailer"));
    int r = req->body.in_file
                ? feed_file(c, &req->body, into_file, &t, a, err)
                : chunked_feed(c, req->body.mem.p, req->body.mem.n, into_memory, &t, a, err);
    if (r == 0)
        r = chunked_end(c, a, ret_checksum, err);
    if (r == 0)
        *ret =
            req->body.in_file ? body_file(out_fd, start, t.size) : body_mem(buf_copy(&t.memory, a));
    chunked_close(c);
    buf_done(&t.memory);
    return r;
}
