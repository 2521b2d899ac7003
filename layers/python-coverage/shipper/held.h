/* held - the runtime's process asks for the shipper itself, between an invocation and the next one
 * (../arena.h, "Held invocations"): so the shipper need not be woken by those without news.
 *
 * Only for runtimes whose client the tracer is known to know: a Python that is started by our
 * wrapper, with Lamina's client or AWS's. Any other is waited for by INVOKE events. */
#pragma once
#include "ship.h"

/* Will the runtime's process ask? By what is set and installed: nothing runs yet. */
bool held_is_possible(const struct settings *settings);

#define HELD_ASKING_MAX 8

struct held {
    int fd; /* readable when somebody wants something (epoll); -1: no */
    int listener;
    int asking[HELD_ASKING_MAX]; /* connected, and silent until now; -1 */
    uint32_t next;               /* place for the next of them */
    struct ship *ship;
};

/* Before the runtime is started. -errno: events have to do. */
int held_open(struct held *h, struct ship *ship);
void held_close(struct held *h);

/* Serves one who has connected, if it has asked: waits for nobody. True: something was sent. */
bool held_serve(struct held *h);
