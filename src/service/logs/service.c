/* service - Amazon CloudWatch Logs: what its operations are, and its sweeper. */
#include "base/clock.h"
#include "base/mem.h"
#include "service/logs/pack.h"
#include "service/logs/query.h"
#include "service/logs/record.h"

#define SWEEP_SOON_MS 200
#define SWEEP_LATER_MS 30000
#define EXPIRE_MS 3600000
#define SWEEP_EVENTS 1000

static const struct handler *const handlers[] = {
    logs_group_handlers,    logs_stream_handlers,     logs_put_handlers,
    logs_get_handlers,      logs_filter_handlers,     logs_tag_handlers,
    logs_insights_handlers, logs_definition_handlers, NULL,
};

static void on_sweep(uv_timer_t *timer)
{
    struct logs_state *state = timer->data;
    int64_t now = clock_now_ms();
    bool more = logs_sweep(state->store, now, SWEEP_EVENTS);
    if (!more && now - state->expired_ms > EXPIRE_MS) {
        logs_queries_expire(state->store, now);
        state->expired_ms = now;
    }
    uv_timer_start(timer, on_sweep, more ? SWEEP_SOON_MS : SWEEP_LATER_MS, 0);
}

static int logs_open(struct cloud *cloud, struct store *store, uv_loop_t *loop, void **ret_state)
{
    struct logs_state *state = MEM_NEW(struct logs_state);
    state->store = store;
    state->sweeper.data = state;
    uv_timer_init(loop, &state->sweeper);
    uv_timer_start(&state->sweeper, on_sweep, SWEEP_LATER_MS, 0);
    uv_unref((uv_handle_t *)&state->sweeper); /* the loop does not stay for it */
    state->queries = logs_queries_new(state, loop);
    state->pack = logs_pack_new();
    state->packer.data = state;
    uv_timer_init(loop, &state->packer);
    logs_pack_start(state);
    uv_unref((uv_handle_t *)&state->packer);
    *ret_state = state;
    return 0;
}

static void free_state(uv_handle_t *timer)
{
    struct logs_state *state = timer->data;
    logs_pack_free(state->pack);
    free(state);
}

static void close_packer(uv_handle_t *timer)
{
    struct logs_state *state = timer->data;
    uv_close((uv_handle_t *)&state->packer, free_state);
}

static void logs_close(void *state)
{
    logs_queries_free(((struct logs_state *)state)->queries);
    uv_close((uv_handle_t *)&((struct logs_state *)state)->sweeper, close_packer);
}

const struct service logs_service = {
    .model = &logs_model,
    .handlers = handlers,
    .open = logs_open,
    .close = logs_close,
};
