/* daemon - running the cloud in this process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/daemon.h"
#include "sandbox/sandbox.h"
#include "service/call.h"

#define GRACE_MS 400
#define TWICE_MS 200 /* programs that end a group of processes send the same signal twice */
#define REVIVAL_MAX_MS 10000
#ifndef PR_SET_MEMORY_MERGE /* headers before Linux 6.4 */
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

/* The spawner inherits it. Of this process nothing is merged but while it makes one: functions
 * could guess at its pages. */
static int may_merge(const struct daemon *d, bool may)
{
    return d->merges ? prctl(PR_SET_MEMORY_MERGE, may, 0, 0, 0) : 0;
}

void daemon_prepare(struct daemon *d, const char *cache_dir, int spares)
{
    struct spawner_options options = {.spares = spares, .cache_dir = cache_dir};
    int r = spawner_start(&options, &d->spawner);
    if (r < 0) {
        log_warn("functions cannot be run here: %s (see `lamina doctor`)", strerror(-r));
        d->spawner = NULL;
    }
    may_merge(d, false);
}

int daemon_can_merge(bool *ret_is_on)
{
    char run = '0';
    if (prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) < 0)
        return -errno;
    auto_close int fd = open(KSM_RUN, O_RDONLY | O_CLOEXEC);
    *ret_is_on = fd >= 0 && read(fd, &run, 1) == 1 && run == '1';
    return 0;
}

int daemon_merge_memory(struct daemon *d)
{
    bool is_on;
    int r = daemon_can_merge(&is_on);
    d->merges = true;
    if (r < 0 || may_merge(d, true) < 0)
        return r < 0 ? r : -errno;
    if (!is_on)
        log_warn("--merge-memory: nothing is merged until root writes 1 to " KSM_RUN);
    return 0;
}

static void on_revival(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    may_merge(d, true);
    int r = spawner_revive(d->spawner);
    may_merge(d, false);
    d->revived_ms = clock_now_ms();
    if (r == 0)
        return;
    log_error("the process that makes execution environments cannot be started again: %s",
              strerror(-r));
    uv_timer_start(timer, on_revival, REVIVAL_MAX_MS, 0);
}

/* At once the first time; one that dies again and again is waited for longer and longer. */
static void on_spawner_gone(void *user)
{
    struct daemon *d = user;
    if (d->leaving)
        return;
    if (clock_now_ms() - d->revived_ms > REVIVAL_MAX_MS)
        d->revival_delay_ms = 0;
    log_error("the process that makes execution environments has ended, and all of them with it: "
              "it is started again");
    uv_timer_start(&d->revival, on_revival, (uint64_t)d->revival_delay_ms, 0);
    d->revival_delay_ms = d->revival_delay_ms ? d->revival_delay_ms * 2 : 50;
    if (d->revival_delay_ms > REVIVAL_MAX_MS)
        d->revival_delay_ms = REVIVAL_MAX_MS;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    if (d->leaving && clock_now_ms() - d->leaving_ms > TWICE_MS)
        uv_stop(&d->loop);
    else if (d->on_signal)
        d->on_signal(d, number);
    else
        daemon_leave(d);
}

static void watch_signals(struct daemon *d)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&d->signals[i]);
    }
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_all(struct daemon *d)
{
    cloud_leave(d->cloud);
    spawner_stop(d->spawner);
    d->spawner = NULL;
    cloud_close(d->cloud);
    d->cloud = NULL;
    uv_walk(&d->loop, close_handle, NULL);
    uv_run(&d->loop, UV_RUN_NOWAIT);
    uv_loop_close(&d->loop);
}

int daemon_start(struct daemon *d, struct cloud_options *options, struct cloud_error *err)
{
    uv_loop_init(&d->loop);
    watch_signals(d);
    uv_timer_init(&d->loop, &d->revival);
    d->revival.data = d;
    uv_unref((uv_handle_t *)&d->revival);
    if (d->spawner) {
        int r = spawner_attach(d->spawner, &d->loop, on_spawner_gone, d);
        if (r < 0) {
            log_warn("functions cannot be run here: %s", strerror(-r));
            spawner_stop(d->spawner);
            d->spawner = NULL;
        }
    }
    options->spawner = d->spawner;
    int r = cloud_open(options, &d->loop, &d->cloud, err);
    if (r < 0) {
        d->leaving = true;
        close_all(d);
    }
    return r;
}

static void on_stopped(void *user)
{
    struct daemon *d = user;
    uv_stop(&d->loop);
}

void daemon_leave(struct daemon *d)
{
    if (d->leaving)
        return;
    d->leaving = true;
    d->leaving_ms = clock_now_ms();
    cloud_stop(d->cloud, GRACE_MS, on_stopped, d);
}

void daemon_run(struct daemon *d)
{
    uv_run(&d->loop, UV_RUN_DEFAULT);
    close_all(d);
}
