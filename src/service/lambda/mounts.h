/* mounts - functions that run from a folder of their author instead of their package
 * (`up --mount FUNCTION=DIR`): what is saved there is live in the next invocation. */
#pragma once
#include "service/lambda/lambda.h"

struct mounts;
struct target;

/* Absent without mounts. */
struct mounts *mounts_new(struct lambda_state *lambda);
void mounts_free(struct mounts *m); /* accepts NULL */
/* The folder for /var/task; NULL: the package. Says so in the log, once a function. */
const char *mounts_dir(struct mounts *m, const struct target *t);
/* Before an environment is chosen: those whose files have changed since are given up. */
void mounts_refresh(struct mounts *m);
