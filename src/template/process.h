/* template/process - the whole way in one call: text and parameters to the template that is
 * deployed.
 *
 * Used by `lamina template`, GetTemplate(Processed), change sets and stacks. */
#pragma once
#include "template/sam.h"
#include "template/resolve.h"

struct template_request {
    struct str text;
    const struct template_param *params;
    size_t n_params;
    const struct template_param *previous; /* of the stack being updated */
    size_t n_previous;
    struct template_env env;
};

struct template_processed {
    const struct json *original; /* as parsed */
    const struct json *tree;     /* after the transform; the original where there is none */
    struct str json;             /* tree as compact JSON */
    struct str hash;             /* template_hash() of tree */
    bool transformed;
    struct template *view; /* opened and bound */
};

/* Parses, transforms, opens and binds. Everything in the arena. */
int template_process(struct arena *a, const struct template_request *request,
                     struct template_processed *ret, struct template_error *err);
