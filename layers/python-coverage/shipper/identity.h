/* identity - whose coverage this is: what an object's meta says, and its key. */
#pragma once
#include "arenas.h"
#include "settings.h"

struct identity {
    int64_t started_ms;
    struct str environment;           /* 32 hex digits */
    struct str log_group, log_stream; /* absent: not known */
    struct str runtime;               /* python3.12; absent: not known */
};

/* The end of a log stream's name, 2026/11/21/[$LATEST]0123..., or absent. */
struct str identity_of_stream(struct str log_stream);

/* Extensions are not told where the function logs (AWS keeps these variables from them); the
 * process that counts knows. Without it (it has ended, or /proc is closed): a random environment.
 * Texts live in the arena. */
void identity_find(struct identity *ret, struct arena *a, const struct arenas *arenas);

/* The same of an object that was written before. False: it has none. */
bool identity_load(struct identity *ret, struct arena *a, const struct object *o);

/* Meta of an object, in the arena. blobs: there are counters of other languages. */
#define IDENTITY_META_MAX 16
size_t identity_meta(const struct identity *id, struct arena *a, const struct settings *settings,
                     const struct arenas *arenas, bool blobs, struct str missing,
                     struct object_meta ret[IDENTITY_META_MAX]);
