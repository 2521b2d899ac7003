/* concurrency - see concurrency.h. */
#include "service/lambda/concurrency.h"
#include <errno.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/lambda/code_keeper.h"
#include "service/lambda/event_config.h"

struct region_use {
    struct str account, region;
    int64_t running; /* on demand, of functions without a reservation */
    struct concurrency_sums sums;
    unsigned epoch;
    struct bucket rate;
    int holders;
    struct arena arena;
};

struct function_use {
    struct concurrency *all;
    struct region_use *region;
    struct str name, id;
    int64_t running; /* on demand */
    int64_t running_provisioned;
    int64_t reserved;    /* -1: none */
    int64_t provisioned; /* configured */
    unsigned epoch;
    struct bucket rate, growth;
    int holders;
    struct arena arena;
};

struct concurrency {
    struct lambda_state *lambda;
    struct map functions; /* account/region/name */
    struct map regions;   /* account/region */
    unsigned epoch;
    int64_t limit;
};

bool bucket_take(struct bucket *b, double per_s, double cap, int64_t now_ns)
{
    if (!b->at_ns)
        b->level = cap;
    else
        b->level += (double)(now_ns - b->at_ns) / 1e9 * per_s;
    if (b->level > cap)
        b->level = cap;
    b->at_ns = now_ns;
    if (b->level < 1)
        return false;
    b->level -= 1;
    return true;
}

struct str throttle_reason(enum throttle t)
{
    switch (t) {
    case THROTTLE_RESERVED:
        return LAMBDA_THROTTLE_REASON_RESERVEDFUNCTIONCONCURRENTINVOCATIONLIMITEXCEEDED;
    case THROTTLE_RESERVED_RATE:
        return LAMBDA_THROTTLE_REASON_RESERVEDFUNCTIONINVOCATIONRATELIMITEXCEEDED;
    case THROTTLE_RATE:
    case THROTTLE_GROWTH:
        return LAMBDA_THROTTLE_REASON_FUNCTIONINVOCATIONRATELIMITEXCEEDED;
    default:
        return LAMBDA_THROTTLE_REASON_CONCURRENTINVOCATIONLIMITEXCEEDED;
    }
}

/* ---- what is configured ---- */

struct str key_reserved(struct call *call, struct str name)
{
    return store_key(call->arena, 5, S("lambda"), S("reserved"), call->account, call->region, name);
}

struct str key_provisioned(struct call *call, struct str name, struct str qualifier)
{
    return store_key(call->arena, 6, S("lambda"), S("provisioned"), call->account, call->region,
                     name, qualifier);
}

struct str key_provisioned_of(struct call *call, struct str name)
{
    return store_prefix(call->arena, 5, S("lambda"), S("provisioned"), call->account, call->region,
                        name);
}

int reserved_load(struct call *call, struct str name, int64_t *ret)
{
    struct lambda_reserved_record record = {0};
    int r = record_get(call, key_reserved(call, name), &lambda_reserved_record_shape, &record);
    if (r < 0 && r != -ENOENT)
        return r;
    *ret = r == -ENOENT ? -1 : record.executions.is;
    return 0;
}

int64_t concurrency_unreserved_min(struct call *call)
{
    int64_t limit = cloud_lambda(call->cloud)->concurrency;
    return limit < UNRESERVED_MIN ? limit : UNRESERVED_MIN;
}

/* Of all provisioned configurations below the prefix: those that `count` wants. */
static int sum_provisioned(struct call *call, struct str prefix,
                           bool (*count)(struct call *call,
                                         const struct lambda_provisioned_record *record,
                                         struct str except),
                           struct str except, int64_t *ret)
{
    struct str after = {0};
    int r = 0;
    *ret = 0;
    for (size_t n = 100; r == 0 && n == 100;) {
        struct store_row *rows;
        r = store_scan(call->store, prefix, after, 100, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct lambda_provisioned_record record = {0};
            r = record_get(call, rows[i].key, &lambda_provisioned_record_shape, &record);
            if (r == 0 && count(call, &record, except))
                *ret += record.executions.is;
            after = rows[i].key;
        }
    }
    return r;
}

