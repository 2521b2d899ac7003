/* outcome - what an answer means: success, the function's failure, the service's. Pure. May use
 * base/. */
#pragma once
#include "bench/answer.h"
#include "bench/run.h"

struct verdict {
    enum bench_outcome outcome;
    struct str type, message; /* absent on success; point into the answer or the arena */
};

/* The "statusCode" of an object, whose end need not be there: what API Gateway, a function URL and
 * load balancers would answer with. 0: it has none. */
int outcome_status_code(struct str body);

/* answer: a whole one. url: of a function URL, where the function chooses the status; otherwise of
 * Invoke. status: of the REPORT line, or absent. */
void outcome_judge(struct arena *a, const struct answer *answer, bool url, struct str report_status,
                   struct verdict *ret);
