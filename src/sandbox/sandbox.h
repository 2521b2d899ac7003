/* sandbox - execution environments in Linux namespaces and cgroups. May use base and libuv.
 *
 * Three kinds of processes:
 *   daemon    calls everything declared here, on one thread, from one uv loop;
 *   spawner   forked by spawner_start() before threads and loop exist; owns the privileges, the
 * base root, the cgroups, and a few spares (environments made ready, waiting for their plan); init
 * pid 1 of each environment: carries out the plan, starts the command, reaps, reports.
 *
 * When the daemon ends, in whatever way, the spawner kills every environment, removes its cgroups
 * and exits; when the spawner ends, the kernel ends the inits and with them their namespaces.
 *
 * An environment:
 *
 *   environment_start() --> starting --on_start(0)--> running --on_exit--> idle
 *                              |                        ^                    |
 *                              on_start(-errno)         +-environment_restart()
 *   environment_free() from any state: killed, removed, no callback any more.
 *
 * With plan->held "starting" has two halves, and on_start(0) ends each: environment_start() or
 * environment_restart() makes all but the command, environment_run() starts it.
 *
 * "idle" keeps /tmp, listeners and output; environment_restart() starts the command again there.
 * Functions return 0 or -errno. Nothing here knows AWS. */
#pragma once
#include <uv.h>
#include "base/str.h"
#include "sandbox/user.h"

#define SANDBOX_ADDRESS "169.254.100.1" /* the environment's own address, on its own loopback */
#define SANDBOX_PORTS 4
#define SANDBOX_LAYERS 16

struct spawner;
struct environment;

/* What this machine lets us do. `note` is one line a shortcoming, '\n' between them, "" when none:
 * each says what is missing and what follows from it. */
enum sandbox_cgroup { SANDBOX_CGROUP_NONE, SANDBOX_CGROUP_V1, SANDBOX_CGROUP_V2 };
struct sandbox_abilities {
    bool can_run;        /* false: no environment can be started; error and note say why */
    int error;           /* -errno of what stood in the way */
    bool user_namespace; /* environments live in a user namespace (we are not root) */
    bool net_namespace;
    bool own_users; /* each environment is another user to the kernel, which counts by user */
    bool overlay;   /* false: layers are merged into a folder of hard links under cache_dir */
    bool seccomp;
    enum sandbox_cgroup memory, cpu, pids, freeze, kill;
    char note[1024];
};

/* Starts a spawner, asks it, and ends it. For doctor; a running daemon uses spawner_abilities(). */
int sandbox_probe(struct sandbox_abilities *ret);

#define SPARES_ADAPTIVE (-1)
struct spawner_options {
    int spares;            /* kept ready of each kind, and of those of no kind; 0 none; or adaptive:
                            * as many as were lately wanted at once, within bounds */
    const char *cache_dir; /* for merged layers where overlayfs is missing; NULL: then refused */
    bool without_overlay;  /* do as where overlayfs is missing */
};

/* Call first thing in main(), in the process and thread that stay (after detaching): forks, and
 * ends with its caller. Returns at once; the spawner prepares itself meanwhile. */
int spawner_start(const struct spawner_options *options, struct spawner **ret);
/* Waits until the spawner has looked at the machine (a few ms after its start). */
int spawner_abilities(struct spawner *s, struct sandbox_abilities *ret);
/* Must come before environment_start(). on_gone: the spawner died, every environment with it. */
int spawner_attach(struct spawner *s, uv_loop_t *loop, void (*on_gone)(void *user), void *user);
/* Ends all environments and the spawner, and waits for its end. Free the environments before. The
 * loop must run once more for the handle to close. Accepts NULL. */
void spawner_stop(struct spawner *s);
pid_t spawner_pid(const struct spawner *s);
/* After on_gone: starts another one in its place. The daemon has threads by now and cannot fork, so
 * this executes the program anew (/proc/self/exe SPAWNER_WORD ...): main() must hand that to
 * spawner_again(). What belonged to the old one stays lost. */
