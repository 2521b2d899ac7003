/* http_event - HTTP requests as events of functions, and their results as HTTP answers: payload
 * format 2.0 of function URLs and HTTP APIs, and 1.0 of REST APIs. Pure. May use wire/ and base/.
 */
#pragma once
#include "base/arena.h"
#include "wire/request.h"

struct http_event_pair {
    struct str name, value;
};

/* Absent texts and zeros are left out of the event, unless said otherwise. */
struct http_event_request {
    struct str method, path, query; /* as sent, still encoded */
    const struct wire_header *headers;
    size_t n_headers;
    struct str body; /* n 0: none */
    struct str source_ip, request_id, trace_id;
    int64_t now_ms;
    struct str domain_name, api_id;
    struct str domain_prefix; /* absent: api_id */
    struct str account_id;    /* absent: "anonymous" */
    struct str route_key;     /* absent: $default */
    struct str scheme, port;  /* X-Forwarded-Proto and -Port */
    const struct http_event_pair *path_parameters;
    size_t n_path_parameters;
    /* Who signed it: requestContext.authorizer.iam. access_key absent: nobody. */
    struct str access_key, caller_account, caller_id, caller_arn;
};

struct str http_event(struct arena *a, const struct http_event_request *req);
/* Format 1.0. resource: the route's path with its parameters' names; stage: the API's. */
struct str http_event_rest(struct arena *a, const struct http_event_request *req,
                           struct str resource, struct str stage);

struct http_answer {
    int status;
    struct wire_headers headers;
    struct str body;
};
/* What a function has returned: an object with statusCode is the answer, anything else its body.
 * -EBADMSG: it is no JSON, or an object that describes no answer. */
int http_answer_of(struct arena *a, struct str result, struct http_answer *ret);
/* Format 1.0: an object with statusCode and nothing else. */
int http_answer_rest(struct arena *a, struct str result, struct http_answer *ret);

/* The head of a streamed answer (application/vnd.awslambda.http-integration-response): JSON, then
 * eight NULs, then the body. 1: *ret is filled but for its body, which begins at *ret_size. 0: more
 * bytes are needed. -EBADMSG. */
#define HTTP_PRELUDE_TYPE "application/vnd.awslambda.http-integration-response"
int http_prelude(struct arena *a, struct str bytes, struct http_answer *ret, size_t *ret_size);
