/* fuzz_logs_pattern - any filter pattern on any message: the first line is the pattern. */
#include "service/logs/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str pattern, message, why;
    str_cut(str_of((const char *)data, size), '\n', &pattern, &message);
    struct logs_pattern *p;
    if (logs_pattern_parse(&a, pattern, &p, &why) == 0)
        logs_pattern_match(p, message, &a);
    return 0;
}
