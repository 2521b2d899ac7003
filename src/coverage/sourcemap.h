/* sourcemap - from places in a bundle back to its sources: source maps, revision 3 (ECMA-426).
 *
 * Pure; everything lives in the arena. Maps made of sections are not read. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define SOURCEMAP_NUMBER_MAX (1 << 30)

/* What begins there in the bundle; until the next one. Lines count from 1, columns from 0 in UTF-16
 * code units. */
struct source_segment {
    uint32_t line, column;
    int32_t source; /* -1: of no source */
    uint32_t source_line;
    int32_t name; /* -1: none */
};

struct source_map {
    const struct str *sources;  /* with sourceRoot in front */
    const struct str *contents; /* absent: not in the map */
    size_t n_sources;
    const struct str *names;
    size_t n_names;
    const struct source_segment *segments; /* sorted */
    size_t n_segments;
};

/* -EBADMSG: it is no map, or one that is not understood. */
int sourcemap_parse(struct arena *a, struct str text, struct source_map *ret);

/* What the script says of its map, the last line of that kind: a URL. absent: nothing. */
struct str sourcemap_url(struct str script);
/* The content of a data: URL of JSON. -EBADMSG. */
int sourcemap_inline(struct arena *a, struct str url, struct str *ret);
