/* init - pid 1 of an environment, from its first moment on.
 *
 *   setting up --report--> waiting for a plan --READY--> running <--COMMAND_RESTART-- idle
 *                                 |                         |                           ^
 *                                 +--FAILED, end            +----------EXITED-----------+
 *
 * Waiting, it may be told before the plan which kind of command is going to come: spare.h.
 * With a plan that is held, READY is said without the command, and again after COMMAND_RUN.
 * Processes of COMMAND_SPAWN come and go (PROCESS_EXITED) in any state after the first READY.
 *
 * It ends when the daemon's or the spawner's end of its socket is closed. */
#pragma once
#include "sandbox/cgroup.h"
#include "sandbox/filter.h"

#define OWN_USER_FD 4 /* own_user in init, as long as it lives */
struct init_setup {
    int spawner_sock;                /* the report goes out, the plan comes in */
    const struct cgroup *cgroup;     /* until it has been joined; all else is not on the heap */
    const struct sock_fprog *filter; /* NULL: the kernel has no seccomp */
    bool user_namespace;
    int own_user; /* a user namespace of its own (own_user.h) to run commands in; -1: none */
    bool memory_is_limited, processes_are_limited; /* by cgroups */
};

_Noreturn void init_main(struct init_setup *setup);
