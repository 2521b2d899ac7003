/* schedule - due times and payloads: see schedule.h. */
#include "bench/schedule.h"
#include <math.h>

uint64_t seeded_next(struct seeded *s)
{
    uint64_t z = s->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

double seeded_unit(struct seeded *s)
{
    return (double)(seeded_next(s) >> 11) * 0x1p-53;
}

void schedule_init(struct schedule *s, uint64_t seed, double rate, bool poisson,
                   const double *weights, double *credit, size_t n_payloads, bool draw)
{
    *s = (struct schedule){.random = {seed},
                           .rate = rate,
                           .poisson = poisson,
                           .weights = weights,
                           .credit = credit,
                           .n_payloads = n_payloads,
                           .draw = draw};
    for (size_t i = 0; i < n_payloads; i++) {
        s->total += weights[i];
        credit[i] = 0;
    }
}

int64_t schedule_due(struct schedule *s)
{
    int64_t i = s->n++;
    if (s->rate <= 0)
        return 0;
    if (!s->poisson) /* from the beginning each time: no error adds up */
        return (int64_t)((double)i / s->rate * 1e9);
    s->due_s += -log1p(-seeded_unit(&s->random)) / s->rate;
    return (int64_t)(s->due_s * 1e9);
}

size_t schedule_payload(struct schedule *s)
{
    size_t best = 0;
    if (s->n_payloads < 2)
        return 0;
    if (s->draw) {
        double at = seeded_unit(&s->random) * s->total;
        while (best + 1 < s->n_payloads && at >= s->weights[best])
            at -= s->weights[best++];
        return best;
    }
    for (size_t i = 0; i < s->n_payloads; i++) {
        s->credit[i] += s->weights[i];
        if (s->credit[i] > s->credit[best])
            best = i;
    }
    s->credit[best] -= s->total;
    return best;
}
