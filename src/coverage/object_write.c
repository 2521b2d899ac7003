/* object_write - a coverage object's bytes. Needs zlib and nothing else: see object.h. */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include "coverage/object.h"

struct out {
    uint8_t *p;
    size_t n, cap;
    int failed; /* 0 or -errno: the first one stays */
};

static uint8_t *out_room(struct out *o, size_t n)
{
    if (o->failed)
        return NULL;
    if (n > OBJECT_BODY_MAX - o->n) {
        o->failed = -EMSGSIZE;
        return NULL;
    }
    if (o->n + n > o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 4096;
        if (cap < o->n + n)
            cap = o->n + n;
        uint8_t *p = realloc(o->p, cap);
        if (!p) {
            o->failed = -ENOMEM;
            return NULL;
        }
        o->p = p;
        o->cap = cap;
    }
    return o->p + o->n;
}

static void put(struct out *o, const void *p, size_t n)
{
    uint8_t *to = out_room(o, n);
    if (to && n)
        memcpy(to, p, n);
    if (to)
        o->n += n;
}

static void put_varint(struct out *o, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    put(o, bytes, n);
}

static void put_signed(struct out *o, int64_t v)
{
    put_varint(o, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static void put_bytes(struct out *o, const void *p, size_t n)
{
    put_varint(o, n);
    put(o, p, n);
}

static void put_bits(struct out *o, struct bits b)
{
    b = bits_trim(b);
    put_bytes(o, b.p, b.n);
}

static void put_hits(struct out *o, const struct object_hits *h)
{
    put_varint(o, h->context);
    put_bits(o, h->lines);
    put_varint(o, h->n_arcs);
    int32_t from = 0;
    for (size_t i = 0; i < h->n_arcs; i++) {
        put_signed(o, (int64_t)h->arcs[i].from - from);
        put_signed(o, (int64_t)h->arcs[i].to - h->arcs[i].from);
        from = h->arcs[i].from;
    }
}

static void put_file(struct out *o, const struct object_file *f, size_t n_contexts)
{
    put_bytes(o, f->path.p, f->path.n);
    put_bytes(o, f->sha256, f->has_sha256 ? sizeof f->sha256 : 0);
    put_varint(o, f->kind);
    if (f->kind != OBJECT_PYTHON) {
        put_bytes(o, f->payload.p, f->payload.n);
        return;
    }
    put_bits(o, f->raw);
    put_varint(o, f->n_hits);
    for (size_t i = 0; i < f->n_hits; i++) {
        if (f->hits[i].context >= n_contexts && !o->failed)
            o->failed = -EINVAL;
        put_hits(o, &f->hits[i]);
    }
}

static void put_body(struct out *o, const struct object *object)
{
    put_varint(o, object->n_meta);
    for (size_t i = 0; i < object->n_meta; i++) {
        put_bytes(o, object->meta[i].key.p, object->meta[i].key.n);
        put_bytes(o, object->meta[i].value.p, object->meta[i].value.n);
    }
    put_varint(o, object->n_contexts);
    for (size_t i = 0; i < object->n_contexts; i++) {
        put_bytes(o, object->contexts[i].name.p, object->contexts[i].name.n);
        put_varint(o, (uint64_t)object->contexts[i].start_ms);
    }
    put_varint(o, object->n_files);
    struct out record = {0}; /* its length stands before it */
    for (size_t i = 0; i < object->n_files && !o->failed; i++) {
        record.n = 0;
        put_file(&record, &object->files[i], object->n_contexts);
        if (record.failed)
            o->failed = record.failed;
        else
            put_bytes(o, record.p, record.n);
    }
    free(record.p);
}

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

int object_write(const struct object *object, uint8_t **ret, size_t *ret_n)
{
    struct out body = {0};
    put_body(&body, object);
    if (body.failed) {
        free(body.p);
        return body.failed;
    }
    uLong bound = compressBound((uLong)body.n);
    uint8_t *p = malloc(OBJECT_HEAD + bound);
    /* level 9: a few microseconds more for an object of kilobytes, fewer bytes to send */
    int r = p ? compress2(p + OBJECT_HEAD, &bound, body.p, (uLong)body.n, 9) : Z_MEM_ERROR;
    size_t body_n = body.n;
    free(body.p);
    if (r != Z_OK) {
        free(p);
        return -ENOMEM;
    }
    memcpy(p, OBJECT_MAGIC, 8);
    put_u32(p + 12, (uint32_t)body_n);
    put_u32(p + 8, (uint32_t)crc32(0, p + 12, (uInt)(bound + 4)));
    *ret = p;
    *ret_n = OBJECT_HEAD + bound;
    return 0;
}
