/* template - the mount namespace that environments are copied from when they are cloned.
 *
 * There is nothing in it but a read-only root with what every environment has, or all of one kind.
 * An environment made from the spawner's own namespace would have to copy all mounts of the host,
 * build the same root again, and leave the host's behind: that is most of its set-up. */
#pragma once
#include "sandbox/message.h"

struct template
{
    int ns, root; /* -1: there is none */
};
#define TEMPLATE_NONE ((struct template){-1, -1})

/* In the spawner, after stage_open(): remembers where it is. */
int templates_open(char *why);
/* part: binds and links to be in it, with their mounts, which it takes. */
int template_make(struct plan_cursor part, int *mounts, size_t n, struct template *ret, char *why);
void template_close(struct template *t);

/* The spawner goes into it, clones, and comes back. */
int template_enter(const struct template *t);
void template_leave(void);

/* In a user namespace that is not the system's own, /proc of a template is the spawner's, which an
 * environment replaces. */
bool template_shows_proc(void);
