/* server - requests to typed structs, typed structs to responses, for every protocol.
 *
 *     struct wire_route route;
 *     r = wire_route(router, &req, arena, &route, &err);           which operation
 *     r = wire_decode_input(&route, &req, arena, &in, &err);       its input as a struct
 *     r = wire_check_input(&route, in, arena, &err);               what the model demands of it
 *     ...handler...
 *     wire_encode_output(&route, out, request_id, arena, &resp);   or wire_encode_error()
 *
 * Functions that take an error return 0, or -EBADMSG with *err filled: code, message and status as
 * AWS answers them. Everything returned lives in the arena; strings may point into the request. */
#pragma once
#include "wire/request.h"
#include "wire/shape.h"

struct wire_pair {
    struct str name, value;
};

/* An error as it goes over the wire, in either direction. */
struct wire_error {
    struct str code; /* ResourceNotFoundException */
    struct str message;
    int status;                      /* HTTP status; 0: 400 */
    const struct error_shape *shape; /* when the model knows it, else NULL */
    const void *detail;              /* struct of shape->shape with further members, or NULL */
    const struct wire_pair *extra;   /* S3: further elements (BucketName, Key, StringToSign...) */
    size_t n_extra;
    const struct wire_pair *headers; /* server: further headers of the answer */
    size_t n_headers;
    struct str request_id; /* client: what the server called the request */
    bool retryable;        /* client: throttled, or the server's fault */
    bool throttled;        /* client: asked too often */
};

/* The error of that wire code: status and shape from the model (400 when the model lacks it). */
void wire_error_set(struct wire_error *err, const struct service_model *service, struct str code,
                    struct str message);

#define WIRE_LABELS_MAX 8

struct wire_route {
    const struct service_model *service;
    const struct operation *op;
    enum protocol protocol;             /* the one the client speaks */
    struct str labels[WIRE_LABELS_MAX]; /* of the URI, decoded, in the template's order */
    size_t n_labels;
};

/* URI templates of a service, compiled. Routers are read-only once made. */
struct wire_router;
struct wire_router *wire_router_new(const struct service_model *service);
void wire_router_free(struct wire_router *router); /* accepts NULL */

/* rest: method, path, query literals, then the required query parameters and headers (they tell
 * UploadPart from PutObject, CopyObject from PutObject); json: X-Amz-Target; query: Action.
 * S3 requests in virtual-host style: the caller puts the bucket in front of the path.
 * -EBADMSG: no such operation (UnknownOperationException, InvalidAction, MethodNotAllowed ...);
 * ret->service and ret->protocol are set even then, so that the error can be encoded. */
int wire_route(const struct wire_router *router, const struct wire_request *req, struct arena *a,
               struct wire_route *ret, struct wire_error *err);

/* What "X-Amz-Target: Logs_20140328.PutLogEvents" names: the part before the last dot; absent when
 * there is no such header. With it the dispatcher finds the service by service_model.target_prefix.
 */
struct str wire_target_prefix(const struct wire_request *req);

/* *ret is a zeroed struct of op->input, filled; NULL when the operation has no input. A streaming
 * payload is req->body as it is. */
int wire_decode_input(const struct wire_route *route, const struct wire_request *req,
                      struct arena *a, void **ret, struct wire_error *err);

/* Required, length, range, pattern, enum; all violations in one message, as AWS words it. */
int wire_check_input(const struct wire_route *route, const void *in, struct arena *a,
                     struct wire_error *err);

/* out: struct of op->output, or NULL for an operation without output. A streaming payload becomes
 * the response's body as it is. */
void wire_encode_output(const struct wire_route *route, const void *out, struct str request_id,
                        struct arena *a, struct wire_response *ret);

/* req may be NULL; it tells HEAD (no body) and S3's <Resource>. */
void wire_encode_error(const struct wire_route *route, const struct wire_request *req,
                       const struct wire_error *err, struct str request_id, struct arena *a,
                       struct wire_response *ret);
