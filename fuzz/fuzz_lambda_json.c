/* fuzz_lambda_json - payloads: what the check of Invoke lets through is what the parser takes. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/json.h"
#include "service/lambda/json_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = {(const char *)data, n};
    size_t at;
    const char *why;
    bool good = json_check(text, &at, &why);
    if (at > n || (!good && !why))
        abort();
    auto_arena struct arena a;
    arena_init(&a);
    struct json *v;
    /* The parser refuses what is deeper than its trees, and lone surrogates. */
    if (json_parse(&a, text, &v, NULL) == 0 && !good)
        abort();
    return 0;
}
