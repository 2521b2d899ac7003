/* template/resolve - what the intrinsic functions of a template come to.
 *
 * The values of resources come from the caller, who knows them resource by resource. A result never
 * shares memory with the tree it came from unless it has no functions in it; it lives in the arena.
 */
#pragma once
#include "template/template.h"

/* What the outside knows. Each returns 0 with *ret set (in the arena), -ENOENT when there is no
 * such thing (a message is made here), or -EBADMSG with err filled. Any may be NULL: then it is an
 * error to need it. A change set that does not know a value yet answers a placeholder string. */
struct template_source {
    void *user;
    /* Ref of a resource: its physical id. */
    int (*resolve_ref)(void *user, struct arena *a, const struct template_resource *resource,
                       struct json **ret, struct template_error *err);
    /* Fn::GetAtt; attribute may have dots. */
    int (*resolve_attribute)(void *user, struct arena *a, const struct template_resource *resource,
                             struct str attribute, struct json **ret, struct template_error *err);
    /* Fn::ImportValue. */
    int (*resolve_import)(void *user, struct arena *a, struct str name, struct json **ret,
                          struct template_error *err);
    /* Fn::GetAZs: an array of strings. NULL: region + a, b, c. */
    int (*resolve_zones)(void *user, struct arena *a, struct str region, struct json **ret,
                         struct template_error *err);
};

/* *ret is NULL when the whole value came to AWS::NoValue. */
int template_resolve(struct template *t, struct arena *a, const struct template_source *source,
                     const struct json *value, struct json **ret, struct template_error *err);

/* The Properties of a resource; an empty object when it has none. Numbers and booleans stay as
 * written. */
int template_resolve_properties(struct template *t, struct arena *a,
                                const struct template_source *source,
                                const struct template_resource *resource, struct json **ret,
                                struct template_error *err);

/* The value of an output, as text. */
int template_resolve_output(struct template *t, struct arena *a,
                            const struct template_source *source,
                            const struct template_output *output, struct str *ret_value,
                            struct str *ret_export_name, struct template_error *err);

/* True when v is an object with one member named Ref, Condition or Fn::... */
bool template_is_intrinsic(const struct json *v);
