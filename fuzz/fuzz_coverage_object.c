/* Objects of coverage: any bytes after the envelope that S3 has handed out, and any bytes at all.
 */
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include "base/arena.h"
#include "coverage/data.h"

static void take(struct str bytes)
{
    struct data *d = data_new(DATA_BY_CONTEXT);
    struct object_error err;
    struct data_view v;
    data_add(d, S("a"), bytes, &err);
    data_add(d, S("b"), bytes, &err);
    data_finish(d, &v);
    for (size_t i = 0; i < v.n_files; i++)
        for (size_t l = 0; l < v.files[i].n_first; l++)
            if (v.files[i].first[l] > v.n_contexts)
                abort();
    data_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str bytes = {(const char *)p, n};
    take(bytes);
    /* the same as a body with a right checksum, which no mutation finds */
    uLong bound = compressBound((uLong)n);
    uint8_t *wrapped = malloc(OBJECT_HEAD + bound);
    if (!wrapped || compress2(wrapped + OBJECT_HEAD, &bound, p, (uLong)n, 1) != Z_OK)
        abort();
    memcpy(wrapped, OBJECT_MAGIC, 8);
    for (int i = 0; i < 4; i++)
        wrapped[12 + i] = (uint8_t)(n >> (8 * i));
    uint32_t crc = (uint32_t)crc32(0, wrapped + 12, (uInt)(bound + 4));
    for (int i = 0; i < 4; i++)
        wrapped[8 + i] = (uint8_t)(crc >> (8 * i));
    take(str_of((char *)wrapped, OBJECT_HEAD + bound));

    /* what was read can be written, and is read again as the same */
    struct object_reader *reader = object_reader_new();
    struct object o, again;
    struct object_error err;
    struct arena a;
    arena_init(&a);
    if (object_read(reader, str_of((char *)wrapped, OBJECT_HEAD + bound), &a, &o, &err) == 0) {
        uint8_t *out;
        size_t out_n;
        struct object_reader *second = object_reader_new();
        if (object_write(&o, &out, &out_n) < 0)
            abort();
        if (object_read(second, str_of((char *)out, out_n), &a, &again, &err) < 0 ||
            again.n_files != o.n_files || again.n_contexts != o.n_contexts)
            abort();
        free(out);
        object_reader_free(second);
    }
    object_reader_free(reader);
    arena_done(&a);
    free(wrapped);
    return 0;
}
