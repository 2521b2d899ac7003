/* stamp - does a file's time stamp tell of every change until now? */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Time stamps have steps of some milliseconds: what happens within one step after a look cannot be
 * seen from them. The clock is the one that they are taken from, as it stands still while a
 * hypervisor runs somebody else. */
#define STAMP_STEP_NS 20000000ll

static inline int64_t stamp_ns(struct timespec t)
{
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static inline bool stamp_is_settled(int64_t ns)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return stamp_ns(now) - ns > STAMP_STEP_NS;
}
