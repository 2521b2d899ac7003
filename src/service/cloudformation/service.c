/* service - CloudFormation: stacks and change sets. */
#include "service/cloudformation/service.h"
#include "base/clock.h"
#include "base/mem.h"
#include "service/cloudformation/worker.h"

#define RESUME_MIN_MS 100
#define RESUME_MAX_MS 5000
#define CALM_MS 10000 /* after so long without trouble the waiting begins anew */

struct cloudformation_state {
    struct cloud *cloud;
    struct store *store;
    uv_timer_t resume;
    int64_t delay_ms, trouble_ms;
};

static void on_resume(uv_timer_t *timer)
{
    struct cloudformation_state *s = timer->data;
    if (worker_abandoned_left() || worker_resume_all(s->cloud, s->store) < 0)
        uv_timer_start(timer, on_resume, (uint64_t)s->delay_ms, 0);
}

static int cloudformation_open(struct cloud *cloud, struct store *store, uv_loop_t *loop,
                               void **ret_state)
{
    struct cloudformation_state *s = MEM_NEW(struct cloudformation_state);
    s->cloud = cloud;
    s->store = store;
    s->delay_ms = RESUME_MIN_MS;
    uv_timer_init(loop, &s->resume);
    s->resume.data = s;
    uv_unref((uv_handle_t *)&s->resume);
    *ret_state = s;
    return worker_resume_all(cloud, store);
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void cloudformation_close(void *state)
{
    struct cloudformation_state *s = state;
    uv_close((uv_handle_t *)&s->resume, closed);
}

/* A commit failed, as on a full disk: workers begin again from what the store says, as long as it
 * takes until it takes writes. */
static void cloudformation_reset(void *state)
{
    struct cloudformation_state *s = state;
    int64_t now = clock_now_ms();
    s->delay_ms = now - s->trouble_ms > CALM_MS ? RESUME_MIN_MS : 2 * s->delay_ms;
    if (s->delay_ms > RESUME_MAX_MS)
        s->delay_ms = RESUME_MAX_MS;
    s->trouble_ms = now;
    worker_abandon_all();
    uv_timer_start(&s->resume, on_resume, (uint64_t)s->delay_ms, 0);
}

static const struct handler *const handlers[] = {
    cloudformation_stack_handlers,
    cloudformation_describe_handlers,
    cloudformation_change_set_handlers,
    cloudformation_template_handlers,
    cloudformation_rollback_handlers,
    cloudformation_policy_handlers,
    NULL,
};

const struct service cloudformation_service = {
    .model = &cloudformation_model,
    .handlers = handlers,
    .open = cloudformation_open,
    .close = cloudformation_close,
    .reset = cloudformation_reset,
};
