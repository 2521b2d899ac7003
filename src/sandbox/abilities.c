/* abilities - entering namespaces as root or as anybody, and saying what is missing. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include "base/cleanup.h"
#include "sandbox/abilities.h"
#include "sandbox/ops.h"

static void note(struct sandbox_abilities *a, const char *text)
{
    size_t n = strlen(a->note);
    snprintf(a->note + n, sizeof(a->note) - n, "%s%s", n ? "\n" : "", text);
}

static int map_ids(uid_t uid, gid_t gid)
{
    const struct {
        const char *file;
        int inside, outside;
    } maps[] = {{"/proc/self/uid_map", SANDBOX_UID, (int)uid},
                {"/proc/self/gid_map", SANDBOX_GID, (int)gid}};
    auto_close int deny = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
    if (deny < 0 || write(deny, "deny", 4) < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        char text[64];
        int n = snprintf(text, sizeof(text), "%d %d 1", maps[i].inside, maps[i].outside);
        auto_close int fd = open(maps[i].file, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text, (size_t)n) < 0)
            return -errno;
    }
    return 0;
}

int namespaces_own(struct sandbox_abilities *a, char *why)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWNS) == 0)
        return 0;
    if (errno != EPERM)
        return why_printf(why, -errno, "make a mount namespace");
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return why_printf(why, -errno,
                          "make a user namespace (not root, and the kernel, a container "
                          "or a chroot forbids them)");
    a->user_namespace = true;
    int r = map_ids(uid, gid);
    return r < 0 ? why_printf(why, r, "map user and group") : 0;
}

void abilities_describe(struct sandbox_abilities *a)
{
    if (a->user_namespace)
        note(a, "not root: environments live in a user namespace, under your own user");
    else if (!a->own_users)
        note(a, "no user namespaces: environments share what the kernel grants one user (inotify "
                "instances, message queues, timers), so one can use it up for all");
    if (!a->memory)
        note(a,
             "no memory cgroup: memory is limited by RLIMIT_DATA, so allocations fail instead of "
             "the function being killed; memory used is the command's largest resident set");
    if (!a->cpu)
        note(a, "no cpu cgroup: functions get the whole processor, whatever their memory size");
    if (!a->pids)
        note(a, a->own_users ? "no pids cgroup: processes are limited by RLIMIT_NPROC"
                             : "no pids cgroup: processes are limited by RLIMIT_NPROC, for all "
                               "environments together");
    if (!a->freeze)
        note(a, "no freezer: idle environments are stopped by SIGSTOP");
    if (!a->overlay)
        note(a, "no overlayfs: layers are merged into folders of hard links");
    if (!a->seccomp)
        note(a, "no seccomp: system calls are not filtered");
}
