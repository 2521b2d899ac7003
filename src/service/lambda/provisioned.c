/* provisioned - see provisioned.h.
 *
 * A configuration names a version, or an alias and with it one or two versions by their weights.
 * provisioned_apply() reads all of them and says how many each group is wanted to have;
 * provisioned_top_up() begins what is missing, a few at a time. */
#include "service/lambda/provisioned.h"
#include <errno.h>
#include "base/log.h"
#include "service/lambda/code_keeper.h"
#include "service/lambda/group.h"

#define AT_ONCE 8      /* inits of one group */
#define AT_ONCE_ALL 16 /* this machine is somebody's desk */

struct share {
    struct target *target; /* held */
    int64_t executions;
};

/* The versions that a configuration is for. Returns how many. */
static int shares_of(struct call *call, const struct lambda_provisioned_record *record,
                     struct share ret[2])
{
    struct function_ref ref = {record->function_name, record->qualifier};
    struct target *both[2] = {NULL, NULL};
    double weight = 0;
    if (target_get_both(call, &ref, both, &weight) < 0)
        return 0;
    int64_t other = both[1] ? (int64_t)((double)record->executions.is * weight + 0.5) : 0;
    ret[0] = (struct share){both[0], record->executions.is - other};
    ret[1] = (struct share){both[1], other};
    return both[1] ? 2 : 1;
}

static void want(struct pool *p, struct call *call, const struct lambda_provisioned_record *record)
{
    struct share shares[2];
    int n = shares_of(call, record, shares);
    for (int i = 0; i < n; i++) {
        if (shares[i].executions > 0 && shares[i].target->number > 0)
            group_get(p, shares[i].target)->wanted_next += shares[i].executions;
        target_drop(shares[i].target);
    }
}

static struct call *call_for(struct pool *p, const struct lambda_provisioned_record *record)
{
    struct call *call = lambda_own_call(p->lambda);
    call->account = record->account;
    call->region = record->region;
    return call;
}

static void read_all(struct pool *p)
{
    struct call *all = lambda_own_call(p->lambda);
    struct str after = {0};
    int r = 0;
    for (size_t n = 100; r == 0 && n == 100;) {
        struct store_row *rows;
        r = store_scan(p->lambda->store, store_prefix(all->arena, 2, S("lambda"), S("provisioned")),
                       after, 100, all->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct lambda_provisioned_record record = {0};
            after = rows[i].key;
            if (record_get(all, after, &lambda_provisioned_record_shape, &record) < 0)
                continue;
            struct call *call = call_for(p, &record);
            want(p, call, &record);
            call_close(call);
        }
    }
    if (r < 0)
        log_error("lambda: provisioned concurrency cannot be read: %s", strerror(-r));
    call_close(all);
}

static void let_go(struct group *g)
{
    LIST_EACH(&g->idle[INIT_PROVISIONED], struct instance, idle_link, in)
        if (g->ready > g->wanted)
            group_give_up(in, SHUTDOWN_SPINDOWN);
}

void provisioned_apply(struct pool *p)
{
    size_t pos = 0;
    void *value;
    while (map_next(&p->groups, &pos, NULL, &value))
        ((struct group *)value)->wanted_next = 0;
    read_all(p);
    pos = 0;
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        g->wanted = g->stale ? 0 : g->wanted_next;
        if (!g->wanted)
            g->failed = false;
        let_go(g);
    }
    provisioned_top_up(p);
}

void provisioned_top_up(struct pool *p)
{
    int64_t under_way = 0;
    size_t pos = 0;
    void *value;
    while (map_next(&p->groups, &pos, NULL, &value))
        under_way += ((struct group *)value)->preparing;
    pos = 0;
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        while (!g->failed && g->ready + g->preparing < g->wanted && g->preparing < AT_ONCE &&
               under_way < AT_ONCE_ALL) {
            g->preparing++;
            under_way++;
            instance_prepare(group_add(g, INIT_PROVISIONED));
        }
    }
}

/* Two aliases may want the same version: the first one in the store's order is served first. */
static int64_t wanted_before(struct call *call, const struct lambda_provisioned_record *record,
                             const struct target *t)
{
    struct store_row *rows;
    size_t n;
    int64_t sum = 0;
    if (store_scan(call->store, key_provisioned_of(call, record->function_name), (struct str){0},
                   1000, call->arena, &rows, &n) < 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        struct lambda_provisioned_record other = {0};
        if (record_get(call, rows[i].key, &lambda_provisioned_record_shape, &other) < 0)
            continue;
        if (str_eq(other.qualifier, record->qualifier))
            break;
        struct share shares[2];
        int n_shares = shares_of(call, &other, shares);
        for (int j = 0; j < n_shares; j++) {
            if (str_eq(shares[j].target->id, t->id))
                sum += shares[j].executions;
            target_drop(shares[j].target);
        }
    }
    return sum;
}

int provisioned_look(struct call *call, const struct lambda_provisioned_record *record,
                     struct provisioned_state *ret)
{
    struct pool *p = lambda_state(call)->pool;
    struct share shares[2];
    int n = shares_of(call, record, shares);
    *ret = (struct provisioned_state){0};
    for (int i = 0; i < n; i++) {
        struct group *g = map_find(&p->groups, shares[i].target->id);
        if (g) {
            int64_t there = g->ready - wanted_before(call, record, shares[i].target);
            there = there < 0 ? 0 : there;
            ret->allocated += there < shares[i].executions ? there : shares[i].executions;
            ret->failed = ret->failed || g->failed;
        }
        target_drop(shares[i].target);
    }
    call->error = NULL; /* of an alias or version that has gone */
    return 0;
}

void provisioned_forgive(struct pool *p, struct call *call, struct str name)
{
    size_t pos = 0;
    void *value;
    while (map_next(&p->groups, &pos, NULL, &value)) {
        struct group *g = value;
        if (str_eq(g->target->name, name) && str_eq(g->target->region, call->region) &&
            str_eq(g->target->account, call->account))
            g->failed = false;
    }
}
