/* fuzz_json - any bytes: parsed or refused, never worse; what is written parses to the same again.
 */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *v, *again;
    struct json_error err;
    if (json_parse(&a, str_of((const char *)data, size), &v, &err) < 0) {
        if (!err.message || err.line < 1 || err.column < 1)
            abort();
        return 0;
    }
    for (int indent = -1; indent < 3; indent += 3)
        if (json_parse(&a, json_text(&a, v, indent), &again, NULL) < 0 || !json_equal(v, again))
            abort();
    int64_t n;
    json_int(v, &n);
    return 0;
}
