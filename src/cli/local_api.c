/* local_api - `lamina local start-api`. */
#include "cli/local.h"

static void ready(struct local *l)
{
    local_leave(l, verb_fail(l->run, "start-api has no routes yet"));
}

int local_start_api(struct verb_run *run)
{
    return local_run(run, ready, NULL);
}
