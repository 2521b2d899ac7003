/* command - starting a program inside an environment with no privilege left. */
#pragma once
#include <sys/types.h>
#include "sandbox/init.h"
#include "sandbox/shed.h"

struct command_plan {
    char **argv, **envp;
    const char *cwd;
    int memory_mb, max_processes, max_files;
    int output;  /* stdout and stderr */
    int keep_fd; /* becomes descriptor 3; 0: none */
    const struct init_setup *setup;
};

/* The pid, or -errno when execve() or a step before it failed: why (WHY_MAX) names it. */
pid_t command_start(const struct command_plan *plan, char *why);
void command_limits(const struct command_plan *plan, struct shed_limits *ret);
