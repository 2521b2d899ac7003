/* eventstream - messages of application/vnd.amazon.eventstream, both directions. Pure.
 *
 *     total length | headers' length | CRC-32 of these 8 bytes | headers | payload | CRC-32 of all
 *
 * Numbers are 32 bits, big-endian. May use base/. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define EVENTSTREAM_HEADERS_MAX (128 * 1024)
#define EVENTSTREAM_PAYLOAD_MAX (16 * 1024 * 1024)

enum eventstream_type {
    EVENTSTREAM_TRUE,
    EVENTSTREAM_FALSE,
    EVENTSTREAM_BYTE,
    EVENTSTREAM_SHORT,
    EVENTSTREAM_INT,
    EVENTSTREAM_LONG,
    EVENTSTREAM_BYTES,
    EVENTSTREAM_STRING,
    EVENTSTREAM_TIMESTAMP, /* milliseconds since 1970 */
    EVENTSTREAM_UUID,
};

struct eventstream_header {
    struct str name; /* 1 to 255 bytes */
    enum eventstream_type type;
    struct str text; /* BYTES, STRING (at most 65535 bytes), UUID (16 bytes) */
    int64_t number;  /* BYTE, SHORT, INT, LONG, TIMESTAMP */
};

struct eventstream_message {
    const struct eventstream_header *headers;
    size_t n_headers;
    struct str payload;
};

/* False: a name or value is out of its bounds; nothing was written. */
bool eventstream_write(struct buf *b, const struct eventstream_message *m);

/* An event as services send them: content_type NULL: none. */
void eventstream_write_event(struct buf *b, const char *event_type, const char *content_type,
                             struct str payload);

/* 1: a message of *ret_size bytes stands at the front of `in`, into which it points; its headers
 * are in the arena. 0: more bytes are needed. -EBADMSG: it is none, and nothing behind it can be
 * found. */
int eventstream_parse(struct arena *a, struct str in, struct eventstream_message *ret,
                      size_t *ret_size);

/* The text of a string header; absent when there is none. */
struct str eventstream_text(const struct eventstream_message *m, const char *name);
