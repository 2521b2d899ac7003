/* cgroup - the limits and meters of environments, over cgroup v1, v2, or both at once.
 *
 * Layout in every hierarchy: <mount>/lamina/<spawner>/e<number>, where <spawner> names the process
 * so exactly (pid, start time, pid namespace) that leftovers of dead ones can be recognised. On
 * hosts with v1 controllers and an empty v2 hierarchy beside them, v2 freezes, kills and meters cpu
 * time, v1 limits: v2's freezer is ten times faster and lets SIGKILL through. */
#pragma once
#include "sandbox/sandbox.h"

#define CGROUP_HIERARCHIES 8

/* Files that the daemon gets as open descriptors, so that using them needs no spawner. */
enum cgroup_file {
    CGROUP_FILE_CPU,      /* v1 cpu.cfs_quota_us, v2 cpu.max */
    CGROUP_FILE_FREEZE,   /* v1 freezer.state, v2 cgroup.freeze */
    CGROUP_FILE_KILL,     /* v2 cgroup.kill */
    CGROUP_FILE_PEAK,     /* v1 memory.max_usage_in_bytes, v2 memory.peak */
    CGROUP_FILE_MEMORY,   /* memory.stat */
    CGROUP_FILE_OOM,      /* v1 memory.oom_control, v2 memory.events */
    CGROUP_FILE_CPU_STAT, /* v1 cpuacct.usage, v2 cpu.stat */
    CGROUP_FILE_USAGE,    /* v1 memory.usage_in_bytes, v2 memory.current */
    CGROUP_FILE_WARN,     /* v1 cgroup.event_control, v2 memory.high */
    CGROUP_FILE_SHARE,    /* v1 cpu.shares, v2 cpu.weight: of processor time, beside other groups */
    CGROUP_FILES
};

enum cgroup_limit_file {
    CGROUP_LIMIT_MEMORY, /* v1 memory.limit_in_bytes, v2 memory.max */
    CGROUP_LIMIT_SWAP,   /* v1 memory.memsw.limit_in_bytes; v2 has it written once */
    CGROUP_LIMIT_PIDS,   /* pids.max */
    CGROUP_LIMITS
};
#define CGROUP_PIDS_USUAL 1024 /* written once, ahead */

struct cgroup_hierarchy {
    char *dir;  /* <mount>/lamina/<spawner> */
    char *root; /* <mount>/lamina */
    bool v2;
    unsigned controllers; /* bits of enum cgroup_controller that can be used here */
};
enum cgroup_controller {
    CGROUP_MEMORY = 1,
    CGROUP_CPU = 2,
    CGROUP_PIDS = 4,
    CGROUP_FREEZER = 8,
    CGROUP_CPUACCT = 16
};

struct cgroups {
    struct cgroup_hierarchy items[CGROUP_HIERARCHIES];
    size_t n;
    unsigned seq;
};

/* One environment's. */
struct cgroup {
    unsigned seq;
    int procs[CGROUP_HIERARCHIES]; /* v1: cgroup.procs, writing "0" joins; v2: -1 */
    int dir_v2;                    /* for CLONE_INTO_CGROUP; -1 without v2 */
    int limits[CGROUP_LIMITS];     /* the spawner's own; -1: not to be had */
    int files[CGROUP_FILES];       /* -1: not to be had */
    bool waits;                    /* has the least share */
};

/* Finds what is usable, removes leftovers of dead spawners. Finding nothing is no error. */
void cgroups_open(struct cgroups *ret);
void cgroups_close(struct cgroups *g); /* removes the spawner's own folders; all must be empty */
enum sandbox_cgroup cgroups_kind(const struct cgroups *g, enum cgroup_controller controller);
enum sandbox_cgroup cgroups_kill_kind(const struct cgroups *g);
enum sandbox_cgroup cgroups_cpu_stat_kind(const struct cgroups *g);

/* How much of the processors an environment gets while others want them, too; whoever is alone has
 * all that its quota allows. WAITING: nobody wants it yet. LONG: its invocation lasts, so that
 * those of others that are about to answer come first. */
enum cgroup_share { CGROUP_SHARE_WAITING, CGROUP_SHARE_LONG, CGROUP_SHARE_USUAL };
int cgroup_set_share(int share_fd, enum sandbox_cgroup kind, enum cgroup_share share);
/* waits: CGROUP_SHARE_WAITING until cgroup_wake(). */
int cgroup_make(struct cgroups *g, bool waits, struct cgroup *ret);
void cgroup_wake(const struct cgroups *g, const struct cgroup *c);
void cgroup_close_fds(struct cgroup *c);
int cgroup_join(const struct cgroup *c); /* the calling process, into the v1 hierarchies */
/* memory_mb is what processes may have, extra_mb what their tmpfs may hold besides: see pressure.c.
 * shared: bytes of the former that they have, but that are counted elsewhere. */
int cgroup_limit(const struct cgroup *c, int memory_mb, int extra_mb, int64_t shared,
                 int processes);
void cgroup_kill(const struct cgroups *g, const struct cgroup *c);  /* thaws and kills all in it */
int cgroup_remove(const struct cgroups *g, const struct cgroup *c); /* -EBUSY: try later */
