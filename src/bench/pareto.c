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

struct scale {
    double cost, time; /* what a unit of each counts */
};

static struct scale scale_of(const struct pareto_point *points, size_t n,
                             enum pareto_strategy strategy, double weight)
{
    double cost = 0, time = 0;
    if (strategy != PARETO_BALANCED)
        return (struct scale){strategy == PARETO_COST, strategy == PARETO_SPEED};
    for (size_t i = 0; i < n; i++) {
        cost = points[i].usable ? fmax(cost, points[i].cost) : cost;
        time = points[i].usable ? fmax(time, points[i].time) : time;
    }
    return (struct scale){weight / cost, (1 - weight) / time};
}

/* A weight of 0 makes nothing of what is not known. */
static double sum(const struct scale *s, double cost, double time)
{
    return (s->cost > 0 ? s->cost * cost : 0) + (s->time > 0 ? s->time * time : 0);
}

size_t pareto_best(const struct pareto_point *points, size_t n, enum pareto_strategy strategy,
                   double weight)
{
    struct scale scale = scale_of(points, n, strategy, weight);
    double least = INFINITY;
    size_t best = n;
    for (size_t i = 0; i < n; i++) {
        double w = points[i].usable ? sum(&scale, points[i].cost, points[i].time) : INFINITY;
        if (w < least) {
            least = w;
            best = i;
        }
    }
    return best;
}

/* Cost follows from time: their errors add up and do not cancel. */
static struct figure worth(const struct scale *s, const struct pareto_point *p)
{
    return (struct figure){sum(s, p->cost, p->time), sum(s, p->cost_is.low, p->time_is.low),
                           sum(s, p->cost_is.high, p->time_is.high), p->cost_is.n};
}

bool pareto_shown(const struct pareto_point *points, size_t n, size_t best, size_t other,
                  enum pareto_strategy strategy, double weight)
{
    struct scale scale = scale_of(points, n, strategy, weight);
    struct figure a = worth(&scale, &points[best]), b = worth(&scale, &points[other]);
    struct figure more = stats_difference(&b, &a);
    more = stats_together(&more, false);
    return more.low > 0;
}

bool pareto_all_shown(const struct pareto_point *points, size_t n, size_t best,
                      enum pareto_strategy strategy, double weight)
{
    for (size_t i = 0; i < n; i++)
        if (i != best && points[i].usable && !pareto_shown(points, n, best, i, strategy, weight))
            return false;
    return true;
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
