/* retry - what an attempt's result means for the next one. Pure decisions. */
#pragma once
#include "base/str.h"

enum retry_verdict {
    RETRY_DONE,
    RETRY_LATER, /* the server or the way to it: again, after a pause */
    RETRY_NOW,   /* the attempt has taught something (region, clock): again with it, once each */
    RETRY_NEVER, /* it will not become better by itself */
};

/* error: of conn_ask(), 0 when there is an answer with status and S3's error code (absent: none).
 */
enum retry_verdict retry_judge(int error, int status, struct str code);

/* What the user can do about a RETRY_NEVER; static. */
const char *retry_advice(int error, int status, struct str code);

/* The pause after attempt number n (1 is the first): 50 ms doubled each time, at most 5 s, of which
 * a part between the half and all of it is taken by `random`, so that a thousand environments do
 * not come back at the same moment. */
int64_t retry_pause_ms(unsigned n, uint32_t random);

/* How long uploads at the end of invocations rest after the n-th failure in a row: 1 s, doubled
 * each time, at most 5 minutes. The end of an environment is not held back by it. */
int64_t retry_rest_ms(unsigned n);
