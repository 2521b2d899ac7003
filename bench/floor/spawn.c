/* spawn - starts a program over and over and prints how long each took from the start to the end of
 * the process, in nanoseconds, one a line.
 *
 *     spawn COUNT bare PROGRAM ARGS...      posix_spawn, as a shell would
 *     spawn COUNT boxed PROGRAM ARGS...     clone3 into new user (for others than root), mount,
 * pid, ipc, uts and network namespaces, then exec; nothing is mounted or limited */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static pid_t start_bare(char **argv)
{
    pid_t pid;
    errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
    return errno ? -1 : pid;
}

static pid_t start_boxed(char **argv)
{
    struct clone_args args = {
        .flags = CLONE_VFORK | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                 CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER),
        .exit_signal = SIGCHLD,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0) {
        execvp(argv[0], argv);
        _exit(127);
    }
    return pid;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    int boxed = strcmp(argv[2], "boxed") == 0;
    for (int i = atoi(argv[1]); i > 0; i--) {
        int status;
        long start = now_ns();
        pid_t pid = boxed ? start_boxed(argv + 3) : start_bare(argv + 3);
        if (pid < 0 || waitpid(pid, &status, 0) < 0) {
            perror(argv[3]);
            return 1;
        }
        long took = now_ns() - start;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fprintf(stderr, "%s: wait status %d\n", argv[3], status);
            return 1;
        }
        printf("%ld\n", took);
    }
    return 0;
}