int spawner_revive(struct spawner *s);
#define SPAWNER_WORD "_spawner"
_Noreturn void spawner_again(int argc, char **argv);

/* Everything an environment is made of. All memory is the caller's, and free after the call.
 * Host paths are absolute; an absent one (NULL) leaves its place empty. */
struct sandbox_bind {
    const char *from, *to; /* host folder or file -> path inside, read-only */
};
struct sandbox_link {
    const char *target, *path; /* symlink `path` inside -> `target` */
};
struct sandbox_port {
    uint16_t port;
    bool datagram;     /* UDP socket instead of a TCP listener */
    const char *local; /* instead of both: the abstract name of a UNIX stream listener. Only as the
                        * last one: before Linux 6.16 it is left out, as it would not be safe */
};
/* How the command may have been started before anybody wanted it; what such a spare is made of is
 * its *kind*: argv, runtime_dir, binds and links of the plan, and this. Plans of one kind share
 * spares. The interpreter then waits for its cwd and environment as runtimes/README.md tells. Where
 * no spare is at hand the command is executed as ever: nobody can tell the difference. */
struct sandbox_spare {
    const char *const *envp; /* of the interpreter until then: what its start depends on */
    const char *const *argv; /* of the interpreter, when the plan's begins with a wrapper that it
                              * does without; NULL: the plan's */
    const char *zygote_dir;  /* NULL: each spare is executed. Else the first is, and forks the
                              * others; this folder stands at /var/spare for it alone */
};
struct sandbox_plan {
    const char *const
        *argv; /* NULL-terminated; argv[0] is a path inside, or found on PATH of envp */
    const char *const *envp; /* NULL-terminated */
    const char *cwd;         /* NULL: /var/task */

    /* A whole file system instead of the host's system folders, read-only; NULL: those. It must
     * have the folders dev, etc, proc and tmp and the files etc/hosts and etc/resolv.conf, none of
     * them a link: the environment's own are mounted there. Such a plan names no spare. */
    const char *root_dir;
    const char *task_dir;          /* -> /var/task */
    const char *const *layer_dirs; /* -> /opt, merged in this order: the last one wins */
    size_t n_layers;
    const char *runtime_dir;          /* -> /var/runtime */
    const struct sandbox_bind *binds; /* e.g. an interpreter outside /usr -> the same path */
    size_t n_binds;
    const struct sandbox_link *links; /* e.g. /var/lang/bin/python3.11 -> the interpreter */
    size_t n_links;
    const struct sandbox_spare *spare; /* NULL: always executed */
    const struct sandbox_port *ports;  /* bound at SANDBOX_ADDRESS inside; at most SANDBOX_PORTS */
    size_t n_ports;

    int memory_mb;     /* 0: no limit */
    int tmp_mb;        /* size of /tmp; 0: 512 */
    int max_processes; /* 0: 1024 */
    int max_files;     /* 0: 1024 */

    /* on_start(0) comes when everything but the command is there: processes may be started beside
     * it (environment_spawn), then environment_run() starts it. */
    bool held;
};

struct environment_exit {
    int status;    /* exit status; -1 when a signal ended it */
    int signal;    /* 0: it exited by itself */
    bool oom;      /* the memory limit killed something in this environment */
    bool oom_all;  /* and for this everything in it was killed, in whatever order it is told */
    bool lost;     /* the whole environment is gone (killed from outside): no restart */
    char text[64]; /* "exit status 1", "signal: killed" */
    int error;     /* of a spawned process only: -errno when it could not be executed at all */
};

struct environment_events {
    /* Once after environment_start() and once after each environment_restart(). error 0: the
     * command has been executed (execve() succeeded), the fds are there. Otherwise -errno and
     * `why`, one line naming the step ("bind /x to /var/task: No such file or directory"); free it
     * then. */
    void (*on_start)(struct environment *env, int error, const char *why, void *user);
    /* The command ended. What it wrote before is in the pipe already: read until EAGAIN. */
    void (*on_exit)(struct environment *env, const struct environment_exit *how, void *user);
    /* A process of environment_spawn() ended, or could not be executed. May be NULL. */
    void (*on_process_exit)(struct environment *env, int index, const struct environment_exit *how,
                            void *user);
    /* What environment_ask_socket() asked for: the callee owns it; or -errno. May be NULL. */
    void (*on_socket)(struct environment *env, int fd, void *user);
};

