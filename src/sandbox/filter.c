/* filter - a list of what is denied: the kernel's doors to other containers and to itself.
 *
 * Denied calls answer EPERM, as they would for an unprivileged process. clone3() answers ENOSYS,
 * because its flags lie in memory where a filter cannot look: libc then falls back to clone(). */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "sandbox/filter.h"

static const char *const denied[] = {
    /* mounts and namespaces */
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "setns",
    "quotactl",
    "quotactl_fd",
    "name_to_handle_at",
    "open_by_handle_at",
    /* the kernel itself */
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "syslog",
    "acct",
    "nfsservctl",
    "lookup_dcookie",
    "fanotify_init",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "kcmp",
    "uselib",
    "_sysctl",
    "sysfs",
    "ustat",
    "vm86",
    "vm86old",
    "modify_ldt",
    "iopl",
    "ioperm",
    /* time and name of the machine */
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "stime",
    "sethostname",
    "setdomainname",
    "vhangup",
    /* keys, other processes' memory */
    "keyctl",
    "add_key",
    "request_key",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_getfd",
    "move_pages",
    "migrate_pages",
};

#define NAMESPACE_FLAGS                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

static int add_family_rule(scmp_filter_ctx ctx, struct scmp_arg_cmp which)
{
    int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, which);
    return r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socketpair), 1, which);
}

static int add_rules(scmp_filter_ctx ctx)
{
    for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
        int nr = seccomp_syscall_resolve_name(denied[i]);
        if (nr == __NR_SCMP_ERROR)
            continue; /* younger than libseccomp, or of another architecture */
        int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);
        if (r < 0 && r != -EEXIST && r != -EDOM)
            return r;
    }
    for (unsigned bit = 0; bit < 32; bit++) {
        unsigned long flag = 1UL << bit;
        if (!(NAMESPACE_FLAGS & flag))
            continue;
        int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
        if (r < 0)
            return r;
    }
    /* Unix, IPv4, IPv6 and netlink remain: the others lead to the hypervisor, to devices, or into
     * rarely used parts of the kernel. The kernel looks at the lower half of the argument only, the
     * filter at all of it: "greater" refuses also what has bits in the upper half. */
    for (scmp_datum_t family = AF_UNSPEC; family < AF_NETLINK; family++) {
        if (family == AF_UNIX || family == AF_INET || family == AF_INET6)
            continue;
        int r = add_family_rule(ctx, SCMP_A0(SCMP_CMP_EQ, family, 0));
        if (r < 0)
            return r;
    }
    int r = add_family_rule(ctx, SCMP_A0(SCMP_CMP_GT, AF_NETLINK, 0));
    if (r < 0)
        return r;
    /* By itself CLONE_VM only asks whether one's memory is nobody else's, too. */
    r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 1,
                         SCMP_A0(SCMP_CMP_NE, CLONE_VM, 0));
    if (r < 0)
        return r;
    return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int export_program(scmp_filter_ctx ctx, struct sock_fprog *ret)
{
    auto_close int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = seccomp_export_bpf(ctx, fd);
    if (r < 0)
        return r;
    off_t size = lseek(fd, 0, SEEK_END);
    struct sock_filter *code = mem_alloc((size_t)size);
    if (pread(fd, code, (size_t)size, 0) != size) {
        free(code);
        return -EIO;
    }
    *ret = (struct sock_fprog){(unsigned short)((size_t)size / sizeof(*code)), code};
    return 0;
}

int filter_compile(struct sock_fprog *ret)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    if (!ctx)
        return -ENOMEM;
    seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree, not a list */
    int r = add_rules(ctx);
    if (r == 0)
        r = export_program(ctx, ret);
    seccomp_release(ctx);
    return r;
}
