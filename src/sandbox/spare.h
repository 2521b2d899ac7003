/* spare - init's side of a command that was started before its plan: see runtimes/README.md. */
#pragma once
#include "sandbox/command.h"
#include "sandbox/message.h"

struct spare {
    int sock;   /* to the spare; 0: there is none */
    bool fed;   /* it has been told, and may have read it or not */
    int output; /* write end of what the spare writes to: the environment's output from then on */
    pid_t pid;  /* 0: a zygote's child, which says who it is when it is there */
    int ports[SANDBOX_PORTS];
    size_t n_ports;
};

/* Is it the message that makes a spare of this environment? */
bool spare_is_adoption(const char *bytes, size_t n);
/* Carries it out; takes the fds. */
int spare_adopt(struct spare *s, const struct init_setup *setup, const char *bytes, size_t n,
                int *fds, size_t n_fds, char *why);
/* Waits until it is there. Before this process makes itself untouchable: a zygote reaches the
 * namespaces through it. */
void spare_meet(struct spare *s);
/* Hands cwd and environment to the spare: its pid, or 0 when there is none (any more). */
pid_t spare_feed(struct spare *s, const struct command_plan *plan);
/* The one that was fed has ended: without having read what it was told? */
bool spare_ended_early(struct spare *s);
void spare_forget(struct spare *s);
