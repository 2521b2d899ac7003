/* template/inside - what the files of this room share about an opened template. */
#pragma once
#include "template/resolve.h"

/* A use of another thing's value. */
struct reference {
    struct str name;         /* of a parameter, resource or pseudo parameter */
    struct str attribute;    /* absent: Ref */
    const struct json *node; /* where it stands */
};

struct references {
    struct arena *arena;
    struct reference *items;
    size_t n, cap;
};

/* Which branch of an Fn::If counts. */
enum branches {
    BRANCHES_ALL,
    BRANCHES_NONE,   /* neither: what is needed whatever the conditions are */
    BRANCHES_CHOSEN, /* the one the condition chooses; after template_bind() */
};

/* All uses in value. -EBADMSG for a function that is badly formed. */
int references_collect(struct template *t, const struct json *value, enum branches which,
                       struct references *list, struct template_error *err);

/* Walks the text of Fn::Sub. Each step gives literal text, or a variable (var present). False at
 * the end. "${!x}" is the literal "${x}". */
bool sub_next(struct str text, size_t *pos, struct str *ret_literal, struct str *ret_var);

/* graph.c: fills depends of every resource and t->order. */
int graph_build(struct template *t, enum branches which, struct template_error *err);
/* Checks that every name used exists. */
int graph_check_names(struct template *t, struct template_error *err);

/* parameters.c */
bool parameter_kind_of(struct str type, enum template_param_kind *ret); /* false: no such type */
int parameters_open(struct template *t, const struct json *section, struct template_error *err);
int parameters_bind(struct template *t, const struct template_param *given, size_t n_given,
                    const struct template_param *previous, size_t n_previous,
                    struct template_error *err);

/* A scalar as text: numbers by their spelling, true and false. Absent for anything else. */
struct str scalar_text(const struct json *v);
bool is_pseudo(struct str name);
bool is_alphanumeric(struct str name);
/* "[A, B]" */
struct str bracketed(struct arena *a, const struct str *names, size_t n);
