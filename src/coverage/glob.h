/* glob - which files are meant: patterns as coverage.py 7 reads them.
 *
 * Whole paths are matched. `*` and `?` stop at slashes, `[a-f]` is one of them, a double star with
 * a slash is any depth including none; a pattern without a slash is a file's name anywhere; `/` and
 * `*` at the end is everything below. Pure. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* -EINVAL: "x**", "**x", "***", or brackets that do not belong together. */
int glob_check(struct str pattern);
/* Relative patterns mean files below dir as well, unless they begin with `*` or `?`. */
bool glob_match(struct arena *a, struct str pattern, struct str dir, struct str path);
bool glob_any(struct arena *a, const struct str *patterns, size_t n, struct str dir,
              struct str path);
/* How many bytes at the beginning of path the pattern of a folder matches, with the slash that
 * follows; 0: none. */
size_t glob_prefix(struct arena *a, struct str pattern, struct str dir, struct str path);
