/* machine - what else ran while something was measured: load, stolen time, processor time of
 * others.
 *
 * Reads /proc; what cannot be read is -1. May use base/. */
#pragma once
#include <sys/types.h>
#include "bench/run.h"

struct machine_watch {
    int64_t mono_ns;
    int64_t busy, total, steal; /* ticks of all processors; total 0: not known */
    int64_t self, server;       /* ticks; server: the daemon and all its descendants; -1 */
    int64_t server_own_ns;      /* the daemon's process alone; -1 */
    pid_t server_pid;           /* 0: none on this machine */
};

/* pid: of the daemon that is measured, 0: not on this machine or not known. */
void machine_begin(struct machine_watch *w, pid_t pid, struct bench_machine *ret);
/* others_known: the server's processor time is known, or it is not on this machine. Fills the rest,
 * and the verdict; ret->client is the caller's. Returns the daemon's own processor time, or -1. */
int64_t machine_end(struct machine_watch *w, struct arena *a, bool others_known,
                    struct bench_machine *ret);
/* ticks of `pid` and all its descendants, those that have ended too, from the text of /proc/N/stat
 * files. Pure part of the above. */
bool machine_parse_stat(const char *text, pid_t *pid, pid_t *parent, int64_t *own, int64_t *ended);
