/* pattern - the models' regular expressions, compiled once each. Internal to wire/. */
#pragma once
#include "wire/shape.h"

/* Whether the whole of s fits the pattern of the shape. A pattern PCRE2 cannot compile, and a match
 * that takes too long, count as fitting: the service's own checks follow. */
bool pattern_fits(const struct shape *shape, struct str s);
bool pattern_compiles(const char *pattern);
