/* fuzz_logs_insights - any query over any events: the first line is the query (\v stands for a line
 * end), each other one an event. */
#include <stdlib.h>
#include "service/logs/insights_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str query, rest;
    struct insights_query *q;
    struct insights_error err;
    str_cut(str_of((const char *)data, size), '\n', &query, &rest);
    if (query.n > 10000)
        return 0;
    if (insights_parse(&a, query, &q, &err) < 0) {
        if (err.begin > err.end || err.end > query.n || !err.message.n)
            abort();
        return 0;
    }
    struct log_item items[32];
    size_t n = 0;
    while (rest.n && n < 32) {
        items[n].place = (struct log_place){(int64_t)n * 60000, (int64_t)n};
        str_cut(rest, '\n', &items[n++].message, &rest);
    }
    struct log_block block;
    struct insights_event source = {
        .group = S("/aws/lambda/f"), .stream = S("s"), .account = S("0")};
    struct insights_run *run = insights_run_new(q, 0, 100);
    if (n && log_block_parse(log_block_make(&a, items, n), &block) == 0)
        insights_run_events(run, &source, &block, 0, n);
    const struct insights_row *rows;
    size_t n_rows;
    insights_run_finish(run, &rows, &n_rows);
    insights_run_free(run);
    return 0;
}
