/* fuzz_coverage_cache - any bytes as an entry of the analyses' cache, with a checksum that is
 * right: refused, or an analysis that the numbers can be made of and that is written as it was
 * read. */
#include "coverage/analysis_internal.h"
#include "coverage/numbers.h"
#include <zlib.h>

static void use(struct arena *a, const struct analysis *an)
{
    static const uint8_t lines[] = {0xfe, 0xff, 0x0f};
    static const struct object_arc arcs[] = {{1, 2}, {2, 3}, {3, 1}, {3, -1}, {-5, 5}};
    struct file_hits hits = {.lines = {lines, 3}, .arcs = arcs, .n_arcs = 5};
    struct file_result r, part;
    numbers_file(a, an, &hits, true, &r);
    numbers_missing_text(a, &r);
    for (size_t i = 0; i < an->n_regions; i++)
        numbers_part(a, &r, an->regions[i].lines, &part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    uint8_t *entry = arena_alloc(&a, size + 12);
    uint32_t crc = (uint32_t)crc32(0, data, (uInt)size);
    memcpy(entry, "LAMCACH1", 8);
    for (int i = 0; i < 4; i++)
        entry[8 + i] = (uint8_t)(crc >> 8 * i);
    if (size)
        memcpy(entry + 12, data, size);
    struct analysis *an, *again;
    cache_decode(&a, str_of((const char *)data, size), &an);
    if (cache_decode(&a, str_of((const char *)entry, size + 12), &an) < 0)
        return 0;
    use(&a, an);
    auto_buf struct buf b;
    buf_init(&b, CACHE_ENTRY_MAX);
    cache_encode(&b, an);
    if (!buf_failed(&b) && cache_decode(&a, buf_view(&b), &again) < 0)
        abort();
    return 0;
}
