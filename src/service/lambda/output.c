/* output - see output.h. */
#include "service/lambda/output.h"
#include <errno.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "service/lambda/instance.h"

#define EVENT_MAX (256 * 1024)
#define PIPE_MAX (1024 * 1024) /* nobody can make a pipe larger */

struct output {
    struct list link; /* of in->outputs */
    struct instance *in;
    enum platform_source source;
    bool framed, paused;
    int fd;
    uv_poll_t poll;
    struct buf text; /* of the current line or frame */
    char head[FRAME_HEAD];
    size_t n_head;
    bool in_frame;
    struct frame_head frame;
};

/* ---- from bytes to events ---- */

static void tell(struct output *o, struct str text)
{
    struct platform_frame f = {.text = text};
    if (o->in_frame) {
        f.level = o->frame.level;
        f.time_ms = o->frame.time_us / 1000;
    }
    platform_output(o->in, o->source, &f);
}

static void tell_text(struct output *o)
{
    if (o->text.n)
        tell(o, buf_view(&o->text));
    buf_clear(&o->text);
}

static size_t take_frame(struct output *o, struct str bytes)
{
    size_t n = EVENT_MAX - o->text.n;
    if (n > o->frame.size)
        n = o->frame.size;
    if (n > bytes.n)
        n = bytes.n;
    buf_add(&o->text, bytes.p, n);
    o->frame.size -= (uint32_t)n;
    if (o->frame.size == 0 || o->text.n == EVENT_MAX)
        tell_text(o);
    if (o->frame.size == 0)
        o->in_frame = false;
    return n;
}

static size_t take_plain(struct output *o, struct str bytes)
{
    ssize_t end = str_find_byte(bytes, '\n');
    size_t n = end < 0 ? bytes.n : (size_t)end + 1;
    if (o->framed) {
        const char *mark = memchr(bytes.p, 0xa5, n);
        if (mark == bytes.p) { /* a candidate, tried at its first byte by take() */
            n = 1;
            end = -1;
        } else if (mark) {
            n = (size_t)(mark - bytes.p);
            end = -1;
        }
    }
    if (n > EVENT_MAX - o->text.n) {
        n = EVENT_MAX - o->text.n;
        end = -1;
    }
    if (end >= 0 && o->text.n == 0) {
        tell(o, str_slice(bytes, 0, n));
    } else {
        buf_add(&o->text, bytes.p, n);
        if (end >= 0 || o->text.n == EVENT_MAX)
            tell_text(o);
    }
    return n;
}

static void no_head(struct output *o);

/* One byte more of what may be a frame's head. */
static void take_head(struct output *o, char byte)
{
    o->head[o->n_head++] = byte;
    struct str head = {o->head, o->n_head};
    if (!frame_begins(head)) {
        no_head(o);
    } else if (o->n_head == FRAME_HEAD) {
        struct frame_head frame;
        if (!frame_parse(head, clock_now_us(), &frame)) {
            no_head(o);
            return;
        }
        tell_text(o);
        o->n_head = 0;
        o->frame = frame;
        o->in_frame = frame.size > 0;
    }
}

static void take(struct output *o, struct str bytes)
{
    while (bytes.n > 0) {
        size_t n;
        if (o->in_frame) {
            n = take_frame(o, bytes);
        } else if (o->n_head || (o->framed && (unsigned char)bytes.p[0] == 0xa5)) {
            take_head(o, bytes.p[0]);
            n = 1;
        } else {
            n = take_plain(o, bytes);
        }
        bytes = str_slice(bytes, n, bytes.n);
    }
}

/* The first byte was just a byte; a head may begin behind it. */
static void no_head(struct output *o)
{
    char bytes[FRAME_HEAD];
    size_t n = o->n_head;
    memcpy(bytes, o->head, n);
    o->n_head = 0;
    take_plain(o, str_of(bytes, 1));
    take(o, str_of(bytes + 1, n - 1));
}

