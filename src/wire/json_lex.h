/* json_lex - JSON text, token by token. Internal to wire/.
 *
 * The cursor only moves forward. What returns an int returns 0, or -EBADMSG with the error noted.
 */
#pragma once
#include "wire/walk.h"

struct lex {
    struct arena *arena;
    const char *start, *p, *end;
    int depth;
    struct wire_read_error *err;
};

/* The first error stays; returns -EBADMSG. */
int lex_fail(struct lex *r, const char *message, const struct shape *shape, const char *found);
int lex_bad(struct lex *r); /* "not JSON" */

/* The next byte that is no white space; 0 at the end: NUL is no JSON either. */
static inline char lex_peek(struct lex *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
    return r->p < r->end ? *r->p : 0;
}

int lex_expect(struct lex *r, char c);
/* p at the quote. Without escapes the result points into the text. */
int lex_string(struct lex *r, struct str *ret);
int lex_number(struct lex *r, struct str *ret); /* its text */
int lex_word(struct lex *r, const char *text);
/* Any value, checked and forgotten. */
int lex_skip(struct lex *r);
