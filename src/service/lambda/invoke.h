/* invoke - what the ways of invoking a function have in common. */
#pragma once
#include "service/lambda/instance.h"

#define INVOKE_SYNC_MAX 6291456
#define INVOKE_ASYNC_MAX 1048576

/* What clients of Invoke and InvokeWithResponseStream send. */
struct invoke_request {
    struct str name, qualifier, type, log_type, client_context, payload;
};
#define INVOKE_DRY 1 /* DryRun: it would have been allowed, and that is the answer */
/* Checks it, finds the target, and fills in *inv but for `done` and `sink`. 0: the target is the
 * caller's, who passes it on with invoke_begin() or drops it. */
int invoke_prepare(struct call *call, const struct invoke_request *q, struct invocation *inv,
                   struct function_ref *ret);
/* Counts loops, and has it carried out: CALL_LATER, or the call's failure, the target dropped. */
int invoke_begin(struct call *call, struct str name, struct invocation *inv);

/* X-Amzn-Trace-Id of the request, or a new one. */
struct str invoke_trace_id(struct call *call);
/* An outcome that is no answer of the function: 0, or the call's failure. */
int invoke_outcome(struct call *call, const struct invocation *inv);
