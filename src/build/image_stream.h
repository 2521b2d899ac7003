/* image_stream - the bytes of a layer: file -> digest -> gunzip -> digest -> tar. Blocks. */
#pragma once
#include <zlib.h>
#include "base/digest.h"
#include "build/image.h"

struct image_stream {
    struct image_part part;     /* its fd stays the caller's */
    int64_t at, given, max;     /* bytes read, bytes given, and how many may be */
    struct digest *raw, *plain; /* of what was read and what was given */
    bool gzip, ended;
    z_stream z;
    unsigned char in[131072];
    enum { IMAGE_STREAM_FINE, IMAGE_STREAM_ZSTD, IMAGE_STREAM_DAMAGED, IMAGE_STREAM_LARGE } fault;
};

/* At most max bytes come out. 0 or -errno; -EBADMSG: see `fault`. To be closed in both cases. */
int image_stream_open(struct image_stream *s, struct image_part part, int64_t max);
/* For a tar: user is the stream. *ret_n 0: the end. 0 or -errno; -EBADMSG: see `fault`. */
int image_stream_read(void *user, void *p, size_t n, size_t *ret_n);
void image_stream_close(struct image_stream *s);
/* Is it that sum, in hex? Takes d. */
bool image_stream_is(struct arena *a, struct digest *d, struct str hex);
