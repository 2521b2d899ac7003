/* fuzz_coverage_arena - any bytes behind a right header: reading stays inside, ends, and gives the
 * same a second time. */
#include <stdlib.h>
#include "../layers/python-coverage/arena.h"

static uint64_t walk(void *base, size_t size, bool take)
{
    uint64_t sum = 0;
    struct covarena_files files = {0};
    struct covarena_file_view f;
    while (covarena_next_file(base, size, &files, &f)) {
        for (uint32_t i = 0; i < f.n_words; i++)
            sum = sum * 31 + covarena_word(&f.lines[i]) + covarena_word(&f.raw_lines[i]);
        for (uint32_t i = 0; i < f.path_bytes; i++)
            sum = sum * 31 + (unsigned char)f.path[i];
        struct covarena_arcs arcs = {0};
        struct covarena_arc arc;
        while (covarena_next_arc(base, size, &f, &arcs, take, &arc))
            sum = sum * 31 + (uint32_t)arc.from + (uint32_t)arc.to;
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct covarena_header h = {.version = COVARENA_VERSION, .header_bytes = sizeof(h)};
    memcpy(h.magic, COVARENA_MAGIC, 8);
    char *base = malloc(sizeof(h) + size);
    memcpy(base, &h, sizeof(h));
    memcpy(base + sizeof(h), data, size);
    if (size >= 8)
        memcpy(&((struct covarena_header *)base)->first_file, data, 8);
    if (!covarena_open(base, sizeof(h) + size) || covarena_open(base, sizeof(h) - 1) ||
        walk(base, sizeof(h) + size, false) != walk(base, sizeof(h) + size, false))
        abort();
    walk(base, sizeof(h) + size, true);
    free(base);
    return 0;
}
