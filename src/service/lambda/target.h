/* target - what an invocation needs to know about a function version, kept in memory.
 *
 * A target never changes: an update makes a new build, and with it a new target. It lives on its
 * own arena until the last holder has let it go. The cache that maps names to targets is emptied by
 * every change of a function (functions change rarely, and loading one takes microseconds). */
#pragma once
#include "service/lambda/lambda.h"

struct target {
    int holders;
    struct arena arena;
    struct str account, region, name, version; /* version: $LATEST or digits */
    int64_t number, build;
    struct lambda_version_record record;
    const struct lambda_function_configuration *c; /* of the record */
    struct str id;                                 /* account/region/name/version/build */
    enum { LIBRARIES_UNKNOWN, LIBRARIES_NONE, LIBRARIES_OWN } libraries; /* start_path.c */
    enum { COVERAGE_UNKNOWN, COVERAGE_OURS, COVERAGE_OTHER } coverage;   /* start_covered.c */
};

void target_hold(struct target *t);
void target_drop(struct target *t); /* accepts NULL */

struct targets;
struct targets *targets_new(uv_loop_t *loop, void (*on_change)(void *user), void *user);
void targets_free(struct targets *t);
/* Something about a function is being written: forget everything. on_change is called when the turn
 * that wrote it is over. */
void targets_drop(struct targets *t);

/* What the name and qualifier stand for now; an alias with weights is drawn anew each time. Fails
 * the call as version_resolve() does. The target is held for the caller. */
int target_get(struct call *call, const struct function_ref *ref, struct target **ret);
/* Both versions that an alias with weights stands for, held; [1] is NULL when there is only one. */
int target_get_both(struct call *call, const struct function_ref *ref, struct target *ret[2],
                    double *ret_other_weight);
