/* meter - what an environment may use, and what it has used. */
#include <errno.h>
#include <fcntl.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "sandbox/environment.h"

#define PERIOD_US 20000       /* of the cpu quota; short, so that stalls are short */
#define MB_PER_PROCESSOR 1769 /* Lambda gives one whole processor at this size */
#define LEAST_QUOTA_US 1000   /* the kernel's limit */
#define MARK_BELIEVED_NS 50000000

bool meter_read(int fd, char *ret, size_t max)
{
    ssize_t n = fd < 0 ? -1 : pread(fd, ret, max - 1, 0);
    if (n < 0)
        return false;
    ret[n] = '\0';
    return true;
}

int64_t meter_number(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && line[n] == ' ')
            return strtoll(line + n + 1, NULL, 10);
    }
    return 0;
}

int environment_set_cpu(struct environment *env, int memory_mb)
{
    int fd = env->files[CGROUP_FILE_CPU];
    bool v2 = env->cpu == SANDBOX_CGROUP_V2;
    char text[64];
    if (fd < 0)
        return -EOPNOTSUPP;
    int64_t quota = (int64_t)PERIOD_US * memory_mb / MB_PER_PROCESSOR;
    if (quota < LEAST_QUOTA_US)
        quota = LEAST_QUOTA_US;
    int n;
    if (memory_mb <= 0)
        n = snprintf(text, sizeof(text), v2 ? "max" : "-1");
    else if (v2)
        n = snprintf(text, sizeof(text), "%lld %d", (long long)quota, PERIOD_US);
    else
        n = snprintf(text, sizeof(text), "%lld", (long long)quota);
    return write(fd, text, (size_t)n) < 0 ? -errno : 0;
}

int environment_yield(struct environment *env, bool yields)
{
    return cgroup_set_share(env->files[CGROUP_FILE_SHARE], env->cpu,
                            yields ? CGROUP_SHARE_LONG : CGROUP_SHARE_USUAL);
}

int64_t meter_own(int memory_fd, int kind)
{
    char stat[8192];
    if (!meter_read(memory_fd, stat, sizeof(stat)))
        return 0;
    return meter_number(stat, kind == SANDBOX_CGROUP_V2 ? "anon" : "rss");
}

/* The kernel's mark includes file cache and tmpfs, which are not the function's memory as its
 * users understand it. What is cached now but mapped by nobody is taken off. */
static bool cgroup_peak(struct environment *env, int64_t *ret)
{
    char text[64], stat[8192];
    int64_t peak = 0; /* kernels before 5.19: what it is now must do */
    if (meter_read(env->files[CGROUP_FILE_PEAK], text, sizeof(text)))
        peak = strtoll(text, NULL, 10);
    /* The details cost a tenth of an invocation. While its mark has not moved, an environment that
     * is invoked thousands of times a second is asked for them now and then. */
    int64_t now_ns = clock_mono_ns();
    if (peak && peak == env->mark && now_ns - env->marked_ns < MARK_BELIEVED_NS)
        return false;
    if (!meter_read(env->files[CGROUP_FILE_MEMORY], stat, sizeof(stat)))
        return false;
    env->mark = peak;
    env->marked_ns = now_ns;
    bool v2 = env->memory == SANDBOX_CGROUP_V2;
    int64_t cache = meter_number(stat, v2 ? "file" : "cache");
    int64_t mapped = meter_number(stat, v2 ? "file_mapped" : "mapped_file");
    int64_t own = meter_number(stat, v2 ? "anon" : "rss");
    int64_t value = peak - (cache > mapped ? cache - mapped : 0);
    *ret = (value > own ? value : own) + env->baseline;
    return true;
}

static int64_t resident_peak(pid_t pid)
{
    char path[64], text[8192];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (!meter_read(fd, text, sizeof(text)))
        return 0;
    return meter_number(text, "VmHWM:\t") << 10;
}

/* Without a cgroup: the marks of the processes that init has started and that still live. */
static int64_t children_peak(pid_t init)
{
    char path[64], text[4096];
    int64_t sum = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)init, (int)init);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (init <= 0 || !meter_read(fd, text, sizeof(text)))
        return 0;
    char *save = NULL;
    for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
        sum += resident_peak((pid_t)atoi(w));
    return sum;
}

int environment_memory_peak(struct environment *env, int64_t *ret_bytes)
{
    int64_t value = 0;
    if (env->memory == SANDBOX_CGROUP_NONE) {
        value = children_peak(env->pid);
        if (env->max_rss > value)
            value = env->max_rss;
    } else {
        cgroup_peak(env, &value); /* not known again, or the group is gone: the last one counts */
    }
    if (value > env->peak)
        env->peak = value;
    /* Death by the limit comes a little after it has been passed: see pressure.c. */
    if (env->memory_mb && env->peak > (int64_t)env->memory_mb << 20)
        env->peak = (int64_t)env->memory_mb << 20;
    if (!env->peak)
        return -ENODATA;
    *ret_bytes = env->peak;
    return 0;
}

int environment_oom_killed(struct environment *env, bool *ret)
{
    char text[1024];
    if (meter_read(env->files[CGROUP_FILE_OOM], text, sizeof(text)))
        env->oom |= meter_number(text, "oom_kill") > env->oom_before;
    *ret = env->oom;
    return 0;
}

void meter_forget_oom(struct environment *env)
{
    char text[1024];
    env->oom = env->oom_all = false;
    if (meter_read(env->files[CGROUP_FILE_OOM], text, sizeof(text)))
        env->oom_before = meter_number(text, "oom_kill");
}

int environment_cpu_usage(struct environment *env, int64_t *ret_us)
{
    char text[2048];
    if (!meter_read(env->files[CGROUP_FILE_CPU_STAT], text, sizeof(text)))
        return -EOPNOTSUPP;
    *ret_us = env->cpu_stat == SANDBOX_CGROUP_V2 ? meter_number(text, "usage_usec")
                                                 : strtoll(text, NULL, 10) / 1000;
    return 0;
}
