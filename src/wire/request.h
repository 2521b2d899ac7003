/* request - an HTTP request and response as the wire room sees them, whatever HTTP library is used.
 *
 * Nothing here owns memory: strings, arrays and bodies live as long as whoever made them says (an
 * arena, mostly). Paths and queries are kept as they came, still percent-encoded: signatures are
 * computed over them. May use base/. */
#pragma once
#include "base/arena.h"
#include "base/body.h"
#include "base/str.h"

struct wire_header {
    struct str name, value; /* name in any case; value without surrounding blanks */
};

struct wire_request {
    struct str method; /* GET */
    struct str path;   /* raw: /bucket/a%20b */
    struct str query;  /* raw, without '?'; absent or empty: none */
    const struct wire_header *headers;
    size_t n_headers;
    struct body body;
};

struct wire_response {
    int status;
    const struct wire_header *headers; /* no Date, no Connection; Content-Length only when there
                                        * is no body (HEAD): otherwise it is the body's size */
    size_t n_headers;
    struct body body; /* !has: none */
};

/* The first header of that name in any case; absent when there is none. */
struct str wire_find_header(const struct wire_header *headers, size_t n, const char *name);
static inline struct str wire_header(const struct wire_request *req, const char *name)
{
    return wire_find_header(req->headers, req->n_headers, name);
}

/* One parameter of a raw query, decoded; absent when not there; "" for ?name and ?name=. */
struct str wire_query_get(struct arena *a, struct str query, struct str name);

/* "%41+b" -> "A b" (plus = blank only when form is true). Malformed escapes stay as they are. */
struct str wire_percent_decode(struct arena *a, struct str s, bool form);
/* All but A-Za-z0-9-._~ become %XX; '/' stays when keep_slash is true. */
struct str wire_percent_encode(struct arena *a, struct str s, bool keep_slash);

/* A growing list of headers in an arena. */
struct wire_headers {
    struct wire_header *items;
    size_t n, cap;
};
void wire_headers_add(struct arena *a, struct wire_headers *h, struct str name, struct str value);
