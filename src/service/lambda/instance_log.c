/* instance_log - what a function prints, line by line. */
#include <errno.h>
#include <unistd.h>
#include "service/lambda/instance.h"
#include "service/lambda/platform.h"

#define LINE_MAX_BYTES (256 * 1024)

static void line(struct instance *in, struct str text)
{
    platform_output(in, PLATFORM_FUNCTION, &(struct platform_frame){.text = text});
}

void instance_flush_line(struct instance *in)
{
    if (in->line.n == 0)
        return;
    line(in, buf_view(&in->line));
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
            line(in, str_slice(text, 0, n));
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
