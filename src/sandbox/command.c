/* command - vfork, shed every privilege, exec.
 *
 * vfork() because copying page tables would cost more than all other steps together. Until exec the
 * child borrows its parent's memory: it makes system calls, writes to `failure`, nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include "base/cleanup.h"
#include "sandbox/command.h"
#include "sandbox/ops.h"

static struct {
    volatile int error;
    const char *volatile step;
} failure;

/* RLIMIT_NPROC may count a user's processes in all environments together: only where nothing better
 * is to be had. RLIMIT_DATA counts private writable memory: what a program has asked for, unlike
 * RLIMIT_AS, which also counts what runtimes merely reserve. */
void command_limits(const struct command_plan *p, struct shed_limits *ret)
{
    bool data = !p->setup->memory_is_limited && p->memory_mb;
    *ret = (struct shed_limits){
        .files = (rlim_t)p->max_files,
        .processes = p->setup->processes_are_limited ? SHED_KEEP : (rlim_t)p->max_processes,
        .data = data ? (rlim_t)p->memory_mb << 20 : SHED_KEEP,
    };
}

/* 0, 1, 2, 3 when one is to be kept, and init's OWN_USER_FD. */
static int use_fds(int output, int keep, int own_user)
{
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        return -1;
    if (null != 0 && dup2(null, 0) < 0)
        return -1;
    if (keep && keep != 3 && dup2(keep, 3) < 0) /* dup2() takes close-on-exec away */
        return -1;
    if (!keep)
        close(3);
    return close_range(own_user < 0 ? OWN_USER_FD : OWN_USER_FD + 1, ~0U, 0);
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
    struct shed_limits limits;
    const char *step = "";
    command_limits(p, &limits);
    STEP("set up file descriptors", use_fds(p->output, p->keep_fd, p->setup->own_user));
    int r = shed_privileges(p->setup->user_namespace, p->setup->own_user, &limits, &step);
    failure.step = step;
    errno = -r;
    if (r < 0)
        goto failed;
    STEP(p->cwd, chdir(p->cwd));
    if (p->setup->filter) {
        failure.step = "install the system call filter";
        r = shed_filter(p->setup->filter);
        errno = -r;
        if (r < 0)
            goto failed;
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
