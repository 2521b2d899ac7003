/* walk - the walkers: one for each format, any generated struct through its shape.
 *
 * The JSON pair is also how records are kept in the store: members by model name (wire_name where
 * the model gives another one), absent members left out, timestamps as numbers of seconds with up
 * to three decimals, blobs as base64. Unknown members are skipped, null is absent, depth is limited
 * to WIRE_DEPTH. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "wire/shape.h"

#define WIRE_DEPTH 64

struct wire_read_error {
    size_t offset;             /* where in the text; 0 when unknown */
    const char *message;       /* static: "not JSON", "unexpected type" ... */
    const struct shape *shape; /* what was expected there, or NULL */
    const char *found; /* JSON: what was there: "STRING_VALUE", "NUMBER_VALUE" ... or NULL */
};

/* object: a struct of shape (SHAPE_STRUCTURE). */
void wire_json_write(struct buf *b, const struct shape *shape, const void *object);
/* ret: a zeroed struct of shape. -EBADMSG with *err (err may be NULL). Strings without escapes
 * point into text. */
int wire_json_read(struct arena *a, struct str text, const struct shape *shape, void *ret,
                   struct wire_read_error *err);

/* The slot of a member inside its struct; for structures what the pointer in the slot points to is
 * got by wire_slot_absent() == false and *(void **)slot. */
static inline void *wire_slot(const struct member *m, const void *object)
{
    return (char *)(uintptr_t)object + m->offset;
}
bool wire_slot_absent(const struct shape *shape, const void *slot);

/* Deep copy into another arena / deep equality (tests, change detection). */
void wire_copy(struct arena *a, const struct shape *shape, const void *from, void *ret);
bool wire_equal(const struct shape *shape, const void *x, const void *y);
