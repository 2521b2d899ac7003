/* fork_request - what spawner and zygote say to each other, in packets. Shared with the zygote's
 * extension module, which includes nothing else of the sandbox but shed.h.
 *
 *   spawner -> zygote   once: the system call filter (struct sock_filter[], maybe none)
 *   zygote -> spawner   once: fork_answer, ready for requests
 *   spawner -> zygote   fork_request, with the descriptors in the order of enum fork_fd
 *   zygote -> spawner   fork_answer to each, in order
 *   child -> init       its pid, as an int; then it waits for its message (runtimes/README.md) */
#pragma once

enum fork_fd {
    FORK_FD_INIT,   /* pidfd of the environment's pid 1: its namespaces are entered */
    FORK_FD_SOCKET, /* to init */
    FORK_FD_OUTPUT, /* stdout and stderr */
    FORK_FD_GROUPS  /* and on: cgroup.procs of each control group to be in; then, maybe, own_user */
};
#define FORK_FDS 16

struct fork_request {
    int user_namespace;
    int own_user;                   /* the last descriptor is one's user namespace (own_user.h) */
    unsigned long files, processes; /* limits, as in shed_limits */
};
struct fork_answer {
    int error; /* -errno */
    char step[60];
};
