/* environment - its inside, shared by environment.c, meter.c and pressure.c; and what else of
 * meter.c the spawner needs. */
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
    bool ready;  /* init has been READY once */
    bool spare;  /* it was made of one */
    int spawned; /* indexes given away by environment_spawn() */
    int handles; /* open in the loop: the last one's close frees the environment */
    uv_poll_t watch;
    uv_poll_t pressure_watch;
    int pressure_fd;          /* v1: eventfd; v2: unused */
    bool pressed, announcing; /* pressure_watch is open; a threshold is on its way */
    int64_t warn_at;          /* bytes of usage at which we hear next; 0: not watching */
    int memory_mb, tmp_mb;    /* as in the plan */
    int sock;                 /* first the spawner's, then init's events; our commands */
    int output, ports[SANDBOX_PORTS], pidfd, files[CGROUP_FILES];
    pid_t pid;
    int freeze, memory, cpu, cpu_stat; /* enum sandbox_cgroup */
    int64_t exec_ns;
    int64_t baseline;        /* bytes that its command shares with a zygote */
    int64_t max_rss, peak;   /* highest seen so far */
    int64_t mark, marked_ns; /* the kernel's own high mark, and when the details were read */
    bool oom;                /* since the command was started */
    bool oom_all;            /* and all processes were killed for it */
    int64_t oom_before;      /* the kernel's counter when it was */
    struct event event;      /* the one being read */
};

int environment_command(struct environment *env, int kind, int sig);

/* One of its handles is closed, or one of its works done: the last one frees it. */
void environment_release(struct environment *env);

/* meter.c: */
int64_t meter_own(int memory_fd, int kind); /* memory of processes alone; 0: not to be had */
bool meter_read(int fd, char *ret, size_t max);
int64_t meter_number(const char *text,
                     const char *name); /* after `name ` at a line's start, or 0 */

void meter_forget_oom(struct environment *env);

/* pressure.c: */
void pressure_start(struct environment *env);
void pressure_stop(struct environment *env);
