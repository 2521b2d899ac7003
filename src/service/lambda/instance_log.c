/* instance_log - what a function prints, and what the platform says about it, as log lines. */
#include <errno.h>
#include <unistd.h>
#include "base/clock.h"
#include "service/lambda/instance.h"

#define LINE_MAX_BYTES (256 * 1024)

void instance_log_line(struct instance *in, struct str line)
{
    log_stream_add(in->log, clock_now_ms(), line);
    buf_str(&in->tail, line);
    if (in->tail.n > 4 * LOG_TAIL)
        buf_drop(&in->tail, in->tail.n - 2 * LOG_TAIL);
}

void instance_flush_line(struct instance *in)
{
    if (in->line.n == 0)
        return;
    instance_log_line(in, buf_view(&in->line));
    buf_clear(&in->line);
}

static void take_output(struct instance *in, struct str text)
{
    while (text.n > 0) {
        ssize_t end = str_find_byte(text, '\n');
        size_t n = end < 0 ? text.n : (size_t)end + 1;
        if (in->line.n + n > LINE_MAX_BYTES)
            instance_flush_line(in);
        if (end >= 0 && in->line.n == 0) {
            instance_log_line(in, str_slice(text, 0, n));
        } else {
            buf_add(&in->line, text.p, n);
            if (end >= 0)
                instance_flush_line(in);
        }
        text = str_slice(text, n, text.n);
    }
}

#define PIPE_MAX (1024 * 1024) /* nobody can make a pipe larger */

static int read_output(struct instance *in, ssize_t max)
{
    static char chunk[16384];
    if (in->output_fd < 0)
        return 0;
    while (max > 0) {
        ssize_t n = read(in->output_fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
            return -EPIPE;
        take_output(in, str_of(chunk, (size_t)n));
        max -= n;
    }
    return 0;
}

int instance_read_output(struct instance *in)
{
    return read_output(in, PIPE_MAX);
}

static void on_output(uv_poll_t *poll, int status, int events);

static void on_room(void *user)
{
    struct instance *in = user;
    uv_poll_start(&in->output_poll, UV_READABLE, on_output);
}

/* A function that prints without end neither has the loop for itself nor fills the memory: it waits
 * for its pipe. */
static void on_output(uv_poll_t *poll, int status, int events)
{
    struct instance *in = poll->data;
    if (status < 0 || read_output(in, 1) < 0) {
        uv_poll_stop(poll);
    } else if (log_stream_full(in->log)) {
        uv_poll_stop(poll);
        log_stream_when_room(in->log, on_room, in);
    }
}

void instance_watch_output(struct instance *in)
{
    in->output_fd = environment_take_output(in->env);
    if (in->output_fd < 0)
        return;
    if (uv_poll_init(in->lambda->loop, &in->output_poll, in->output_fd) < 0)
        return;
    in->output_poll.data = in;
    in->output_open = true;
    in->handles++;
    uv_poll_start(&in->output_poll, UV_READABLE, on_output);
}

static const struct report_format *format_now(struct instance *in, struct arena *a)
{
    in->format.json = str_is(in->target->c->logging_config->log_format, "JSON");
    if (in->format.json)
        in->format.time = clock_iso8601(a, clock_now_ms());
    return &in->format;
}

/* Levels of platform lines: INIT_START and START are told at INFO, reports of failures at WARN. */
static bool wanted(struct instance *in, bool failure)
{
    const struct lambda_logging_config *c = in->target->c->logging_config;
    return !str_is(c->log_format, "JSON") || failure || !str_is(c->system_log_level, "WARN");
}

static void say(struct instance *in, struct buf *b)
{
    struct str all = buf_view(b);
    while (all.n > 0) { /* END and REPORT are two events */
        ssize_t end = str_find_byte(all, '\n');
        size_t n = end < 0 ? all.n : (size_t)end + 1;
        instance_log_line(in, str_slice(all, 0, n));
        all = str_slice(all, n, all.n);
    }
    buf_done(b);
}

void instance_log_init_start(struct instance *in)
{
    auto_arena struct arena a;
    arena_init(&a);
    const struct lambda_runtime_version_config *v = in->target->c->runtime_version_config;
    struct buf b;
    buf_init(&b, 4096);
    if (wanted(in, false))
        report_init_start(&b, format_now(in, &a), in->runtime_version,
                          v ? v->runtime_version_arn : S(""), in->target->name, in->target->version,
                          in->stream, in->target->c->memory_size.is);
    say(in, &b);
}

void instance_log_init_report(struct instance *in, enum report_status status, struct str type)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct buf b;
    buf_init(&b, 4096);
    report_init_report(&b, format_now(in, &a), clock_mono_ns() - in->init_began_ns,
                       in->init_again ? "invoke" : "init", status, type);
    say(in, &b);
}

void instance_log_start(struct instance *in)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct buf b;
    buf_init(&b, 4096);
    if (wanted(in, false))
        report_start(&b, format_now(in, &a), in->inv->request_id, in->target->version);
    say(in, &b);
}

void instance_log_end(struct instance *in, int64_t duration_ns, enum report_status status,
                      struct str type)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct report r = {
        .request_id = in->inv->request_id,
        .version = in->target->version,
        .duration_ns = duration_ns,
        .init_ns = in->init_ns,
        .memory_mb = in->target->c->memory_size.is,
        .status = status,
        .error_type = type,
    };
    if (!in->env || environment_memory_peak(in->env, &r.peak_bytes) < 0)
        r.peak_bytes = 0;
    struct buf b;
    buf_init(&b, 4096);
    if (wanted(in, status != REPORT_SUCCESS))
        report_end(&b, format_now(in, &a), &r);
    say(in, &b);
}