/* The beginning of a head, and no more of it: somebody did print these bytes. A frame is written in
 * one piece. */
static void release_head(struct output *o)
{
    char bytes[FRAME_HEAD];
    size_t n = o->n_head;
    bool framed = o->framed;
    memcpy(bytes, o->head, n);
    o->n_head = 0;
    o->framed = false;
    take(o, str_of(bytes, n));
    o->framed = framed;
}

void output_flush(struct output *o)
{
    if (o->in_frame) /* its rest is on its way */
        return;
    release_head(o);
    tell_text(o);
}

void output_end(struct output *o)
{
    release_head(o);
    tell_text(o);
    o->in_frame = false;
}

/* ---- the pipe ---- */

static int read_some(struct output *o, ssize_t max)
{
    static char chunk[16384];
    while (max > 0) {
        ssize_t n = read(o->fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
            return -EPIPE;
        take(o, str_of(chunk, (size_t)n));
        max -= n;
    }
    return 0;
}

int output_read(struct output *o)
{
    return read_some(o, PIPE_MAX);
}

static void on_output(uv_poll_t *poll, int status, int events);

static void on_room(void *user)
{
    struct instance *in = user;
    LIST_EACH(&in->outputs, struct output, link, o) {
        if (!o->paused)
            continue;
        o->paused = false;
        uv_poll_start(&o->poll, UV_READABLE, on_output);
    }
}

/* A function that prints without end neither has the loop for itself nor fills the memory: it waits
 * for its pipe. */
static void on_output(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct output *o = poll->data;
    if (status < 0 || read_some(o, 1) < 0) {
        uv_poll_stop(poll);
    } else if (log_stream_full(o->in->log)) {
        uv_poll_stop(poll);
        o->paused = true;
        log_stream_when_room(o->in->log, on_room, o->in);
    }
}

struct output *output_open(struct instance *in, enum platform_source source, bool framed, int fd)
{
    struct output *o = MEM_NEW(struct output);
    o->in = in;
    o->source = source;
    o->framed = framed;
    o->fd = fd;
    buf_init(&o->text, EVENT_MAX + 1);
    if (uv_poll_init(in->lambda->loop, &o->poll, fd) < 0) {
        close(fd);
        free(o);
        return NULL;
    }
    o->poll.data = o;
    list_append(&in->outputs, &o->link);
    uv_poll_start(&o->poll, UV_READABLE, on_output);
    return o;
}

static void closed(uv_handle_t *handle)
{
    struct output *o = handle->data;
    close(o->fd);
    buf_done(&o->text);
    free(o);
}

void output_close(struct output *o)
{
    if (!o)
        return;
    output_read(o);
    output_end(o);
    list_remove(&o->link);
    uv_close((uv_handle_t *)&o->poll, closed);
}

/* ---- of an instance ---- */

void instance_read_output(struct instance *in)
{
    LIST_EACH(&in->outputs, struct output, link, o)
        output_read(o);
}

void instance_flush_line(struct instance *in)
{
    LIST_EACH(&in->outputs, struct output, link, o)
        output_flush(o);
}

void instance_end_output(struct instance *in)
{
    LIST_EACH(&in->outputs, struct output, link, o) {
        output_read(o);
        if (o->source == PLATFORM_FUNCTION)
            output_end(o);
    }
}

/* Where variables.c says that frames are welcome. */
static bool is_framed(struct str runtime)
{
    return str_starts(runtime, S("python")) || str_starts(runtime, S("nodejs"));
}

void instance_watch_output(struct instance *in)
{
    int fd = environment_take_output(in->env);
    if (fd >= 0)
        output_open(in, PLATFORM_FUNCTION, is_framed(in->target->c->runtime), fd);
}

void instance_close_output(struct instance *in)
{
    LIST_EACH(&in->outputs, struct output, link, o)
        output_close(o);
}
