/* kinds - the kinds of spares that plans have asked for, and how many of each are to be ready.
 *
 * A kind that forks has a zygote: an interpreter in a mount, network, ipc and uts namespace of its
 * own, but in the spawner's pid namespace, because only there can children of its be put into the
 * environments' (setns(2)). It keeps the privileges to do so; what runs in it is the runtime's code
 * and the interpreter's, never a function's. */
#pragma once
#include "sandbox/demand.h"
#include "sandbox/shell.h"

#define KINDS_MAX 8
#define AHEAD_FORKED 3 /* two megabytes each; executed ones have a whole interpreter's */
#define AHEAD_EXECUTED 2

struct kind {
    struct list link;
    char *bytes; /* a plan's head with `adopt` set, then the kind's part */
    size_t size;
    bool forks;
    struct template template; /* made when it is first needed */

    pid_t zygote; /* 0: none */
    int sock;
    bool zygote_ready;
    int failures; /* in a row */
    int64_t retry_ms;
    int64_t baseline;    /* bytes of memory that its children share with it when they are born */
    int64_t copied;      /* of these, what they have copied by the time they wait; 0: not known */
    struct list forking; /* shells whose answer is due, in order */
    int64_t heard_ms;    /* its last word, or the first request since nothing was due */

    struct demand demand;
};

/* The kind of a plan, made when it is new; NULL: it has none. The least used one may go for it:
 * `gone` is called before. */
struct kind *kinds_find(struct list *kinds, const char *bytes, size_t n,
                        void (*gone)(struct kind *k, void *user), void *user);
void kind_free(struct kind *k); /* its shells are somebody else's concern */

/* Bytes that a spare of it has and that are charged to the zygote. */
int64_t kind_shared(const struct kind *k);

/* Detached mounts for the binds of its part of the plan. */
int kind_open_mounts(const struct kind *k, int *ret, size_t max, size_t *ret_n, char *why);

int kind_template(struct kind *k, char *why);

/* Starts the zygote; what becomes of it is told by its socket. */
int zygote_start(struct kind *k, const struct machine *m, char *why);
/* Asks for a child in s, whose init has carried out the adoption. */
int zygote_fork(struct kind *k, struct shell *s, const struct machine *m);
/* Reads what it says: *ret is the shell that an answer is about, NULL for its first word. -EPIPE:
 * it is gone. */
int zygote_hear(struct kind *k, struct shell **ret, int *ret_error);
/* When it hangs, unless it says something before; -1: nothing is due. */
int64_t zygote_silent_ms(const struct kind *k);
void zygote_end(struct kind *k);
