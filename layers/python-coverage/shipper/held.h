/* held - the runtime's process asks for the shipper itself, between an invocation and the next one
 * (../arena.h, "Held invocations"): so the shipper need not be woken by those without news.
 *
 * Only for runtimes whose client the tracer is known to know: a Python that is started by our
 * wrapper, with Lamina's client or AWS's. Any other is waited for by INVOKE events. */
#pragma once
#include "ship.h"

/* Will the runtime's process ask? By what is set and installed: nothing runs yet. */
bool held_is_possible(const struct settings *settings);

struct held {
    int fd; /* listens; -1: no */
    struct ship *ship;
};

/* Before the runtime is started. -errno: events have to do. */
int held_open(struct held *h, struct ship *ship);
void held_close(struct held *h);

/* Serves who has connected. True: something was sent. */
bool held_serve(struct held *h);
