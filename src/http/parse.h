/* parse - the head of a request, and chunked bodies: pure functions over bytes. */
#pragma once
#include "base/buf.h"
#include "http/server.h"

#define HTTP_HEADERS_MAX 1000

struct http_head {
    struct str method, target, path, query;
    struct http_header *headers;
    size_t n_headers;
    int minor;
    int64_t content_length; /* HTTP_LENGTH_UNKNOWN: chunked; 0 when there is none */
    bool has_body;          /* a length was given, or chunks follow */
    bool keep_alive, expect_continue;
};

/* 1: text begins with a head of *ret bytes, its blank line included. 0: it is not complete yet;
 * *scanned remembers how far it has been looked at (0 at first). -EBADMSG: it will never be one. */
int http_head_end(struct str text, size_t *scanned, size_t *ret);

/* A complete head. 0, or the status to refuse it with. Texts point into `text`. */
int http_head_parse(struct str text, struct arena *a, struct http_head *ret);

/* Chunked bodies, piece by piece. */
struct http_chunks {
    enum {
        CHUNK_SIZE,
        CHUNK_EXTENSION,
        CHUNK_DATA,
        CHUNK_DATA_END,
        CHUNK_TRAILER,
        CHUNK_DONE
    } state;
    int64_t left;         /* of the present chunk */
    size_t line;          /* bytes of the present line */
    size_t overhead;      /* bytes of extensions and trailers so far */
    bool cr;              /* the last byte was the CR of a line end */
    struct buf *trailers; /* gets the trailer's lines; NULL: they are only checked */
};
/* Those lines as headers: names that say something about framing are left out, as is what is no
 * header. */
void http_trailers_parse(struct str text, struct arena *a, struct http_header **ret, size_t *ret_n);
/* Takes a piece off the front of *in. *ret_data is set when it holds bytes of the body. 1: go on;
 * 0: more input or, with state CHUNK_DONE, nothing is needed; -EBADMSG. */
int http_chunks_next(struct http_chunks *c, struct str *in, struct str *ret_data);
