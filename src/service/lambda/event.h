/* event - asynchronous invocations: accepted into the store, carried out from there, tried again.
 */
#pragma once
#include "service/lambda/target.h"

struct event_queue *event_queue_new(struct lambda_state *lambda);
void event_queue_free(struct event_queue *q); /* accepts NULL */

struct event_request {
    struct str name, qualifier; /* as given; absent: none */
    struct str arn, request_id, trace_id, payload;
};
/* In the store when this returns 0; carried out after the turn. */
int event_accept(struct call *call, const struct event_request *e);
