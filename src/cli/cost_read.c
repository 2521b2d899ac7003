/* cost_read - what was measured: REPORT lines of logs, reports of `lamina bench` (cost.h). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/fs.h"
#include "bench/report_line.h"
#include "cli/cost.h"
#include "cli/target.h"
#include "wire/lambda.h"
#include "wire/logs.h"

int cost_configuration(struct aws_client *aws, struct arena *a, struct str function,
                       struct cost_measured *m, struct aws_error *err)
{
    struct lambda_get_function_configuration_input in = {.function_name = function};
    struct lambda_function_configuration *out;
    int r = aws_call(aws, a, &lambda_get_function_configuration_op, &in, (void **)&out, err);
    if (r < 0)
        return target_error_is(err, "ResourceNotFoundException") ? -ENOENT : r;
    m->function = out->function_name;
    m->memory_mb = (double)out->memory_size.is;
    m->architecture = out->architectures.n ? out->architectures.items[0] : S("x86_64");
    if (out->ephemeral_storage)
        m->storage_mb = (double)out->ephemeral_storage->size.is;
    return 0;
}

/* ---- logs ---- */

struct lines {
    struct cost_line *items;
    size_t n, cap;
    int64_t events, bytes, first_ms, newest_ms;
};

static void add_event(struct arena *a, struct arena *page, struct lines *l,
                      const struct logs_filtered_log_event *e)
{
    struct str message = e->message;
    struct report_line report;
    if (e->timestamp.is > l->newest_ms)
        l->newest_ms = e->timestamp.is;
    l->events++;
    l->bytes += (int64_t)message.n + PRICE_LOG_EVENT_OVERHEAD;
    if (!report_line_parse(page, message, &report) || report.billed_ms < 0)
        return;
    struct cost_line *line = arena_push(a, (void **)&l->items, &l->n, &l->cap, sizeof *line);
    line->billed_ms = (double)report.billed_ms;
    line->memory_mb = report.memory_mb > 0 ? (double)report.memory_mb : 0;
    line->cold = report.init_ms >= 0;
    if (!l->first_ms || e->timestamp.is < l->first_ms)
        l->first_ms = e->timestamp.is;
}

/* Pages until the end or the limit; *ret_more: there was more. */
static int read_events(struct aws_client *aws, struct arena *a, const struct cost_log_request *q,
                       int64_t from_ms, int64_t to_ms, struct lines *l, bool *ret_more,
                       struct aws_error *err)
{
    struct logs_filter_log_events_input in = {
        .log_group_name = q->group, .start_time = opt_int(from_ms), .end_time = opt_int(to_ms)};
    if (!q->all)
        in.filter_pattern = S("?\"REPORT RequestId\" ?\"platform.report\"");
    auto_arena struct arena page;
    arena_init(&page);
    do {
        struct logs_filter_log_events_output *out;
        int r = aws_call(aws, &page, &logs_filter_log_events_op, &in, (void **)&out, err);
        if (r < 0) {
            err->message = str_copy(a, err->message);
            err->code = str_copy(a, err->code);
            return r;
        }
        for (size_t i = 0; i < out->events.n; i++)
            add_event(a, &page, l, &out->events.items[i]);
        in.next_token = str_copy(a, out->next_token);
        arena_reset(&page);
        *ret_more = in.next_token.n > 0;
    } while (*ret_more && l->events < q->limit);
    return 0;
}

/* "24h", "90m", "45s" */
static struct str span(struct arena *a, int64_t ms)
{
    int64_t s = ms / 1000;
    return s && s % 3600 == 0 ? str_printf(a, "%lldh", (long long)(s / 3600))
           : s % 60 == 0      ? str_printf(a, "%lldm", (long long)(s / 60))
                              : str_printf(a, "%llds", (long long)s);
}

int cost_from_logs(struct aws_client *aws, struct arena *a, const struct cost_log_request *q,
                   struct cost_measured *m, struct aws_error *err)
{
    struct lines l = {0};
    int64_t to_ms = clock_now_ms(), from_ms = to_ms - q->since_ms;
    bool more = false;
    int r = read_events(aws, a, q, from_ms, to_ms, &l, &more, err);
    if (r < 0)
        return r;
    if (more && l.newest_ms > from_ms) /* what was read says nothing of the rest of the window */
        to_ms = l.newest_ms;
    cost_measure(a, l.items, l.n, m);
    m->window_ms = (double)(to_ms - from_ms);
    m->from_ms = from_ms;
    m->to_ms = to_ms;
    m->first_ms = l.first_ms;
    m->log_bytes = q->all && l.n ? (double)l.bytes / (double)l.n : -1;
    m->from = str_printf(a, "%.*s, last %.*s", STR(q->group), STR(span(a, q->since_ms)));
    if (more)
        m->from = str_printf(a, "%.*s, until %.*s (the limit of %lld events)", STR(m->from),
                             STR(clock_iso8601(a, to_ms)), (long long)q->limit);
    return 0;
}
