/* template/validate - everything that can be said about a template without deploying it.
 *
 * Unlike template_open() it goes on after the first problem and offers suggestions. Works on the
 * tree before the transform. */
#pragma once
#include "template/template.h"

enum template_severity { TEMPLATE_WARNING, TEMPLATE_ERROR };

struct template_problem {
    enum template_severity severity;
    int line, column;
    struct str
        message; /* unknown property "Runtimee" of AWS::Lambda::Function (did you mean Runtime?) */
};

/* All problems in order of their place. Returns the number of errors (warnings not counted). */
int template_validate(struct arena *a, const struct json *root, struct template_problem **ret,
                      size_t *ret_n);

/* The candidate that is nearest to word, or NULL when none is near. NULL ends candidates. */
const char *template_suggest(struct str word, const char *const *candidates);
