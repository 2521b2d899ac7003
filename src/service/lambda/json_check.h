/* json_check - is this text JSON? Without building anything, at any depth up to 1000. */
#pragma once
#include "base/str.h"

/* True, or false with where it went wrong and a static sentence. Blanks around are fine; "" is not.
 */
bool json_check(struct str text, size_t *ret_at, const char **ret_why);
