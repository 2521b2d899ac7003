/* root - the file system an environment sees, carried out as lists of operations.
 *
 * The spawner, in a mount namespace of its own, keeps a stage: a tmpfs over a host folder that
 * nobody needs there, holding what all environments share (etc, dev), merged layers, and the place
 * where a new environment puts its root together before it pivots into it. */
#pragma once
#include "sandbox/message.h"

/* Once, in the spawner. why (WHY_MAX) says which step failed. */
int stage_open(char *why);

/* In the new environment (own namespaces already): builds the root and pivots into it; afterwards
 * the host's tree is gone, the root still writable. */
int root_enter(bool with_proc, char *why);
/* In the environment: carries out binds, layers, links of the plan with the mounts the spawner has
 * opened. Closes the mounts. */
int root_attach(struct plan_cursor plan, int *mounts, size_t n, char *why);
int root_attach_one(int mount, const char *to); /* takes the mount */
/* The last step: sets up /tmp, makes the root read-only. */
int root_finish(int tmp_mb, char *why);
int root_resize_tmp(int tmp_mb, char *why); /* after the last step: /tmp is empty still */

/* In the spawner: a detached read-only copy of a host folder or file, for a plan's bind. */
int mount_open(const char *from, int *ret);

/* The same for several layers merged. Keeps what it merged for the next time. */
int layers_open(const struct plan_item *item, const char *text, const char *cache_dir, int *ret);
void layers_avoid_overlay(void);
bool layers_have_overlay(void);                /* after stage_open() */
void layers_forget_all(const char *cache_dir); /* merged folders on disk go, too */

int why_printf(char *why, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define STAGE_NEW "new"
const char *stage_path(void); /* where the stage is mounted */
