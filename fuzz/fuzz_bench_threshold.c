/* fuzz_bench_threshold - conditions of --threshold: whatever is read is in its limits. */
#include <math.h>
#include <stdlib.h>
#include "base/arena.h"
#include "bench/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    arena_init(&a);
    struct gate_threshold list[GATE_MAX];
    size_t n = 0;
    struct str why = {0};
    int r = gate_parse(&a, str_of((const char *)data, size), list, &n, &why);
    if (n > GATE_MAX || (r < 0 && !why.n) || (r == 0 && !n))
        abort();
    for (size_t i = 0; i < n; i++)
        if (!isfinite(list[i].limit) || list[i].limit < 0)
            abort();
    arena_done(&a);
    return 0;
}
