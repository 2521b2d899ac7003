/* ops - see ops.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/cleanup.h"
#include "sandbox/message.h"
#include "sandbox/ops.h"
#include "sandbox/stage.h"

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

int op_make_dir(const char *path, mode_t mode)
{
    if (mkdir(path, mode) < 0)
        return errno == EEXIST ? 0 : -errno;
    return chmod(path, mode) < 0 ? -errno : 0; /* the sticky bit is not subject to umask alone */
}

int op_write_text(const char *path, const char *text, size_t n, mode_t mode)
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

int op_attach(int fd, const char *to)
{
    return move_mount(fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

int op_bind(const char *from, const char *to, uint64_t attributes)
{
    auto_close int fd = clone_mount(from, attributes);
    if (fd < 0)
        return fd;
    return op_attach(fd, to);
}

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
    int r = op_make_dir(to, 0755);
    return r < 0 ? r : op_bind(from, to, BIND_SAFE);
}

static int make_device(const char *from, const char *to)
{
    struct stat st;
    if (stat(from, &st) < 0 || !S_ISCHR(st.st_mode))
        return -ENODEV;
    if (mknod(to, S_IFCHR | 0666, st.st_rdev) == 0)
        return chmod(to, 0666) < 0 ? -errno : 0;
    int r = op_write_text(to, "", 0, 0666); /* in a user namespace: borrow the host's */
    return r < 0 ? r : op_bind(from, to, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

static int hide(const char *path, const char *empty)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return 0;
    if (S_ISDIR(st.st_mode))
        return op_bind(empty, path, BIND_SAFE | MOUNT_ATTR_NOEXEC);
    return op_bind("dev/null", path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

int op_mount(const char *type, const char *path, unsigned long flags, const char *data)
{
    return mount(type, path, type, flags, data) < 0 ? -errno : 0;
}

static int op_run(const struct op *op)
{
    char path[PATH_MAX];
    switch (op->kind) {
    case OP_TMPFS:
        return op_mount("tmpfs", op->path, op->mode, op->arg);
    case OP_DIR:
        return op_make_dir(op->path, op->mode);
    case OP_TEXT:
        return op_write_text(op->path, op->arg, strlen(op->arg), op->mode);
    case OP_COPY:
        return copy_small(op->arg, op->path, op->mode);
    case OP_COPYLINKS:
        return copy_links(op->arg, op->path);
    case OP_LINK:
        return symlink(op->arg, op->path) < 0 ? -errno : 0;
    case OP_LIKE:
        return like_host(op->arg, op->path);
    case OP_BIND:
        return access(op->arg, F_OK) < 0 ? 0 : op_bind(op->arg, op->path, BIND_SAFE);
    case OP_KEEP:
        return op_bind(op->arg, op->path, 0);
    case OP_STAGE:
        snprintf(path, sizeof(path), "%s/%s", stage_path(), op->arg);
        return op_bind(path, op->path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
    case OP_DEVICE:
        return make_device(op->arg, op->path);
    case OP_PROC:
        return op_mount("proc", op->path, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    case OP_HIDE:
        return hide(op->path, op->arg);
    case OP_READONLY:
        return access(op->path, F_OK) < 0
                   ? 0
                   : op_bind(op->path, op->path, BIND_SAFE | MOUNT_ATTR_NOEXEC);
    }
    return -EINVAL;
}

int ops_run(const struct op *ops, size_t n, char *why)
{
    for (size_t i = 0; i < n; i++) {
        int r = op_run(&ops[i]);
        if (r < 0)
            return why_printf(why, r, "prepare /%s", ops[i].path);
    }
    return 0;
}
