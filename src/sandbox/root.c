/* root - building the shared stage and the root of each environment. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/cleanup.h"
#include "sandbox/root.h"

/* Folders that exist on every Debian and that no environment binds from. */
static const char *const stage_places[] = {"/boot", "/media", "/mnt", "/srv"};
static const char *stage;

const char *stage_path(void)
{
    return stage;
}

int why_printf(char *why, int error, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(why, WHY_MAX, fmt, ap);
    va_end(ap);
    if (n >= 0 && n < WHY_MAX)
        snprintf(why + n, WHY_MAX - (size_t)n, ": %s", strerror(-error));
    return error;
}

/* ---- operations ---- */

enum op_kind {
    OP_TMPFS,     /* mount at path; arg: options */
    OP_DIR,       /* make; mode */
    OP_TEXT,      /* file at path with arg as content */
    OP_COPY,      /* small host file arg to path, when there */
    OP_COPYLINKS, /* symlinks in host folder arg to folder path */
    OP_LINK,      /* symlink path -> arg */
    OP_LIKE,      /* symlink as the host's at arg, or a read-only bind when it is a folder there */
    OP_BIND,      /* arg read-only at path, when it is there */
    OP_STAGE,     /* the same, arg relative to the stage */
    OP_DEVICE,    /* host's device arg at path */
    OP_PROC,      /* a fresh proc at path */
    OP_HIDE,      /* nothing to see at path, when it is there */
    OP_READONLY,  /* path stays, but read-only, when it is there */
};
struct op {
    enum op_kind kind;
    const char *path, *arg;
    mode_t mode;
};

static const struct op stage_ops[] = {
    {OP_DIR, STAGE_NEW, NULL, 0755},
    {OP_DIR, "layers", NULL, 0755},
    {OP_DIR, "etc", NULL, 0755},
    {OP_TEXT, "etc/passwd",
     "root:x:0:0:root:/root:/sbin/nologin\n"
     "sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n"
     "nobody:x:65534:65534:nobody:/:/sbin/nologin\n",
     0644},
    {OP_TEXT, "etc/group", "root:x:0:\nsbx_user1051:x:990:\nnogroup:x:65534:\n", 0644},
    {OP_TEXT, "etc/hosts", "127.0.0.1 localhost\n169.254.100.1 sandbox.localdomain sandbox\n",
     0644},
    {OP_TEXT, "etc/resolv.conf", "nameserver 169.254.100.1\noptions timeout:1 attempts:1\n", 0644},
    {OP_TEXT, "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n", 0644},
    {OP_TEXT, "etc/hostname", "169.254.100.1\n", 0644},
    {OP_LINK, "etc/localtime", "/usr/share/zoneinfo/UTC", 0},
    {OP_LINK, "etc/os-release", "../usr/lib/os-release", 0},
    {OP_LINK, "etc/mtab", "/proc/self/mounts", 0},
    {OP_COPY, "etc/ld.so.cache", "/etc/ld.so.cache", 0644},
    {OP_COPY, "etc/ld.so.conf", "/etc/ld.so.conf", 0644},
    {OP_COPY, "etc/mime.types", "/etc/mime.types", 0644},
    {OP_COPY, "etc/services", "/etc/services", 0644},
    {OP_COPY, "etc/protocols", "/etc/protocols", 0644},
    {OP_DIR, "etc/alternatives", NULL, 0755},
    {OP_COPYLINKS, "etc/alternatives", "/etc/alternatives", 0},
    {OP_DIR, "etc/ssl", NULL, 0755},
    {OP_DIR, "etc/ssl/certs", NULL, 0755},
    {OP_COPY, "etc/ssl/openssl.cnf", "/etc/ssl/openssl.cnf", 0644},
    {OP_BIND, "etc/ssl/certs", "/etc/ssl/certs", 0},
    {OP_DIR, "etc/pki", NULL, 0755},
    {OP_BIND, "etc/pki", "/etc/pki", 0},
    {OP_DIR, "dev", NULL, 0755},
    {OP_TMPFS, "dev", "mode=755,size=64k", MS_NOSUID | MS_NOEXEC},
    {OP_DEVICE, "dev/null", "/dev/null", 0},
    {OP_DEVICE, "dev/zero", "/dev/zero", 0},
    {OP_DEVICE, "dev/full", "/dev/full", 0},
    {OP_DEVICE, "dev/random", "/dev/random", 0},
    {OP_DEVICE, "dev/urandom", "/dev/urandom", 0},
    {OP_LINK, "dev/fd", "/proc/self/fd", 0},
    {OP_LINK, "dev/stdin", "/proc/self/fd/0", 0},
    {OP_LINK, "dev/stdout", "/proc/self/fd/1", 0},
    {OP_LINK, "dev/stderr", "/proc/self/fd/2", 0},
    {OP_DIR, "dev/shm", NULL, 01777},
};

