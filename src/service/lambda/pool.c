/* pool - see pool.h. */
#include "service/lambda/pool.h"
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "service/lambda/code_keeper.h"
#include "service/lambda/group.h"
#include "service/lambda/timeline.h"
#include "service/lambda/mounts.h"

#define SWEEP_MAX_MS 10000
#define SWEEP_MIN_MS 20
#define LOST_MAX 5
#define LOST_WAIT_MS 500
#define LEAVING "The cloud is being stopped"

static void group_free(struct group *g)
{
    target_drop(g->target);
    function_use_drop(g->use);
    free(g);
}

static void on_sweep(uv_timer_t *timer);

static void on_top_up(uv_timer_t *timer)
{
    provisioned_top_up(timer->data);
}

static void on_first_turn(uv_timer_t *timer)
{
    provisioned_apply(timer->data);
}

struct pool *pool_new(struct lambda_state *lambda)
{
    struct pool *p = MEM_NEW(struct pool);
    p->lambda = lambda;
    p->idle_ms = cloud_lambda(lambda->cloud)->idle_timeout_ms;
    p->open_timers = 2;
    map_init(&p->groups);
    int64_t every = p->idle_ms / 4;
    every = every > SWEEP_MAX_MS ? SWEEP_MAX_MS : every < SWEEP_MIN_MS ? SWEEP_MIN_MS : every;
    uv_timer_init(lambda->loop, &p->sweep);
    p->sweep.data = p;
    uv_timer_start(&p->sweep, on_sweep, (uint64_t)every, (uint64_t)every);
    uv_timer_stop(&p->sweep); /* until there is a group: an idle daemon does not wake up */
    uv_unref((uv_handle_t *)&p->sweep);
    uv_timer_init(lambda->loop, &p->top_up);
    p->top_up.data = p;
    uv_unref((uv_handle_t *)&p->top_up);
    uv_timer_start(&p->top_up, on_first_turn, 0, 0);
    return p;
}

/* ---- environments of a group ---- */

struct group *group_get(struct pool *p, struct target *t)
{
    struct group *g = map_find(&p->groups, t->id);
    if (g)
        return g;
    g = MEM_NEW(struct group);
    g->pool = p;
    g->target = t;
    g->use = function_use_hold(p->lambda->concurrency, t->account, t->region, t->name);
    target_hold(t);
    list_init(&g->all);
    list_init(&g->idle[INIT_ON_DEMAND]);
    list_init(&g->idle[INIT_PROVISIONED]);
    map_put(&p->groups, t->id, g);
    if (!uv_is_active((uv_handle_t *)&p->sweep))
        uv_timer_again(&p->sweep);
    return g;
}

struct instance *group_add(struct group *g, enum init_type type)
{
    struct instance *in = instance_new(g->pool->lambda, g, g->target);
    in->init_type = type;
    list_append(&g->all, &in->link);
    return in;
}

static void unlink_instance(struct instance *in)
{
    struct group *g = in->group;
    list_remove(&in->idle_link);
    list_remove(&in->link);
    if (in->init_type != INIT_PROVISIONED)
        return;
    if (in->prepared)
        g->ready--;
    else
        g->preparing--;
    if (g->ready + g->preparing < g->wanted) /* another one takes its place */
        uv_timer_start(&g->pool->top_up, on_top_up, 0, 0);
}

void group_give_up(struct instance *in, enum shutdown_reason why)
{
    in->end_reason = in->group->stale ? "updated"
                     : in->dropped    ? "dropped"
                     : in->outdated   ? "files changed"
                                      : "idle";
    unlink_instance(in);
    instance_retire(in, why);
}

static void drop_instance(struct instance *in)
{
    unlink_instance(in);
    instance_free(in);
}

static bool is_provisioned(const struct instance *in)
{
    return in->init_type == INIT_PROVISIONED;
}

static bool is_surplus(const struct instance *in)
{
    const struct group *g = in->group;
    return g->stale || in->outdated || (is_provisioned(in) && g->ready > g->wanted);
}

/* ---- the end of all ---- */

static void timer_closed(uv_handle_t *handle)
{
    struct pool *p = handle->data;
    if (--p->open_timers == 0)
        free(p);
}

void pool_end(struct pool *p)
{
    size_t pos = 0;
    void *value;
    p->ending = true;
    uv_timer_stop(&p->top_up);
    LIST_EACH(&p->lambda->retiring, struct instance, link, old)
        if (old->state == INSTANCE_ANSWERED)
            instance_end(old);
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        g->wanted = 0;
        LIST_EACH(&g->all, struct instance, link, in) {
            work_cancel(in, LEAVING);
            unlink_instance(in);
            instance_end(in);
        }
    }
}

