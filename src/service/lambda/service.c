/* service - Lambda as the daemon mounts it. */
#include <errno.h>
#include <limits.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "service/lambda/concurrency.h"
#include "service/lambda/event.h"
#include "service/lambda/lambda.h"
#include "service/lambda/mounts.h"
#include "service/lambda/pool.h"
#include "service/lambda/runtime_cache.h"
#include "service/lambda/url.h"
#include "service/lambda/times.h"
#include "service/lambda/timeline.h"

static const struct handler *const handlers[] = {
    lambda_function_handlers,    lambda_update_handlers,
    lambda_version_handlers,     lambda_alias_handlers,
    lambda_layer_handlers,       lambda_layer_permission_handlers,
    lambda_permission_handlers,  lambda_tag_handlers,
    lambda_invoke_handlers,      lambda_invoke_stream_handlers,
    lambda_url_handlers,         lambda_concurrency_handlers,
    lambda_provisioned_handlers, lambda_event_config_handlers,
    lambda_recursion_handlers,   NULL,
};

static void functions_changed(void *user)
{
    struct lambda_state *s = user;
    if (s->pool)
        pool_check(s->pool);
}

/* A commit failed: what is in memory may never have been true. */
static void lambda_reset(void *user)
{
    struct lambda_state *s = user;
    targets_drop(s->targets);
    concurrency_forget(s->concurrency);
    event_queue_reset(s->queue);
}

static void lambda_end(void *user, void (*done)(void *user), void *done_user)
{
    struct lambda_state *s = user;
    event_queue_rest(s->queue);
    pool_end(s->pool);
    s->ended = done;
    s->ended_user = done_user;
    if (list_empty(&s->retiring))
        TAKE(s->ended)(done_user);
}

/* Ends all environments: the rest of their logs is written now or never. */
static void lambda_leave(void *user)
{
    struct lambda_state *s = user;
    s->ended = NULL;
    pool_leave(s->pool);
}

static void lambda_close(void *user)
{
    struct lambda_state *s = user;
    if (!s)
        return;
    event_queue_free(TAKE(s->queue));
    mounts_free(TAKE(s->mounts));
    pool_free(TAKE(s->pool));
    concurrency_free(TAKE(s->concurrency));
    runtime_cache_free(TAKE(s->runtimes));
    if (s->http)
        http_server_free(s->http);
    code_keeper_close(s);
    targets_free(s->targets);
    timeline_free(s->timeline);
    times_free(s->times);
    free(s);
}

static int lambda_open(struct cloud *cloud, struct store *store, uv_loop_t *loop, void **ret_state)
{
    struct lambda_state *s = MEM_NEW(struct lambda_state);
    s->cloud = cloud;
    s->store = store;
    s->loop = loop;
    list_init(&s->retiring);
    s->targets = targets_new(loop, functions_changed, s);
    int r = code_keeper_open(s);
    if (r < 0) {
        lambda_close(s);
        return r;
    }
    struct http_server_options http = {
        .max_connections = 100000, .idle_ms = INT_MAX, .stall_ms = INT_MAX};
    s->http = http_server_new(loop, &http);
    s->runtimes = runtime_cache_new(s);
    s->times = times_new();
    s->concurrency = concurrency_new(s);
    s->pool = pool_new(s);
    s->mounts = mounts_new(s);
    s->queue = event_queue_new(s);
    *ret_state = s;
    return 0;
}

/* function:NAME and function:NAME:QUALIFIER have policies; the resource is what the handler's table
 * made of the request, so the name in it may be a whole ARN. */
int lambda_resource_policy(struct call *call, struct str action, struct str resource)
{
    struct layer_name layer;
    struct function_name f;
    if (layer_name_parse(resource, &layer) && layer.account.n && layer.version) {
        struct lambda_layer_version_record record = {0};
        int r = record_get(
            call, key_layer_version(call, layer.account, layer.region, layer.name, layer.version),
            &lambda_layer_version_record_shape, &record);
        if (r < 0)
            return r == -ENOENT ? 0 : r;
        return call_policy_says_of(call, layer.account, record.policy, action, resource);
    }
    if (!function_name_parse(resource, &f))
        return 0;
    if (!f.qualifier.n && call->op == &lambda_invoke_with_response_stream_op && call->in) {
        const struct lambda_invoke_with_response_stream_input *in = call->in;
        f.qualifier = in->qualifier;
        resource = function_arn(call, f.name, f.qualifier);
    } else if (!f.qualifier.n && call->op == &lambda_invoke_op && call->in) {
        /* Each qualifier has a policy of its own. */
        const struct lambda_invoke_input *in = call->in;
        f.qualifier = in->qualifier;
        resource = function_arn(call, f.name, f.qualifier);
    }
    struct lambda_policy_record record = {0};
    int r = policy_load(call, f.name, f.qualifier, &record);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return call_policy_says_of(call, f.account.n ? f.account : call->account, record.policy, action,
                               resource);
}

static void serve(void *user, struct http_request *req)
{
    const struct lambda_state *s = user;
    if (!times_serve(s->times, req))
        code_serve(user, req);
}

static void inspect(void *user, struct http_request *req)
{
    if (str_ends(req->path, S("/drop")))
        timeline_drop(user, req);
    else
        timeline_serve(user, req);
}

const struct service lambda_service = {
    .model = &lambda_model,
    .handlers = handlers,
    .open = lambda_open,
    .close = lambda_close,
    .end = lambda_end,
    .leave = lambda_leave,
    .reset = lambda_reset,
    .serve = serve,
    .answer = url_answer,
    .inspect = inspect,
    .resource_policy = lambda_resource_policy,
};
