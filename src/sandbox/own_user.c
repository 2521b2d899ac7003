/* own_user - see own_user.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/sched.h>
#include "base/cleanup.h"
#include "sandbox/ops.h"
#include "sandbox/own_user.h"
#include "sandbox/user.h"

/* Back to what was permitted all along: to become another user has taken it out of effect. */
static int regain_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &head, data) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        data[i].effective = data[i].permitted;
    return (int)syscall(SYS_capset, &head, data);
}

struct owner {
    uid_t uid;
    pid_t spawner;
};

/* A namespace belongs to the effective user of who makes it. Stops when it is there, until it is
 * killed. By system call: libc's function would look for threads. */
static _Noreturn void owner_main(const struct owner *o)
{
    if (syscall(SYS_setresuid, -1, o->uid, -1) < 0 || regain_capabilities() < 0 ||
        unshare(CLONE_NEWUSER) < 0)
        _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* whoever changes his user loses it */
    if (getppid() != o->spawner)
        _exit(1);
    for (;;)
        raise(SIGSTOP);
}

static uid_t next_user(void)
{
    static uint32_t last;
    if (!last && getrandom(&last, sizeof(last), GRND_NONBLOCK) < 0)
        last = (uint32_t)getpid() << 8;
    last = last % OWN_USERS + 1;
    return OWN_USER_FIRST + last - 1;
}

static int write_map(int proc, const char *file, const char *map)
{
    auto_close int fd = openat(proc, file, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, map, strlen(map)) < 0 ? -errno : 0;
}

/* Of a process that is in it. */
static int open_namespace(pid_t pid, uid_t uid)
{
    char path[64], map[128];
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    auto_close int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return -errno;
    snprintf(map, sizeof(map), "0 0 %d\n%d %u 1\n%d %d %d\n", SANDBOX_UID, SANDBOX_UID, uid,
             SANDBOX_UID + 1, SANDBOX_UID + 1, OWN_USER_FIRST - SANDBOX_UID - 1);
    int r = write_map(proc, "uid_map", map);
    if (r == 0)
        r = write_map(proc, "gid_map", "0 0 4294967295\n");
    if (r < 0)
        return r;
    int fd = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* A thread of the sanitizer's own would keep whoever is to enter the namespace out of it. */
#ifdef __SANITIZE_THREAD__
#define WATCHED true
#else
#define WATCHED false
#endif

int own_user_make(void)
{
    if (WATCHED)
        return -EOPNOTSUPP;
    struct clone_args args = {0}; /* nobody is told of its end */
    struct owner owner = {next_user(), getpid()};
    int status, r = -EPERM;
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        owner_main(&owner);
    if (pid < 0)
        return -errno;
    if (waitpid(pid, &status, __WALL | WUNTRACED) == pid && WIFSTOPPED(status)) {
        r = open_namespace(pid, owner.uid);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, __WALL);
    }
    return r;
}
