/* text - scalars as text: in XML, queries, headers and URIs. Internal to wire/. */
#pragma once
#include "wire/walk.h"

/* format: TIMESTAMP_DEFAULT is not allowed here; the caller has resolved it. */
int text_read(struct arena *a, const struct shape *shape, enum timestamp_format format,
              struct str text, void *slot); /* -EBADMSG */
void text_write(struct buf *b, const struct shape *shape, enum timestamp_format format,
                bool whole_seconds, const void *slot);

/* The member's own format, else the shape's, else the location's usual one. */
enum timestamp_format text_timestamp(const struct member *m, const struct shape *shape,
                                     enum timestamp_format usual);

/* Seconds with up to three decimals, exactly. */
int text_read_unix(struct str text, int64_t *ret_ms);
void text_write_unix(struct buf *b, int64_t ms);
void text_write_double(struct buf *b, double v);
int text_read_double(struct str text, double *ret);

/* The first of n slots of an element in a list or the value in a map that grows. */
struct text_items {
    struct any_list *list;
    size_t cap;
};
void *text_items_push(struct arena *a, const struct shape *shape, struct text_items *items);
