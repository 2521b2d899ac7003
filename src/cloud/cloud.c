/* cloud - the daemon's parts put together, and taken apart again. */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cloud/internal.h"
#include "service/policy.h"

#define BODY_MAX_S3 (5LL * 1024 * 1024 * 1024 + 64 * 1024 * 1024)
#define BODY_MAX (128LL * 1024 * 1024)
#define INSIDE_CONNECTIONS 256 /* of one environment */
#define SLOW_TURN_MS 100
#define SWEEP_AFTER_MS 1000
#define END_MS 2600 /* extensions have two seconds to leave, and are killed then */

static int fail(struct cloud_error *err, int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(struct cloud_error *err, int error, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->message, sizeof(err->message), fmt, ap);
    va_end(ap);
    return error;
}

/* Services. */

static void mount_one(struct cloud *cloud, const struct service_model *model, struct mounted *m)
{
    m->model = model;
    m->service = service_find(model->id);
    m->router = wire_router_new(model);
    m->handlers = mem_zalloc(sizeof(*m->handlers) * (model->n_operations + 1));
    if (!m->service)
        return;
    for (const struct handler *const *list = m->service->handlers; list && *list; list++)
        for (const struct handler *h = *list; h->op; h++)
            m->handlers[h->op->index] = h;
}

static void mount_all(struct cloud *cloud)
{
    while (all_models[cloud->n_mounted])
        cloud->n_mounted++;
    cloud->mounted = mem_zalloc(sizeof(*cloud->mounted) * cloud->n_mounted);
    for (size_t i = 0; i < cloud->n_mounted; i++)
        mount_one(cloud, all_models[i], &cloud->mounted[i]);
}

static int open_services(struct cloud *cloud, struct cloud_error *err)
{
    for (size_t i = 0; i < cloud->n_mounted; i++) {
        struct mounted *m = &cloud->mounted[i];
        if (!m->service)
            continue;
        if (m->service->open) {
            int r = m->service->open(cloud, cloud->store, cloud->loop, &m->state);
            if (r < 0)
                return fail(err, r, "%s cannot start: %s", m->model->name, strerror(-r));
        }
        m->opened = true;
    }
    return 0;
}

/* Last words: what was still to be written, the end of a function's log say. */
static void leave_services(struct cloud *cloud)
{
    for (size_t i = 0; i < cloud->n_mounted; i++) {
        struct mounted *m = &cloud->mounted[i];
        if (m->opened && m->service->leave)
            m->service->leave(m->state);
    }
    calls_drain(cloud);
}

static void close_services(struct cloud *cloud)
{
    for (size_t i = cloud->n_mounted; i-- > 0;) {
        struct mounted *m = &cloud->mounted[i];
        if (m->opened && m->service->close)
            m->service->close(m->state);
        m->opened = false;
    }
}

/* Turns: what calls have sent each other runs, then everything is committed, then answers leave. */

static void warn_when_slow(struct cloud *cloud)
{
    int64_t ms = (int64_t)(uv_hrtime() / 1000000) - (int64_t)uv_now(cloud->loop);
    if (ms > SLOW_TURN_MS)
        log_warn("one turn of the loop took %d ms", (int)ms);
}

static int turn(void *user)
{
    struct cloud *cloud = user;
    calls_drain(cloud);
    int r = store_commit(cloud->store);
    if (r < 0) {
        log_error("what this turn wrote is lost: %s", strerror(-r));
        for (size_t i = 0; i < cloud->n_mounted; i++)
            if (cloud->mounted[i].opened && cloud->mounted[i].service->reset)
                cloud->mounted[i].service->reset(cloud->mounted[i].state);
    }
    frames_bury(cloud);
    warn_when_slow(cloud);
    return r;
}

/* Entrances. */

