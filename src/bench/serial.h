/* serial - how many independent samples a series, in the order of time, is worth.
 *
 * Answers that follow each other are alike when something lasts longer than one of them: a share of
 * the processor that is used up, a neighbour, a garbage collector. n of them then say as much as
 * n / f independent ones, where f = 1 + 2 (r1 + r2 + ...), the sum of the series' autocorrelations
 * (Bartlett 1946). It is estimated from the variances of the means of batches of 1, 2, 4, ...
 * samples; 2 f(2b) - f(b) is their flat-top form, without the bias of 1/b (Politis and Romano
 * 1995). Of all b with at least ten batches that one is taken that shows the most beyond what
 * independent samples show by chance; when none does, f is 1. The interval's own doubt (few
 * batches) is in the worth as well, by Student's t.
 *
 * Deterministic, and linear in n, which a bootstrap of blocks is neither of. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct serial {
    double worth; /* 1 <= worth <= n; 0: not known, because what lasts lasts as long as the series.
                     n below 20: n, nothing can be seen there */
    bool alike;   /* beyond all chance: worth saying */
};
struct serial serial_of(const double *in_time, size_t n);
/* Of quantile p's interval: of "is not above it". sorted: the same values, ascending. */
struct serial serial_of_quantile(const double *in_time, const double *sorted, size_t n, double p);
