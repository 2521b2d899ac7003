/* spawner - what the daemon knows about its spawner. For environment.c only. */
#pragma once
#include "sandbox/sandbox.h"

struct spawner {
    pid_t pid;
    int control;
    struct spawner_options options;
    bool known; /* abilities have arrived */
    struct sandbox_abilities abilities;
    uv_loop_t *loop; /* NULL before spawner_attach() */
    uv_poll_t *watch;
    void (*on_gone)(void *user);
    void *user;
};