void pool_leave(struct pool *p)
{
    size_t pos = 0;
    void *value;
    p->ending = true;
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        g->wanted = 0;
        LIST_EACH(&g->all, struct instance, link, in) {
            if (in->inv) /* nobody will be told its outcome */
                target_drop(in->inv->target);
            unlink_instance(in);
            instance_free(in);
        }
    }
    LIST_EACH(&p->lambda->retiring, struct instance, link, old)
        instance_free(old);
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
    uv_close((uv_handle_t *)&p->sweep, timer_closed);
    uv_close((uv_handle_t *)&p->top_up, timer_closed);
}

/* ---- invocations ---- */

static struct instance *take_idle(struct group *g, enum init_type type)
{
    if (list_empty(&g->idle[type]))
        return NULL;
    struct instance *in = LIST_ENTRY(g->idle[type].next, struct instance, idle_link);
    list_remove(&in->idle_link);
    return in;
}

static int refuse(struct pool *p, const struct invocation *inv, enum throttle t)
{
    timeline_throttled(p->lambda, inv->target);
    return -(int)t;
}

int pool_invoke(struct pool *p, struct invocation *inv)
{
    if (p->ending)
        return -(int)THROTTLE_LEAVING;
    mounts_refresh(p->lambda->mounts);
    struct group *g = group_get(p, inv->target);
    bool provisioned = !list_empty(&g->idle[INIT_PROVISIONED]);
    enum throttle t = concurrency_begin(g->use, provisioned, !inv->async);
    if (t != THROTTLE_NONE)
        return refuse(p, inv, t);
    struct instance *in = take_idle(g, provisioned ? INIT_PROVISIONED : INIT_ON_DEMAND);
    if (!in) {
        t = concurrency_grow(g->use);
        if (t != THROTTLE_NONE) {
            concurrency_end(g->use, false);
            return refuse(p, inv, t);
        }
        in = group_add(g, INIT_ON_DEMAND);
    }
    instance_invoke(in, inv);
    return 0;
}

int pool_refused(struct call *call, int r)
{
    if (r == -(int)THROTTLE_LEAVING)
        return lambda_fail(call, LAMBDA_SERVICE, LEAVING);
    return lambda_fail_throttled(call, throttle_reason((enum throttle) - r));
}

void pool_invocation_over(struct instance *in)
{
    struct group *g = in->group;
    concurrency_end(g->use, is_provisioned(in));
    /* Its `next` or its end is on the way: behind those that wait already, before a new one. */
    in->idle_since_ms = clock_now_ms();
    if ((in->state == INSTANCE_ANSWERED || in->state == INSTANCE_ENDING) && !is_surplus(in))
        list_append(&g->idle[in->init_type], &in->idle_link);
}

void pool_instance_free(struct instance *in)
{
    struct group *g = in->group;
    in->idle_since_ms = clock_now_ms();
    list_remove(&in->idle_link);
    /* A provisioned one that has died is replaced at once, not when somebody waits for it. */
    if (is_surplus(in) || (is_provisioned(in) && in->state == INSTANCE_STOPPED))
        group_give_up(in, SHUTDOWN_SPINDOWN);
    else
        list_prepend(&g->idle[in->init_type], &in->idle_link);
}

static struct instance *ready_one(struct group *g)
{
    for (int type = INIT_PROVISIONED; type >= INIT_ON_DEMAND; type--)
        LIST_EACH(&g->idle[type], struct instance, idle_link, in)
            if (in->state == INSTANCE_IDLE || in->state == INSTANCE_STOPPED)
                return in;
    return NULL;
}

bool pool_may_pass_on(const struct instance *in)
{
    struct function_use *use = in->group->use;
    int64_t at_work = 0;
    size_t pos = 0;
    void *value;
    while (map_next(&in->group->pool->groups, &pos, NULL, &value)) {
        struct group *g = value;
        if (g->use == use)
            LIST_EACH(&g->all, struct instance, link, other)
                at_work += other->inv || other->state == INSTANCE_ANSWERED;
    }
    return at_work < function_use_cap(use);
}

void pool_pass_on(struct instance *in)
{
    struct group *g = in->group;
    struct invocation *inv = TAKE(in->inv);
    struct instance *other = ready_one(g);
    if (other)
        list_remove(&other->idle_link);
    else
        other = group_add(g, INIT_ON_DEMAND);
    if (is_provisioned(in) != is_provisioned(other))
        concurrency_move(g->use, is_provisioned(other));
    instance_invoke(other, inv);
}

