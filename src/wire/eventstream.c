/* eventstream - see eventstream.h. */
#include "wire/eventstream.h"
#include <errno.h>
#include <zlib.h>

#define PRELUDE 12
#define AROUND 16 /* prelude and the CRC at the end */

static void put_number(struct buf *b, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        buf_byte(b, (char)(value >> (8 * i)));
}

static uint64_t get_number(const char *p, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | (uint8_t)p[i];
    return value;
}

static uint32_t crc_of(const char *p, size_t n)
{
    return (uint32_t)crc32_z(0, (const unsigned char *)p, n);
}

/* Bytes of a value whose length its type tells; -1: the length stands in front of it. */
static int size_of(enum eventstream_type type)
{
    static const int sizes[] = {0, 0, 1, 2, 4, 8, -1, -1, 8, 16};
    return sizes[type];
}

static bool header_fits(const struct eventstream_header *h)
{
    if (h->name.n < 1 || h->name.n > 255)
        return false;
    switch (h->type) {
    case EVENTSTREAM_BYTES:
    case EVENTSTREAM_STRING:
        return h->text.n <= 65535;
    case EVENTSTREAM_UUID:
        return h->text.n == 16;
    case EVENTSTREAM_BYTE:
        return h->number >= INT8_MIN && h->number <= INT8_MAX;
    case EVENTSTREAM_SHORT:
        return h->number >= INT16_MIN && h->number <= INT16_MAX;
    case EVENTSTREAM_INT:
        return h->number >= INT32_MIN && h->number <= INT32_MAX;
    default:
        return true;
    }
}

static size_t header_size(const struct eventstream_header *h)
{
    int value = size_of(h->type);
    return 2 + h->name.n + (value < 0 ? 2 + h->text.n : (size_t)value);
}

static void put_header(struct buf *b, const struct eventstream_header *h)
{
    put_number(b, h->name.n, 1);
    buf_str(b, h->name);
    put_number(b, h->type, 1);
    int value = size_of(h->type);
    if (value < 0)
        put_number(b, h->text.n, 2);
    if (value < 0 || h->type == EVENTSTREAM_UUID)
        buf_str(b, h->text);
    else
        put_number(b, (uint64_t)h->number, value);
}

bool eventstream_write(struct buf *b, const struct eventstream_message *m)
{
    size_t headers = 0, start = b->n;
    for (size_t i = 0; i < m->n_headers; i++) {
        if (!header_fits(&m->headers[i]))
            return false;
        headers += header_size(&m->headers[i]);
    }
    if (headers > EVENTSTREAM_HEADERS_MAX || m->payload.n > EVENTSTREAM_PAYLOAD_MAX)
        return false;
    put_number(b, AROUND + headers + m->payload.n, 4);
    put_number(b, headers, 4);
    if (buf_failed(b))
        return false;
    put_number(b, crc_of(b->p + start, 8), 4);
    for (size_t i = 0; i < m->n_headers; i++)
        put_header(b, &m->headers[i]);
    buf_str(b, m->payload);
    if (buf_failed(b))
        return false;
    put_number(b, crc_of(b->p + start, b->n - start), 4);
    return !buf_failed(b);
}

void eventstream_write_event(struct buf *b, const char *event_type, const char *content_type,
                             struct str payload)
{
    struct eventstream_header headers[3] = {
        {.name = S(":event-type"), .type = EVENTSTREAM_STRING, .text = str_from(event_type)},
        {.name = S(":content-type"), .type = EVENTSTREAM_STRING, .text = str_from(content_type)},
        {.name = S(":message-type"), .type = EVENTSTREAM_STRING, .text = S("event")},
    };
    if (!content_type)
        headers[1] = headers[2];
    struct eventstream_message m = {headers, content_type ? 3 : 2, payload};
    eventstream_write(b, &m);
}

static int64_t sign_extended(uint64_t value, int bytes)
{
    int shift = 64 - 8 * bytes;
    return (int64_t)(value << shift) >> shift;
}

/* One header off the front. */
static bool take_header(struct str *in, struct eventstream_header *ret)
{
    if (in->n < 2)
        return false;
    size_t name = (uint8_t)in->p[0];
    if (name == 0 || in->n < 2 + name)
        return false;
    uint8_t type = (uint8_t)in->p[1 + name];
    if (type > EVENTSTREAM_UUID)
        return false;
    *ret = (struct eventstream_header){.name = str_of(in->p + 1, name),
                                       .type = (enum eventstream_type)type};
    *in = str_slice(*in, 2 + name, in->n);
    int fixed = size_of(ret->type);
    size_t size = fixed < 0 ? 0 : (size_t)fixed;
    if (fixed < 0) {
        if (in->n < 2)
            return false;
        size = (size_t)get_number(in->p, 2);
        *in = str_slice(*in, 2, in->n);
    }
    if (in->n < size)
        return false;
    if (fixed < 0 || ret->type == EVENTSTREAM_UUID)
        ret->text = str_of(in->p, size);
    else if (size)
        ret->number = sign_extended(get_number(in->p, (int)size), (int)size);
    *in = str_slice(*in, size, in->n);
    return true;
}

int eventstream_parse(struct arena *a, struct str in, struct eventstream_message *ret,
                      size_t *ret_size)
{
    if (in.n < PRELUDE)
        return 0;
    size_t total = get_number(in.p, 4), headers = get_number(in.p + 4, 4);
    if (crc_of(in.p, 8) != get_number(in.p + 8, 4))
        return -EBADMSG;
    if (total < AROUND || headers > EVENTSTREAM_HEADERS_MAX || headers > total - AROUND ||
        total - AROUND - headers > EVENTSTREAM_PAYLOAD_MAX)
        return -EBADMSG;
    if (in.n < total)
        return 0;
    if (crc_of(in.p, total - 4) != get_number(in.p + total - 4, 4))
        return -EBADMSG;
    struct str rest = str_of(in.p + PRELUDE, headers);
    struct eventstream_header *list = NULL, one;
    size_t n = 0, cap = 0;
    while (rest.n) {
        if (!take_header(&rest, &one))
            return -EBADMSG;
        *(struct eventstream_header *)arena_push(a, (void **)&list, &n, &cap, sizeof(one)) = one;
    }
    *ret = (struct eventstream_message){list, n,
                                        str_of(in.p + PRELUDE + headers, total - AROUND - headers)};
    *ret_size = total;
    return 1;
}

struct str eventstream_text(const struct eventstream_message *m, const char *name)
{
    for (size_t i = 0; i < m->n_headers; i++)
        if (m->headers[i].type == EVENTSTREAM_STRING && str_is(m->headers[i].name, name))
            return m->headers[i].text;
    return (struct str){0};
}
