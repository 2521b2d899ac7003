/* template/lint - one run of the checks of template_validate(): what their files share. */
#pragma once
#include "template/inside.h"
#include "template/validate.h"

struct lint {
    struct arena *arena;
    const struct json *root, *parameters, *resources, *conditions, *mappings;
    bool serverless;
    struct template_problem *problems;
    size_t n, cap, errors;
    struct json *used; /* object: names that something refers to */
};

/* Adds a problem; those after the 200th are dropped. */
__attribute__((format(printf, 5, 6))) void lint_report(struct lint *l,
                                                       enum template_severity severity, int line,
                                                       int column, const char *fmt, ...);
#define wrong(l, v, ...) lint_report((l), TEMPLATE_ERROR, (v)->line, (v)->column, __VA_ARGS__)
#define wrong_key(l, v, ...)                                                                       \
    lint_report((l), TEMPLATE_ERROR, (v)->key_line, (v)->key_column, __VA_ARGS__)

/* " (did you mean X?)" or "". */
const char *lint_hint(struct lint *l, struct str word, const char *const *candidates);
/* The keys of both objects, for lint_hint(); either may be NULL. */
const char *const *lint_keys(struct lint *l, const struct json *a, const struct json *b);

/* validate_references.c */
bool lint_may_be_made(struct lint *l, struct str name);    /* by the transform */
void lint_condition(struct lint *l, const struct json *v); /* v: the name of one */
void lint_functions(struct lint *l, const struct json *v); /* all in v; NULL: none */
