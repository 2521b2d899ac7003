/* props - resolved properties of a resource, put into the typed input of an operation.
 *
 * CloudFormation is lenient where the APIs are not: "128" is a number, true is text, a JSON object
 * may stand where an API wants its text. Pure. */
#pragma once
#include "base/json.h"
#include "wire/shape.h"

/* Fills *ret (a zeroed struct of shape) from an object; properties without a member of that name
 * are skipped. -EINVAL with *why set ("Value of property MemorySize must be an integer"). */
int props_fill(struct arena *a, const struct shape *shape, const struct json *object, void *ret,
               struct str *why);

/* Text, number or boolean as text; an object or array as JSON text; absent when v is NULL. */
struct str props_text(struct arena *a, const struct json *v);
struct str props_get(struct arena *a, const struct json *object, const char *name);
bool props_bool(const struct json *object, const char *name, bool otherwise);
