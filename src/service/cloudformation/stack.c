/* stack - the records of stacks and what hangs on them: see stack.h. */
#include "service/cloudformation/stack.h"
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"

struct str stack_key(struct call *call, const char *kind, struct str a, struct str b)
{
    return store_key(call->arena,
                     str_has(b)   ? 6
                     : str_has(a) ? 5
                                  : 4,
                     S("cfn"), call->account, call->region, str_from(kind), a, b);
}

struct str stack_prefix(struct call *call, const char *kind, struct str a)
{
    return store_prefix(call->arena, str_has(a) ? 5 : 4, S("cfn"), call->account, call->region,
                        str_from(kind), a);
}

static struct str busy_key(struct call *call, struct str uuid)
{
    return store_key(call->arena, 4, S("cfn-busy"), call->account, call->region, uuid);
}

struct str stack_uuid(struct str stack_id)
{
    ssize_t at = str_find_last_byte(stack_id, '/');
    return at < 0 ? stack_id : str_slice(stack_id, (size_t)at + 1, stack_id.n);
}

int stack_load(struct call *call, struct str uuid, struct cloudformation_stack_record *ret)
{
    return record_get(call, stack_key(call, "stack", uuid, (struct str){0}),
                      &cloudformation_stack_record_shape, ret);
}

int stack_save(struct call *call, const struct cloudformation_stack_record *stack)
{
    return record_put(call, stack_key(call, "stack", stack_uuid(stack->stack_id), (struct str){0}),
                      &cloudformation_stack_record_shape, stack);
}

int stack_lookup(struct call *call, struct str name_or_id, struct cloudformation_stack_record *ret)
{
    if (str_starts(name_or_id, S("arn:"))) {
        int r = stack_load(call, stack_uuid(name_or_id), ret);
        if (r == 0 && !str_eq(ret->stack_id, name_or_id))
            return -ENOENT;
        return r;
    }
    struct str uuid;
    int r = store_get(call->store, stack_key(call, "name", name_or_id, (struct str){0}),
                      call->arena, &uuid);
    if (r < 0)
        return r;
    return stack_load(call, uuid, ret);
}

int stack_find(struct call *call, struct str name_or_id, struct cloudformation_stack_record *ret)
{
    int r = stack_lookup(call, name_or_id, ret);
    if (r == -ENOENT)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack with id %.*s does not exist",
                         STR(name_or_id));
    return r;
}

int stack_name_bind(struct call *call, const struct cloudformation_stack_record *stack)
{
    return store_put(call->store, stack_key(call, "name", stack->stack_name, (struct str){0}),
                     stack_uuid(stack->stack_id));
}

int stack_name_release(struct call *call, const struct cloudformation_stack_record *stack)
{
    return store_delete(call->store, stack_key(call, "name", stack->stack_name, (struct str){0}));
}

bool stack_is_busy(const struct cloudformation_stack_record *stack)
{
    return str_ends(stack->status, S("_IN_PROGRESS")) &&
           !str_eq(stack->status, CLOUDFORMATION_STACK_STATUS_REVIEW_IN_PROGRESS);
}

int stack_mark_busy(struct call *call, const struct cloudformation_stack_record *stack, bool busy)
{
    struct str key = busy_key(call, stack_uuid(stack->stack_id));
    return busy ? store_put(call->store, key, S("1")) : store_delete(call->store, key);
}

static int by_sequence(const void *a, const void *b)
{
    const struct cloudformation_resource_record *x = a, *y = b;
    return x->sequence.is < y->sequence.is ? -1 : x->sequence.is > y->sequence.is;
}

int stack_resources_load(struct call *call, struct str uuid, struct stack_resources *ret)
{
    struct store_row *rows;
    size_t n;
    int r = store_scan(call->store, stack_prefix(call, "resource", uuid), (struct str){0}, 10000,
                       call->arena, &rows, &n);
    if (r < 0)
        return r;
    struct cloudformation_resource_record *items =
        ARENA_ARRAY(call->arena, struct cloudformation_resource_record, n + 1);
    for (size_t i = 0; i < n; i++) {
        r = wire_json_read(call->arena, rows[i].value, &cloudformation_resource_record_shape,
                           &items[i], NULL);
        if (r < 0)
            return r;
    }
    qsort(items, n, sizeof *items, by_sequence);
    *ret = (struct stack_resources){items, n};
    return 0;
}

int stack_resource_load(struct call *call, struct str uuid, struct str logical_id,
                        struct cloudformation_resource_record *ret)
{
    return record_get(call, stack_key(call, "resource", uuid, logical_id),
                      &cloudformation_resource_record_shape, ret);
}

int stack_resource_save(struct call *call, struct str uuid,
                        const struct cloudformation_resource_record *resource)
{
    return record_put(call, stack_key(call, "resource", uuid, resource->logical_id),
                      &cloudformation_resource_record_shape, resource);
}

int stack_resource_delete(struct call *call, struct str uuid, struct str logical_id)
{
    return store_delete(call->store, stack_key(call, "resource", uuid, logical_id));
}

