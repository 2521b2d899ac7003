/* regex - a match of a stranger's regular expression that has an end. May use base/. */
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "base/arena.h"
#include "base/str.h"

/* An expression in an arena, with what a match of it needs. */
struct regex {
    pcre2_code *code;
    pcre2_code *fast; /* the same as machine code, between regex_speed_up() and regex_slow_down() */
    pcre2_match_data *data;
    pcre2_match_context *limits;
    uint32_t n_groups;
    struct str literal; /* a text that whatever matches has; or absent */
};

/* What a match may take at each place of the text where it may begin, and groups that are kept. */
struct regex_limits {
    uint32_t steps, depth, heap_kib;
    bool groups;
};

/* Answers of regex_match() other than a match and PCRE2_ERROR_NOMATCH. */
enum { REGEX_TOO_MANY_STEPS = -1000, REGEX_TOO_LONG };

/* All memory is the arena's; -EINVAL with PCRE2's error and where it is. */
int regex_compile(struct arena *a, struct str text, const struct regex_limits *limits,
                  struct regex *ret, int *ret_error, size_t *ret_where);

/* Machine code is no memory of the arena: what was sped up has to be slowed down before the arena
 * goes. Where the system allows no such code, matches stay as slow as they are. */
void regex_speed_up(struct regex *r);
void regex_slow_down(struct regex *r); /* of one that is slow: nothing */

/* 0 or more: it matches, and the groups are in data. The limits hold for each place of the text,
 * and the whole text may take a quarter of a second of the processor. */
int regex_match(const struct regex *r, struct str s);

/* The longest text without signs that every match of the expression has, as far as a glance tells:
 * "id=" of "id=[0-9]+ .*x?"; absent of what has alternatives or options. */
struct str regex_literal(struct arena *a, struct str text);
