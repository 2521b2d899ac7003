/* template/resource_types - the CloudFormation resource types known here: properties, update
 * behaviour, attributes. One constant table; checks of templates and the decision "update or
 * replace" read it. */
#pragma once
#include "template/parse.h"

enum property_kind {
    PROPERTY_STRING,
    PROPERTY_INTEGER,
    PROPERTY_NUMBER,
    PROPERTY_BOOLEAN,
    PROPERTY_JSON, /* any object (or its text): a policy document */
    PROPERTY_ANY,
    PROPERTY_OBJECT, /* of the properties in .object */
    PROPERTY_MAP,    /* free keys; values of kind .item */
    PROPERTY_LIST,   /* of .item */
};

enum property_update {
    UPDATE_NO_INTERRUPTION,
    UPDATE_CONDITIONAL, /* may need replacement, depending on the values */
    UPDATE_REPLACEMENT,
};

struct property_type {
    const char *name; /* NULL ends a table */
    enum property_kind kind;
    enum property_kind item; /* of PROPERTY_LIST and PROPERTY_MAP */
    bool required;
    enum property_update update;
    bool variables; /* PROPERTY_MAP whose keys are names of environment variables */
    const struct property_type
        *object; /* of PROPERTY_OBJECT, or a list or map of them; NULL: anything */
};

struct resource_type {
    const char *name;
    const struct property_type *properties;
    const char *const *attributes; /* for Fn::GetAtt; NULL-terminated */
    bool serverless;               /* only before the transform */
};

/* All of them, one after the other: NULL at the end. */
const struct resource_type *resource_type_at(size_t i);
const struct resource_type *resource_type_find(struct str name);
const struct property_type *property_type_find(const struct property_type *table, struct str name);
bool resource_type_has_attribute(const struct resource_type *type, struct str attribute);

/* What an update from old to new properties (both resolved) needs. Reports the names of the changed
 * top-level properties. UPDATE_CONDITIONAL: the service decides. */
struct property_change {
    struct str name;
    enum property_update update;
    const struct json *before, *after; /* NULL: not there */
};
enum resource_change { CHANGE_NONE, CHANGE_MODIFY, CHANGE_CONDITIONAL, CHANGE_REPLACE };
enum resource_change resource_type_compare(struct arena *a, const struct resource_type *type,
                                           const struct json *before, const struct json *after,
                                           struct property_change **ret, size_t *ret_n);

/* Checks resolved properties against the table, with CloudFormation's texts:
 * "Encountered unsupported property X", "Property X cannot be empty.". */
int resource_type_check(struct arena *a, const struct resource_type *type,
                        const struct json *properties, struct template_error *err);
