/* reply - HTTP/1.1 responses, taken from the bytes that have arrived so far. Pure, so that tests
 * and a fuzzer reach every line of it. */
#pragma once
#include "base/str.h"

#define REPLY_HEAD_MAX (16u << 10)
#define REPLY_BODY_MAX (256u << 10)

struct reply {
    int status;
    bool keep_alive;
    struct str head; /* status line and headers, with the last line's end */
    struct str body;
    size_t size; /* bytes of the whole response */
};

/* 1: a response was there (interim ones are skipped); 0: it goes on; -EBADMSG: it is none;
 * -EMSGSIZE: over the limits. closed: the server sends no more, which is the end of a body without
 * length. A chunked body is joined in place, only when the response is complete. *ret points into
 * the bytes. */
int reply_parse(char *bytes, size_t n, bool closed, struct reply *ret);

/* The first header of that name in any case; absent when there is none. */
struct str reply_header(const struct reply *r, const char *name);

/* The text between <name> and </name> of S3's errors; absent when there is none. */
struct str reply_element(const struct reply *r, const char *name);