int stack_event(struct call *call, const struct cloudformation_stack_record *stack,
                const struct cloudformation_event_record *event)
{
    /* Two events of one microsecond keep their order by the counter. */
    static unsigned counter;
    struct cloudformation_event_record e = *event;
    e.ms = opt_int(clock_now_ms());
    if (!str_has(e.event_id))
        e.event_id = str_printf(call->arena, "%.*s-%.*s-%s", STR(event->logical_id),
                                STR(event->status), random_uuid(call->arena).p);
    e.token = stack->client_token;
    struct str order =
        str_printf(call->arena, "%018lld%06u", (long long)clock_now_us(), counter++ % 1000000);
    return record_put(call, stack_key(call, "event", stack_uuid(stack->stack_id), order),
                      &cloudformation_event_record_shape, &e);
}

int stack_export_find(struct call *call, struct str name, struct cloudformation_export_record *ret)
{
    return record_get(call, stack_key(call, "export", name, (struct str){0}),
                      &cloudformation_export_record_shape, ret);
}

int stack_exports_update(struct call *call, const struct cloudformation_stack_record *stack,
                         struct str *ret_clash)
{
    for (size_t i = 0; i < stack->outputs.n; i++) {
        const struct cloudformation_record_output *o = &stack->outputs.items[i];
        if (!str_has(o->export_name))
            continue;
        struct cloudformation_export_record old = {0};
        int r = stack_export_find(call, o->export_name, &old);
        if (r == 0 && !str_eq(old.stack_id, stack->stack_id)) {
            *ret_clash = o->export_name;
            return -EEXIST;
        }
    }
    for (size_t i = 0; i < stack->outputs.n; i++) {
        const struct cloudformation_record_output *o = &stack->outputs.items[i];
        if (!str_has(o->export_name))
            continue;
        struct cloudformation_export_record e = {
            .name = o->export_name, .value = o->value, .stack_id = stack->stack_id};
        int r = record_put(call, stack_key(call, "export", o->export_name, (struct str){0}),
                           &cloudformation_export_record_shape, &e);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool kept(const struct cloudformation_record_outputs *keep, struct str export_name)
{
    for (size_t i = 0; keep && i < keep->n; i++)
        if (str_has(keep->items[i].export_name) && str_eq(keep->items[i].export_name, export_name))
            return true;
    return false;
}

int stack_exports_remove(struct call *call, const struct cloudformation_stack_record *stack,
                         const struct cloudformation_record_outputs *keep)
{
    for (size_t i = 0; i < stack->outputs.n; i++) {
        struct str name = stack->outputs.items[i].export_name;
        struct cloudformation_export_record old = {0};
        if (!str_has(name) || kept(keep, name) || stack_export_find(call, name, &old) < 0 ||
            !str_eq(old.stack_id, stack->stack_id))
            continue;
        int r = record_delete(call, stack_key(call, "export", name, (struct str){0}));
        if (r < 0)
            return r;
    }
    return 0;
}

int stack_importers(struct call *call, struct str export_name, struct str **ret, size_t *ret_n)
{
    struct store_row *rows;
    size_t n;
    int r = store_scan(call->store, stack_prefix(call, "import", export_name), (struct str){0},
                       1000, call->arena, &rows, &n);
    if (r < 0)
        return r;
    struct str *names = ARENA_ARRAY(call->arena, struct str, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = rows[i].value;
    *ret = names;
    *ret_n = n;
    return 0;
}

int stack_import_add(struct call *call, const struct cloudformation_stack_record *stack,
                     struct str export_name)
{
    return store_put(call->store,
                     stack_key(call, "import", export_name, stack_uuid(stack->stack_id)),
                     stack->stack_name);
}

int stack_imports_clear(struct call *call, const struct cloudformation_stack_record *stack)
{
    struct store_row *rows;
    size_t n;
    struct str uuid = stack_uuid(stack->stack_id);
    int r = store_scan(call->store, stack_prefix(call, "import", (struct str){0}), (struct str){0},
                       10000, call->arena, &rows, &n);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (str_ends(rows[i].key, uuid))
            r = store_delete(call->store, rows[i].key);
    return r;
}

struct cloudformation_record_principal *stack_caller(struct call *call, const struct principal *who)
{
    struct cloudformation_record_principal *p =
        ARENA_NEW(call->arena, struct cloudformation_record_principal);
    *p = (struct cloudformation_record_principal){
        .type = opt_int(who->type),
        .account = who->account,
        .arn = who->arn,
        .user_id = who->user_id,
        .role_name = who->role_name,
        .service = who->service,
        .session_policy = who->session_policy,
        .access_key = who->access_key,
    };
    return p;
}

struct principal stack_principal(const struct cloudformation_record_principal *caller)
{
    return (struct principal){
        .type = (enum principal_type)caller->type.is,
        .account = caller->account,
        .arn = caller->arn,
        .user_id = caller->user_id,
        .role_name = caller->role_name,
        .service = caller->service,
        .session_policy = caller->session_policy,
        .access_key = caller->access_key,
    };
}
