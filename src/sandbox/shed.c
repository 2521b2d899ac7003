/* shed - see shed.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "sandbox/shed.h"
#include "sandbox/user.h"

#define MEMLOCK_BYTES 65536

static int set_limit(int which, rlim_t value)
{
    struct rlimit limit = {value, value};
    if (value == SHED_KEEP)
        return 0;
    return setrlimit((__rlimit_resource_t)which, &limit);
}

/* As far as limits_prepare() lets it. */
static int allow_cores(void)
{
    struct rlimit core;
    if (getrlimit(RLIMIT_CORE, &core) < 0)
        return -1;
    core.rlim_cur = core.rlim_max;
    return setrlimit(RLIMIT_CORE, &core);
}

static int set_limits(const struct shed_limits *l)
{
    return allow_cores() < 0 || set_limit(RLIMIT_MEMLOCK, MEMLOCK_BYTES) < 0 ||
                   set_limit(RLIMIT_NOFILE, l->files) < 0 ||
                   set_limit(RLIMIT_NPROC, l->processes) < 0 || set_limit(RLIMIT_DATA, l->data) < 0
               ? -1
               : 0;
}

int shed_bounding_set(void)
{
    for (int cap = 0; cap <= 63; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return errno == EINVAL && cap > 0 ? 0 : -errno; /* beyond the last one */
    return 0;
}

/* Its owner needs no capability to enter it. Who is in has every one there, and the bounding set is
 * full again. */
static int enter_own_user(int own_user)
{
    uid_t owner;
    if (own_user < 0)
        return 0;
    if (ioctl(own_user, NS_GET_OWNER_UID, &owner) < 0 ||
        syscall(SYS_setresuid, -1, owner, -1) < 0 || setns(own_user, CLONE_NEWUSER) < 0 ||
        close(own_user) < 0)
        return -1;
    int r = shed_bounding_set();
    errno = -r;
    return r;
}

static int drop_user(bool user_namespace, int own_user)
{
    /* By system call: libc's functions would look for threads to tell. In a user namespace made by
     * an ordinary user, groups cannot be changed, and the ids are what they should be already. */
    if (!user_namespace && syscall(SYS_setgroups, 0, NULL) < 0)
        return -1;
    if (enter_own_user(own_user) < 0)
        return -1;
    if (syscall(SYS_setresgid, SANDBOX_GID, SANDBOX_GID, SANDBOX_GID) < 0 ||
        syscall(SYS_setresuid, SANDBOX_UID, SANDBOX_UID, SANDBOX_UID) < 0)
        return -1;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    return (int)syscall(SYS_capset, &head, none);
}

static int be_killable(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t r = write(fd, "0", 1);
    close(fd);
    return r < 0 ? -1 : 0;
}

#define STEP(name, call)                                                                           \
    do {                                                                                           \
        *ret_step = (name);                                                                        \
        if ((call) < 0)                                                                            \
            return errno ? -errno : -EIO;                                                          \
    } while (0)

int shed_privileges(bool user_namespace, int own_user, const struct shed_limits *limits,
                    const char **ret_step)
{
    sigset_t none;
    sigemptyset(&none);

    STEP("start a session", setsid());
    if (!user_namespace)
        STEP("write oom_score_adj", be_killable());
    STEP("set resource limits", set_limits(limits));
    STEP("give up privileges", drop_user(user_namespace, own_user));
    STEP("unblock signals", sigprocmask(SIG_SETMASK, &none, NULL));
    umask(022);
    return 0;
}

int shed_filter(const struct sock_fprog *filter)
{
    /* Without SPEC_ALLOW the kernel may slow the whole process down against speculation attacks,
     * which protect processes that run several tenants' code in one address space. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, filter) == 0)
        return 0;
    return -errno;
}
