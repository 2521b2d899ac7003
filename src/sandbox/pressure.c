/* pressure - the memory limit of processes alone, beside a /tmp that is memory, too.
 *
 * The kernel counts a tmpfs's pages as memory of the group, Lambda does not count /tmp. So the
 * kernel's limit is memory + /tmp, and the kernel tells us when usage gets to where processes alone
 * might have reached their limit:
 *
 *   warn_at = usage + (limit - own)     own = usage - file cache, /tmp included
 *
 * Then we look: own over the limit is the out-of-memory kill, anything else a later warn_at. What
 * grows faster than we look is stopped by the kernel's limit. v1 announces thresholds of usage by
 * an eventfd, in both directions, and keeps those announced before; v2 by memory.events, and slows
 * the group down meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include "base/mem.h"
#include "sandbox/environment.h"

#define LEAST_STEP (1 << 20)

static int64_t limit_of(const struct environment *env)
{
    return ((int64_t)env->memory_mb << 20) - env->baseline;
}

static void look(struct environment *env);

/* Announcing a threshold to v1 waits for the kernel's readers, 10 ms or more: not on the loop. The
 * kernel finds the other two files by number, so those must stay open, whatever becomes of env. */
struct announcement {
    uv_work_t work;
    struct environment *env;
    int control, event, usage;
    int64_t bytes;
    bool done;
};

static void announce(uv_work_t *work)
{
    struct announcement *a = work->data;
    char text[96];
    int n = snprintf(text, sizeof(text), "%d %d %lld", a->event, a->usage, (long long)a->bytes);
    a->done = write(a->control, text, (size_t)n) > 0;
}

static void on_announced(uv_work_t *work, int status)
{
    struct announcement *a = work->data;
    struct environment *env = a->env;
    close(a->control);
    close(a->event);
    close(a->usage);
    env->announcing = false;
    if (a->done && !env->freed) {
        env->warn_at = a->bytes;
        look(env); /* it may have been passed before it was announced */
    }
    free(a);
    environment_release(env);
}

static void announce_later(struct environment *env, int64_t bytes)
{
    if (env->announcing || bytes <= env->warn_at)
        return; /* on_announced() looks again; or still announced */
    struct announcement *a = MEM_NEW(struct announcement);
    a->work.data = a;
    a->env = env;
    a->control = fcntl(env->files[CGROUP_FILE_WARN], F_DUPFD_CLOEXEC, 0);
    a->usage = fcntl(env->files[CGROUP_FILE_USAGE], F_DUPFD_CLOEXEC, 0);
    a->event = fcntl(env->pressure_fd, F_DUPFD_CLOEXEC, 0);
    a->bytes = bytes;
    env->announcing = true;
    env->handles++;
    uv_queue_work(env->spawner->loop, &a->work, announce, on_announced);
}

static void warn_at(struct environment *env, int64_t bytes)
{
    char text[32];
    if (env->memory == SANDBOX_CGROUP_V1) {
        announce_later(env, bytes);
        return;
    }
    int n = snprintf(text, sizeof(text), "%lld", (long long)bytes);
    if (write(env->files[CGROUP_FILE_WARN], text, (size_t)n) > 0)
        env->warn_at = bytes;
}

static void look(struct environment *env)
{
    char usage_text[64], stat[8192];
    if (!meter_read(env->files[CGROUP_FILE_USAGE], usage_text, sizeof(usage_text)) ||
        !meter_read(env->files[CGROUP_FILE_MEMORY], stat, sizeof(stat)))
        return; /* the group is gone */
    int64_t usage = strtoll(usage_text, NULL, 10);
    int64_t own = usage - meter_number(stat, env->memory == SANDBOX_CGROUP_V2 ? "file" : "cache");
    if (own > limit_of(env)) {
        int64_t peak;
        env->oom = env->oom_all = true;
        environment_memory_peak(env, &peak);
        environment_command(env, COMMAND_KILL, 0);
        return;
    }
    int64_t room = limit_of(env) - own;
    warn_at(env, usage + (room > LEAST_STEP ? room : LEAST_STEP));
}

static void on_pressure(uv_poll_t *watch, int status, int events)
{
    struct environment *env = watch->data;
    uint64_t count;
    char text[1024];
    if (status < 0) {
        uv_poll_stop(watch); /* the group is gone */
        return;
    }
    /* Reading is what makes it silent again. */
    if (env->memory == SANDBOX_CGROUP_V1) {
        if (read(env->pressure_fd, &count, sizeof(count)) < 0)
            return;
    } else if (!meter_read(env->files[CGROUP_FILE_OOM], text, sizeof(text))) {
        uv_poll_stop(watch);
        return;
    }
    look(env);
}

void pressure_start(struct environment *env)
{
    bool v1 = env->memory == SANDBOX_CGROUP_V1;
    char text[1024];
    if (!env->memory_mb || env->files[CGROUP_FILE_WARN] < 0 || env->files[CGROUP_FILE_USAGE] < 0 ||
        env->files[CGROUP_FILE_OOM] < 0 || env->pressed)
        return;
    if (v1) {
        env->pressure_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (env->pressure_fd < 0)
            return;
    }
    int fd = v1 ? env->pressure_fd : env->files[CGROUP_FILE_OOM];
    if (uv_poll_init(env->spawner->loop, &env->pressure_watch, fd) < 0)
        return;
    env->pressure_watch.data = env;
    env->pressed = true;
    env->handles++;
    meter_read(env->files[CGROUP_FILE_OOM], text, sizeof(text));
    uv_poll_start(&env->pressure_watch, v1 ? UV_READABLE : UV_PRIORITIZED, on_pressure);
    warn_at(env, limit_of(env));
}

static void on_closed(uv_handle_t *handle)
{
    environment_release(handle->data);
}

void pressure_stop(struct environment *env)
{
    if (!env->pressed)
        return;
    uv_poll_stop(&env->pressure_watch);
    uv_close((uv_handle_t *)&env->pressure_watch, on_closed);
}
