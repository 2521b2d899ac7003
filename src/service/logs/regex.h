/* regex - a match of a stranger's regular expression that has an end. May use base/. */
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "base/str.h"

/* What regex_match() needs of the compiler's options, besides those of the caller. */
#define REGEX_OPTIONS (PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT)

/* Answers of regex_match() other than a match and PCRE2_ERROR_NOMATCH. */
enum { REGEX_TOO_MANY_STEPS = -1000, REGEX_TOO_LONG };

/* 0 or more: it matches, and the groups are in data. The match limit of `limits` holds for each
 * place of the text, and the whole text may take a quarter of a second of the processor. */
int regex_match(const pcre2_code *code, pcre2_match_data *data, pcre2_match_context *limits,
                struct str s);
