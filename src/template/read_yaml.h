/* template/read_yaml - YAML text to a tree, as CloudFormation reads it. Called by template_parse().
 */
#pragma once
#include "template/parse.h"

int read_yaml(struct arena *a, struct str text, struct json **ret, struct template_error *err);

/* The type of an unquoted scalar: JSON_NULL, JSON_BOOL (value in *ret_bool), JSON_NUMBER or
 * JSON_STRING. Only numbers that JSON can spell are numbers: 0512, +1, 1_000, 1:30 stay strings. */
enum json_type yaml_scalar_type(struct str text, bool *ret_bool);
