/* schedule - when requests are due and which payload each carries: all of it follows from the seed.
 * Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seeded { /* splitmix64: good enough for schedules, the same everywhere */
    uint64_t state;
};
uint64_t seeded_next(struct seeded *s);
double seeded_unit(struct seeded *s); /* 0 <= x < 1 */

struct schedule {
    struct seeded random;
    double rate; /* requests a second; 0: closed loop */
    bool poisson;
    int64_t n;    /* dues given */
    double due_s; /* of the last one, for poisson */
    /* payloads */
    size_t n_payloads;
    const double *weights;
    double *credit; /* of each: whose turn it is */
    double total;
    bool draw;
};

/* weights and credit (zeroed here): arrays of the caller, n_payloads long. */
void schedule_init(struct schedule *s, uint64_t seed, double rate, bool poisson,
                   const double *weights, double *credit, size_t n_payloads, bool draw);
/* When the next request is due: nanoseconds from the start. */
int64_t schedule_due(struct schedule *s);
/* Which payload the next request carries. In turn: never further than one request from its share.
 */
size_t schedule_payload(struct schedule *s);
