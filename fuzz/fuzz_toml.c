/* fuzz_toml - any bytes as samconfig.toml. */
#include "base/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *v;
    if (toml_parse(&a, str_of((const char *)data, size), &v, NULL) == 0)
        json_text(&a, v, 2);
    return 0;
}
