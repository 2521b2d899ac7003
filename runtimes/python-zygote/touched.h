/* touched - the pages that a start needs, copied or mapped in a few calls instead of a fault each.
 *
 * A child shares its zygote's pages until it writes to them. Which ones a start writes to is the
 * same each time: a first child, the scout, goes the way once and says which pages have become its
 * own. Later children have the kernel copy these before anybody waits: a fifth of the processor
 * time of finding out by faults. Needs Linux 5.14; where it fails nothing is known, and a spare has
 * to rehearse. */
#pragma once
#include <stdbool.h>

/* In the scout, before it goes the way: what there is. proc: the folder. false: not possible here.
 */
bool touched_begin(int proc);
/* In the scout, afterwards: writes what has become its own, or was mapped, to fd. */
void touched_tell(int proc, int fd);
/* In the zygote: hears it, until the end of the file. */
void touched_hear(int fd);
/* In a child. false: nothing is known. */
bool touched_populate(void);
