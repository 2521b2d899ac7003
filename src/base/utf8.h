/* utf8 - Unicode text: checking, writing, and how wide it is on a terminal. */
#pragma once
#include "base/str.h"

/* Length (1 to 4) of the well-formed sequence at p < end, or 0: RFC 3629, no overlong forms, no
 * surrogates. */
size_t utf8_length(const char *p, const char *end);
bool utf8_valid(struct str s);
/* The character at p, which is well-formed and n bytes long. */
uint32_t utf8_char(const char *p, size_t n);
/* Writes c (at most 0x10ffff) as 1 to 4 bytes and returns the position behind them. */
char *utf8_put(char *to, uint32_t c);
/* Columns of a terminal: combining marks none, East Asian wide characters and emoji two; an
 * ill-formed byte counts one. */
size_t utf8_width(struct str s);
