/* root - the file system an environment sees: what is its own, and what its plan adds.
 *
 * An environment is born in a copy of a template's root (template.h), which is read-only and
 * shared: the folders are there, and mounts can be put over them. A plan that needs other places
 * gets a root of its own. */
#pragma once
#include "sandbox/message.h"

/* In the new environment: mounts proc, /tmp and /dev/shm, the latter two on one file system. */
int root_set_up(char *why);
/* Before root_attach(): a root of its own for a plan whose places are not all there. */
int root_prepare(struct plan_cursor plan, char *why);
/* Carries out binds, layers, links of the plan with the mounts the spawner has opened. Closes the
 * mounts. */
int root_attach(struct plan_cursor plan, int *mounts, size_t n, char *why);
int root_attach_one(int mount, const char *to); /* takes the mount */
int root_close(char *why);                      /* makes the root read-only */
#define ROOT_TMP_MB 512                         /* the usual size of /tmp */
int root_resize_tmp(int tmp_mb, char *why);     /* while /tmp is empty still */

/* The same for several layers merged. Keeps what it merged for the next time. */
int layers_open(const struct plan_item *item, const char *text, const char *cache_dir, int *ret);
void layers_avoid_overlay(void);
bool layers_have_overlay(void);                /* after stage_open() */
void layers_forget_all(const char *cache_dir); /* merged folders on disk go, too */
