/* arenas - the directory that the function's processes and the shipper share, and what is in it.
 *
 *   arena-*   hits of one process each (../arena.h); read by read(), as a function may cut any file
 *             of /tmp short while it is looked at
 *   done      a FIFO: who runs the handler writes a byte when it has returned
 *   blob-*    blobs.h
 *
 * Arenas of former runtimes of the same environment count as well: /tmp survives a crash. */
#pragma once
#include "../arena.h"
#include "base/buf.h"
#include "ledger.h"

#define ARENAS_MAX 64               /* looked at; of ended processes the oldest are removed then */
#define ARENA_BYTES_MAX (96u << 20) /* of one; what is beyond is not read, and said */

struct arenas;

/* Makes directory and FIFO where they are missing. -errno: there is nothing to share, which is
 * final. `take`: hits are taken out of arenas that allow it, so that each invocation has its own.
 */
int arenas_open(const char *directory, bool take, struct arenas **ret);
void arenas_close(struct arenas *a); /* accepts NULL */

int arenas_directory(const struct arenas *a); /* its descriptor, the shipper's */

/* Looks for new arenas where the directory has changed: costs a stat otherwise. True: it changed.
 */
bool arenas_look(struct arenas *a);

/* Does a living process tell when the handler returns? */
bool arenas_tell(const struct arenas *a);

/* 1: some process has been initialised, and asked for its first event. -ESRCH: those that there
 * were have ended. -EAGAIN: not yet. -ENOENT: there is none (that has an arena). */
int arenas_ready(struct arenas *a);

/* Waits until an invocation has returned since the last time that this was asked. 0, -ETIMEDOUT,
 * -ESRCH: whoever would tell has ended. Deadline as for conn.h. */
int arenas_wait(struct arenas *a, int64_t deadline_ms);

/* Is there anybody who counts beside the newest process that asks (../arena.h, "Held invocations")?
 */
bool arenas_others(const struct arenas *a);
/* The invocation that goes on or was the last, by what the newest process says that tells it.
 * False: none does. */
bool arenas_request(const struct arenas *a, struct covarena_request *ret, bool *ret_busy);

/* Has anything been hit that was not entered? */
bool arenas_news(struct arenas *a);
/* The same of what arenas_look() and arenas_wait() have seen: nothing is read. */
bool arenas_known_news(const struct arenas *a);

/* Has a file become unreadable? Once for each: arenas_missing() is to be sent. */
bool arenas_loss(struct arenas *a);
/* Keeps a copy of what there is at this moment, quickly, for arenas_enter() later. */
void arenas_copy(struct arenas *a);

/* Enters hits into the ledger's current context: those of the copies and nothing more when
 * of_copies, else of the arenas as they are. */
void arenas_enter(struct arenas *a, struct ledger *l, bool of_copies, struct ledger_counts *counts);

/* Adds to `missing` what processes have said that they could not count, and arenas that could not
 * be read. */
void arenas_missing(const struct arenas *a, struct buf *missing);

/* The newest of those that count. False: there has been none. */
struct arenas_about {
    uint32_t flags, python, pid; /* as in an arena's header */
};
bool arenas_about(const struct arenas *a, struct arenas_about *ret);
/* The process that tells without an arena; 0: there is none, or it is not known. */
uint32_t arenas_teller(const struct arenas *a);
