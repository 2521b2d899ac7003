/* event_config - what becomes of asynchronous invocations of a function, version or alias: how
 * often and how long they are tried, and who is told of the outcome. */
#pragma once
#include "service/lambda/lambda.h"

/* -ENOENT: there is none. qualifier absent: $LATEST. */
int event_config_load(struct call *call, struct str name, struct str qualifier,
                      struct lambda_function_event_invoke_config *ret);
struct str key_event_config(struct call *call, struct str name, struct str qualifier);
struct str key_event_configs(struct call *call, struct str name); /* prefix */

/* destination_check.c: can results be sent there? A sentence why not, or absent. */
struct str destination_unsupported(struct arena *a, struct str arn);
/* The service of an ARN: "sqs". */
struct str arn_service(struct str arn);
/* A session of the function's role, which results are sent as. */
void destination_be_role(struct call *call, struct str role, struct str function,
                         struct principal *ret);

/* What somebody wants configured for a function; config NULL: nothing. */
struct destination_wish {
    struct str function, role;
    const struct lambda_destination_config *config;
};
/* 0: they will do. CALL_LATER: done() is called in a later turn, with that or CALL_FAILED. */
typedef void destinations_done_fn(struct call *call, int result, void *user);
int destinations_check(struct call *call, const struct destination_wish *w,
                       destinations_done_fn *done, void *user);
