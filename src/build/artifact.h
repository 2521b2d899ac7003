/* artifact - one folder of a built project: sources copied, dependencies installed, or what make
 * made. May use base. Blocks; several may be built at once in threads. */
#pragma once
#include "build/project.h"

struct artifact_request {
    struct artifact *artifact;
    struct str dir;       /* where it goes; is emptied first */
    struct str cache_dir; /* absent: no cache */
};

/* Digest of all that goes in: sources, what a requirements.txt names, runtime, architecture. */
int artifact_digest(struct arena *a, struct artifact *artifact);

/* -EINVAL with *why. Sets state, bytes, files. */
int artifact_build(struct arena *a, const struct artifact_request *request, struct str *why);
