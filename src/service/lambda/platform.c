/* platform - see platform.h. */
#include "service/lambda/platform.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "service/lambda/instance.h"

#define FRAME_MAX (256 * 1024)

/* ---- log lines ---- */

static void log_line(struct instance *in, int64_t time_ms, struct str line)
{
    log_stream_add(in->log, time_ms, line);
    buf_str(&in->tail, line);
    if (in->tail.n > 4 * LOG_TAIL)
        buf_drop(&in->tail, in->tail.n - 2 * LOG_TAIL);
}

void platform_output(struct instance *in, enum platform_source source,
                     const struct platform_frame *frame)
{
    int64_t time_ms = frame->time_ms ? frame->time_ms : clock_now_ms();
    for (struct str rest = frame->text; rest.n > 0;) {
        size_t n = rest.n < FRAME_MAX ? rest.n : FRAME_MAX;
        log_line(in, time_ms, str_slice(rest, 0, n));
        rest = str_slice(rest, n, rest.n);
    }
    (void)source;
}

/* Levels of platform lines: INIT_START and START are told at INFO, reports of failures at WARN. */
static bool wanted(struct instance *in, const struct platform_event *e)
{
    const struct lambda_logging_config *c = in->target->c->logging_config;
    return !str_is(c->log_format, "JSON") || e->status != REPORT_SUCCESS ||
           !str_is(c->system_log_level, "WARN");
}

static void write_record(struct instance *in, const struct report_format *f, struct buf *b,
                         const struct platform_event *e)
{
    const struct target *t = in->target;
    const struct lambda_runtime_version_config *v = t->c->runtime_version_config;
    struct report r = {
        .request_id = e->request_id,
        .version = t->version,
        .duration_ns = e->duration_ns,
        .init_ns = e->init_ns,
        .memory_mb = t->c->memory_size.is,
        .status = e->status,
        .error_type = e->error_type,
    };
    switch (e->type) {
    case PLATFORM_INIT_START:
        report_init_start(b, f, in->runtime_version, v ? v->runtime_version_arn : S(""), t->name,
                          t->version, in->stream, t->c->memory_size.is);
        break;
    case PLATFORM_INIT_REPORT:
        if (e->status != REPORT_SUCCESS)
            report_init_report(b, f, e->duration_ns,
                               e->phase == PLATFORM_PHASE_INVOKE ? "invoke" : "init", e->status,
                               e->error_type);
        break;
    case PLATFORM_START:
        report_start(b, f, e->request_id, t->version);
        break;
    case PLATFORM_REPORT:
        if (!in->env || environment_memory_peak(in->env, &r.peak_bytes) < 0)
            r.peak_bytes = 0;
        report_end(b, f, &r);
        break;
    default:
        break;
    }
}

void platform_emit(struct instance *in, const struct platform_event *told)
{
    struct platform_event e = *told;
    if (!e.time_ms)
        e.time_ms = clock_now_ms();
    if (!e.mono_ns)
        e.mono_ns = clock_mono_ns();
    if (!wanted(in, &e))
        return;
    auto_arena struct arena a;
    arena_init(&a);
    struct report_format format = {
        .json = str_is(in->target->c->logging_config->log_format, "JSON"),
    };
    if (format.json)
        format.time = clock_iso8601(&a, e.time_ms);
    struct buf b;
    buf_init(&b, 1 << 20);
    write_record(in, &format, &b, &e);
    struct str all = buf_view(&b);
    while (all.n > 0) { /* END and REPORT are two events */
        ssize_t end = str_find_byte(all, '\n');
        size_t n = end < 0 ? all.n : (size_t)end + 1;
        log_line(in, e.time_ms, str_slice(all, 0, n));
        all = str_slice(all, n, all.n);
    }
    buf_done(&b);
}
