/* stage - see stage.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/cleanup.h"
#include "sandbox/message.h"
#include "sandbox/ops.h"
#include "sandbox/stage.h"

#define PLACE "new" /* of a root in the making */

/* Folders that exist on every Debian and that no environment binds from. */
static const char *const stage_places[] = {"/boot", "/media", "/mnt", "/srv"};
static const char *stage;

const char *stage_path(void)
{
    return stage;
}

static const struct op stage_ops[] = {
    {OP_DIR, PLACE, NULL, 0755},
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

/* What each root has; then come the mounts, which are the shared root's or its copies. */
static const struct op layout_ops[] = {
    {OP_DIR, "usr", NULL, 0755},
    {OP_LIKE, "bin", "/bin", 0},
    {OP_LIKE, "sbin", "/sbin", 0},
    {OP_LIKE, "lib", "/lib", 0},
    {OP_LIKE, "lib32", "/lib32", 0},
    {OP_LIKE, "lib64", "/lib64", 0},
    {OP_LIKE, "libx32", "/libx32", 0},
    {OP_DIR, "etc", NULL, 0755},
    {OP_DIR, "dev", NULL, 0755},
    {OP_DIR, "proc", NULL, 0555},
    {OP_DIR, "tmp", NULL, 01777},
    {OP_DIR, "opt", NULL, 0755},
    {OP_DIR, "var", NULL, 0755},
    {OP_DIR, "var/task", NULL, 0755},
    {OP_DIR, "var/runtime", NULL, 0755},
    {OP_DIR, "var/lang", NULL, 0755},
    {OP_DIR, "var/lang/bin", NULL, 0755},
    {OP_LINK, "lambda-entrypoint.sh", "/var/runtime/lambda-entrypoint.sh", 0},
};
static const struct op root_ops[] = {
    {OP_BIND, "usr", "/usr", 0},
    {OP_STAGE, "etc", "etc", 0},
    {OP_STAGE, "dev", "dev", 0},
};

int stage_lay_out(char *why)
{
    return ops_run(layout_ops, ARRAY_LEN(layout_ops), why);
}

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
    int r = op_attach(fd, "/proc");
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
        r = op_mount("tmpfs", stage_places[i], MS_NOSUID, "mode=755,size=16m");
        if (r == 0)
            stage = stage_places[i];
    }
    if (r < 0)
        return why_printf(why, r, "mount a tmpfs");
    /* Read-only copies are made of it, it itself must never propagate anywhere. */
    if (mount(NULL, stage, NULL, MS_PRIVATE, NULL) < 0 || chdir(stage) < 0)
        return why_printf(why, -errno, "enter %s", stage);
    r = ops_run(stage_ops, ARRAY_LEN(stage_ops), why);
    if (chdir("/") < 0 && r == 0)
        r = -errno;
    return r;
}

int stage_pivot(void)
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

int stage_build_root(char *why)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/" PLACE, stage);
    int r = op_mount("tmpfs", path, MS_NOSUID | MS_NODEV, "mode=755,size=1m");
    if (r < 0 || chdir(path) < 0)
        return why_printf(why, r < 0 ? r : -errno, "mount a root");
    r = stage_lay_out(why);
    if (r == 0)
        r = ops_run(root_ops, ARRAY_LEN(root_ops), why);
    if (r < 0)
        return r;
    r = stage_pivot();
    if (r < 0)
        return why_printf(why, r, "pivot into the root");
    return chdir("/") < 0 ? why_printf(why, -errno, "enter the root") : 0;
}