static bool is_other_qualifier(struct call *call, const struct lambda_provisioned_record *record,
                               struct str except)
{
    return !str_eq(record->qualifier, except);
}

static bool is_unreserved(struct call *call, const struct lambda_provisioned_record *record,
                          struct str except)
{
    return !str_eq(record->function_name, except) &&
           !store_has(call->store, key_reserved(call, record->function_name));
}

int provisioned_sum(struct call *call, struct str name, struct str except, int64_t *ret)
{
    return sum_provisioned(call, key_provisioned_of(call, name), is_other_qualifier, except, ret);
}

int concurrency_sum(struct call *call, struct str except, struct concurrency_sums *ret)
{
    struct str prefix =
        store_prefix(call->arena, 4, S("lambda"), S("reserved"), call->account, call->region);
    struct str after = {0};
    int r = 0;
    *ret = (struct concurrency_sums){0};
    for (size_t n = 100; r == 0 && n == 100;) {
        struct store_row *rows;
        r = store_scan(call->store, prefix, after, 100, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct lambda_reserved_record record = {0};
            r = record_get(call, rows[i].key, &lambda_reserved_record_shape, &record);
            if (r == 0 && !str_eq(record.function_name, except))
                ret->reserved += record.executions.is;
            after = rows[i].key;
        }
    }
    if (r < 0)
        return r;
    prefix =
        store_prefix(call->arena, 4, S("lambda"), S("provisioned"), call->account, call->region);
    return sum_provisioned(call, prefix, is_unreserved, except, &ret->provisioned);
}

int qualifier_forget(struct call *call, struct str name, struct str qualifier)
{
    concurrency_forget(lambda_state(call)->concurrency);
    int r = record_delete(call, key_provisioned(call, name, qualifier));
    return r < 0 ? r : record_delete(call, key_event_config(call, name, qualifier));
}

/* ---- counts ---- */

struct concurrency *concurrency_new(struct lambda_state *lambda)
{
    struct concurrency *c = MEM_NEW(struct concurrency);
    c->lambda = lambda;
    c->epoch = 1;
    c->limit = cloud_lambda(lambda->cloud)->concurrency;
    map_init(&c->functions);
    map_init(&c->regions);
    return c;
}

void concurrency_free(struct concurrency *c)
{
    if (!c)
        return;
    map_done(&c->functions);
    map_done(&c->regions);
    free(c);
}

void concurrency_forget(struct concurrency *c)
{
    c->epoch++;
}

static struct region_use *region_hold(struct concurrency *c, struct str account, struct str region)
{
    char key[128];
    snprintf(key, sizeof(key), "%.*s/%.*s", STR(account), STR(region));
    struct region_use *u = map_find(&c->regions, str_from(key));
    if (!u) {
        u = MEM_NEW(struct region_use);
        arena_init(&u->arena);
        u->account = str_copy(&u->arena, account);
        u->region = str_copy(&u->arena, region);
        map_put(&c->regions, str_from(key), u);
    }
    u->holders++;
    return u;
}

static void region_drop(struct concurrency *c, struct region_use *u)
{
    if (--u->holders > 0)
        return;
    char key[128];
    snprintf(key, sizeof(key), "%.*s/%.*s", STR(u->account), STR(u->region));
    map_remove(&c->regions, str_from(key));
    arena_done(&u->arena);
    free(u);
}

struct function_use *function_use_hold(struct concurrency *c, struct str account, struct str region,
                                       struct str name)
{
    char key[256];
    snprintf(key, sizeof(key), "%.*s/%.*s/%.*s", STR(account), STR(region), STR(name));
    struct function_use *use = map_find(&c->functions, str_from(key));
    if (!use) {
        use = MEM_NEW(struct function_use);
        arena_init(&use->arena);
        use->all = c;
        use->region = region_hold(c, account, region);
        use->name = str_copy(&use->arena, name);
        use->id = str_copy(&use->arena, str_from(key));
        use->reserved = -1;
        map_put(&c->functions, use->id, use);
    }
    use->holders++;
    return use;
}

