/* stage - what all environments share, and where their roots are put together.
 *
 * The spawner, in a mount namespace of its own, keeps a stage: a tmpfs over a host folder that
 * nobody needs there, holding etc, dev, merged layers, and the place of a root in the making. */
#pragma once

/* Once, in the spawner. why (WHY_MAX) says which step failed. */
int stage_open(char *why);
const char *stage_path(void); /* where it is mounted */
/* In a mount namespace of its own: builds a root and pivots into it. Afterwards the host's tree is
 * gone, the root still writable; /proc and /tmp are empty folders. */
int stage_build_root(char *why);

/* Makes the folders and links that every root has, in the current folder. */
int stage_lay_out(char *why);

/* Leaves the root for the one in the current folder. */
int stage_pivot(void);
