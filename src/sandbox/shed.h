/* shed - a process gives up every privilege it has: shared by commands that are executed and by
 * children of a zygote (runtimes/python-zygote). System calls only: may follow a vfork(). */
#pragma once
#include <linux/filter.h>
#include <stdbool.h>
#include <sys/resource.h>

/* -1: leave as it is. */
struct shed_limits {
    rlim_t files, processes, data;
};
#define SHED_KEEP ((rlim_t)-1)

/* Session, resource limits, ids, capabilities, signals, umask. 0, or -errno and the step's name.
 * own_user: a user namespace to enter (own_user.h), which is closed; -1: none. */
int shed_privileges(bool user_namespace, int own_user, const struct shed_limits *limits,
                    const char **ret_step);
/* The last step: afterwards the filter's denials hold. For the calling thread, which must have
 * no_new_privs. */
int shed_filter(const struct sock_fprog *filter);
/* Empties the capability bounding set. */
int shed_bounding_set(void);
