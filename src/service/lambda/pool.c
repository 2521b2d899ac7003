/* pool - see pool.h. */
#include "service/lambda/pool.h"
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#define IDLE_MAX_MS (10 * 60 * 1000)
#define SWEEP_MS 10000

struct group {
    struct pool *pool;
    struct target *target;
    struct list all;
    struct list idle; /* the one used last is first */
    bool stale;       /* not the current build of its version */
};

struct pool {
    struct lambda_state *lambda;
    struct map groups; /* target->id */
    int64_t running;   /* invocations */
    uv_timer_t sweep;
};

static void group_free(struct group *g)
{
    target_drop(g->target);
    free(g);
}

static void on_sweep(uv_timer_t *timer);

struct pool *pool_new(struct lambda_state *lambda)
{
    struct pool *p = MEM_NEW(struct pool);
    p->lambda = lambda;
    map_init(&p->groups);
    uv_timer_init(lambda->loop, &p->sweep);
    p->sweep.data = p;
    uv_timer_start(&p->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    uv_unref((uv_handle_t *)&p->sweep);
    return p;
}

static void give_up(struct instance *in)
{
    list_remove(&in->idle_link);
    list_remove(&in->link);
    instance_free(in);
}

static void sweep_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void pool_leave(struct pool *p)
{
    size_t pos = 0;
    void *value;
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        LIST_EACH(&g->all, struct instance, link, in) {
            if (in->inv) /* nobody will be told its outcome */
                target_drop(in->inv->target);
            give_up(in);
        }
    }
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pool_leave(p);
    size_t pos = 0;
    void *value;
    while (map_next(&p->groups, &pos, NULL, &value))
        group_free(value);
    map_done(&p->groups);
    uv_close((uv_handle_t *)&p->sweep, sweep_closed);
}

static struct group *group_get(struct pool *p, struct target *t)
{
    struct group *g = map_find(&p->groups, t->id);
    if (g)
        return g;
    g = MEM_NEW(struct group);
    g->pool = p;
    g->target = t;
    target_hold(t);
    list_init(&g->all);
    list_init(&g->idle);
    map_put(&p->groups, t->id, g);
    return g;
}

static struct instance *add_instance(struct group *g)
{
    struct instance *in = instance_new(g->pool->lambda, g, g->target);
    list_append(&g->all, &in->link);
    return in;
}

int pool_invoke(struct pool *p, struct invocation *inv)
{
    if (p->running >= LAMBDA_CONCURRENCY)
        return -EAGAIN;
    struct group *g = group_get(p, inv->target);
    struct instance *in;
    if (!list_empty(&g->idle)) {
        in = LIST_ENTRY(g->idle.next, struct instance, idle_link);
        list_remove(&in->idle_link);
    } else {
        in = add_instance(g);
    }
    p->running++;
    instance_invoke(in, inv);
    return 0;
}

void pool_invocation_over(struct instance *in)
{
    struct group *g = in->group;
    g->pool->running--;
    /* Its `next` or its end is on the way: behind those that wait already, before a new one. */
    in->idle_since_ms = clock_now_ms();
    if ((in->state == INSTANCE_ANSWERED || in->state == INSTANCE_ENDING) && !g->stale)
        list_append(&g->idle, &in->idle_link);
}

void pool_instance_free(struct instance *in)
{
    struct group *g = in->group;
    in->idle_since_ms = clock_now_ms();
    list_remove(&in->idle_link);
    if (g->stale)
        give_up(in);
    else
        list_prepend(&g->idle, &in->idle_link);
}

void pool_pass_on(struct instance *in)
{
    struct group *g = in->group;
    struct invocation *inv = TAKE(in->inv);
    struct instance *other = NULL;
    LIST_EACH(&g->idle, struct instance, idle_link, candidate)
        if (!other && (candidate->state == INSTANCE_IDLE || candidate->state == INSTANCE_STOPPED))
            other = candidate;
    if (other)
        list_remove(&other->idle_link);
    else
        other = add_instance(g);
    instance_invoke(other, inv);
}

void pool_instance_lost(struct instance *in)
{
    give_up(in);
}

/* ---- giving up ---- */

static void retire(struct group *g)
{
    g->stale = true;
    LIST_EACH(&g->idle, struct instance, idle_link, in)
        give_up(in);
}

/* What is current is in the store, and the turn that changed it is committed. */
static bool is_current(struct call *call, const struct target *t)
{
    struct lambda_version_record v = {0};
    return version_load(call, t->name, t->number, &v) == 0 && v.build.is == t->build;
}

static void drop_empty(struct pool *p)
{
    struct group *empty[64];
    size_t n = 0, pos = 0;
    void *value;
    while (n < 64 && map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        if (list_empty(&g->all))
            empty[n++] = g;
    }
    for (size_t i = 0; i < n; i++) {
        map_remove(&p->groups, empty[i]->target->id);
        group_free(empty[i]);
    }
}

void pool_check(struct pool *p)
{
    static const struct principal nobody = {.type = PRINCIPAL_SERVICE};
    size_t pos = 0;
    void *value;
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        if (g->stale)
            continue;
        struct call *call =
            call_open(p->lambda->cloud, g->target->account, g->target->region, &nobody);
        if (!is_current(call, g->target))
            retire(g);
        call_close(call);
    }
    drop_empty(p);
}

static void on_sweep(uv_timer_t *timer)
{
    struct pool *p = timer->data;
    int64_t before = clock_now_ms() - IDLE_MAX_MS;
    size_t pos = 0;
    void *value;
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        LIST_EACH(&g->idle, struct instance, idle_link, in)
            if (in->idle_since_ms < before)
                give_up(in);
    }
    drop_empty(p);
}