static void on_head(struct http_request *req)
{
    const struct entrance *entrance = req->listener_user;
    struct cloud *cloud = entrance->cloud;
    if (dispatch_refuses(cloud, req)) /* a page of another site fills no disk */
        return;
    struct str url_id, url_path;
    if (str_has(entrance->rie_function) || entrance->on_request || req->content_length == 0 ||
        route_url(http_header_get(req, "Host"), req->path, &url_id, &url_path))
        return;
    struct wire_header *headers = ARENA_ARRAY(req->arena, struct wire_header, req->n_headers + 1);
    for (size_t i = 0; i < req->n_headers; i++)
        headers[i] = (struct wire_header){req->headers[i].name, req->headers[i].value};
    struct wire_request wire = {.method = req->method,
                                .path = req->path,
                                .query = req->query,
                                .headers = headers,
                                .n_headers = req->n_headers};
    const struct mounted *m = route_service(cloud, &wire, req->arena);
    if (m && m->model->protocol == PROTOCOL_REST_XML)
        req->max_body = BODY_MAX_S3;
}

static int listen_at(struct entrance *entrance, const char *host, int port,
                     struct http_listener **ret, struct cloud_error *err)
{
    struct cloud *cloud = entrance->cloud;
    struct http_listener_options options = {
        .fd = -1,
        .host = host,
        .port = port,
        .user = entrance,
        .max_body = BODY_MAX,
        .spool_dir = store_tmp(cloud->store),
        .on_request = dispatch_request,
        .on_head = on_head,
        .on_refuse = dispatch_body_refused,
    };
    int r = http_listen(cloud->http, &options, ret);
    if (r == -EADDRINUSE)
        return fail(err, r,
                    "port %d is in use by another program (see `lamina status`; choose another "
                    "one with --port)",
                    port);
    if (r < 0)
        return fail(err, r, "cannot listen on %s port %d: %s", host, port, strerror(-r));
    return 0;
}

int cloud_serve(struct cloud *cloud, int fd, struct http_listener **ret)
{
    if (fd < 0)
        return fd;
    struct http_listener_options options = {
        .fd = fd,
        .user = &cloud->inside,
        .max_body = BODY_MAX,
        .max_connections = INSIDE_CONNECTIONS,
        .outlasts = true,
        .spool_dir = store_tmp(cloud->store),
        .on_request = dispatch_request,
        .on_head = on_head,
        .on_refuse = dispatch_body_refused,
    };
    return http_listen(cloud->http, &options, ret);
}

int cloud_listen(struct cloud *cloud, const char *host, int port,
                 void (*on_request)(void *user, struct http_request *req), void *user,
                 int *ret_port, struct cloud_error *err)
{
    struct entrance *entrance = ARENA_NEW(&cloud->arena, struct entrance);
    struct http_listener *listener;
    *entrance = (struct entrance){.cloud = cloud, .on_request = on_request, .user = user};
    int r = listen_at(entrance, host, port, &listener, err);
    if (r == 0)
        *ret_port = http_listener_port(listener);
    return r;
}

static struct entrance *entrance_new(struct cloud *cloud, struct str rie_function)
{
    struct entrance *entrance = ARENA_NEW(&cloud->arena, struct entrance);
    *entrance = (struct entrance){.cloud = cloud, .rie_function = rie_function};
    return entrance;
}

static int listen_all(struct cloud *cloud, struct cloud_error *err)
{
    const char *host = cloud->options.host ? cloud->options.host : "127.0.0.1";
    int r = listen_at(entrance_new(cloud, (struct str){0}), host, cloud->options.port,
                      &cloud->listener, err);
    if (r < 0)
        return r;
    cloud->rie_listeners = ARENA_ARRAY(&cloud->arena, struct http_listener *, cloud->options.n_rie);
    for (size_t i = 0; i < cloud->options.n_rie; i++) {
        int64_t port;
        const struct cloud_pair *p = &cloud->options.rie[i];
        if (str_to_int64(p->value, &port) < 0 || port < 1 || port > 65535)
            return fail(err, -EINVAL, "--rie %.*s: \"%.*s\" is no port", STR(p->name),
                        STR(p->value));
        r = listen_at(entrance_new(cloud, p->name), host, (int)port, &cloud->rie_listeners[i], err);
        if (r < 0)
            return r;
    }
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        host = "127.0.0.1";
    bool v6 = strchr(host, ':') != NULL;
    cloud->endpoint = str_printf(&cloud->arena, "http://%s%s%s:%d", v6 ? "[" : "", host,
                                 v6 ? "]" : "", http_listener_port(cloud->listener));
    return 0;
}

