/* daemon - running the cloud in this process, and finding one that runs: shared by up, run, status
 * and down. */
#pragma once
#include <uv.h>
#include "base/arena.h"
#include "base/str.h"
#include "cloud/cloud.h"

struct daemon {
    uv_loop_t loop;
    struct cloud *cloud;
    struct spawner *spawner;
    uv_timer_t revival; /* of a spawner that has died */
    int64_t revived_ms, revival_delay_ms;
    uv_signal_t signals[3]; /* TERM, INT, HUP */
    /* What a signal means; NULL: leave. */
    void (*on_signal)(struct daemon *d, int number);
    void *user;
    bool merges; /* daemon_merge_memory() */
    bool leaving;
    int64_t leaving_ms; /* since when */
};

/* Forks the spawner: before anything else makes threads or a loop. cache_dir, spares: see
 * sandbox.h. A machine that cannot run functions still gets its cloud: *d has no spawner then. */
void daemon_prepare(struct daemon *d, const char *cache_dir, int spares);
/* Before that: the kernel may keep equal pages of the spawner, and of all that it is going to start,
 * once (KSM). -EINVAL: it cannot; Linux 6.4 can. Warns when nothing will be merged because that is
 * switched off. */
int daemon_merge_memory(struct daemon *d);
/* 0 when the kernel lets this process ask for that, and whether it merges anything at all now; or
 * -errno. */
#define KSM_RUN "/sys/kernel/mm/ksm/run"
int daemon_can_merge(bool *ret_is_on);
/* The loop, its signals and the cloud: it answers when this returns. -errno with *err. */
int daemon_start(struct daemon *d, struct cloud_options *options, struct cloud_error *err);
void daemon_run(struct daemon *d); /* until daemon_leave(); then everything is closed */
/* At once, but for answers that are under way (half a second) and extensions of functions (two). A
 * second signal cuts that short. */
void daemon_leave(struct daemon *d);

/* $XDG_DATA_HOME/lamina, or ~/.local/share/lamina. */
struct str daemon_data_dir(struct arena *a);

/* What runs on a data directory: DIR/lamina.pid, two lines, there while the daemon answers. */
struct daemon_note {
    int pid;
    struct str endpoint;
};
int daemon_note_write(struct arena *a, struct str dir, const struct daemon_note *note);
void daemon_note_remove(struct arena *a, struct str dir);
/* -ENOENT: none runs there; a note whose process is gone counts as none. */
int daemon_note_read(struct arena *a, struct str dir, struct daemon_note *ret);

/* GET of a path below /_lamina/ of a cloud on this machine. -errno as daemon_health(). */
int daemon_get(struct arena *a, struct str endpoint, struct str path, struct str *ret_body);
/* POST without a body; the answer whatever its status. */
int daemon_post(struct arena *a, struct str endpoint, struct str path, int *ret_status,
                struct str *ret_body);
/* GET /_lamina/health of a cloud on this machine. -errno: nobody answers (-ECONNREFUSED,
 * -ETIMEDOUT); -EPROTO: something else does. */
int daemon_health(struct arena *a, struct str endpoint, struct str *ret_json);
