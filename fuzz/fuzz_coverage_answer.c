/* fuzz_coverage_answer - any line as what the analysing script says: refused, or an analysis that
 * the cache gives back as it was. */
#include "coverage/analysis_internal.h"
#include "coverage/numbers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    int64_t id;
    struct analysis *an, *again;
    if (analysis_read(&a, str_of((const char *)data, size), &id, &an) < 0)
        return 0;
    static const uint8_t lines[] = {0xfe, 0xff};
    struct file_hits hits = {.lines = {lines, 2}};
    struct file_result r, same;
    numbers_file(&a, an, &hits, true, &r);
    auto_buf struct buf b;
    buf_init(&b, CACHE_ENTRY_MAX);
    cache_encode(&b, an);
    if (buf_failed(&b))
        return 0;
    if (cache_decode(&a, buf_view(&b), &again) < 0)
        abort();
    numbers_file(&a, again, &hits, true, &same);
    if (memcmp(&r.numbers, &same.numbers, sizeof(r.numbers)) != 0 ||
        !str_eq(numbers_missing_text(&a, &r), numbers_missing_text(&a, &same)))
        abort();
    return 0;
}
