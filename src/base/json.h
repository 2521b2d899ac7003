/* json - JSON text to a tree in an arena, and back.
 *
 * Numbers keep their exact text. Strings are checked UTF-8 and may hold NUL. Objects keep the order
 * of their members; a repeated key is kept as it stands, json_get() finds the first. Depth is
 * limited to JSON_DEPTH. Trees may be edited: children are linked lists. The template parser makes
 * the same trees from YAML and fills line/column. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define JSON_DEPTH 64

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    bool boolean;
    int line, column;          /* where it began in its source, 1-based; 0 unknown */
    struct str text;           /* JSON_STRING: its content; JSON_NUMBER: its spelling */
    struct str key;            /* set when the parent is an object */
    int key_line, key_column;  /* where the key stands */
    struct json *first, *last; /* children of an array or object */
    struct json *next;         /* the next sibling */
    size_t n;                  /* number of children */
};

struct json_error {
    int line, column;
    const char *message; /* static text */
};

/* -EBADMSG and *err filled (err may be NULL). The tree points into text for strings without
 * escapes. */
int json_parse(struct arena *a, struct str text, struct json **ret, struct json_error *err);

/* Reading; all accept NULL and answer "absent". */
struct json *json_get(const struct json *object, const char *key);
struct json *json_find(const struct json *object, struct str key);
struct str json_get_str(const struct json *object, const char *key); /* absent unless a string */
struct str json_str(const struct json *v);                           /* absent unless a string */
int json_int(const struct json *v, int64_t *ret);                    /* -EINVAL unless an integer */
struct json *json_at(const struct json *array, size_t i);
bool json_is(const struct json *v, enum json_type type);
bool json_equal(const struct json *a,
                const struct json *b); /* numbers by value, member order ignored */

#define JSON_EACH(parent, var)                                                                     \
    for (struct json *var = (parent) ? (parent)->first : NULL; var; var = var->next)

/* Building. */
struct json *json_new(struct arena *a, enum json_type type);
struct json *json_new_str(struct arena *a, struct str s);
struct json *json_new_int(struct arena *a, int64_t v);
struct json *json_new_bool(struct arena *a, bool v);
struct json *json_add(struct json *array, struct json *v); /* returns v */
struct json *json_set(struct arena *a, struct json *object, struct str key,
                      struct json *v); /* adds or replaces */
bool json_remove(struct json *object, struct str key);
struct json *json_copy(struct arena *a,
                       const struct json *v); /* deep; sibling link and key cleared */

/* Writing. indent < 0: one line, no blanks; otherwise pretty with that many blanks a level. */
void json_write(struct buf *b, const struct json *v, int indent);
void json_write_str(struct buf *b, struct str s); /* quoted and escaped; bad UTF-8 becomes U+FFFD */
struct str json_text(struct arena *a, const struct json *v, int indent);
