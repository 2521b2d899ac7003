/* retry - what may be tried again, and when: AWS SDKs' standard mode. Internal to aws/. */
#pragma once
#include "aws/client.h"

struct retry {
    bool patient;         /* AWS: who is throttled waits for seconds. Not so on this machine. */
    int attempts;         /* at most, the first one included */
    int done;             /* that failed so far */
    int64_t server_ms;    /* the answer's Date; 0: it had none */
    bool clock_corrected; /* once is enough */
};

/* Whether to try again after an attempt that failed with r (and wire, when there was an answer);
 * *ret_ms: after so long. Counts the attempt. */
bool retry_after(struct retry *retry, int r, const struct wire_error *wire,
                 const struct wire_response *answer, int64_t *ret_ms);
/* The error says that our clock is wrong, and the answer's Date agrees: *skew_ms (of the server's
 * clock against ours) is what to sign with from now on. */
bool retry_corrects_clock(struct retry *retry, struct str code, const struct wire_response *answer,
                          int64_t *skew_ms);
/* Waits; false when *cancel was set meanwhile. */
bool retry_pause(int64_t ms, const volatile sig_atomic_t *cancel);
