/* inspect - what `lamina inspect` can be asked for, and how it is drawn. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

struct inspect_options {
    struct str stack_name;
    int64_t last_ms, limit;
    bool watch, events;
};

/* Writes the answer of /_lamina/lambda/inspect. width 0: no terminal. */
struct inspect_paper {
    size_t width;
    bool colour, utf8;
};
void inspect_write(struct buf *out, struct arena *a, const struct inspect_paper *paper,
                   const struct inspect_options *o, const struct json *answer);
