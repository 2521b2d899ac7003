/* response_stream - answers of functions that come piece by piece (POST .../response with
 * Lambda-Runtime-Function-Response-Mode: streaming).
 *
 *     runtime --chunks--> on_data --> token bucket --> sink->data --> invoker
 *                 ^                       |                |
 *                 +------ http_pause <----+-- too fast     +-- false: until invocation_drained()
 *
 * So nothing is kept but what the socket buffers hold. Without a sink the body is collected as any
 * other answer is. */
#pragma once
#include "service/lambda/instance.h"

#define STREAM_MAX (200LL * 1024 * 1024)
#define STREAM_BURST (6LL * 1024 * 1024) /* so many bytes at once, */
#define STREAM_RATE (2LL * 1024 * 1024)  /* then so many a second */

/* A bucket of bytes: full at first, refilled at a rate. Pure. */
struct token_bucket {
    int64_t capacity, rate; /* bytes; bytes a second */
    int64_t level_ns;       /* what is in it, as the time that filling it takes */
    int64_t last_ns;
};
void token_bucket_init(struct token_bucket *b, int64_t capacity, int64_t rate, int64_t now_ns);
/* Takes n bytes, which may be more than there are: ns until the debt is paid; 0: none. */
int64_t token_bucket_take(struct token_bucket *b, int64_t n, int64_t now_ns);

/* The head of an answer to the invocation that runs. True: it is a stream for its sink. */
bool response_stream_wants(struct instance *in, struct http_request *req);
/* The body's end: on_request of a request that response_stream_wants() has taken. */
void response_stream_end(struct http_request *req);
/* on_refuse of the listener: the body is malformed. */
void response_stream_refused(struct http_request *req);
/* The invocation is over, or the instance is freed: whoever streams still is cut off. */
void response_stream_cut(struct instance *in);

/* The error that trailers tell: {"errorType", "errorMessage"...} as the runtime has it; false:
 * they tell none. */
bool response_trailers_error(struct http_request *req, struct str *ret_type, struct str *ret_body);