static int open_store(struct cloud *cloud, struct cloud_error *err)
{
    struct store_options options = {.dir = cloud->options.data_dir,
                                    .durable = cloud->options.durable};
    struct store_error why = {0};
    int r = store_open(&options, &cloud->store, &why);
    if (r == -EBUSY && why.pid > 0)
        return fail(err, r, "the data directory %s is in use by process %d (lamina down ends it)",
                    cloud->options.data_dir, why.pid);
    if (r < 0)
        return fail(err, r, "%s", why.message[0] ? why.message : strerror(-r));
    return 0;
}

/* An environment takes a dozen descriptors: the usual limit of 1024 would end at eighty. */
static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void sweep(void *store)
{
    store_sweep_ephemeral(store, true);
}

static void on_sweep(uv_timer_t *timer)
{
    struct cloud *cloud = timer->data;
    if (store_sweep_ephemeral(cloud->store,
                              false)) /* there may be much to remove: nobody waits for that */
        cloud->sweeping = uv_thread_create(&cloud->sweeper, sweep, cloud->store) == 0;
}

/* What killed ones have left behind is looked for when nobody waits for a start any more. */
static void sweep_later(struct cloud *cloud)
{
    if (cloud->options.data_dir)
        return;
    uv_timer_init(cloud->loop, &cloud->sweep_timer);
    cloud->sweep_timer.data = cloud;
    uv_timer_start(&cloud->sweep_timer, on_sweep, SWEEP_AFTER_MS, 0);
    uv_unref((uv_handle_t *)&cloud->sweep_timer);
}

static void sweep_end(struct cloud *cloud)
{
    if (!cloud->sweep_timer.loop)
        return;
    if (uv_is_active((uv_handle_t *)&cloud->sweep_timer))
        store_sweep_ephemeral(cloud->store, true);
    if (cloud->sweeping)
        uv_thread_join(&cloud->sweeper);
    uv_close((uv_handle_t *)&cloud->sweep_timer, NULL);
}

int cloud_open(const struct cloud_options *options, uv_loop_t *loop, struct cloud **ret,
               struct cloud_error *err)
{
    struct cloud *cloud = MEM_NEW(struct cloud);
    cloud->options = *options;
    cloud->loop = loop;
    cloud->inside.cloud = cloud;
    cloud->started_ms = clock_now_ms();
    arena_init(&cloud->arena);
    cloud->policies = policy_cache_new();
    cloud->lambda = (struct cloud_lambda){
        .concurrency = options->concurrency > 0 ? options->concurrency : 1000,
        .idle_timeout_ms = options->idle_timeout_ms > 0 ? options->idle_timeout_ms : 600000,
        .time_scale = options->time_scale > 0 ? options->time_scale : 1,
        .mounts = options->mounts,
        .n_mounts = options->n_mounts,
        .on_log = options->on_log,
        .log_user = options->log_user,
    };
    raise_file_limit();
    list_init(&cloud->queue);
    list_init(&cloud->dead);
    list_init(&cloud->frames);
    int r = open_store(cloud, err);
    if (r == 0) {
        sweep_later(cloud);
        struct http_server_options http = {.on_turn_failed = dispatch_turn_failed};
        cloud->http = http_server_new(loop, &http);
        http_server_set_turn_hook(cloud->http, turn, cloud);
        mount_all(cloud);
        r = listen_all(cloud, err);
    }
    if (r == 0)
        r = open_services(cloud, err);
    if (r == 0)
        http_server_put_first(cloud->http); /* clients before the runtimes of functions */
    if (r < 0) {
        cloud_close(cloud);
        return r;
    }
    *ret = cloud;
    return 0;
}

