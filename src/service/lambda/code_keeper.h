/* code_keeper - the folders of unpacked packages: who uses them, and when they go. */
#pragma once
#include "service/lambda/lambda.h"

struct code_keeper {
    struct arena arena;
    struct str root;
    struct map uses;   /* digest -> number of environments, as a pointer */
    struct map doomed; /* digests whose last record is gone */
    uv_timer_t timer;
    struct lambda_state *state;
    char secret[32]; /* signs download links; new at every start */
};

struct str key_code(struct arena *a, struct str digest);
void code_doom(struct code_keeper *k, struct str digest); /* its last record is going */
/* For what the cloud does by itself; call_close() it. */
struct call *lambda_own_call(struct lambda_state *state);
