/* message - what daemon, spawner and init say to each other: packets with file descriptors.
 *
 * All three are the same program, so packets are C structs, followed by a plan where one is due. */
#pragma once
#include <limits.h>
#include "sandbox/sandbox.h"
#include "base/buf.h"

#define MESSAGE_FDS 64
#define MESSAGE_MAX (128 * 1024)
#define WHY_MAX 512

/* daemon -> spawner: a plan (struct plan_head, then items), with two fds: the environment's socket
 * and the write end of its output. The spawner hands the same bytes to an init, with more fds: one
 * mount for each PLAN_BIND and PLAN_LAYERS, in order. */
enum plan_kind {
    PLAN_BIND = 1,
    PLAN_LAYERS,
    PLAN_LINK,
    PLAN_PORT,
    PLAN_ARG,
    PLAN_ENV,
    PLAN_CWD,
    PLAN_ROOT, /* comes before everything else */
    /* A plan with spares begins with what its kind is made of: PLAN_SPARE, its variables and
     * arguments, the binds and links of the runtime, the ports, the command's arguments,
     * PLAN_KIND_END. */
    PLAN_SPARE, /* "fork" or "exec", then the zygote's folder or "" */
    PLAN_SPARE_ENV,
    PLAN_SPARE_ARG,
    PLAN_KIND_END
};
struct plan_head {
    int memory_mb, tmp_mb, max_processes, max_files;
    int held;   /* the command waits for COMMAND_RUN */
    int placed; /* spawner -> init: binds and links of the kind are there, no mounts come for them
                 */
    int adopt;  /* spawner -> init: only the kind's part, for a spare. Three fds: init's end of the
                 * spare's socket, the output, the spare's end of the socket ("exec" only) */
};
struct plan_item {
    uint32_t kind, size; /* size of the content that follows: NUL-terminated strings */
};
struct plan_cursor {
    const char *p, *end;
};

/* -E2BIG when it would not fit a packet, -EINVAL for a path that is not absolute. */
int plan_write(const struct sandbox_plan *plan, struct buf *ret);
int plan_begin(const void *bytes, size_t n, struct plan_head *ret_head, struct plan_cursor *ret);
/* False at the end or at damaged bytes. *ret_text has at least one NUL-terminated string. */
bool plan_next(struct plan_cursor *c, struct plan_item *ret, const char **ret_text);
/* Only what a process is made of: PLAN_ARG and PLAN_ENV. */
void plan_write_command(const char *const *argv, const char *const *envp, struct buf *ret);
/* False: no spare fits. *ret_kind: the kind's part, *ret_rest: what follows. */
bool plan_kind(struct plan_cursor plan, struct plan_cursor *ret_kind, struct plan_cursor *ret_rest);
/* The string after s in the same item, or NULL. */
const char *plan_text_after(const struct plan_item *item, const char *text, const char *s);

/* On the environment's socket, to the daemon: first MADE from the spawner, the rest from init. */
enum event_kind {
    EVENT_MADE = 1,
    EVENT_READY,
    EVENT_FAILED,
    EVENT_EXITED,
    EVENT_PROCESS_EXITED, /* one of COMMAND_SPAWN: index, and wait_status or error */
    EVENT_SOCKET,         /* of COMMAND_SOCKET: it comes along, or error */
};
struct event {
    int kind;
    int error;                    /* FAILED; PROCESS_EXITED: it could not be executed */
    int index;                    /* PROCESS_EXITED */
    int pid;                      /* MADE */
    unsigned files;               /* MADE: bit i set: cgroup file i comes along, after the pidfd */
    int freeze, memory, cpu_stat; /* MADE: enum sandbox_cgroup of each */
    int cpu;                      /* the same */
    int output;                   /* MADE: the last descriptor is the output's read end */
    int64_t baseline;             /* MADE: bytes of memory shared with the zygote */
    int wait_status;              /* EXITED, PROCESS_EXITED */
    int64_t max_rss;              /* EXITED: bytes */
    int64_t exec_ns;              /* READY */
    char why[WHY_MAX];
};

/* The same socket, to init. */
enum command_kind {
    COMMAND_RESTART = 1,
    COMMAND_SIGNAL,
    COMMAND_STOP,
    COMMAND_CONTINUE,
    COMMAND_KILL,
    COMMAND_RUN,            /* the command of a plan that was held */
    COMMAND_SPAWN,          /* index; plan items follow, and one descriptor: the output */
    COMMAND_SIGNAL_PROCESS, /* index, signal */
    COMMAND_SOCKET
};
struct command {
    int kind, signal, index;
};

/* spawner -> daemon, once; init -> spawner, once. */
struct spawner_report {
    struct sandbox_abilities abilities;
};
struct shell_report {
    int error;
    char why[WHY_MAX];
};

int message_send(int sock, const void *p, size_t n, const int *fds, size_t n_fds);
/* 0 and *ret_n == 0: the other side is gone. Received fds are close-on-exec. */
int message_recv(int sock, void *p, size_t max, int flags, size_t *ret_n, int *ret_fds,
                 size_t *ret_n_fds);
