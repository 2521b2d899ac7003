/* answer - reads HTTP/1.1 answers: see answer.h. */
#include "bench/answer.h"

#define LINE_MAX_BYTES 4096 /* of a chunk's size with its extensions, or of a trailer */

void answer_init(struct answer *a)
{
    *a = (struct answer){0};
    buf_init(&a->head, BENCH_HEAD_MAX);
    buf_init(&a->body, BENCH_BODY_KEPT);
}

void answer_done(struct answer *a)
{
    buf_done(&a->head);
    buf_done(&a->body);
}

void answer_reset(struct answer *a)
{
    struct buf head = a->head, body = a->body;
    bool keep_body = a->keep_body;
    buf_clear(&head);
    buf_clear(&body);
    *a = (struct answer){.head = head, .body = body, .keep_body = keep_body};
}

static void bad(struct answer *a, const char *why)
{
    a->state = ANSWER_BAD;
    a->bad = why;
}

/* ---- the head ---- */

/* "HTTP/1.1 200 OK" */
static bool parse_status(struct answer *a, struct str line)
{
    if (line.n < 12 || memcmp(line.p, "HTTP/1.", 7) || line.p[8] != ' ' ||
        (line.n > 12 && line.p[12] != ' '))
        return false;
    a->status = 0;
    for (int i = 9; i < 12; i++) {
        if (line.p[i] < '0' || line.p[i] > '9')
            return false;
        a->status = a->status * 10 + (line.p[i] - '0');
    }
    a->keep_alive = line.p[7] == '1';
    return (line.p[7] == '0' || line.p[7] == '1') && a->status >= 100;
}

struct framing {
    int64_t length; /* -1: not said */
    bool chunked;
    const char *bad;
};

static void take_length(struct framing *f, struct str value)
{
    int64_t n;
    bool digits = value.n > 0 && value.n < 19;
    for (size_t i = 0; digits && i < value.n; i++)
        digits = value.p[i] >= '0' && value.p[i] <= '9';
    if (!digits || str_to_int64(value, &n) < 0)
        f->bad = "Content-Length is no number";
    else if (f->length >= 0 && f->length != n)
        f->bad = "two Content-Lengths";
    else
        f->length = n;
}

static void take_coding(struct framing *f, struct str value)
{
    if (str_eq_nocase(value, S("chunked")) && !f->chunked)
        f->chunked = true;
    else if (!str_eq_nocase(value, S("identity")))
        f->bad = "unsupported Transfer-Encoding";
}

static void take_header(struct answer *a, struct framing *f, struct str name, struct str value)
{
    switch (name.n) {
    case 10:
        if (str_eq_nocase(name, S("connection")))
            a->keep_alive = str_eq_nocase(value, S("close"))        ? false
                            : str_eq_nocase(value, S("keep-alive")) ? true
                                                                    : a->keep_alive;
        break;
    case 14:
        if (str_eq_nocase(name, S("content-length")))
            take_length(f, value);
        break;
    case 15:
        if (str_eq_nocase(name, S("x-lamina-phases")))
            a->phases = value;
        break;
    case 16:
        if (str_eq_nocase(name, S("x-amz-log-result")))
            a->log_result = value;
        else if (str_eq_nocase(name, S("x-amzn-errortype")))
            a->error_type = value;
        else if (str_eq_nocase(name, S("x-amzn-requestid")))
            a->request_id = value;
        break;
    case 17:
        if (str_eq_nocase(name, S("transfer-encoding")))
            take_coding(f, value);
        break;
    case 20:
        if (str_eq_nocase(name, S("x-amz-function-error")))
            a->function_error = value;
        break;
    default:
        break;
    }
}

static void after_head(struct answer *a, const struct framing *f)
{
    if (f->bad) {
        bad(a, f->bad);
    } else if (a->status == 204 || a->status == 304) {
        a->state = ANSWER_DONE;
    } else if (f->chunked && f->length >= 0) {
        bad(a, "both Content-Length and chunks");
    } else if (f->chunked) {
        a->state = ANSWER_CHUNK_SIZE;
    } else if (f->length >= 0) {
        a->remaining = f->length;
        a->state = f->length ? ANSWER_LENGTH : ANSWER_DONE;
    } else {
        a->keep_alive = false;
        a->state = ANSWER_CLOSE;
    }
}

/* The whole head, without its last empty line. */
static void parse_head(struct answer *a, struct str head)
{
    struct str line, rest = head, name, value;
    struct framing f = {.length = -1};
    str_cut(rest, '\n', &line, &rest);
    if (!parse_status(a, str_trim(line))) {
        bad(a, "not an HTTP/1.1 answer");
        return;
    }
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (!str_cut(line, ':', &name, &value)) {
            bad(a, "a header without a colon");
            return;
        }
        take_header(a, &f, name, str_trim(value));
    }
    if (a->status == 101) {
        bad(a, "the server switched protocols");
    } else if (a->status < 200) { /* an interim one: the answer follows */
        a->state = ANSWER_HEAD;
        buf_clear(&a->head);
        return;
    } else {
        after_head(a, &f);
    }
    a->keeping = a->keep_body || a->status >= 300 || str_has(a->function_error);
}

