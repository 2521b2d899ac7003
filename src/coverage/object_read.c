/* object_read - a coverage object out of any bytes. */
#include <errno.h>
#include <zlib.h>
#include "base/arena.h"
#include "base/mem.h"
#include "coverage/object.h"

struct object_reader {
    z_stream z;
    bool begun;
    uint8_t *body;
    size_t cap;
};

struct object_reader *object_reader_new(void)
{
    return MEM_NEW(struct object_reader);
}

void object_reader_free(struct object_reader *reader)
{
    if (!reader)
        return;
    if (reader->begun)
        inflateEnd(&reader->z);
    free(reader->body);
    free(reader);
}

static int fail(struct object_error *err, enum object_fault fault, const char *reason)
{
    *err = (struct object_error){fault, reason};
    return -EBADMSG;
}

static uint32_t u32_of(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int inflate_body(struct object_reader *reader, struct str data, size_t n,
                        struct object_error *err)
{
    if (n + 1 > reader->cap) {
        free(reader->body);
        reader->cap = n + 1 < 65536 ? 65536 : n + 1;
        reader->body = mem_alloc(reader->cap);
    }
    int r = reader->begun ? inflateReset(&reader->z) : inflateInit(&reader->z);
    if (r != Z_OK)
        return fail(err, OBJECT_CORRUPT, "zlib cannot inflate it");
    reader->begun = true;
    reader->z.next_in = (Bytef *)(uintptr_t)data.p + OBJECT_HEAD;
    reader->z.avail_in = (uInt)(data.n - OBJECT_HEAD);
    reader->z.next_out = reader->body;
    reader->z.avail_out = (uInt)n + 1; /* one more: a longer body shows */
    r = inflate(&reader->z, Z_FINISH);
    if (r != Z_STREAM_END)
        return fail(err, OBJECT_CORRUPT, "its body does not inflate");
    if (reader->z.total_out != n || reader->z.avail_in)
        return fail(err, OBJECT_CORRUPT, "its body has another length than it says");
    return 0;
}

/* What is wrong with the bytes before the body; those of the body are as they were sent then. */
static int check_head(struct str data, struct object_error *err)
{
    if (!data.n)
        return fail(err, OBJECT_EMPTY, "it is empty");
    size_t known = data.n < 8 ? data.n : 8;
    if (memcmp(data.p, OBJECT_MAGIC, known) != 0) {
        if (data.n >= 8 && !memcmp(data.p, "LAMCOV", 6) && data.p[7] == '\n')
            return fail(err, OBJECT_VERSION,
                        "it has a version of the format that this lamina does not know");
        return fail(err, OBJECT_FOREIGN, "it is no coverage object");
    }
    if (data.n < OBJECT_HEAD)
        return fail(err, OBJECT_TRUNCATED, "it is truncated");
    return 0;
}

struct in {
    const uint8_t *p, *end;
    bool bad;
};

static uint64_t get_varint(struct in *in)
{
    if (in->p < in->end && *in->p < 0x80) /* nearly all are */
        return *in->p++;
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && in->p < in->end; shift += 7) {
        uint8_t byte = *in->p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    in->bad = true;
    return 0;
}

static int64_t get_signed(struct in *in)
{
    uint64_t v = get_varint(in);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static struct str get_bytes(struct in *in)
{
    uint64_t n = get_varint(in);
    if (in->bad || n > (uint64_t)(in->end - in->p)) {
        in->bad = true;
        return S("");
    }
    struct str s = {(const char *)in->p, (size_t)n};
    in->p += n;
    return s;
}

/* How many things follow: each has min bytes or more, so that a lie allocates nothing. */
static size_t get_count(struct in *in, size_t min)
{
    uint64_t n = get_varint(in);
    if (in->bad || n > (uint64_t)(in->end - in->p) / min) {
        in->bad = true;
        return 0;
    }
    return (size_t)n;
}

static struct bits get_bits(struct in *in)
{
    struct str s = get_bytes(in);
    struct bits b = bits_trim((struct bits){(const uint8_t *)s.p, s.n});
    if (b.n > OBJECT_LINE_MAX / 8)
        in->bad = true;
    return b;
}

static bool fits(int64_t line)
{
    return line >= -(int64_t)OBJECT_LINE_MAX && line <= (int64_t)OBJECT_LINE_MAX;
}

static void get_hits(struct in *in, struct arena *a, struct object_hits *ret, size_t n_contexts)
{
    uint64_t context = get_varint(in);
    ret->lines = get_bits(in);
    size_t n = get_count(in, 2);
    struct object_arc *arcs = ARENA_ARRAY(a, struct object_arc, n);
    int64_t from = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t step = get_signed(in), jump = get_signed(in);
        /* differences of two lines that fit; wrap-around is caught by the first two */
        if (!fits(step / 2) || !fits(jump / 2)) {
            in->bad = true;
            break;
        }
        from += step;
        if (!fits(from) || !fits(from + jump)) {
            in->bad = true;
            break;
        }
        arcs[i] = (struct object_arc){(int32_t)from, (int32_t)(from + jump)};
    }
    if (context >= n_contexts)
        in->bad = true;
    ret->context = (uint32_t)context;
    ret->arcs = arcs;
    ret->n_arcs = n;
}

static void get_file(struct in *in, struct arena *a, struct object_file *ret, size_t n_contexts)
{
    ret->path = get_bytes(in);
    struct str sha = get_bytes(in);
    if (sha.n == sizeof ret->sha256) {
        ret->has_sha256 = true;
        memcpy(ret->sha256, sha.p, sizeof ret->sha256);
    } else if (sha.n) {
        in->bad = true;
    }
    uint64_t kind = get_varint(in);
    ret->kind = kind > UINT32_MAX ? UINT32_MAX : (uint32_t)kind;
    if (ret->kind != OBJECT_PYTHON) {
        ret->payload = get_bytes(in);
        return;
    }
    ret->raw = get_bits(in);
    size_t n = get_count(in, 3);
    struct object_hits *hits = ARENA_ARRAY(a, struct object_hits, n);
    for (size_t i = 0; i < n && !in->bad; i++)
        get_hits(in, a, &hits[i], n_contexts);
    ret->hits = hits;
    ret->n_hits = n;
}

static void get_body(struct in *in, struct arena *a, struct object *ret)
{
    size_t n = ret->n_meta = get_count(in, 2);
    struct object_meta *meta = ARENA_ARRAY(a, struct object_meta, n);
    for (size_t i = 0; i < n && !in->bad; i++) {
        meta[i].key = get_bytes(in);
        meta[i].value = get_bytes(in);
    }
    ret->meta = meta;

    n = ret->n_contexts = get_count(in, 2);
    struct object_context *contexts = ARENA_ARRAY(a, struct object_context, n);
    for (size_t i = 0; i < n && !in->bad; i++) {
        contexts[i].name = get_bytes(in);
        contexts[i].start_ms = (int64_t)(get_varint(in) & INT64_MAX);
    }
    ret->contexts = contexts;

    n = ret->n_files = get_count(in, 5);
    if (n > OBJECT_FILES_MAX)
        in->bad = true, n = ret->n_files = 0;
    struct object_file *files = ARENA_ARRAY(a, struct object_file, n);
    for (size_t i = 0; i < n && !in->bad; i++) {
        struct str record = get_bytes(in);
        const uint8_t *p = (const uint8_t *)record.p;
        struct in inner = {p, p + record.n, false}; /* bytes behind what we know are skipped */
        get_file(&inner, a, &files[i], ret->n_contexts);
        in->bad = in->bad || inner.bad;
    }
    ret->files = files;
}

int object_read(struct object_reader *reader, struct str data, struct arena *a, struct object *ret,
                struct object_error *err)
{
    int r = check_head(data, err);
    if (r < 0)
        return r;
    const uint8_t *p = (const uint8_t *)data.p;
    size_t n = u32_of(p + 12);
    if (n > OBJECT_BODY_MAX || data.n > OBJECT_BODY_MAX + (OBJECT_BODY_MAX >> 8))
        return fail(err, OBJECT_HUGE, "it is larger than a coverage object may be");
    if (crc32(0, p + 12, (uInt)(data.n - 12)) != u32_of(p + 8))
        return fail(err, OBJECT_CORRUPT,
                    "its checksum is wrong: it is truncated, or was changed on its way");
    r = inflate_body(reader, data, n, err);
    if (r < 0)
        return r;
    struct object o = {0};
    struct in in = {reader->body, reader->body + n, false};
    get_body(&in, a, &o);
    if (in.bad)
        return fail(err, OBJECT_CORRUPT, "its body is not made as the format says");
    *ret = o;
    return 0;
}

struct str object_meta_find(const struct object *o, const char *key)
{
    for (size_t i = 0; i < o->n_meta; i++)
        if (str_is(o->meta[i].key, key))
            return o->meta[i].value;
    return (struct str){0};
}
