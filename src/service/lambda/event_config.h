/* event_config - what becomes of asynchronous invocations of a function, version or alias: how
 * often and how long they are tried, and who is told of the outcome. */
#pragma once
#include "service/lambda/lambda.h"

/* -ENOENT: there is none. qualifier absent: $LATEST. */
int event_config_load(struct call *call, struct str name, struct str qualifier,
                      struct lambda_function_event_invoke_config *ret);
struct str key_event_config(struct call *call, struct str name, struct str qualifier);
struct str key_event_configs(struct call *call, struct str name); /* prefix */

/* Can results be sent there? A sentence why not, or absent. */
struct str destination_unsupported(struct arena *a, struct str arn);
/* The service of an ARN: "sqs". */
struct str arn_service(struct str arn);
