/* process - the spawner's own life: its set-up and its loop.
 *
 * supply.c makes environments ahead, order.c gives plans to them, process.c does the rest. */
#pragma once
#include "sandbox/demand.h"
#include "sandbox/kinds.h"

_Noreturn void spawner_main(int control, const struct spawner_options *options);

struct process {
    int control, signals, events;
    struct spawner_options options;
    struct machine machine;
    struct list shells, kinds;
    struct demand demand; /* for environments of no kind */
    int spares;           /* shells that wait and are of no kind */
    int64_t refill_at_ms; /* not before */
    int64_t put_off_ms;   /* the same when that is only because others need the processors */
    int64_t tidy_at_ms;   /* 0: no need */
    bool stopping;
};
#define TIDY_AFTER_MS 5
int64_t process_now_ms(void);

/* Called when fd is readable: process.c knows by `what` whose it is. */
void process_watch(struct process *p, int fd, const void *what);
void process_unwatch(struct process *p, int fd);

/* supply.c */

int supply_shell(struct process *p, struct kind *k, bool waits, struct shell **ret, char *why);
/* The best that waits, or is in the making; NULL: none. k NULL: one of no kind. */
struct shell *supply_find(struct process *p, const struct kind *k);
int supply_ready(struct process *p, const struct kind *k); /* how many wait; k NULL: of no kind */
int supply_adopt(struct process *p, struct shell *s, struct kind *k, char *why);
/* One step towards what is wanted; false: nothing was to be done. */
bool supply_some(struct process *p);
int64_t supply_due_ms(struct process *p); /* when there is something to do; -1: not before asked */
void supply_on_report(struct process *p, struct shell *s);
void supply_on_zygote(struct process *p, struct kind *k);
void supply_on_zygote_end(struct process *p, struct kind *k);
void supply_forget_kind(struct kind *k, void *process);

/* order.c: something from the daemon. */
void order_hear(struct process *p);
