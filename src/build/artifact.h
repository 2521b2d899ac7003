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

/* What a change of the sources is told by. artifact_update() takes over into dir, built before from
 * `old`, what has been saved since: milliseconds, because nothing is installed. -EAGAIN: the change
 * is not of that kind, artifact_build() has to do it. */
struct artifact_sources {
    struct artifact_source *items;
    size_t n;
};
int artifact_sources(struct arena *a, const struct artifact *artifact,
                     struct artifact_sources *ret);
int artifact_update(struct arena *a, const struct artifact *artifact, const char *dir,
                    const struct artifact_sources *old, struct artifact_sources *ret);

/* -EINVAL with *why. Sets state, bytes, files. */
int artifact_build(struct arena *a, const struct artifact_request *request, struct str *why);
