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
#include <sys/eventfd.h>
#include "sandbox/environment.h"

#define LEAST_STEP (1 << 20)

static int64_t limit_of(const struct environment *env)
{
    return (int64_t)env->memory_mb << 20;
}

static void warn_at(struct environment *env, int64_t bytes)
{
    char text[96];
    int n;
    if (bytes <= env->warn_at && env->memory == SANDBOX_CGROUP_V1)
        return; /* still announced */
    if (env->memory == SANDBOX_CGROUP_V1)
        n = snprintf(text, sizeof(text), "%d %d %lld", env->pressure_fd,
                     env->files[CGROUP_FILE_USAGE], (long long)bytes);
    else
        n = snprintf(text, sizeof(text), "%lld", (long long)bytes);
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
        env->oom = true;
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
        env->files[CGROUP_FILE_OOM] < 0 || env->warn_at)
        return;
    if (v1) {
        env->pressure_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (env->pressure_fd < 0)
            return;
    }
    warn_at(env, limit_of(env));
    if (!env->warn_at)
        return;
    int fd = v1 ? env->pressure_fd : env->files[CGROUP_FILE_OOM];
    if (uv_poll_init(env->spawner->loop, &env->pressure_watch, fd) < 0) {
        env->warn_at = 0;
        return;
    }
    env->pressure_watch.data = env;
    env->handles++;
    meter_read(env->files[CGROUP_FILE_OOM], text, sizeof(text));
    uv_poll_start(&env->pressure_watch, v1 ? UV_READABLE : UV_PRIORITIZED, on_pressure);
}

void pressure_stop(struct environment *env)
{
    if (env->warn_at)
        uv_poll_stop(&env->pressure_watch);
    env->warn_at = 0;
}
