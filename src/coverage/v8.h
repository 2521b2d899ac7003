/* v8 - what a script's functions have run, by V8's ranges: the exact union of many environments.
 *
 * The payload of an object's record of kind 1 is JSON (docs/coverage-format.md), a row of
 *
 *     [name, start, end, [from, to, from, to ...], [from, to, from, to ...]]
 *
 * one for each function that V8 has told of, the script itself among them ("", 0, length): where it
 * has run (own ranges, ascending, that touch nowhere), and the blocks that V8 counts by themselves.
 * Offsets are UTF-16 code units of the source. What belongs to an inner function says nothing of
 * the outer one: the innermost function decides. Unions of runs and blocks are exact, whatever the
 * order. May use base. */
#pragma once
#include "base/str.h"

#define V8_OFFSET_MAX (1u << 30)

struct v8_range {
    uint32_t from, to; /* to is behind it */
};

struct v8_function {
    struct str name; /* "": none, or the script */
    struct v8_range at;
    struct v8_range *run;
    size_t n_run;
    struct v8_range *blocks; /* sorted: by from, the longer first */
    size_t n_blocks;
};

struct v8_hits;
struct v8_hits *v8_hits_new(void);
void v8_hits_free(struct v8_hits *h); /* accepts NULL */

/* Takes a payload in. -EBADMSG: it is none, nothing is taken. */
int v8_hits_add(struct v8_hits *h, struct str payload);
void v8_hits_join(struct v8_hits *to, const struct v8_hits *from);

/* Sorted by where they begin, outer ones first. Valid until the next change. */
const struct v8_function *v8_hits_functions(struct v8_hits *h, size_t *ret_n);

bool v8_run_at(const struct v8_function *f, uint32_t offset);

/* Where the script has run, the innermost functions deciding: ascending, touching nowhere.
 * malloc'ed. */
struct v8_range *v8_hits_run(struct v8_hits *h, size_t *ret_n);
