/* client - typed, synchronous calls to AWS or to an endpoint that speaks like it.
 *
 *     struct aws_client *aws;
 *     r = aws_client_open(&(struct aws_options){.endpoint = S("http://127.0.0.1:4566")}, arena,
 * &aws, &err); struct lambda_list_functions_output *out; r = aws_call(aws, arena,
 * &lambda_list_functions_op, &in, (void **)&out, &err);
 *
 * Nothing is sent to Amazon unless target is AWS_TARGET_AWS. One client is used by one thread; it
 * keeps its connections. libcurl is loaded at the first call, because loading it costs
 * milliseconds. May use wire/ and base/. */
#pragma once
#include <signal.h>
#include "base/arena.h"
#include "wire/client.h"
#include "wire/sigv4.h"

enum aws_target {
    AWS_TARGET_LOCAL, /* endpoint, or AWS_ENDPOINT_URL[_SERVICE], or http://127.0.0.1:4566 */
    AWS_TARGET_AWS,   /* Amazon's own endpoints; endpoint must be absent */
};

struct aws_options {
    enum aws_target target;
    struct str endpoint; /* http://127.0.0.1:4566 */
    struct str
        region; /* absent: AWS_REGION, AWS_DEFAULT_REGION, the profile's, us-east-1 (local) */
    struct str profile;                       /* absent: AWS_PROFILE, default */
    struct str access_key, secret_key, token; /* absent: environment, profile; local: test/test */
    int64_t connect_timeout_ms;               /* 0: 5000 */
    int64_t timeout_ms; /* of one attempt; 0: 60000; invocations want more than 900000 */
    int attempts;       /* 0: AWS_MAX_ATTEMPTS, the profile's max_attempts, 4 (AWS: 5) */
};

struct aws_error {
    int r;              /* -errno of the failure; -EREMOTEIO: the service answered an error */
    struct str code;    /* the service's code; absent when it did not answer */
    struct str message; /* for people: whole sentence, no prefix */
    int status;         /* HTTP, 0 when there was no answer */
    struct str request_id;
};
/* *err: what went wrong before there was an answer. Returns r. */
static inline int aws_fail(struct aws_error *err, int r, struct str message)
{
    *err = (struct aws_error){.r = r, .message = message};
    return r;
}

struct aws_client;
/* -EINVAL (contradicting options), -ENOENT (no such profile, no credentials) with *err. The arena
 * must live as long as the client. */
int aws_client_open(const struct aws_options *options, struct arena *a, struct aws_client **ret,
                    struct aws_error *err);
void aws_client_close(struct aws_client *client); /* accepts NULL */
struct str aws_client_region(const struct aws_client *client);
struct str aws_client_endpoint(const struct aws_client *client, const struct service_model *service,
                               struct arena *a);
/* Calls end with -ECANCELED once *flag is set (by a signal handler); NULL: no more. Returns the
 * flag until now. */
const volatile sig_atomic_t *aws_client_cancel_on(struct aws_client *client,
                                                  const volatile sig_atomic_t *flag);
bool aws_client_is_local(const struct aws_client *client);
/* What requests are signed with that are sent in another way: renewed when they are about to end,
 * which asks STS. No access key: unsigned. 0 or err->r. */
int aws_client_credentials(struct aws_client *client, struct sigv4_credentials *ret,
                           struct aws_error *err);

/* What to add to this machine's clock when signing, as an answer of AWS has told; mostly 0. */
int64_t aws_client_skew_ms(const struct aws_client *client);

/* Encode, sign, send, retry (throttling, 5xx, broken connections: backoff with jitter, as long
 * as the service asks for), decode. A wrong clock is corrected by the answer's Date, a bucket of
 * another region followed.
 * *ret_out: struct of op->output in the arena, NULL for an operation without output (ret_out may be
 * NULL). A streaming input member may be a file: it is sent from there. A streaming output is in
 * memory. Returns 0 or err->r. */
int aws_call(struct aws_client *client, struct arena *a, const struct operation *op, const void *in,
             void **ret_out, struct aws_error *err);
/* The same, but a streaming output goes to fd as it arrives (at most one attempt after the first
 * byte). */
int aws_call_to_fd(struct aws_client *client, struct arena *a, const struct operation *op,
                   const void *in, int fd, void **ret_out, struct aws_error *err);
/* The same for an operation whose output is an event stream: on_event gets each event as it
 * arrives, valid during the call; a negative result ends the call with it. An exception in the
 * stream is the call's error. */
struct eventstream_message;
typedef int aws_event_fn(void *user, const struct eventstream_message *event);
int aws_call_events(struct aws_client *client, struct arena *a, const struct operation *op,
                    const void *in, aws_event_fn *on_event, void *user, void **ret_out,
                    struct aws_error *err);
/* The last response's header; absent when there was none. For X-Amz-... that the model lacks. */
struct str aws_last_header(const struct aws_client *client, const char *name);
