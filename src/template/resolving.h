/* template/resolving - one run over a value: what the functions' files share. */
#pragma once
#include "template/inside.h"

#define RESOLVED_MAX (4 * 1024 * 1024) /* of one text */

struct resolving {
    struct template *t;
    struct arena *arena;
    const struct template_source *source; /* NULL: nothing but parameters */
    struct template_error *err;
    const char *block;  /* for messages: Resources, Outputs, Conditions */
    size_t used_before; /* of the arena, when the run began */
    int depth;
};

/* NULL in *ret: no value. */
int resolve_value(struct resolving *rs, const struct json *v, struct json **ret);
/* arg is the value of the object's only member, its key the function's name. */
int resolve_function(struct resolving *rs, const struct json *arg, struct json **ret);
/* The value as text; fails with the message otherwise. */
int resolve_text(struct resolving *rs, const struct json *v, const char *otherwise,
                 struct str *ret);

struct json *placed(struct json *v, const struct json *like); /* copies line and column */
struct json *text_at(struct resolving *rs, struct str s, const struct json *like);

/* functions.c */
int fn_find_in_map(struct resolving *rs, const struct json *arg, struct json **ret);
int fn_if(struct resolving *rs, const struct json *arg, struct json **ret);
int fn_cidr(struct resolving *rs, const struct json *arg, struct json **ret);
int fn_boolean(struct resolving *rs, const struct json *arg, struct json **ret);
int fn_length(struct resolving *rs, const struct json *arg, struct json **ret);
int fn_to_json(struct resolving *rs, const struct json *arg, struct json **ret);

/* functions_text.c */
int fn_join(struct resolving *rs, const struct json *arg, struct json **ret);
int fn_select(struct resolving *rs, const struct json *arg, struct json **ret);
int fn_split(struct resolving *rs, const struct json *arg, struct json **ret);
int fn_base64(struct resolving *rs, const struct json *arg, struct json **ret);
