/* target - the cache between function names and what is run for them. */
#include "service/lambda/target.h"
#include <errno.h>
#include "base/digest.h"
#include "base/mem.h"
#include "wire/walk.h"

struct entry {
    struct target *main, *other;
    double other_weight; /* 0: there is no other */
};

struct targets {
    struct map entries; /* account/region/name:qualifier */
    uv_timer_t timer;
    uv_loop_t *loop;
    int turns_blocked; /* a turn that writes may still be taken back: nothing is kept meanwhile */
    void (*on_change)(void *user);
    void *user;
};

void target_hold(struct target *t)
{
    t->holders++;
}

void target_drop(struct target *t)
{
    if (!t || --t->holders > 0)
        return;
    arena_done(&t->arena);
    free(t);
}

static void entry_free(struct entry *e)
{
    target_drop(e->main);
    target_drop(e->other);
    free(e);
}

static void on_timer(uv_timer_t *timer)
{
    struct targets *t = timer->data;
    if (--t->turns_blocked > 0)
        return;
    uv_timer_stop(timer);
    t->on_change(t->user);
}

struct targets *targets_new(uv_loop_t *loop, void (*on_change)(void *user), void *user)
{
    struct targets *t = MEM_NEW(struct targets);
    map_init(&t->entries);
    t->loop = loop;
    t->on_change = on_change;
    t->user = user;
    uv_timer_init(loop, &t->timer);
    t->timer.data = t;
    uv_unref((uv_handle_t *)&t->timer);
    return t;
}

static void clear(struct targets *t)
{
    size_t pos = 0;
    void *value;
    while (map_next(&t->entries, &pos, NULL, &value))
        entry_free(value);
    map_done(&t->entries);
    map_init(&t->entries);
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void targets_free(struct targets *t)
{
    if (!t)
        return;
    clear(t);
    map_done(&t->entries);
    uv_close((uv_handle_t *)&t->timer, closed);
}

void targets_drop(struct targets *t)
{
    clear(t);
    t->turns_blocked = 2; /* the first time may still come before the turn's commit */
    uv_timer_start(&t->timer, on_timer, 1, 1);
}

static struct target *target_new(struct call *call, const struct lambda_version_record *record)
{
    struct target *t = MEM_NEW(struct target);
    arena_init(&t->arena);
    struct arena *a = &t->arena;
    t->holders = 1;
    wire_copy(a, &lambda_version_record_shape, record, &t->record);
    t->c = t->record.configuration;
    t->account = str_copy(a, call->account);
    t->region = str_copy(a, call->region);
    t->name = t->c->function_name;
    t->version = t->c->version;
    t->build = record->build.is;
    if (qualifier_is_version(t->version))
        str_to_int64(t->version, &t->number);
    t->id = str_printf(a, "%.*s/%.*s/%.*s/%.*s/%lld", STR(t->account), STR(t->region), STR(t->name),
                       STR(t->version), (long long)t->build);
    return t;
}

static int load(struct call *call, const struct function_ref *ref, struct entry **ret)
{
    struct lambda_version_record record = {0}, other = {0};
    struct str alias_name = {0};
    int r = version_resolve(call, ref, &record, &alias_name);
    if (r < 0)
        return r;
    double weight = 0;
    if (alias_name.n) {
        struct lambda_alias_configuration alias = {0};
        r = alias_load(call, ref->name, alias_name, &alias);
        if (r < 0)
            return r;
        const struct lambda_alias_routing_configuration *routing = alias.routing_config;
        if (routing && routing->additional_version_weights.n) {
            int64_t number = 0;
            str_to_int64(routing->additional_version_weights.items[0].key, &number);
            weight = routing->additional_version_weights.items[0].value.is;
            r = version_load(call, ref->name, number, &other);
            if (r < 0)
                return r == -ENOENT ? function_not_found(call, ref->name, ref->qualifier) : r;
        }
    }
    struct entry *e = MEM_NEW(struct entry);
    e->main = target_new(call, &record);
    e->other_weight = weight;
    if (other.configuration)
        e->other = target_new(call, &other);
    *ret = e;
    return 0;
}

/* The cached entry; or a new one with *ret_made, which the caller passes to put_back(). */
static int find_entry(struct call *call, const struct function_ref *ref, struct str *ret_key,
                      struct entry **ret, bool *ret_made)
{
    struct targets *t = lambda_state(call)->targets;
    *ret_key = str_printf(call->arena, "%.*s/%.*s/%.*s:%.*s", STR(call->account), STR(call->region),
                          STR(ref->name), STR(ref->qualifier));
    *ret = map_find(&t->entries, *ret_key);
    *ret_made = !*ret;
    return *ret ? 0 : load(call, ref, ret);
}

static void put_back(struct targets *t, struct str key, struct entry *e, bool made)
{
    if (made && t->turns_blocked > 0)
        entry_free(e);
    else if (made)
        map_put(&t->entries, key, e);
}

int target_get(struct call *call, const struct function_ref *ref, struct target **ret)
{
    struct str key;
    struct entry *e;
    bool made;
    int r = find_entry(call, ref, &key, &e, &made);
    if (r < 0)
        return r;
    struct target *chosen = e->main;
    if (e->other) {
        uint32_t dice;
        random_bytes(&dice, sizeof(dice));
        if (dice / 4294967296.0 < e->other_weight)
            chosen = e->other;
    }
    target_hold(chosen);
    *ret = chosen;
    put_back(lambda_state(call)->targets, key, e, made);
    return 0;
}

int target_get_both(struct call *call, const struct function_ref *ref, struct target *ret[2],
                    double *ret_other_weight)
{
    struct str key;
    struct entry *e;
    bool made;
    int r = find_entry(call, ref, &key, &e, &made);
    if (r < 0)
        return r;
    target_hold(e->main);
    if (e->other)
        target_hold(e->other);
    ret[0] = e->main;
    ret[1] = e->other;
    *ret_other_weight = e->other_weight;
    put_back(lambda_state(call)->targets, key, e, made);
    return 0;
}
