/* event - asynchronous invocations: accepted into the store, carried out from there, tried again.
 *
 *     accepted -> attempt --answer--> (on-success destination) -> gone
 *                  ^ |  \--error, retries left--> waits 1, then 2 minutes --+
 *                  | |                                                      |
 *                  +-+- throttled: the function's queue rests 1 s .. 5 min -+
 *                    +- retries exhausted, too old, reserved concurrency 0
 *                       -> (on-failure destination, dead-letter queue) -> gone
 *
 * Each function has a queue of its own, in the order in which events are due; queues take turns.
 * A record stays until all is over: what a killed daemon had begun is begun again. */
#pragma once
#include "service/lambda/target.h"

#define EVENTS_MAX 100000 /* that wait, of one function */

struct event_queue *event_queue_new(struct lambda_state *lambda);
void event_queue_free(struct event_queue *q); /* accepts NULL */
/* The cloud is about to leave: nothing is begun; what is cut off begins again with the next one. */
void event_queue_rest(struct event_queue *q);
/* The store has taken a turn back. */
void event_queue_reset(struct event_queue *q);

struct event_request {
    struct str name, qualifier; /* as given; absent: none */
    struct str arn, request_id, trace_id, payload;
};
/* In the store when this returns 0; carried out after the turn. CALL_FAILED: too many wait. */
int event_accept(struct call *call, const struct event_request *e);
int event_forget_function(struct call *call, struct str name); /* it is being deleted */

/* destination.c: what became of an event, as it is told. */
struct event_outcome {
    const struct lambda_event_record *event;
    const char *condition; /* Success, RetriesExhausted ... */
    const struct target *target;
    bool invoked, failed; /* answer is of the last attempt */
    struct str answer;
};
struct str outcome_text(struct call *call, const struct event_outcome *o);
/* Sends the text of record->payload to record->destination as the function's role. done: 0;
 * -EAGAIN: it may be tried again; -errno: it has been logged. */
typedef void delivered_fn(void *user, int result);
void destination_send(struct call *call, const struct lambda_event_record *record,
                      delivered_fn *done, void *user);
