/* fuzz_bench_baseline - reports of earlier runs, compared with one; histograms in them. */
#include <stdlib.h>
#include "base/arena.h"
#include "bench/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    arena_init(&a);
    struct bench_run run;
    bench_run_init(&run);
    run.mode = S("load");
    bench_run_series(&run)->name = S("a");
    for (int i = 0; i < 20; i++) {
        struct bench_sample *s = bench_run_sample(&run);
        s->done_ns = 1000000 + i * 1000;
        s->billed_ms = 2;
        s->outcome = i ? BENCH_OK : BENCH_THROTTLED;
    }
    struct str text = str_of((const char *)data, size), why = {0};
    struct gate_baseline *base;
    struct gate_report report = {0};
    if (gate_baseline_parse(&a, text, &base, &why) == 0)
        gate_compare(&a, bench_summarize(&a, &run), base, S("before"), 0.1, &report);
    if (report.failed > report.n)
        abort();
    struct histogram *h;
    if (histogram_decode(&a, text, &h) == 0 && h->total && histogram_quantile(h, 1) < 0)
        abort();
    bench_run_done(&run);
    arena_done(&a);
    return 0;
}
