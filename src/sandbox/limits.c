/* limits - see limits.h. What each environment has of its own is in shed.h. */
#include "sandbox/limits.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As recorded on Lambda. */
#define CORE_BYTES (10ULL << 30)
#define STACK_BYTES (8ULL << 20)
#define SLICE_NS 100000 /* the least that the kernel takes */

static void set(int which, rlim_t soft, rlim_t hard)
{
    struct rlimit now, want = {soft, hard};
    if (setrlimit((__rlimit_resource_t)which, &want) == 0 ||
        getrlimit((__rlimit_resource_t)which, &now) < 0)
        return;
    want.rlim_max = now.rlim_max < hard ? now.rlim_max : hard;
    want.rlim_cur = soft < want.rlim_max ? soft : want.rlim_max;
    setrlimit((__rlimit_resource_t)which, &want);
}

/* A program of this machine takes core dumps: those of functions are none of its business, and it
 * is the limit that tells it so. */
static bool cores_are_piped(void)
{
    char first = 0;
    int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    ssize_t n = read(fd, &first, 1);
    close(fd);
    return n != 1 || first == '|';
}

void limits_be_prompt(void)
{
    struct sched_attr a = {.size = sizeof(a)};
    if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) < 0 || a.sched_policy != 0)
        return; /* not the usual policy, SCHED_OTHER: somebody has had other intentions */
    a.sched_runtime = SLICE_NS;
    syscall(SYS_sched_setattr, 0, &a, 0);
}

void limits_prepare(void)
{
    static const int unlimited[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_RSS, RLIMIT_AS, RLIMIT_LOCKS};
    struct rlimit files;
    rlim_t core = cores_are_piped() ? 0 : CORE_BYTES;
    for (size_t i = 0; i < sizeof(unlimited) / sizeof(*unlimited); i++)
        set(unlimited[i], RLIM_INFINITY, RLIM_INFINITY);
    set(RLIMIT_CORE, 0, core); /* shed.c raises it for whom it is meant */
    set(RLIMIT_STACK, STACK_BYTES, RLIM_INFINITY);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) /* the spawner's own need */
        set(RLIMIT_NOFILE, files.rlim_max, files.rlim_max);
}
