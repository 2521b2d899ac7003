/* fuzz_lineage - trace headers: counting never makes them grow much, and a second step is one more.
 */
#include <stdint.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "service/lambda/recursion.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str header = {(const char *)data, n}, once, twice, arn = S("arn:f");
    int64_t first, second;
    if (n > 8192)
        return 0;
    lineage_step(&a, header, arn, &once, &first);
    lineage_step(&a, once, arn, &twice, &second);
    if (first < 0 || (second != first + 1 && second != 999999))
        abort();
    if (once.n > n + 64 || str_find(once, S("Lineage=")) < 0)
        abort();
    return 0;
}
