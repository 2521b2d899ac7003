/* fuzz_coverage_settings - any text as a .coveragerc and as a pyproject.toml. */
#include "coverage/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str text = str_of((const char *)data, size);
    struct str names[] = {S(".coveragerc"), S("setup.cfg"), S("pyproject.toml")};
    for (size_t i = 0; i < 3; i++) {
        struct coverage_settings s;
        struct settings_error err;
        bool found;
        if (settings_parse(&a, names[i], text, i == 0, &s, &found, &err) < 0 && !err.reason.n)
            abort();
    }
    return 0;
}
