/* fuzz_bench_answer - answers of HTTP servers out of any bytes: however they are cut, the result is
 * the same; and what is read out of them. The first byte says where they are cut. */
#include <stdlib.h>
#include "bench/outcome.h"
#include "bench/phases.h"

struct seen {
    enum answer_state state, closed;
    int64_t body;
    size_t used;
};

static struct seen read_all(const uint8_t *data, size_t size, size_t step)
{
    struct answer a;
    struct seen s = {0};
    answer_init(&a);
    while (s.used < size && a.state != ANSWER_DONE && a.state != ANSWER_BAD) {
        size_t n = size - s.used < step ? size - s.used : step;
        s.used += answer_feed(&a, (const char *)data + s.used, n);
    }
    s.state = a.state;
    s.body = a.body_bytes;
    answer_end(&a);
    s.closed = a.state;
    if (a.state == ANSWER_DONE) {
        struct arena arena;
        struct bench_sample sample = {0};
        struct phases p;
        struct verdict v;
        arena_init(&arena);
        phases_read(&arena, &a, &sample, &p);
        for (int url = 0; url < 2; url++) {
            outcome_judge(&arena, &a, url, p.status, &v);
            if (v.outcome == BENCH_OK && str_has(a.function_error))
                abort();
            if (v.outcome != BENCH_OK && !v.type.n)
                abort();
        }
        arena_done(&arena);
    } else if (a.state != ANSWER_BAD || !a.bad) {
        abort();
    }
    answer_done(&a);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct seen whole = read_all(data + 1, size - 1, SIZE_MAX);
    struct seen cut = read_all(data + 1, size - 1, (size_t)data[0] % 60 + 1);
    if (whole.state != cut.state || whole.closed != cut.closed || whole.body != cut.body ||
        whole.used != cut.used)
        abort();
    return 0;
}
