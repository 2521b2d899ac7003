/* provisioned - environments that are initialised before anybody invokes: what is configured, what
 * is there, and how the one becomes the other. */
#pragma once
#include "service/lambda/pool.h"

struct provisioned_state {
    int64_t allocated;
    bool failed;
};
/* How far the configuration has come. */
int provisioned_look(struct call *call, const struct lambda_provisioned_record *record,
                     struct provisioned_state *ret);
/* The configuration was put again: what has failed is tried again. */
void provisioned_forgive(struct pool *p, struct call *call, struct str name);
