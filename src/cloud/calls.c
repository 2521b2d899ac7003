/* calls - the life of calls inside the daemon: made, run, ended, and those they make. */
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "cloud/internal.h"

struct arena *arena_take(struct cloud *cloud)
{
    if (cloud->n_spare_arenas > 0)
        return cloud->spare_arenas[--cloud->n_spare_arenas];
    return arena_new();
}

void arena_give(struct cloud *cloud, struct arena *a)
{
    if (cloud->n_spare_arenas == ARRAY_LEN(cloud->spare_arenas)) {
        arena_free(a);
        return;
    }
    arena_reset(a);
    cloud->spare_arenas[cloud->n_spare_arenas++] = a;
}

struct frame *frame_new(struct cloud *cloud, enum frame_kind kind, struct frame *parent)
{
    struct arena *a = parent ? parent->call.arena : arena_take(cloud);
    struct frame *f = ARENA_NEW(a, struct frame);
    f->kind = kind;
    f->owner = parent ? parent->owner : f;
    f->body_fd = -1;
    f->began_ns = clock_mono_ns();
    f->call.arena = a;
    f->call.cloud = cloud;
    f->call.store = cloud->store;
    f->call.loop = cloud->loop;
    f->call.who = &f->who;
    f->call.now_ms = clock_now_ms();
    f->call.received_ns = f->began_ns;
    f->call.request_id = parent ? parent->call.request_id : random_uuid(a);
    if (parent)
        f->owner->children++;
    else
        list_append(&cloud->frames, &f->link);
    return f;
}

static void frame_free(struct frame *f)
{
    list_remove(&f->link);
    list_remove(&f->queue_link);
    if (f->body_fd >= 0)
        close(f->body_fd);
    if (f->body_file)
        unlink(f->body_file); /* whoever kept it has renamed it */
    arena_give(f->call.cloud, f->call.arena);
}

/* Freed at the end of the turn: whoever has just ended the call may still be looking at it. */
static void owner_check(struct frame *owner)
{
    if (!owner->released || owner->children > 0 || owner->offloads > 0)
        return;
    list_remove(&owner->queue_link);
    list_append(&owner->call.cloud->dead, &owner->queue_link);
}

void frames_bury(struct cloud *cloud)
{
    LIST_EACH(&cloud->dead, struct frame, queue_link, f)
        frame_free(f);
}

void frames_drop(struct cloud *cloud)
{
    LIST_EACH(&cloud->frames, struct frame, link, f)
        if (f->offloads == 0) /* else a worker still writes to its memory: the exit frees that */
            frame_free(f);
}

/* Children and pool work use the arena: with them unfinished, the end has to wait. */
void frame_release(struct frame *f)
{
    f->released = true;
    owner_check(f);
}

static int not_implemented(struct frame *f)
{
    const struct operation *op = f->call.op;
    return call_fail_code(&f->call, S("NotImplemented"), 501,
                          str_printf(f->call.arena, "%s does not implement the operation %s yet.",
                                     f->mounted->model->name, operation_name(op)));
}

void frame_run(struct frame *f)
{
    struct call *call = &f->call;
    if (!f->handler) {
        frame_end(f, not_implemented(f));
        return;
    }
    if (operation_output(call->op))
        call->out = arena_alloc(call->arena, operation_output(call->op)->size);
    struct store_mark mark = store_mark(call->store);
    f->pending = true; /* call_finish() may come before the handler returns */
    int r = f->handler->run(call, call->in, call->out);
    if (r < 0)
        store_undo_to(call->store, mark);
    else
        store_release(call->store, mark);
    if (r == CALL_LATER)
        return;
    if (!f->finished)
        frame_end(f, r);
}

void frame_end(struct frame *f, int result)
{
    struct call *call = &f->call;
    f->finished = true;
    f->pending = false;
    call->result = result;
    if (result < 0 && result != CALL_FAILED)
        log_error("%s: %s", call->op ? operation_name(call->op) : "function URL",
                  strerror(-result));
    if (f->kind == FRAME_HTTP) {
        dispatch_reply(f);
        return;
    }
    if (call->done)
        call->done(call, call->done_user);
    f->owner->children--;
    owner_check(f->owner);
}

