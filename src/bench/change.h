/* change - what a run changes of a function while it measures, and putting it back.
 *
 *     change_open(arena, aws, &options, &change, &err);
 *     change_configure(change, 1024, &err);        MemorySize, and a description that says whose it
 * is change_publish(change, &version, &err);      a version with that configuration
 *     change_put_back(change, &report, &err);      the configuration; versions stay
 *     change_drop_version(change, version, &err);
 *     change_close(change, &report, &err);         all of it, whatever has happened
 *
 * Before anything is changed it is in a journal (journal.h), with what it was. Every change writes
 * the mark "lamina-bench:RUN:" into the description in the same request, so that what is still the
 * run's can be told from what somebody else has done since: without the mark nothing is touched.
 * Each request names the RevisionId that it expects. May use base/, wire/ and aws/. */
#pragma once
#include <signal.h>
#include "aws/client.h"
#include "bench/journal.h"
#include "wire/lambda.h"

struct change_options {
    struct str function; /* name or ARN; $LATEST is what is changed */
    struct str folder;   /* of journals; absent: journal_folder() */
    struct str profile;
    const volatile sig_atomic_t
        *stop; /* ends waiting with -ECANCELED, but not putting back; NULL */
};

/* What was put back, and what was not. Texts are sentences for people. */
struct change_report {
    int restored; /* configurations put back, versions deleted */
    int left;     /* not touched, because somebody else has changed it */
    int failed;   /* still as the run has made it: the journal stays */
    struct str *notes;
    size_t n_notes, cap_notes;
};

struct change;
/* -EBUSY with *err: another run is changing this function, or has left it changed. */
int change_open(struct arena *a, struct aws_client *aws, const struct change_options *options,
                struct change **ret, struct aws_error *err);
struct str change_function(const struct change *c); /* its ARN, without a qualifier */
/* memory_mb 0: only the description, which is another one each time (so that there is something to
 * publish, and environments are new). Returns when the function is ready. */
int change_configure(struct change *c, int memory_mb, struct aws_error *err);
int change_publish(struct change *c, struct str *ret_version, struct aws_error *err);
int change_drop_version(struct change *c, struct str version, struct aws_error *err);
int change_put_back(struct change *c, struct change_report *report, struct aws_error *err);
/* Frees it; accepts NULL. 0: nothing of the run is left. -errno of the first thing that could not
 * be put back, with *err; the journal is kept then and report->notes say where. */
int change_close(struct change *c, struct change_report *report, struct aws_error *err);

/* Undoes what a run has left behind (journal_take()), and removes its journal when nothing is left
 * to do. The client must speak to the journal's target and region. */
int change_undo(struct arena *a, struct aws_client *aws, struct journal *j,
                struct change_report *report, struct aws_error *err);

/* Waits until a function (or one of its versions) is ready: neither Pending nor InProgress.
 * -ETIMEDOUT after some minutes; -EIO when it has failed to become so. */
int change_settle(struct arena *a, struct aws_client *aws, struct str function,
                  struct str qualifier, const volatile sig_atomic_t *stop,
                  struct lambda_function_configuration **ret, struct aws_error *err);
