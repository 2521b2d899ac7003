/* verify_failures - failures that no condition of verify.yaml has asked for (verify.h). */
#include "cli/verify.h"

static bool asks(const struct verify_step *step, const char *name)
{
    for (size_t i = 0; i < step->n_gates; i++)
        if (step->gates[i].metric.part < 0 && str_is(step->gates[i].metric.name, name))
            return true;
    return false;
}

size_t verify_unasked_failures(const struct verify_step *step, const struct bench_group *g)
{
    size_t n = asks(step, "dropped") ? 0 : g->dropped;
    if (asks(step, "success") || asks(step, "errors"))
        return 0;
    for (int i = BENCH_OK + 1; i < BENCH_OUTCOMES; i++)
        n += asks(step, gate_names[i]) ? 0 : g->outcomes[i];
    return n;
}
