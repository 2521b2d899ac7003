/* ledger - all that is known to have been executed in this environment, and since when.
 *
 * Arenas are cumulative; the ledger knows what of them has been entered before, and enters only
 * what is new, under the context that is current: so the object that it writes is the union of its
 * contexts, and says which one hit a line first. It is written as a whole each time, and read again
 * by the next shipper of the same environment. Running out of memory ends the process (base/mem.h);
 * LEDGER_MAX keeps far away from that. */
#pragma once
#include "base/buf.h"
#include "coverage/object.h"

#define LEDGER_MAX                                                                                 \
    (12u << 20) /* bytes of hits: what a format's object can hold, less something                  \
                 */

struct ledger;
struct ledger_file;

struct ledger_counts {
    size_t lines, arcs; /* that were not known before */
};

struct ledger *ledger_new(void);
void ledger_free(struct ledger *l);

/* What is entered from here on belongs to this context; it is written when it has hits. */
void ledger_context(struct ledger *l, struct str name, int64_t start_ms);

/* The file of that path, new or known. NULL: there are too many. */
struct ledger_file *ledger_file(struct ledger *l, struct str path);

/* Enters what of lines and arcs is new, or with `all` everything, and what lines there are. Arcs
 * are in any order, with repetitions; they are sorted in place. False: LEDGER_MAX is reached, the
 * context keeps nothing more, see ledger_full(). */
bool ledger_enter(struct ledger *l, struct ledger_file *f, struct bits raw, struct bits lines,
                  struct object_arc *arcs, size_t n_arcs, bool all, struct ledger_counts *counts);

bool ledger_full(const struct ledger *l);
size_t ledger_files(const struct ledger *l);

/* SHA-256 of a source file. -errno. */
int ledger_hash(const char *path, uint8_t ret[32]);

/* Hashes the sources that have not been looked for yet. Adds to `missing` what could not be read.
 */
void ledger_hash_sources(struct ledger *l, struct buf *missing);

/* The object, with further records behind the ledger's files. As object_write(). */
int ledger_write(struct ledger *l, const struct object_meta *meta, size_t n_meta,
                 const struct object_file *further, size_t n_further, uint8_t **ret, size_t *ret_n);

/* Enters all contexts and files of an object that a ledger has written. */
void ledger_load(struct ledger *l, const struct object *o);
