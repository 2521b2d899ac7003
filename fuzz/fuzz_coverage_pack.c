/* fuzz_coverage_pack - any bytes as a pack of analyses, as they are and with checksums that are
 * right: refused, or a pack that answers for all its keys and for one that it has not. */
#include "coverage/analysis_internal.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#define HEAD 16
#define ROW 72

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void look(const uint8_t *bytes, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    int fd = memfd_create("pack", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    struct packs packs = {.n = 1};
    if (!pack_index(&a, fd, &packs.list[0])) {
        close(fd);
        return;
    }
    struct cache_key key = {0};
    packs_load(&a, &packs, &key);
    for (uint32_t i = 0; i < packs.list[0].n && i < 16; i++) {
        memcpy(key.hex, packs.list[0].index + i * (size_t)ROW, 64);
        struct analysis *an = packs_load(&a, &packs, &key);
        if (an && !analysis_valid(an))
            abort();
    }
    packs_close(&packs);
}

/* What a program that writes packs would have put there: the magic and the checksums. */
static void mend(uint8_t *p, size_t size)
{
    memcpy(p, "LAMPACK1", 8);
    uint32_t n = p[8] % 8;
    put32(p + 8, n);
    if (size < HEAD + (size_t)n * ROW)
        return;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *row = p + HEAD + (size_t)i * ROW;
        size_t at = get32(row + 64) % size, left = size - at;
        size_t length = get32(row + 68) % (left + 16); /* some reach behind the end */
        if (i)
            memcpy(row, row - ROW, 63);
        row[63] = (uint8_t)i; /* ascending */
        put32(row + 64, (uint32_t)at);
        put32(row + 68, (uint32_t)length);
        if (length < 12 || length > left || at < HEAD + (size_t)n * ROW)
            continue;
        memcpy(p + at, "LAMCACH1", 8);
        put32(p + at + 8, (uint32_t)crc32(0, p + at + 12, (uInt)(length - 12)));
    }
    put32(p + 12, (uint32_t)crc32(0, p + HEAD, (uInt)(n * ROW)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    look(data, size);
    if (size < HEAD)
        return 0;
    uint8_t *copy = malloc(size);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    mend(copy, size);
    look(copy, size);
    free(copy);
    return 0;
}
