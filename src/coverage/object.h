/* object - the coverage that one execution environment has collected, as bytes: what is in S3.
 *
 * An object is cumulative: it replaces its predecessor under the same key. Format, version 1
 * (docs/coverage-format.md has it byte by byte):
 *
 *     "LAMCOV1\n"  u32 LE CRC-32 of all that follows  u32 LE length of the inflated body
 *     body, deflated (zlib stream)
 *
 * The body is a row of LEB128 varints; a text is its length and UTF-8 bytes; a set of lines is its
 * length and bytes (bits.h). It has meta, contexts, files. What a later version appends to the body
 * or to a file's record is skipped.
 *
 * object_write.c needs zlib and nothing else, of ours only headers: programs that carry no library
 * of ours compile it in. object_read.c uses base/. */
#pragma once
#include "base/str.h"
#include "coverage/bits.h"

#define OBJECT_MAGIC "LAMCOV1\n"
#define OBJECT_CONTENT_TYPE "application/vnd.lamina.coverage"
#define OBJECT_HEAD 16              /* bytes before the deflated body */
#define OBJECT_BODY_MAX (16u << 20) /* inflated; a writer's larger body is -EMSGSIZE */
#define OBJECT_LINE_MAX (16u << 20) /* greatest line number in a set */
#define OBJECT_FILES_MAX 200000

/* Well-known keys: function, version, environment, log_group, log_stream, region, runtime
 * ("python3.12"), language ("python"), architecture, mechanism ("monitoring", "settrace"), branch
 * ("1", "0"), started, updated (ISO 8601, Z), tool ("lamina 0.1.0"), missing (what is not in here,
 * and why; absent when nothing is known to be missing). Others are kept and ignored. */
struct object_meta {
    struct str key, value;
};

/* What was run when lines were hit for the first time: a request id, "init", a test's name. */
struct object_context {
    struct str name;
    int64_t start_ms; /* since 1970; 0: not known */
};

/* A jump between two lines as coverage.py counts it: to < 0 leaves the code object that begins at
 * line -to, from < 0 enters the one that begins at -from. */
struct object_arc {
    int32_t from, to;
};

/* What a context hit for the first time in this environment: the union over a file's hits is what
 * was executed. */
struct object_hits {
    uint32_t context; /* index */
    struct bits lines;
    const struct object_arc
        *arcs; /* the writer sorts nothing: ascending by from, then to, is small */
    size_t n_arcs;
};

enum object_kind {
    OBJECT_PYTHON = 0,
    OBJECT_V8 = 1,   /* ranges of V8's precise coverage: payload */
    OBJECT_BLOB = 2, /* anything else: payload */
};

struct object_file {
    struct str path; /* in the environment: /var/task/app.py */
    bool has_sha256;
    uint8_t sha256[32]; /* of the source that was deployed */
    uint32_t kind;      /* enum object_kind; unknown ones are kept with their payload */
    /* OBJECT_PYTHON: */
    struct bits raw; /* lines the compiler knows (co_lines of all code objects); may be empty */
    const struct object_hits *hits;
    size_t n_hits;
    /* all others: */
    struct str payload;
};

struct object {
    const struct object_meta *meta;
    size_t n_meta;
    const struct object_context *contexts;
    size_t n_contexts;
    const struct object_file *files;
    size_t n_files;
};

/* *ret is malloc'ed. -ENOMEM; -EMSGSIZE: the body is over OBJECT_BODY_MAX; -EINVAL: a hit's context
 * does not exist. Never aborts. */
int object_write(const struct object *o, uint8_t **ret, size_t *ret_n);

struct arena;

/* Reading survives any bytes. */
enum object_fault {
    OBJECT_EMPTY = 1, /* no bytes */
    OBJECT_FOREIGN,   /* no coverage object at all */
    OBJECT_VERSION,   /* one, of a version that is not ours */
    OBJECT_TRUNCATED, /* ends too early */
    OBJECT_CORRUPT,   /* checksum, deflate stream or structure is wrong */
    OBJECT_HUGE,      /* over the limits of this header */
};
struct object_error {
    enum object_fault fault;
    const char *reason; /* for people, static: "it is truncated" */
};

/* Buffers that are kept from one object to the next; one thread uses it at a time. */
struct object_reader;
struct object_reader *object_reader_new(void);
void object_reader_free(struct object_reader *reader); /* accepts NULL */

/* Everything in *ret points into the arena or into the reader (texts, bits, payloads), valid until
 * the reader's next use. -EBADMSG with *err. */
int object_read(struct object_reader *reader, struct str data, struct arena *a, struct object *ret,
                struct object_error *err);

struct str object_meta_find(const struct object *o, const char *key); /* absent: not there */
