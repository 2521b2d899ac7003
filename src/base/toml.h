/* toml - TOML 1.0 text to a json tree (samconfig.toml).
 *
 * Tables become objects, arrays arrays; dates are kept as their text. Line and column are set.
 * Refused: keys and tables given twice, control characters, more than JSON_DEPTH levels. Pure. */
#pragma once
#include "base/json.h"

/* -EBADMSG and *err (may be NULL). */
int toml_parse(struct arena *a, struct str text, struct json **ret, struct json_error *err);