struct str cloud_address(struct cloud *cloud)
{
    return cloud->endpoint;
}

/* Leaving. */

static void stopped(struct cloud *cloud)
{
    void (*done)(void *) = cloud->stopped;
    cloud->stopped = NULL;
    if (!done)
        return;
    uv_timer_stop(&cloud->stop_timer);
    uv_close((uv_handle_t *)&cloud->stop_timer, NULL);
    done(cloud->stopped_user);
}

static void on_service_ended(void *user)
{
    struct cloud *cloud = user;
    if (--cloud->n_ending == 0)
        stopped(cloud);
}

static void on_end_over(uv_timer_t *timer)
{
    stopped(timer->data);
}

/* Nobody outside waits for an answer any more, or has waited for long enough. */
static void end_services(struct cloud *cloud)
{
    if (cloud->ending)
        return;
    cloud->ending = true;
    cloud->n_ending = 1;
    uv_timer_start(&cloud->stop_timer, on_end_over, END_MS, 0);
    for (size_t i = 0; i < cloud->n_mounted; i++) {
        struct mounted *m = &cloud->mounted[i];
        if (!m->opened || !m->service->end)
            continue;
        cloud->n_ending++;
        m->service->end(m->state, on_service_ended, cloud);
    }
    on_service_ended(cloud);
}

static void on_answers_left(void *user)
{
    end_services(user);
}

static void on_grace_over(uv_timer_t *timer)
{
    end_services(timer->data);
}

void cloud_stop(struct cloud *cloud, int64_t grace_ms, void (*done)(void *user), void *user)
{
    if (cloud->stopping)
        return;
    cloud->stopping = true;
    cloud->stopped = done;
    cloud->stopped_user = user;
    uv_timer_init(cloud->loop, &cloud->stop_timer);
    cloud->stop_timer.data = cloud;
    uv_timer_start(&cloud->stop_timer, on_grace_over, (uint64_t)grace_ms, 0);
    http_server_stop(cloud->http, on_answers_left, cloud);
}

void cloud_leave(struct cloud *cloud)
{
    if (!cloud || cloud->closing)
        return;
    cloud->closing = true;
    cloud->stopped = NULL;
    if (cloud->stopping && !uv_is_closing((uv_handle_t *)&cloud->stop_timer))
        uv_close((uv_handle_t *)&cloud->stop_timer, NULL);
    if (cloud->http)
        http_server_free(cloud->http);
    leave_services(cloud);
    close_services(cloud);
    if (cloud->store)
        store_commit(cloud->store);
    sweep_end(cloud); /* takes as long as there is much to remove */
    /* handles that were closed above need a few turns to be gone */
    for (int i = 0; i < 8 && uv_loop_alive(cloud->loop); i++)
        uv_run(cloud->loop, UV_RUN_NOWAIT);
    frames_drop(cloud);
}

void cloud_close(struct cloud *cloud)
{
    if (!cloud)
        return;
    cloud_leave(cloud);
    store_close(cloud->store);
    for (size_t i = 0; i < cloud->n_mounted; i++) {
        wire_router_free(cloud->mounted[i].router);
        free(cloud->mounted[i].handlers);
    }
    free(cloud->mounted);
    while (cloud->n_spare_arenas > 0)
        arena_free(cloud->spare_arenas[--cloud->n_spare_arenas]);
    policy_cache_free(cloud->policies);
    record_free(cloud->record);
    arena_done(&cloud->arena);
    free(cloud);
}
