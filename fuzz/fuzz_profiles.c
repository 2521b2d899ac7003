/* fuzz_profiles - any bytes as ~/.aws/config. */
#include "aws/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct profile *list = NULL;
    profiles_parse(&a, str_of((const char *)data, size), &list);
    profile_find(list, S("default"));
    return 0;
}
