/* demand - see demand.h. */
#include "sandbox/demand.h"

#define ADAPTIVE_MAX 12
#define BURST_MS 1000
#define HALVE_MS 60000
#define FORGET_MS 600000

static void want(struct demand *d, int spares, int n)
{
    if (spares >= 0)
        d->want = spares;
    else if (n > d->want)
        d->want = n < ADAPTIVE_MAX ? n : ADAPTIVE_MAX;
}

void demand_expected(struct demand *d, int spares, int64_t now_ms)
{
    d->used_ms = now_ms;
    want(d, spares, d->ahead);
}

void demand_used(struct demand *d, int spares, int64_t now_ms)
{
    if (now_ms - d->burst_ms > BURST_MS) {
        d->burst_ms = now_ms;
        d->burst = 0;
    }
    d->burst++;
    d->used_ms = now_ms;
    want(d, spares, d->burst + d->ahead);
}

bool demand_age(struct demand *d, int spares, int least, int64_t now_ms)
{
    int64_t idle = now_ms - d->used_ms;
    if (spares >= 0)
        return true;
    if (idle > HALVE_MS && d->want > least) {
        d->want = d->want / 2 > least ? d->want / 2 : least;
        d->used_ms += HALVE_MS / 2; /* the next halving comes sooner */
    }
    return idle <= FORGET_MS;
}
