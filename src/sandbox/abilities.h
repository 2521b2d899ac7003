/* abilities - what the spawner may do on this machine. For process.c only. */
#pragma once
#include "sandbox/sandbox.h"

/* A mount namespace of the spawner's own; for ordinary users inside a user namespace, where they
 * are SANDBOX_UID. why (WHY_MAX) says which step failed. */
int namespaces_own(struct sandbox_abilities *a, char *why);
/* Turns what is false or NONE into notes. */
void abilities_describe(struct sandbox_abilities *a);
