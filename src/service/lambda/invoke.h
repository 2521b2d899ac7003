/* invoke - what the ways of invoking a function have in common. */
#pragma once
#include "service/lambda/instance.h"

#define INVOKE_SYNC_MAX 6291456
#define INVOKE_ASYNC_MAX 1048576

int invoke_check_payload(struct call *call, struct str payload, bool async);
/* Decoded and checked; absent when none is given. */
int invoke_client_context(struct call *call, struct str encoded, struct str *ret);
/* X-Amzn-Trace-Id of the request, or a new one. */
struct str invoke_trace_id(struct call *call);
/* An outcome that is no answer of the function: 0, or the call's failure. */
int invoke_outcome(struct call *call, const struct invocation *inv);
