/* fuzz_eventstream - messages out of any bytes: what parses is written back as the same bytes, and
 * a message with right checksums made of the input parses as what it was made of. */
#include <errno.h>
#include <zlib.h>
#include "wire/eventstream.h"

static void put(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (char)(v >> (24 - 8 * i));
}

/* The input with checksums that hold, so that the fuzzer gets behind them. */
static void mend(char *p, size_t n, size_t headers)
{
    put(p, (uint32_t)n);
    put(p + 4, (uint32_t)headers);
    put(p + 8, (uint32_t)crc32_z(0, (unsigned char *)p, 8));
    put(p + n - 4, (uint32_t)crc32_z(0, (unsigned char *)p, n - 4));
}

static void check(struct arena *a, struct str in)
{
    struct eventstream_message m;
    size_t size;
    int r;
    while ((r = eventstream_parse(a, in, &m, &size)) == 1) {
        auto_buf struct buf b;
        buf_init(&b, SIZE_MAX / 2);
        if (size > in.n || !eventstream_write(&b, &m) ||
            !str_eq(buf_view(&b), str_slice(in, 0, size)))
            abort();
        eventstream_text(&m, ":event-type");
        in = str_slice(in, size, in.n);
    }
    if (r != 0 && r != -EBADMSG)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    check(&a, str_copy(&a, str_of((const char *)data, size)));
    if (size < 16)
        return 0;
    char *p = arena_copy(&a, data, size);
    mend(p, size, ((uint32_t)data[6] << 8 | data[7]) % (size - 15));
    check(&a, str_of(p, size));
    return 0;
}