void function_use_drop(struct function_use *use)
{
    if (!use || --use->holders > 0)
        return;
    map_remove(&use->all->functions, use->id);
    region_drop(use->all, use->region);
    arena_done(&use->arena);
    free(use);
}

static void read_function(struct function_use *use)
{
    struct region_use *region = use->region;
    struct call *call = lambda_own_call(use->all->lambda);
    call->account = region->account;
    call->region = region->region;
    int64_t reserved = -1, provisioned = 0;
    int r = reserved_load(call, use->name, &reserved);
    if (r == 0)
        r = provisioned_sum(call, use->name, (struct str){0}, &provisioned);
    if (r == 0 && region->epoch != use->all->epoch)
        r = concurrency_sum(call, (struct str){0}, &region->sums);
    call_close(call);
    if (r < 0) {
        log_error("lambda: the concurrency of %.*s cannot be read: %s", STR(use->name),
                  strerror(-r));
        return;
    }
    /* Those who run stay counted where their function belongs now. */
    if (use->reserved < 0 && reserved >= 0)
        region->running -= use->running;
    else if (use->reserved >= 0 && reserved < 0)
        region->running += use->running;
    use->reserved = reserved;
    use->provisioned = provisioned;
    use->epoch = region->epoch = use->all->epoch;
}

static void refresh(struct function_use *use)
{
    if (use->epoch != use->all->epoch || use->region->epoch != use->all->epoch)
        read_function(use);
}

int64_t function_use_reserved(struct function_use *use)
{
    refresh(use);
    return use->reserved;
}

int64_t function_use_cap(struct function_use *use)
{
    int64_t reserved = function_use_reserved(use);
    return reserved < 0 ? use->all->limit : reserved;
}

static void count(struct function_use *use, bool provisioned, int64_t change)
{
    if (provisioned) {
        use->running_provisioned += change;
        return;
    }
    use->running += change;
    if (use->reserved < 0)
        use->region->running += change;
}

/* Ten requests a second for each place; a full second's worth may come at once. */
static enum throttle take_rate(struct function_use *use)
{
    bool own = use->reserved >= 0;
    double per_s = (double)(own ? use->reserved : use->all->limit) * RATE_PER_CONCURRENCY;
    struct bucket *b = own ? &use->rate : &use->region->rate;
    if (bucket_take(b, per_s, per_s, clock_mono_ns()))
        return THROTTLE_NONE;
    return own ? THROTTLE_RESERVED_RATE : THROTTLE_RATE;
}

enum throttle concurrency_begin(struct function_use *use, bool provisioned, bool counted)
{
    refresh(use);
    struct region_use *region = use->region;
    if (provisioned) {
        /* A place that was set aside. */
    } else if (use->reserved >= 0) {
        if (use->running + use->provisioned >= use->reserved)
            return THROTTLE_RESERVED;
    } else if (region->running + region->sums.provisioned >=
               use->all->limit - region->sums.reserved) {
        return THROTTLE_ACCOUNT;
    }
    enum throttle t = counted ? take_rate(use) : THROTTLE_NONE;
    if (t == THROTTLE_NONE)
        count(use, provisioned, 1);
    return t;
}

void concurrency_end(struct function_use *use, bool provisioned)
{
    count(use, provisioned, -1);
}

void concurrency_move(struct function_use *use, bool to_provisioned)
{
    count(use, !to_provisioned, -1);
    count(use, to_provisioned, 1);
}

enum throttle concurrency_grow(struct function_use *use)
{
    return bucket_take(&use->growth, GROWTH_PER_S, GROWTH_BURST, clock_mono_ns()) ? THROTTLE_NONE
                                                                                  : THROTTLE_GROWTH;
}