static const struct op root_ops[] = {
    {OP_DIR, "usr", NULL, 0755},
    {OP_BIND, "usr", "/usr", 0},
    {OP_LIKE, "bin", "/bin", 0},
    {OP_LIKE, "sbin", "/sbin", 0},
    {OP_LIKE, "lib", "/lib", 0},
    {OP_LIKE, "lib32", "/lib32", 0},
    {OP_LIKE, "lib64", "/lib64", 0},
    {OP_LIKE, "libx32", "/libx32", 0},
    {OP_DIR, "etc", NULL, 0755},
    {OP_STAGE, "etc", "etc", 0},
    {OP_DIR, "dev", NULL, 0755},
    {OP_STAGE, "dev", "dev", 0},
    {OP_TMPFS, "dev/shm", "mode=1777,size=64m", MS_NOSUID | MS_NODEV | MS_NOEXEC},
    {OP_DIR, "proc", NULL, 0555},
    {OP_PROC, "proc", NULL, 0},
    {OP_READONLY, "proc/sys", NULL, 0},
    {OP_READONLY, "proc/irq", NULL, 0},
    {OP_READONLY, "proc/bus", NULL, 0},
    {OP_READONLY, "proc/fs", NULL, 0},
    {OP_READONLY, "proc/sysrq-trigger", NULL, 0},
    {OP_HIDE, "proc/acpi", NULL, 0},
    {OP_HIDE, "proc/scsi", NULL, 0},
    {OP_HIDE, "proc/kcore", NULL, 0},
    {OP_HIDE, "proc/keys", NULL, 0},
    {OP_HIDE, "proc/timer_list", NULL, 0},
    {OP_HIDE, "proc/latency_stats", NULL, 0},
    {OP_HIDE, "proc/sched_debug", NULL, 0},
    {OP_DIR, "tmp", NULL, 01777},
    {OP_DIR, "opt", NULL, 0755},
    {OP_DIR, "var", NULL, 0755},
    {OP_DIR, "var/task", NULL, 0755},
    {OP_DIR, "var/runtime", NULL, 0755},
    {OP_DIR, "var/lang", NULL, 0755},
    {OP_DIR, "var/lang/bin", NULL, 0755},
    {OP_LINK, "lambda-entrypoint.sh", "/var/runtime/lambda-entrypoint.sh", 0},
};

static int make_dir(const char *path, mode_t mode)
{
    if (mkdir(path, mode) < 0)
        return errno == EEXIST ? 0 : -errno;
    return chmod(path, mode) < 0 ? -errno : 0; /* the sticky bit is not subject to umask alone */
}

static int write_text(const char *path, const char *text, size_t n, mode_t mode)
{
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n)
        return -errno;
    return 0;
}

static int copy_small(const char *from, const char *to, mode_t mode)
{
    auto_close int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return 0;
    auto_close int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (out < 0)
        return -errno;
    char block[16384];
    for (ssize_t n; (n = read(in, block, sizeof(block))) > 0;)
        if (write(out, block, (size_t)n) != n)
            return -EIO;
    return 0;
}

static int copy_links(const char *from, const char *to)
{
    DIR *d = opendir(from);
    if (!d)
        return 0;
    for (struct dirent *e; (e = readdir(d));) {
        char target[PATH_MAX], path[PATH_MAX];
        ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
        if (n < 0)
            continue; /* not a link */
        target[n] = '\0';
        snprintf(path, sizeof(path), "%s/%s", to, e->d_name);
        if (symlink(target, path) < 0)
            break;
    }
    closedir(d);
    return 0;
}

