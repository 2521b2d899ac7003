/* environment - its inside, shared by environment.c and meter.c only. */
#pragma once
#include "sandbox/cgroup.h"
#include "sandbox/message.h"
#include "sandbox/spawner.h"

enum environment_state { ENV_STARTING, ENV_RUNNING, ENV_IDLE, ENV_FAILED, ENV_LOST };

struct environment {
    struct spawner *spawner;
    struct environment_events events;
    void *user;
    enum environment_state state;
    bool watched, freed;
    uv_poll_t watch;
    int sock; /* first the spawner's, then init's events; our commands */
    int output, ports[SANDBOX_PORTS], pidfd, files[CGROUP_FILES];
    pid_t pid;
    int freeze, kill, memory, cpu, cpu_stat; /* enum sandbox_cgroup */
    int64_t exec_ns;
    int64_t max_rss, peak; /* highest seen so far */
    bool oom;
    struct event event; /* the one being read */
};
