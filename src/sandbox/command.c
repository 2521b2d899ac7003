/* command - vfork, shed every privilege, exec.
 *
 * vfork() because copying page tables would cost more than all other steps together. Until exec the
 * child borrows its parent's memory: it makes system calls, writes to `failure`, nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/cleanup.h"
#include "sandbox/command.h"
#include "sandbox/root.h"

static struct {
    volatile int error;
    const char *volatile step;
} failure;

static int set_limit(int which, rlim_t value)
{
    struct rlimit limit = {value, value};
    return setrlimit((__rlimit_resource_t)which, &limit);
}

static int set_limits(const struct command_plan *p)
{
    if (set_limit(RLIMIT_CORE, 0) < 0 || set_limit(RLIMIT_NOFILE, (rlim_t)p->max_files) < 0)
        return -1;
    /* RLIMIT_NPROC counts a user's processes in all environments together: only where nothing
     * better is to be had. RLIMIT_DATA counts private writable memory: what a program has asked
     * for, unlike RLIMIT_AS, which also counts what runtimes merely reserve. */
    if (!p->setup->processes_are_limited && set_limit(RLIMIT_NPROC, (rlim_t)p->max_processes) < 0)
        return -1;
    if (!p->setup->memory_is_limited && p->memory_mb)
        return set_limit(RLIMIT_DATA, (rlim_t)p->memory_mb << 20);
    return 0;
}

static int drop_user(bool user_namespace)
{
    /* By system call: libc's functions would look for threads to tell. In a user namespace made by
     * an ordinary user, groups cannot be changed, and the ids are what they should be already. */
    if (!user_namespace && syscall(SYS_setgroups, 0, NULL) < 0)
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

static int use_fds(int output)
{
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        return -1;
    if (null != 0 && dup2(null, 0) < 0)
        return -1;
    return close_range(3, ~0U, 0);
}

/* execve() along the PATH of the command's own environment, as its shell would. */
static void execute(char **argv, char **envp)
{
    const char *path = NULL;
    char file[PATH_MAX];

    if (strchr(argv[0], '/')) {
        execve(argv[0], argv, envp);
        return;
    }
    for (char **e = envp; *e; e++)
        if (strncmp(*e, "PATH=", 5) == 0)
            path = *e + 5;
    int error = ENOENT;
    for (const char *p = path ? path : "/usr/bin:/bin", *end; *p; p = *end ? end + 1 : end) {
        end = strchrnul(p, ':');
        if ((size_t)snprintf(file, sizeof(file), "%.*s/%s", (int)(end - p), p, argv[0]) >=
            sizeof(file))
            continue;
        execve(file, argv, envp);
        if (errno != ENOENT && errno != ENOTDIR)
            error = errno;
    }
    errno = error;
}

#define STEP(name, call)                                                                           \
    do {                                                                                           \
        failure.step = (name);                                                                     \
        if ((call) < 0)                                                                            \
            goto failed;                                                                           \
    } while (0)

static _Noreturn void child(const struct command_plan *p)
{
    sigset_t none;
    sigemptyset(&none);

    STEP("start a session", setsid());
    STEP("set up file descriptors", use_fds(p->output));
    if (!p->setup->user_namespace)
        STEP("write oom_score_adj", be_killable());
    STEP("set resource limits", set_limits(p));
    STEP("give up privileges", drop_user(p->setup->user_namespace));
    STEP(p->cwd, chdir(p->cwd));
    STEP("unblock signals", sigprocmask(SIG_SETMASK, &none, NULL));
    umask(022);
    if (p->setup->filter) {
        failure.step = "install the system call filter";
        int r = filter_apply(p->setup->filter);
        if (r < 0) {
            errno = -r;
            goto failed;
        }
    }
    failure.step = p->argv[0];
    execute(p->argv, p->envp);
failed:
    failure.error = errno ? errno : EIO;
    _exit(127);
}

pid_t command_start(const struct command_plan *plan, char *why)
{
    failure.error = 0;
    failure.step = "";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    pid_t pid = vfork();
#pragma GCC diagnostic pop
    if (pid == 0)
        child(plan);
    if (pid < 0)
        return why_printf(why, -errno, "fork");
    if (failure.error)
        return why_printf(why, -failure.error, "execute %s%s%s", plan->argv[0],
                          strcmp(failure.step, plan->argv[0]) == 0 ? "" : ": ",
                          strcmp(failure.step, plan->argv[0]) == 0 ? "" : failure.step);
    return pid;
}