static int clone_mount(const char *from, uint64_t attributes)
{
    int fd = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (fd < 0)
        return -errno;
    struct mount_attr attr = {.attr_set = attributes};
    if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

int mount_open(const char *from, int *ret)
{
    int fd = clone_mount(from, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (fd < 0)
        return fd;
    *ret = fd;
    return 0;
}

static int attach(int fd, const char *to)
{
    return move_mount(fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

static int bind_to(const char *from, const char *to, uint64_t attributes)
{
    auto_close int fd = clone_mount(from, attributes);
    if (fd < 0)
        return fd;
    return attach(fd, to);
}

#define BIND_SAFE (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

static int like_host(const char *from, const char *to)
{
    char target[PATH_MAX];
    ssize_t n = readlink(from, target, sizeof(target) - 1);
    if (n >= 0) {
        target[n] = '\0';
        return symlink(target, to) < 0 ? -errno : 0;
    }
    if (errno != EINVAL)
        return 0; /* the host has none */
    int r = make_dir(to, 0755);
    return r < 0 ? r : bind_to(from, to, BIND_SAFE);
}

static int make_device(const char *from, const char *to)
{
    struct stat st;
    if (stat(from, &st) < 0 || !S_ISCHR(st.st_mode))
        return -ENODEV;
    if (mknod(to, S_IFCHR | 0666, st.st_rdev) == 0)
        return chmod(to, 0666) < 0 ? -errno : 0;
    int r = write_text(to, "", 0, 0666); /* in a user namespace: borrow the host's */
    return r < 0 ? r : bind_to(from, to, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

static int hide(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return 0;
    if (S_ISDIR(st.st_mode))
        return mount("tmpfs", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                     "size=0,nr_inodes=1") < 0
                   ? -errno
                   : 0;
    return bind_to("dev/null", path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

static int mount_or_errno(const char *type, const char *path, unsigned long flags, const char *data)
{
    return mount(type, path, type, flags, data) < 0 ? -errno : 0;
}

static int op_run(const struct op *op)
{
    char path[PATH_MAX];
    switch (op->kind) {
    case OP_TMPFS:
        return mount_or_errno("tmpfs", op->path, op->mode, op->arg);
    case OP_DIR:
        return make_dir(op->path, op->mode);
    case OP_TEXT:
        return write_text(op->path, op->arg, strlen(op->arg), op->mode);
    case OP_COPY:
        return copy_small(op->arg, op->path, op->mode);
    case OP_COPYLINKS:
        return copy_links(op->arg, op->path);
    case OP_LINK:
        return symlink(op->arg, op->path) < 0 ? -errno : 0;
    case OP_LIKE:
        return like_host(op->arg, op->path);
    case OP_BIND:
        return access(op->arg, F_OK) < 0 ? 0 : bind_to(op->arg, op->path, BIND_SAFE);
    case OP_STAGE:
        snprintf(path, sizeof(path), "%s/%s", stage, op->arg);
        return bind_to(path, op->path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
    case OP_DEVICE:
        return make_device(op->arg, op->path);
    case OP_PROC:
        return mount_or_errno("proc", op->path, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    case OP_HIDE:
        return hide(op->path);
    case OP_READONLY:
        return access(op->path, F_OK) < 0
                   ? 0
                   : bind_to(op->path, op->path, BIND_SAFE | MOUNT_ATTR_NOEXEC);
    }
    return -EINVAL;
}

static int ops_run(const struct op *ops, size_t n, bool with_proc, char *why)
{
    for (size_t i = 0; i < n; i++) {
        if (ops[i].kind == OP_PROC && !with_proc)
            continue; /* then there is nothing below it to hide either */
        int r = op_run(&ops[i]);
        if (r < 0)
            return why_printf(why, r, "prepare /%s", ops[i].path);
    }
    return 0;
}

/* ---- the stage ---- */

/* In a chroot "/" is no mount, so its propagation cannot be changed nor can anything pivot away
 * from it. A copy of the tree takes its place, attached over the one mount that a chroot always
 * has. */
static int leave_chroot(void)
{
    auto_close int fd =
        open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    struct mount_attr attr = {.propagation = MS_SLAVE};
    if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0 ||
        mount(NULL, "/proc", NULL, MS_PRIVATE, NULL) < 0)
        return -errno;
    int r = attach(fd, "/proc");
    if (r < 0)
        return r;
    return fchdir(fd) < 0 || chroot(".") < 0 ? -errno : 0;
}

static int separate_mounts(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0)
        return 0;
    return errno == EINVAL ? leave_chroot() : -errno;
}

int stage_open(char *why)
{
    int r = separate_mounts();
    if (r < 0)
        return why_printf(why, r, "separate the mounts from the host's");
    r = -ENOENT;
    for (size_t i = 0; i < ARRAY_LEN(stage_places) && r < 0; i++) {
        r = mount_or_errno("tmpfs", stage_places[i], MS_NOSUID, "mode=755,size=16m");
        if (r == 0)
            stage = stage_places[i];
    }
    if (r < 0)
        return why_printf(why, r, "mount a tmpfs");
    /* Read-only copies are made of it, it itself must never propagate anywhere. */
    if (mount(NULL, stage, NULL, MS_PRIVATE, NULL) < 0 || chdir(stage) < 0)
        return why_printf(why, -errno, "enter %s", stage);
    r = ops_run(stage_ops, ARRAY_LEN(stage_ops), true, why);
    if (chdir("/") < 0 && r == 0)
        r = -errno;
    return r;
}

/* ---- an environment ---- */

static int pivot(void)
{
    if (syscall(SYS_pivot_root, ".", ".") == 0)
        return umount2(".", MNT_DETACH) < 0 ? -errno : 0;
    if (errno != EINVAL)
        return -errno;
    /* The root is the kernel's first one (an initramfs), which nothing can replace: cover it. */
    if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
        return -errno;
    return 0;
}

int root_enter(bool with_proc, char *why)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/" STAGE_NEW, stage);
    int r = mount_or_errno("tmpfs", path, MS_NOSUID | MS_NODEV, "mode=755,size=1m");
    if (r < 0 || chdir(path) < 0)
        return why_printf(why, r < 0 ? r : -errno, "mount a root");
    r = ops_run(root_ops, ARRAY_LEN(root_ops), with_proc, why);
    if (r < 0)
        return r;
    r = pivot();
    if (r < 0)
        return why_printf(why, r, "pivot into the root");
    return chdir("/") < 0 ? why_printf(why, -errno, "enter the root") : 0;
}

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
        r = write_text(to, "", 0, 0644);
    return r < 0 ? r : attach(fd, to);
}

static int place_link(const char *target, const char *path)
{
    int r = make_parents(path, false);
    if (r < 0)
        return r;
    return symlink(target, path) < 0 ? -errno : 0;
}

/* A plan's own root takes the place of the one that was put together here. What all environments
 * share goes along; the places for it are in the new root, or this is no root. */
static int root_change(int fd)
{
    static const struct {
        const char *path;
        uint64_t attributes;
    } shared[] = {
        {"/dev", 0},
        {"/proc", 0},
        {"/etc/hosts", BIND_SAFE},
        {"/etc/resolv.conf", BIND_SAFE},
    };
    int r = make_dir("/new", 0755);
    if (r == 0)
        r = attach(fd, "/new");
    for (size_t i = 0; i < ARRAY_LEN(shared) && r == 0; i++) {
        char to[32];
        snprintf(to, sizeof(to), "/new%s", shared[i].path);
        r = bind_to(shared[i].path, to, shared[i].attributes);
    }
    if (r < 0)
        return r;
    if (chdir("/new") < 0)
        return -errno;
    r = pivot();
    return r < 0 || chdir("/") == 0 ? r : -errno;
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
        r = root_change(mounts[(*used)++]);
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

int root_finish(int tmp_mb, char *why)
{
    char options[64];
    snprintf(options, sizeof(options), "mode=1777,size=%dm", tmp_mb);
    int r = mount_or_errno("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, options);
    if (r < 0)
        return why_printf(why, r, "mount /tmp");
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    if (mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof(attr)) < 0)
        return why_printf(why, -errno, "make the root read-only");
    return 0;
}

int root_resize_tmp(int tmp_mb, char *why)
{
    char options[64];
    snprintf(options, sizeof(options), "size=%dm", tmp_mb);
    if (mount(NULL, "/tmp", NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, options) < 0)
        return why_printf(why, -errno, "resize /tmp");
    return 0;
}
