/* group - the environments of one build of one function version. Only for pool.c, which hands them
 * out, and provisioned.c, which keeps some of them ready. */
#pragma once
#include "service/lambda/pool.h"

struct group {
    struct pool *pool;
    struct target *target;
    struct function_use *use;
    struct list all;
    struct list idle[2]; /* by init_type; the one used last is first */
    bool stale;          /* not the current build of its version */

    /* Provisioned ones. */
    int64_t wanted, wanted_next;
    int64_t ready;     /* initialised, idle or not */
    int64_t preparing; /* in their INIT */
    int lost;          /* sandboxes that could not be made, one after the other */
    bool failed;       /* an init failed: no more are made until somebody asks again */
};

struct pool {
    struct lambda_state *lambda;
    struct map groups; /* target->id */
    int64_t idle_ms;
    uv_timer_t sweep, top_up;
    int open_timers;
    bool ending; /* nothing is begun any more */
};

struct group *group_get(struct pool *p, struct target *t);
struct instance *group_add(struct group *g, enum init_type type);
void group_give_up(struct instance *in, enum shutdown_reason why); /* it has no invocation */

/* provisioned.c: reads what is configured and makes it so. */
void provisioned_apply(struct pool *p);
void provisioned_top_up(struct pool *p);
