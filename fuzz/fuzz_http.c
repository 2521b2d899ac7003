/* fuzz_http - heads and chunked bodies out of any bytes; the result may not depend on how they are
 * cut. The first byte says where. */
#include "http/parse.h"
#include "base/buf.h"

/* Everything of the body, with the input coming in pieces of `step` bytes. */
static int chunks_all(struct arena *a, struct str in, size_t step, struct buf *out,
                      size_t *ret_used)
{
    auto_buf struct buf trailers;
    buf_init(&trailers, SIZE_MAX / 2);
    struct http_chunks c = {.trailers = &trailers};
    size_t used = 0;
    while (used < in.n && c.state != CHUNK_DONE) {
        struct str piece = str_slice(in, used, used + step), data;
        size_t before = piece.n;
        int r;
        do {
            r = http_chunks_next(&c, &piece, &data);
            buf_str(out, data);
        } while (r > 0);
        if (r < 0)
            return r;
        used += before - piece.n;
        if (piece.n && c.state != CHUNK_DONE)
            abort();
    }
    *ret_used = used;
    struct http_header *headers;
    size_t n;
    http_trailers_parse(buf_view(&trailers), a, &headers, &n);
    for (size_t i = 0; i < n; i++)
        buf_str(out, headers[i].value);
    return c.state == CHUNK_DONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    auto_arena struct arena a;
    arena_init(&a);
    size_t step = data[0] % 16 + 1;
    struct str in = str_copy(&a, str_of((const char *)data + 1, size - 1));

    size_t scanned = 0, n = 0, n2 = 0, scanned2 = 0;
    int r = http_head_end(in, &scanned, &n), r2 = 0;
    for (size_t at = step; r2 == 0; at += step) {
        r2 = http_head_end(str_slice(in, 0, at), &scanned2, &n2);
        if (at >= in.n)
            break;
    }
    if (r != r2 || n != n2 || n > in.n)
        abort();
    struct http_head head;
    if (r > 0 && http_head_parse(str_slice(in, 0, n), &a, &head) == 0) {
        if (!head.method.n || !head.target.n || !head.path.n)
            abort();
        for (size_t i = 0; i < head.n_headers; i++)
            if (!head.headers[i].name.n || str_find_byte(head.headers[i].value, '\n') >= 0)
                abort();
    }

    auto_buf struct buf whole;
    auto_buf struct buf pieces;
    buf_init(&whole, SIZE_MAX / 2);
    buf_init(&pieces, SIZE_MAX / 2);
    size_t used = 0, used2 = 0;
    r = chunks_all(&a, in, SIZE_MAX / 2, &whole, &used);
    r2 = chunks_all(&a, in, step, &pieces, &used2);
    if (r != r2 || used != used2 || (r >= 0 && !str_eq(buf_view(&whole), buf_view(&pieces))))
        abort();
    return 0;
}