void call_finish(struct call *call, int result)
{
    struct frame *f = frame_of(call);
    if (f->finished) {
        log_error("%s was finished twice", call->op ? operation_name(call->op) : "a call");
        return;
    }
    frame_end(f, result);
}

void call_send_as(struct call *parent, const struct principal *who, const struct operation *op,
                  const void *in, call_done_fn *done, void *user)
{
    struct cloud *cloud = parent->cloud;
    struct frame *f = frame_new(cloud, FRAME_CHILD, frame_of(parent));
    f->mounted = mounted_find(cloud, operation_service(op)->id);
    f->handler = f->mounted->handlers[op->index];
    f->route = (struct wire_route){
        .service = operation_service(op), .op = op, .protocol = operation_service(op)->protocol};
    f->who = *who;
    f->call.op = op;
    f->call.service = f->mounted->service;
    f->call.state = f->mounted->state;
    f->call.account = who->account.n ? who->account : parent->account;
    f->call.region = parent->region;
    f->call.source_ip = parent->source_ip;
    f->call.user_agent = parent->user_agent;
    f->call.in = in;
    f->call.done = done;
    f->call.done_user = user;
    f->call.parent = parent;
    list_append(&cloud->queue, &f->queue_link);
}

void call_send(struct call *parent, const struct operation *op, const void *in, call_done_fn *done,
               void *user)
{
    call_send_as(parent, parent->who, op, in, done, user);
}

/* The same checks as for a request that came by HTTP. */
static void run_child(struct frame *f)
{
    struct wire_error err = {0};
    int r = 0;
    if (f->handler && f->call.in)
        r = wire_check_input(&f->route, f->call.in, f->call.arena, &err);
    if (r == 0 && f->handler)
        r = authorize_call(f, &err);
    if (r < 0)
        frame_end(f, call_fail_code(&f->call, err.code, err.status, err.message));
    else
        frame_run(f);
}

void calls_drain(struct cloud *cloud)
{
    while (!list_empty(&cloud->queue)) {
        struct frame *f = LIST_ENTRY(cloud->queue.next, struct frame, queue_link);
        list_remove(&f->queue_link);
        run_child(f);
    }
}

struct call *call_open(struct cloud *cloud, struct str account, struct str region,
                       const struct principal *who)
{
    struct frame *f = frame_new(cloud, FRAME_ROOT, NULL);
    f->who = *who;
    f->call.account = str_copy(f->call.arena, account);
    f->call.region = str_copy(f->call.arena, region);
    return &f->call;
}

void call_close(struct call *call)
{
    frame_release(frame_of(call));
}

struct offload {
    uv_work_t work;
    struct frame *frame;
    int (*run)(void *user);
    void (*done)(struct call *call, void *user, int result);
    void *user;
    int result;
};

static void offload_run(uv_work_t *work)
{
    struct offload *o = work->data;
    o->result = o->run(o->user);
}

static void offload_done(uv_work_t *work, int status)
{
    struct offload *o = work->data;
    struct frame *f = o->frame;
    int result = status < 0 ? status : o->result;
    o->done(&f->call, o->user, result);
    f->owner->offloads--;
    owner_check(f->owner);
    free(o);
}

void call_offload(struct call *call, int (*work)(void *user),
                  void (*done)(struct call *call, void *user, int result), void *user)
{
    struct offload *o = MEM_NEW(struct offload);
    o->frame = frame_of(call);
    o->frame->owner->offloads++;
    o->run = work;
    o->done = done;
    o->user = user;
    o->work.data = o;
    uv_queue_work(call->loop, &o->work, offload_run, offload_done);
}

struct str cloud_data_dir(struct cloud *cloud)
{
    return str_from(store_dir(cloud->store));
}

struct str cloud_endpoint(struct cloud *cloud)
{
    return cloud->endpoint;
}

int cloud_port(struct cloud *cloud)
{
    return http_listener_port(cloud->listener);
}

struct spawner *cloud_spawner(struct cloud *cloud)
{
    return cloud->options.spawner;
}

const struct cloud_lambda *cloud_lambda(struct cloud *cloud)
{
    return &cloud->lambda;
}

struct str cloud_runtime(struct cloud *cloud, struct str name)
{
    for (size_t i = 0; i < cloud->options.n_runtimes; i++)
        if (str_eq(cloud->options.runtimes[i].name, name))
            return cloud->options.runtimes[i].value;
    return (struct str){0};
}