/* Asks for a spare of the plan's kind before the first environment_start(); nothing else of the
 * plan is used. Spares are made when there is nothing else to do, as many as were lately wanted at
 * once, fewer after a while without use; never more than spawner_options.spares. */
int spawner_want_spare(struct spawner *s, const struct sandbox_plan *plan);

int environment_start(struct spawner *s, const struct sandbox_plan *plan,
                      const struct environment_events *events, void *user,
                      struct environment **ret);
/* Kills what runs inside (background processes too) and starts the command again: same plan, /tmp
 * kept. on_start follows; no on_exit for what was killed here. */
int environment_restart(struct environment *env);
/* Kills and forgets; cgroups are removed by the spawner, later. Listeners and output that were not
 * taken are closed. Accepts NULL. May be called inside callbacks. */
void environment_free(struct environment *env);

/* Starts a process beside the command, with the same limits and rights, in `/`. It may be asked for
 * whenever the environment has been started and has not ended; environment_restart() kills it along
 * with everything else, untold. An index is never used twice in one environment. *ret_output: the
 * read end of its stdout and stderr, non-blocking; the caller owns it. -EAGAIN: SANDBOX_PROCESSES
 * run already. */
#define SANDBOX_PROCESSES 16
int environment_spawn(struct environment *env, const char *const *argv, const char *const *envp,
                      int *ret_index, int *ret_output);
/* To the process and those of its group. One that has ended already hears nothing. */
int environment_signal_process(struct environment *env, int index, int sig);
/* A non-blocking, unconnected TCP socket of the environment's network, for on_socket: whoever
 * connects it reaches what listens inside. A frozen environment gives none until it thaws. */
int environment_ask_socket(struct environment *env);
/* Kills everything inside but init, untold: what ended processes have left behind. */
int environment_sweep(struct environment *env);
/* Starts the command of a plan that was held (at first, or after environment_restart()); on_start
 * follows. */
int environment_run(struct environment *env);

/* Available after on_start(0). The caller owns what it takes; all are non-blocking, close-on-exec.
 */
int environment_take_port(struct environment *env, size_t index); /* in the order of plan->ports */
/* Read end of stdout and stderr, in writing order; never at its end while the environment is. */
int environment_take_output(struct environment *env);
pid_t environment_pid(const struct environment *env); /* init's, as the host sees it */
/* When the command began: monotonic clock. */
int64_t environment_exec_ns(const struct environment *env);
/* Its command ran before anybody wanted it; otherwise it was executed. Known once it has started. */
bool environment_from_spare(const struct environment *env);

/* These act at once, by file descriptors got at the start: no spawner in between. */
int environment_kill(struct environment *env); /* SIGKILL to all; on_exit follows, lost */
int environment_signal(struct environment *env, int sig); /* to the command only */
int environment_freeze(struct environment *env);
int environment_thaw(struct environment *env); /* fine when not frozen */
/* CPU share of memory_mb as Lambda gives it: 20000*MB/1769 us of each 20 ms. 0 takes the limit
 * away. Call after init. -EOPNOTSUPP without a cpu cgroup. */
int environment_set_cpu(struct environment *env, int memory_mb);
/* Lets other environments come first where both want a processor, and no more. Its quota is as it
 * was. -EOPNOTSUPP without a cpu cgroup. */
int environment_yield(struct environment *env, bool yields);
/* High-water mark, without file cache and /tmp. Works after on_exit, until environment_free(). */
int environment_memory_peak(struct environment *env, int64_t *ret_bytes);
int environment_oom_killed(struct environment *env, bool *ret);
int environment_cpu_usage(struct environment *env, int64_t *ret_us);
