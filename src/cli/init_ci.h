/* init_ci - `lamina init --ci github` and `--scripts`: files for a project that is there or new. */
#pragma once
#include "cli/verb.h"

struct init_ci {
    bool github, scripts, force;
    struct str repository,
        ref;           /* of Lamina's sources; absent: variables of the repository say it */
    struct str folder; /* of the project; absent: this one */
    struct str name;   /* the stack's; absent: samconfig.toml's, or the folder's name */
};

/* Refuses what cannot stand in a workflow, and, in a project that is there, existing files that are
 * other ones (unless force): before anything is written. 0, or an exit code after a message. */
int init_ci_check(struct verb_run *run, struct init_ci *ci);
int init_ci_write(struct verb_run *run, const struct init_ci *ci);