void pool_instance_lost(struct instance *in)
{
    drop_instance(in);
}

void pool_instance_prepared(struct instance *in, bool ok)
{
    struct group *g = in->group;
    if (!ok) {
        bool own_fault = in->state == INSTANCE_STOPPED;
        drop_instance(in);
        /* A sandbox that could not be made may be there in a moment: a spawner has died, say. */
        g->failed = own_fault || ++g->lost > LOST_MAX;
        if (!g->failed)
            uv_timer_start(&g->pool->top_up, on_top_up, LOST_WAIT_MS, 0);
        return;
    }
    g->lost = 0;
    g->preparing--;
    g->ready++;
    in->prepared = true;
    pool_instance_free(in);
    uv_timer_start(&g->pool->top_up, on_top_up, 0, 0);
}

/* ---- giving up ---- */

static void retire(struct group *g)
{
    g->stale = true;
    g->wanted = 0;
    for (int type = INIT_ON_DEMAND; type <= INIT_PROVISIONED; type++)
        LIST_EACH(&g->idle[type], struct instance, idle_link, in)
            group_give_up(in, SHUTDOWN_SPINDOWN);
}

static void outdate(struct instance *in)
{
    struct group *g = in->group;
    bool linked = false;
    in->outdated = true;
    LIST_EACH(&g->idle[in->init_type], struct instance, idle_link, other)
        linked = linked || other == in;
    if (!linked)
        return;
    if (in->state == INSTANCE_IDLE || in->state == INSTANCE_STOPPED)
        group_give_up(in, SHUTDOWN_SPINDOWN);
    else /* its `next` or its end is on the way: then it goes */
        list_remove(&in->idle_link);
}

void pool_outdate(struct pool *p, bool (*match)(const struct target *t, void *user), void *user)
{
    size_t pos = 0;
    void *value;
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        if (match(g->target, user))
            LIST_EACH(&g->all, struct instance, link, in)
                outdate(in);
    }
}

static bool is_of(const struct target *t, const struct pool_drop *d)
{
    return str_eq(t->account, d->account) && str_eq(t->region, d->region) &&
           str_eq(t->name, d->function) && (!d->version.n || str_eq(t->version, d->version));
}

static void drop_one(struct instance *in, struct pool_drop *d)
{
    if (in->inv || in->state == INSTANCE_NEW || in->state == INSTANCE_STARTING ||
        in->state == INSTANCE_INIT) {
        d->busy++;
    } else if (is_provisioned(in)) {
        d->provisioned++;
    } else if (!in->dropped) {
        in->dropped = true;
        d->dropped++;
        outdate(in);
    }
}

void pool_drop_idle(struct pool *p, struct pool_drop *d)
{
    size_t pos = 0;
    void *value;
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        if (!is_of(g->target, d))
            continue;
        LIST_EACH(&g->all, struct instance, link, in)
            drop_one(in, d);
        LIST_EACH(&g->all, struct instance, link, rest) /* those that work for extensions still */
            d->ending += rest->dropped;
    }
    LIST_EACH(&p->lambda->retiring, struct instance, link, old)
        d->ending += is_of(old->target, d);
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
        if (list_empty(&g->all) && !g->wanted)
            empty[n++] = g;
    }
    for (size_t i = 0; i < n; i++) {
        map_remove(&p->groups, empty[i]->target->id);
        group_free(empty[i]);
    }
}

void pool_check(struct pool *p)
{
    size_t pos = 0;
    void *value;
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        if (g->stale)
            continue;
        struct call *call = lambda_own_call(p->lambda);
        call->account = g->target->account;
        call->region = g->target->region;
        if (!is_current(call, g->target))
            retire(g);
        call_close(call);
    }
    provisioned_apply(p);
    drop_empty(p);
}

static void on_sweep(uv_timer_t *timer)
{
    struct pool *p = timer->data;
    int64_t before = clock_now_ms() - p->idle_ms;
    size_t pos = 0;
    void *value;
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        LIST_EACH(&g->idle[INIT_ON_DEMAND], struct instance, idle_link, in)
            if (in->idle_since_ms <= before)
                group_give_up(in, SHUTDOWN_SPINDOWN);
    }
    drop_empty(p);
    if (p->groups.n == 0)
        uv_timer_stop(&p->sweep);
}
