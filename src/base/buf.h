/* buf - bytes being written, with a limit given at creation.
 *
 * A write beyond the limit changes nothing and marks the buffer as failed, so a writer checks once,
 * at the end, with buf_failed(). The bytes are on the heap; the owner calls buf_done(). */
#pragma once
#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap, max;
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
/* As text or as an attribute's value in quotes, of XML and HTML: a line end is &#10;, any other
 * control character a blank. */
void buf_markup(struct buf *b, struct str s);
void buf_text(struct buf *b, const char *c_string);
void buf_byte(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_int(struct buf *b, int64_t v);
char *buf_room(struct buf *b,
               size_t n);               /* n writable bytes at the end, or NULL; then add to b->n */
void buf_drop(struct buf *b, size_t n); /* forgets the first n bytes */

static inline struct str buf_view(const struct buf *b) /* valid until the next write */
{
    return (struct str){b->p ? b->p : "", b->n};
}
static inline bool buf_failed(const struct buf *b)
{
    return b->failed;
}
struct str buf_copy(const struct buf *b, struct arena *a);
#define auto_buf __attribute__((cleanup(buf_done)))
