/* pareto - see pareto.h. */
#include "bench/pareto.h"
#include <math.h>

static bool beats(const struct pareto_point *a, const struct pareto_point *b)
{
    return a->usable && a->cost <= b->cost && a->time <= b->time &&
           (a->cost < b->cost || a->time < b->time);
}

void pareto_mark(struct pareto_point *points, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        points[i].front = points[i].usable;
        for (size_t j = 0; j < n && points[i].front; j++)
            points[i].front = !beats(&points[j], &points[i]);
    }
}

static double worth(const struct pareto_point *p, enum pareto_strategy strategy, double weight,
                    double max_cost, double max_time)
{
    if (strategy == PARETO_COST)
        return p->cost;
    if (strategy == PARETO_SPEED)
        return p->time;
    return weight * p->cost / max_cost + (1 - weight) * p->time / max_time;
}

size_t pareto_best(const struct pareto_point *points, size_t n, enum pareto_strategy strategy,
                   double weight)
{
    double max_cost = 0, max_time = 0, least = INFINITY;
    size_t best = n;
    for (size_t i = 0; i < n; i++) {
        max_cost = points[i].usable ? fmax(max_cost, points[i].cost) : max_cost;
        max_time = points[i].usable ? fmax(max_time, points[i].time) : max_time;
    }
    for (size_t i = 0; i < n; i++) {
        double w =
            points[i].usable ? worth(&points[i], strategy, weight, max_cost, max_time) : INFINITY;
        if (w < least) {
            least = w;
            best = i;
        }
    }
    return best;
}

size_t pareto_cheapest_below(const struct pareto_point *points, size_t n, double p99)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++)
        if (points[i].usable && points[i].p99 < p99 &&
            (best == n || points[i].cost < points[best].cost))
            best = i;
    return best;
}
