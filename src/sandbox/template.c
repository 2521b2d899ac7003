/* template - see template.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include "base/cleanup.h"
#include "sandbox/ops.h"
#include "sandbox/root.h"
#include "sandbox/stage.h"
#include "sandbox/template.h"

static struct template own = {-1, -1}; /* where the spawner is otherwise */
static int namespaces = -1;            /* /proc/self/ns, which a template does not have */
static bool shows_proc;

bool template_shows_proc(void)
{
    return shows_proc;
}

static bool is_system_user_namespace(void)
{
    unsigned inside = 1, outside = 1, count = 0;
    auto_fclose FILE *f = fopen("/proc/self/uid_map", "re");
    return f && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3 && !inside && !outside &&
           count == UINT32_MAX;
}

void template_close(struct template *t)
{
    if (t->ns >= 0)
        close(t->ns);
    if (t->root >= 0)
        close(t->root);
    *t = TEMPLATE_NONE;
}

/* Where this process is. */
static int here(struct template *ret)
{
    ret->ns = openat(namespaces, "mnt", O_RDONLY | O_CLOEXEC);
    ret->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (ret->ns >= 0 && ret->root >= 0)
        return 0;
    int r = -errno;
    template_close(ret);
    return r;
}

int templates_open(char *why)
{
    namespaces = open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = namespaces < 0 ? -errno : here(&own);
    shows_proc = !is_system_user_namespace();
    return r < 0 ? why_printf(why, r, "find the namespaces") : 0;
}

/* The root of the namespace may be another one than the one that was left there: in a chroot, the
 * host's. */
static int go_to(const struct template *t)
{
    if (setns(t->ns, CLONE_NEWNS) < 0 || fchdir(t->root) < 0 || chroot(".") < 0)
        return -errno;
    return 0;
}

int template_enter(const struct template *t)
{
    return go_to(t);
}

void template_leave(void)
{
    if (go_to(&own) < 0)
        _exit(1); /* it could not do its work any more: the daemon starts another one */
}

static int build(struct plan_cursor part, int *mounts, size_t n, int proc, struct template *ret,
                 char *why)
{
    int r = stage_build_root(why);
    if (r == 0)
        r = root_attach(part, mounts, n, why);
    if (r == 0)
        r = root_close(why);
    if (r == 0 && shows_proc && (r = proc < 0 ? -ENOENT : op_attach(proc, "/proc")) < 0)
        why_printf(why, r, "show /proc");
    if (r == 0 && (r = here(ret)) < 0)
        why_printf(why, r, "find a template again");
    return r;
}

int template_make(struct plan_cursor part, int *mounts, size_t n, struct template *ret, char *why)
{
    *ret = TEMPLATE_NONE;
    auto_close int proc = shows_proc ? open_tree(AT_FDCWD, "/proc",
                                                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)
                                     : -1;
    if (unshare(CLONE_NEWNS) < 0)
        return why_printf(why, -errno, "make a mount namespace");
    int r = build(part, mounts, n, proc, ret, why);
    template_leave();
    return r;
}
