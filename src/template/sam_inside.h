/* template/sam_inside - one run of the SAM transform: state and helpers its files share. */
#pragma once
#include "template/inside.h"
#include "template/sam.h"

struct sam_problem {
    struct str id; /* sorted by: a logical id, or the message itself */
    struct str message;
    int line, column;
};

struct sam {
    struct arena *arena;
    struct json *root;   /* our copy: changed as the transform goes on */
    struct json *source; /* Resources as they were before any was replaced (after Globals) */
    struct json *params; /* object: values for Ref and Sub */
    struct str region, partition;
    struct sam_problem *problems;
    size_t n_problems, cap_problems;
    size_t used_before;          /* of the arena, when the transform began */
    bool fatal;                  /* the last problem says all */
    struct json *changed;        /* object: logical id -> new logical id */
    struct json *derived;        /* object: logical id -> {Alias, Version: logical id} */
    struct json *resource;       /* being transformed: its declaration */
    struct json *generated;      /* object: what it becomes, by logical id */
    struct json *role_documents; /* array: what its role is allowed beside its own policies */
};

/* "Resource with id [id] is invalid. ..."; returns -EBADMSG. */
int sam_invalid(struct sam *s, struct str id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A message without frame, for structure errors; ends the transform. */
int sam_fatal(struct sam *s, struct str id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* True, with the error noted, when the transform has grown beyond all measure. */
bool too_large(struct sam *s);

/* Python's idea of true: not null, false, 0, "", [] or {}. Absent is false. */
bool truthy(const struct json *v);
/* Absent or null. */
bool is_none(const struct json *v);
bool is_no_value(const struct json *v); /* {"Ref": "AWS::NoValue"} */
bool is_if(const struct json *v);       /* {"Fn::If": ...} */

/* As Python prints it inside of a message: {'a': [1, True]}; a text by itself stands bare. */
struct str python_text(struct sam *s, const struct json *v);

/* Building. put() copies v and ignores an absent or null one; all return the object. */
struct json *put(struct sam *s, struct json *object, const char *key, const struct json *v);
struct json *put_text(struct sam *s, struct json *object, const char *key, struct str text);
struct json *ref_to(struct sam *s, struct str id); /* {"Ref": id} */
struct json *att_of(struct sam *s, struct str id,
                    const char *name); /* {"Fn::GetAtt": [id, name]} */
struct json *from_text(struct sam *s, const char *json_with_apostrophes);

/* A generated resource with its Properties; attributes (may be NULL) are copied into it. */
struct json *generate(struct sam *s, struct str id, const char *type, const struct json *attributes,
                      struct json **ret_properties);
/* Condition, DeletionPolicy, UpdateReplacePolicy of the resource being transformed. */
struct json *passed_attributes(struct sam *s);

/* First ten hex digits of the SHA-1 of Python's json.dumps(data, sort_keys, compact). */
struct str sam_hash(struct sam *s, const struct json *data);

/* sam_refs.c. Parameter values are put in place of Ref and Sub, inside of *v and *v itself. */
int resolve_parameters(struct sam *s, struct json **v);
void rename_resources(struct sam *s, struct json *v); /* by s->changed */
void resolve_derived(struct sam *s, struct json *v);  /* by s->derived */

/* sam_properties.c */
enum sam_kind { SAM_FUNCTION, SAM_LAYER };
int check_properties(struct sam *s, struct str id, enum sam_kind kind,
                     const struct json *properties);

int merge_globals(struct sam *s); /* sam_globals.c */
int convert_policy_templates(struct sam *s, struct json *properties,
                             struct str id); /* sam_role.c */
int build_role(struct sam *s, struct str id, struct json *properties, struct json **ret);
int sam_code_location(struct sam *s, struct str id, const char *property, const struct json *uri,
                      struct json **ret); /* sam_code.c */
int function_code(struct sam *s, struct str id, struct json *properties, struct json **ret);
int transform_function(struct sam *s, struct str id, struct json *properties);
/* sam_version.c: *ret_alias stays absent without AutoPublishAlias. */
int publish_function(struct sam *s, struct str id, struct json *properties, struct json *function,
                     struct str *ret_alias);
int make_url(struct sam *s, struct str id, const struct json *config,
             struct str alias_id); /* sam_url.c */
int make_event_invoke(struct sam *s, struct str id, struct json *properties, struct str alias_id);
int transform_layer(struct sam *s, struct str id, struct json *properties);
struct json *tag_list(struct sam *s, const struct json *tags, bool with_sam);
