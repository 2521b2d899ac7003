/* root - see root.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/cleanup.h"
#include "sandbox/ops.h"
#include "sandbox/root.h"
#include "sandbox/stage.h"
#include "sandbox/template.h"

/* /opt is empty as yet: it lends itself to hiding folders. */
static const struct op proc_ops[] = {
    {OP_READONLY, "proc/sys", NULL, 0},
    {OP_READONLY, "proc/irq", NULL, 0},
    {OP_READONLY, "proc/bus", NULL, 0},
    {OP_READONLY, "proc/fs", NULL, 0},
    {OP_READONLY, "proc/sysrq-trigger", NULL, 0},
    {OP_HIDE, "proc/acpi", "opt", 0},
    {OP_HIDE, "proc/scsi", "opt", 0},
    {OP_HIDE, "proc/kcore", NULL, 0},
    {OP_HIDE, "proc/keys", NULL, 0},
    {OP_HIDE, "proc/timer_list", NULL, 0},
    {OP_HIDE, "proc/latency_stats", NULL, 0},
    {OP_HIDE, "proc/sched_debug", NULL, 0},
};

/* A root of its own is made of what is in the shared one. */
static const struct op own_ops[] = {
    {OP_KEEP, "usr", "/usr", 0},   {OP_KEEP, "etc", "/etc", 0}, {OP_KEEP, "dev", "/dev", 0},
    {OP_KEEP, "proc", "/proc", 0}, {OP_KEEP, "tmp", "/tmp", 0},
};

/* A plan's whole file system has the places for these, or it is none. */
static const struct op change_ops[] = {
    {OP_KEEP, "dev", "/dev", 0},
    {OP_KEEP, "proc", "/proc", 0},
    {OP_KEEP, "tmp", "/tmp", 0},
    {OP_BIND, "etc/hosts", "/etc/hosts", 0},
    {OP_BIND, "etc/resolv.conf", "/etc/resolv.conf", 0},
};
#define PLACE "/var/task" /* of a root in the making: nothing is there yet */

/* ---- what each has for itself ---- */

/* In a user namespace the kernel gives a proc only to who sees one already: the spawner's, until
 * then. */
