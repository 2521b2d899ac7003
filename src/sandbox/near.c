/* near - who takes turns with us is woken on our processor (environment_near() in sandbox.h). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sandbox/environment.h"

enum { NOT_YET, LOOK, FOUND, NEVER };

static bool read_text(const char *path, char *ret, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    for (ssize_t i = 0; i < n; i++)
        ret[i] = ret[i] ? ret[i] : ' '; /* of a command line */
    ret[n] = 0;
    return true;
}

static bool is_extension(long pid)
{
    char path[64], text[256];
    snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
    return !read_text(path, text, sizeof(text)) || strstr(text, "/opt/extensions/");
}

/* The first of init's children that is no extension: what the command itself starts has another
 * parent, and what it leaves behind comes after it. */
static pid_t find_command(const struct environment *env)
{
    char path[64], text[256], *at = text, *end;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)env->pid, (int)env->pid);
    if (env->pid <= 0 || !read_text(path, text, sizeof(text)))
        return -1;
    for (long pid; (pid = strtol(at, &end, 10)) > 0 && end != at && *end; at = end)
        if (!is_extension(pid))
            return (pid_t)pid;
    return -1;
}

/* What environments have unless they ask for something else; false: nothing to choose from. */
static bool all_processors(cpu_set_t *ret)
{
    static cpu_set_t all;
    static int n = -1;
    if (n < 0)
        n = sched_getaffinity(0, sizeof(all), &all) == 0 ? CPU_COUNT(&all) : 0;
    *ret = all;
    return n > 1;
}

void near_forget(struct environment *env)
{
    env->near = (struct near){0};
}

void environment_near(struct environment *env)
{
    struct near *near = &env->near;
    cpu_set_t all, now;
    int here = sched_getcpu();
    if (near->state == NOT_YET) { /* not in a cold start's time */
        near->state = LOOK;
        return;
    }
    if (near->state == NEVER || near->is || here < 0 || here >= CPU_SETSIZE ||
        !all_processors(&all))
        return;
    if (near->state == LOOK) {
        near->command = find_command(env);
        near->state = near->command > 0 ? FOUND : NEVER;
    }
    CPU_ZERO(&near->one);
    CPU_SET(here, &near->one);
    if (near->state != FOUND || sched_getaffinity(near->command, sizeof(now), &now) < 0 ||
        !CPU_EQUAL(&now, &all))
        return; /* it has chosen for itself */
    near->is = sched_setaffinity(near->command, sizeof(near->one), &near->one) == 0;
    if (!near->is)
        near->state = NEVER;
}

void environment_far(struct environment *env)
{
    struct near *near = &env->near;
    cpu_set_t all, now;
    if (near->is && all_processors(&all) &&
        sched_getaffinity(near->command, sizeof(now), &now) == 0 && CPU_EQUAL(&now, &near->one))
        sched_setaffinity(near->command, sizeof(all), &all); /* else it has chosen meanwhile */
    near->is = false;
}
