/* recursion - loops of functions that invoke each other, found by what the trace header counts.
 *
 * "Lineage=1:HASH:N" in X-Amzn-Trace-Id says that the function of that hash has been invoked N
 * times before in this chain; SDKs pass the header on. The 17th time is refused, unless the
 * function's configuration allows loops. */
#pragma once
#include "service/lambda/target.h"

#define LINEAGE_MAX 16

/* *ret is the header with the function counted in; *ret_times how often it was there before. */
void lineage_step(struct arena *a, struct str header, struct str function_arn, struct str *ret,
                  int64_t *ret_times);

/* Counts the invocation into *trace. Fails the call with RecursiveInvocationException when it is
 * one too many. */
int recursion_check(struct call *call, struct str name, struct str *trace);
