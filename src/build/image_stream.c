/* image_stream - layers read as they are: plain or gzip, see image_stream.h. */
#include "build/image_stream.h"
#include <errno.h>
#include <unistd.h>

static int read_raw(struct image_stream *s, void *p, size_t n, size_t *ret_n)
{
    int64_t left = s->part.size - s->at;
    if ((int64_t)n > left)
        n = (size_t)left;
    ssize_t got = n ? pread(s->part.fd, p, n, s->part.offset + s->at) : 0;
    if (got < 0 || (got == 0 && n > 0))
        return got < 0 ? -errno : -EIO;
    digest_add(s->raw, p, (size_t)got);
    s->at += got;
    *ret_n = (size_t)got;
    return 0;
}

/* A gzip file may have several members, one behind the other. */
static int inflate_some(struct image_stream *s, void *p, size_t n, size_t *ret_n)
{
    s->z.next_out = p;
    s->z.avail_out = (unsigned)n;
    while (s->z.avail_out == n && !s->ended) {
        if (s->z.avail_in == 0) {
            size_t got = 0;
            int r = read_raw(s, s->in, sizeof(s->in), &got);
            if (r < 0)
                return r;
            s->z.next_in = s->in;
            s->z.avail_in = (unsigned)got;
            if (got == 0) {
                s->fault = IMAGE_STREAM_DAMAGED;
                return -EBADMSG;
            }
        }
        int r = inflate(&s->z, Z_NO_FLUSH);
        if (r == Z_STREAM_END) {
            s->ended = s->z.avail_in == 0 && s->at == s->part.size;
            if (!s->ended)
                inflateReset(&s->z);
        } else if (r != Z_OK) {
            s->fault = IMAGE_STREAM_DAMAGED;
            return -EBADMSG;
        }
    }
    *ret_n = n - s->z.avail_out;
    return 0;
}

int image_stream_read(void *user, void *p, size_t n, size_t *ret_n)
{
    struct image_stream *s = user;
    if (n > sizeof(s->in))
        n = sizeof(s->in);
    int r = s->gzip ? inflate_some(s, p, n, ret_n) : read_raw(s, p, n, ret_n);
    if (r < 0)
        return r;
    digest_add(s->plain, p, *ret_n);
    s->given += (int64_t)*ret_n;
    if (s->given > s->max) { /* zeros without end compress to nothing */
        s->fault = IMAGE_STREAM_LARGE;
        return -EBADMSG;
    }
    return 0;
}

int image_stream_open(struct image_stream *s, struct image_part part, int64_t max)
{
    unsigned char magic[4] = {0};
    *s = (struct image_stream){.part = part, .max = max};
    ssize_t n = pread(part.fd, magic, part.size < 4 ? (size_t)part.size : 4, part.offset);
    if (n < 0)
        return -errno;
    s->gzip = magic[0] == 0x1f && magic[1] == 0x8b;
    if (magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd) {
        s->fault = IMAGE_STREAM_ZSTD;
        return -EBADMSG;
    }
    if (s->gzip && inflateInit2(&s->z, 16 + MAX_WBITS) != Z_OK)
        return -ENOMEM;
    s->raw = digest_open(DIGEST_SHA256);
    s->plain = digest_open(DIGEST_SHA256);
    return 0;
}

void image_stream_close(struct image_stream *s)
{
    uint8_t unused[32];
    if (s->gzip)
        inflateEnd(&s->z);
    if (s->raw)
        digest_close(s->raw, unused);
    if (s->plain)
        digest_close(s->plain, unused);
}

bool image_stream_is(struct arena *a, struct digest *d, struct str hex)
{
    uint8_t sum[32];
    size_t n = digest_close(d, sum);
    return str_eq(hex_encode(a, sum, n), hex);
}