/* Where the empty line behind the head ends, looking from `from` on; 0: not there yet. */
static size_t head_end(const struct buf *b, size_t from)
{
    for (const char *p = b->p + from; (p = memchr(p, '\n', (size_t)(b->p + b->n - p))); p++) {
        size_t i = (size_t)(p - b->p);
        if ((i >= 1 && b->p[i - 1] == '\n') ||
            (i >= 2 && b->p[i - 1] == '\r' && b->p[i - 2] == '\n'))
            return i + 1;
    }
    return 0;
}

static size_t feed_head(struct answer *a, const char *p, size_t n)
{
    size_t before = a->head.n, room = BENCH_HEAD_MAX - before, take = n < room ? n : room;
    buf_add(&a->head, p, take);
    size_t end = head_end(&a->head, before > 2 ? before - 2 : 0);
    if (!end) {
        if (a->head.n == BENCH_HEAD_MAX)
            bad(a, "the head is longer than 64 KB");
        return take;
    }
    a->head.n = end;
    size_t blank = end >= 2 && a->head.p[end - 2] == '\r' ? 2 : 1;
    parse_head(a, str_of(a->head.p, end - blank));
    return end - before;
}

/* ---- the body ---- */

static void take_body(struct answer *a, const char *p, size_t n)
{
    a->body_bytes += (int64_t)n;
    size_t most = a->keeping ? BENCH_BODY_KEPT : BENCH_BODY_LOOKED_AT;
    size_t room = a->body.n < most ? most - a->body.n : 0;
    buf_add(&a->body, p, n < room ? n : room);
}

static size_t feed_counted(struct answer *a, const char *p, size_t n, enum answer_state next)
{
    size_t take = (int64_t)n < a->remaining ? n : (size_t)a->remaining;
    take_body(a, p, take);
    a->remaining -= (int64_t)take;
    if (a->remaining == 0)
        a->state = next;
    return take;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void begin_line(struct answer *a)
{
    a->line = 0;
    a->line_cr = a->line_digits = false;
    a->remaining = 0;
}

/* "1f4;extension\r\n", byte by byte. */
static void feed_size(struct answer *a, char c)
{
    int digit = hex_digit(c);
    if (c == '\n') {
        if (!a->line_digits && a->line == 0) {
            bad(a, "a chunk without a size");
            return;
        }
        int64_t size = a->remaining;
        begin_line(a);
        a->remaining = size;
        a->state = size ? ANSWER_CHUNK : ANSWER_TRAILER;
    } else if (a->line_cr || ++a->line > LINE_MAX_BYTES) {
        bad(a, "a malformed chunk");
    } else if (c == '\r') {
        a->line_cr = true;
        if (!a->line_digits && a->line == 1)
            bad(a, "a chunk without a size");
    } else if (!a->line_digits && digit >= 0) {
        if (a->remaining >> 55)
            bad(a, "a chunk too long to be true");
        a->remaining = a->remaining * 16 + digit;
    } else if (a->line == 1 || (!a->line_digits && c != ';' && c != ' ' && c != '\t')) {
        bad(a, "a malformed chunk");
    } else {
        a->line_digits = true; /* an extension: not looked at */
    }
}

static void feed_chunk_end(struct answer *a, char c)
{
    if (c == '\n') {
        begin_line(a);
        a->state = ANSWER_CHUNK_SIZE;
    } else if (c != '\r' || a->line++) {
        bad(a, "a chunk longer than it said");
    }
}

static void feed_trailer(struct answer *a, char c)
{
    if (c == '\n') {
        if (a->line == 0)
            a->state = ANSWER_DONE;
        a->line = 0;
    } else if (c != '\r' && ++a->line > LINE_MAX_BYTES) {
        bad(a, "a trailer too long");
    }
}

size_t answer_feed(struct answer *a, const char *p, size_t n)
{
    size_t used = 0;
    while (used < n && a->state != ANSWER_DONE && a->state != ANSWER_BAD) {
        switch (a->state) {
        case ANSWER_HEAD:
            used += feed_head(a, p + used, n - used);
            break;
        case ANSWER_LENGTH:
            used += feed_counted(a, p + used, n - used, ANSWER_DONE);
            break;
        case ANSWER_CHUNK:
            used += feed_counted(a, p + used, n - used, ANSWER_CHUNK_END);
            break;
        case ANSWER_CLOSE:
            take_body(a, p + used, n - used);
            used = n;
            break;
        case ANSWER_CHUNK_SIZE:
            feed_size(a, p[used++]);
            break;
        case ANSWER_CHUNK_END:
            feed_chunk_end(a, p[used++]);
            break;
        case ANSWER_TRAILER:
            feed_trailer(a, p[used++]);
            break;
        case ANSWER_DONE:
        case ANSWER_BAD:
            break;
        }
    }
    return used;
}

void answer_end(struct answer *a)
{
    if (a->state == ANSWER_CLOSE)
        a->state = ANSWER_DONE;
    else if (a->state != ANSWER_DONE && a->state != ANSWER_BAD)
        bad(a, answer_begun(a) ? "the answer was cut off" : "closed without an answer");
}