static int mount_proc(void)
{
    if (!template_shows_proc())
        return op_mount("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    auto_close int context = fsopen("proc", FSOPEN_CLOEXEC);
    if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    auto_close int fd =
        fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (fd < 0 || umount2("/proc", MNT_DETACH) < 0)
        return -errno;
    return op_attach(fd, "/proc");
}

/* One file system for both: each costs memory, in every control group there is, too. */
static int mount_tmp(void)
{
    char options[64];
    snprintf(options, sizeof(options), "mode=755,size=%dm", ROOT_TMP_MB);
    int r = op_mount("tmpfs", PLACE, MS_NOSUID | MS_NODEV, options);
    if (r == 0)
        r = op_make_dir(PLACE "/shm", 01777);
    if (r == 0)
        r = op_make_dir(PLACE "/tmp", 01777);
    if (r == 0)
        r = op_bind(PLACE "/shm", "/dev/shm",
                    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (r == 0)
        r = op_bind(PLACE "/tmp", "/tmp", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    return r < 0 || umount2(PLACE, MNT_DETACH) == 0 ? r : -errno;
}

int root_set_up(char *why)
{
    int r = mount_proc();
    if (r < 0)
        return why_printf(why, r, "mount /proc");
    r = ops_run(proc_ops, ARRAY_LEN(proc_ops), why);
    if (r < 0)
        return r;
    r = mount_tmp();
    return r < 0 ? why_printf(why, r, "mount /tmp") : 0;
}

int root_resize_tmp(int tmp_mb, char *why)
{
    char options[64];
    snprintf(options, sizeof(options), "size=%dm", tmp_mb);
    if (tmp_mb != ROOT_TMP_MB &&
        mount(NULL, "/tmp", NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, options) < 0)
        return why_printf(why, -errno, "resize /tmp");
    return 0;
}

/* ---- what the plan adds ---- */

/* Parents of path, each 0755. */
static int make_parents(const char *path, bool itself)
{
    char copy[PATH_MAX];
    if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
        return -ENAMETOOLONG;
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    return itself && mkdir(copy, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int place_mount(int fd, const char *to)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    int r = make_parents(to, S_ISDIR(st.st_mode));
    if (r == 0 && !S_ISDIR(st.st_mode) && access(to, F_OK) < 0)
        r = op_write_text(to, "", 0, 0644);
    return r < 0 ? r : op_attach(fd, to);
}

static bool has_link(const char *target, const char *path)
{
    char found[PATH_MAX];
    ssize_t n = readlink(path, found, sizeof(found));
    return n >= 0 && (size_t)n == strlen(target) && memcmp(found, target, (size_t)n) == 0;
}

static int place_link(const char *target, const char *path)
{
    if (has_link(target, path))
        return 0;
    int r = make_parents(path, false);
    if (r < 0)
        return r;
    return symlink(target, path) < 0 ? -errno : 0;
}

/* Goes on in the root that is mounted at PLACE. */
static int change_to_place(const struct op *ops, size_t n)
{
    char why[WHY_MAX];
    if (chdir(PLACE) < 0)
        return -errno;
    int r = ops_run(ops, n, why);
    if (r == 0)
        r = stage_pivot();
    return r < 0 || chdir("/") == 0 ? r : -errno;
}

/* What all environments share goes along. */
static int change_root(int fd)
{
    int r = op_attach(fd, PLACE);
    return r < 0 ? r : change_to_place(change_ops, ARRAY_LEN(change_ops));
}

int root_prepare(struct plan_cursor plan, char *why)
{
    struct plan_item item;
    const char *text;
    bool missing = false;
    while (!missing && plan_next(&plan, &item, &text)) {
        if (item.kind == PLAN_ROOT)
            return 0; /* that has its places, or it has not */
        if (item.kind == PLAN_BIND)
            missing = access(plan_text_after(&item, text, text), F_OK) < 0;
        else if (item.kind == PLAN_LINK)
            missing = !has_link(text, plan_text_after(&item, text, text));
    }
    if (!missing)
        return 0;
    int r = op_mount("tmpfs", PLACE, MS_NOSUID | MS_NODEV, "mode=755,size=1m");
    if (r == 0 && chdir(PLACE) < 0)
        r = -errno;
    if (r == 0)
        r = stage_lay_out(why);
    if (r == 0)
        r = change_to_place(own_ops, ARRAY_LEN(own_ops));
    return r < 0 ? why_printf(why, r, "make a root of its own") : 0;
}

static int plan_item_run(const struct plan_item *item, const char *text, int *mounts, size_t n,
                         size_t *used, char *why)
{
    const char *to = plan_text_after(item, text, text);
    int r = 0;
    switch (item->kind) {
    case PLAN_ROOT:
        if (*used >= n)
            return why_printf(why, -EBADMSG, "take %s as the root", text);
        r = change_root(mounts[(*used)++]);
        return r < 0 ? why_printf(why, r, "take %s as the root", text) : 0;
    case PLAN_BIND:
    case PLAN_LAYERS:
        if (item->kind == PLAN_LAYERS)
            to = "/opt";
        if (*used >= n)
            return why_printf(why, -EBADMSG, "mount %s", to);
        r = place_mount(mounts[*used], to);
        (*used)++;
        return r < 0 ? why_printf(why, r, "bind %s to %s", text, to) : 0;
    case PLAN_LINK:
        r = place_link(text, to);
        return r < 0 ? why_printf(why, r, "link %s to %s", to, text) : 0;
    }
    return 0;
}

int root_attach(struct plan_cursor plan, int *mounts, size_t n, char *why)
{
    struct plan_item item;
    const char *text;
    size_t used = 0;
    int r = 0;
    while (r == 0 && plan_next(&plan, &item, &text))
        r = plan_item_run(&item, text, mounts, n, &used, why);
    for (size_t i = 0; i < n; i++)
        close(mounts[i]);
    return r;
}

int root_attach_one(int mount, const char *to)
{
    int r = place_mount(mount, to);
    close(mount);
    return r;
}

int root_close(char *why)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    if (mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof(attr)) < 0)
        return why_printf(why, -errno, "make the root read-only");
    return 0;
}
