/* decode_output - a service's response as the operation's output struct, or as an error. */
#include <errno.h>
#include "wire/bind.h"
#include "wire/client.h"
#include "wire/tree.h"

#define BODY_MAX (256 * 1024 * 1024)

static struct str request_id(const struct wire_response *response)
{
    static const char *const names[] = {"x-amzn-RequestId", "x-amz-request-id"};
    for (size_t i = 0; i < 2; i++) {
        struct str id = wire_find_header(response->headers, response->n_headers, names[i]);
        if (id.p)
            return id;
    }
    return (struct str){0};
}

static int unreadable(const struct operation *op, const struct wire_response *response,
                      struct arena *a, const char *why, struct wire_error *err)
{
    *err = (struct wire_error){.status = response->status,
                               .request_id = request_id(response),
                               .message = str_printf(a, "%s: the answer of %s cannot be read: %s",
                                                     operation_name(op),
                                                     operation_service(op)->name, why)};
    return -EBADMSG;
}

/* ---- errors ---- */

/* "com.amazonaws.x#Code:http://..." is Code. */
static struct str bare_code(struct str code)
{
    struct str head, rest;
    ssize_t hash = str_find_byte(code, '#');
    if (hash >= 0)
        code = str_slice(code, (size_t)hash + 1, code.n);
    str_cut(code, ':', &head, &rest);
    return head;
}

static struct str first_str(const struct json *v, const char *x, const char *y, const char *z)
{
    struct str s = json_get_str(v, x);
    if (!s.p)
        s = json_get_str(v, y);
    return s.p || !z ? s : json_get_str(v, z);
}

static void json_error(const struct operation *op, const struct wire_response *response,
                       struct str text, struct arena *a, struct wire_error *err)
{
    struct json *body = NULL;
    struct str code = wire_find_header(response->headers, response->n_headers, "x-amzn-ErrorType");
    if (text.n && json_parse(a, text, &body, NULL) < 0)
        body = NULL;
    if (!code.n)
        code = first_str(body, "__type", "code", "Code");
    err->code = bare_code(code);
    err->message = first_str(body, "message", "Message", "errorMessage");
    err->shape = error_find(operation_service(op), err->code);
    const struct shape *shape = err->shape ? error_members(err->shape) : NULL;
    if (!shape || !body)
        return;
    void *detail = arena_alloc(a, shape->size);
    if (wire_json_read(a, text, shape, detail, NULL) == 0)
        err->detail = detail;
}

static void xml_error(const struct operation *op, struct str text, struct arena *a,
                      struct wire_error *err)
{
    struct node *root;
    if (!str_trim(text).n || tree_parse_xml(a, text, &root) < 0)
        return;
    const struct node *error = str_is(root->name, "Error") ? root : tree_find(root, "Error");
    if (!error && tree_find(root, "Errors"))
        error = tree_find(tree_find(root, "Errors"), "Error");
    const struct node *code = tree_find(error, "Code"), *message = tree_find(error, "Message");
    const struct node *id = tree_find(root, "RequestId");
    if (!id)
        id = tree_find(error, "RequestId");
    if (code)
        err->code = str_trim(code->text);
    if (message)
        err->message = message->text;
    if (id && !err->request_id.p)
        err->request_id = id->text;
    err->shape = error_find(operation_service(op), err->code);
}

/* Answers to HEAD, and those of proxies, have no code. */
static struct str code_of_status(int status)
{
    switch (status) {
    case 301:
        return S("PermanentRedirect");
    case 304:
        return S("NotModified");
    case 400:
        return S("BadRequest");
    case 403:
        return S("Forbidden");
    case 404:
        return S("NotFound");
    case 412:
        return S("PreconditionFailed");
    case 503:
        return S("ServiceUnavailable");
    default:
        return status >= 500 ? S("InternalFailure") : S("UnknownError");
    }
}

static bool throttled(struct str code)
{
    static const char *const codes[] = {"Throttling",
                                        "ThrottlingException",
                                        "ThrottledException",
                                        "RequestThrottled",
                                        "RequestThrottledException",
                                        "TooManyRequestsException",
                                        "RequestLimitExceeded",
                                        "ProvisionedThroughputExceededException",
                                        "SlowDown",
                                        "PriorRequestNotComplete",
                                        "RequestTimeout",
                                        "BandwidthLimitExceeded",
                                        "LimitExceededException.Rate"};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (str_is(code, codes[i]))
            return true;
    return false;
}

static int decode_error(const struct operation *op, const struct wire_response *response,
                        struct str text, struct arena *a, struct wire_error *err)
{
    *err = (struct wire_error){.status = response->status, .request_id = request_id(response)};
    if (operation_service(op)->protocol == PROTOCOL_REST_XML ||
        operation_service(op)->protocol == PROTOCOL_QUERY)
        xml_error(op, text, a, err);
    else
        json_error(op, response, text, a, err);
    if (!err->code.n)
        err->code = code_of_status(response->status);
    if (!err->message.n)
        err->message =
            str_printf(a, "%s answered %s with HTTP status %d (%.*s)", operation_service(op)->name,
                       operation_name(op), response->status, STR(err->code));
    err->throttled = throttled(err->code) || response->status == 429;
    err->retryable = err->throttled || response->status == 500 || response->status == 502 ||
                     response->status == 503 || response->status == 504;
    return -EBADMSG;
}

/* ---- outputs ---- */

static int read_xml(const struct operation *op, const struct wire_response *response,
                    struct str text, const struct shape *shape, struct arena *a, void *object,
                    struct wire_error *err)
{
    struct node *root;
    struct tree_error e;
    if (!str_trim(text).n)
        return 0;
    if (tree_parse_xml(a, text, &root) < 0)
        return unreadable(op, response, a, "it is not XML", err);
    const struct node *from = root;
    if (operation_service(op)->protocol == PROTOCOL_QUERY && operation_result_wrapper(op)) {
        from = tree_find(root, operation_result_wrapper(op));
        if (!from)
            return unreadable(op, response, a, "the result is missing", err);
    }
    if (shape->unwrapped) {
        const struct member *m = shape_member(shape, 0);
        if (root->text.n && member_shape(m)->type == SHAPE_STRING)
            *(struct str *)wire_slot(m, object) = root->text;
        return 0;
    }
    if (tree_read(a, TREE_XML, from, shape, object, &e) < 0)
        return unreadable(
            op, response, a,
            str_printf(a, "%s is %.*s", e.member ? member_name(e.member) : "a value", STR(e.text))
                .p,
            err);
    return 0;
}

static int read_json(const struct operation *op, const struct wire_response *response,
                     struct str text, const struct shape *shape, struct arena *a, void *object,
                     struct wire_error *err)
{
    struct wire_read_error e;
    if (!str_trim(text).n)
        return 0;
    if (wire_json_read(a, text, shape, object, &e) < 0)
        return unreadable(op, response, a, str_printf(a, "%s at byte %zu", e.message, e.offset).p,
                          err);
    return 0;
}

static int read_body(const struct operation *op, const struct wire_response *response,
                     struct str text, const struct shape *shape, struct arena *a, void *object,
                     struct wire_error *err)
{
    bool xml = operation_service(op)->protocol == PROTOCOL_REST_XML ||
               operation_service(op)->protocol == PROTOCOL_QUERY;
    return xml ? read_xml(op, response, text, shape, a, object, err)
               : read_json(op, response, text, shape, a, object, err);
}

static int read_payload(const struct operation *op, const struct wire_response *response,
                        struct str text, const struct member *m, struct arena *a, void *object,
                        struct wire_error *err)
{
    void *slot = wire_slot(m, object);
    if (member_shape(m)->type == SHAPE_STREAM) {
        *(struct body *)slot = response->body;
        return 0;
    }
    if (member_shape(m)->type != SHAPE_STRUCTURE) {
        if (text.n)
            *(struct str *)slot = text;
        return 0;
    }
    if (!str_trim(text).n)
        return 0;
    void *payload = arena_alloc(a, member_shape(m)->size);
    int r = read_body(op, response, text, member_shape(m), a, payload, err);
    if (r == 0)
        *(void **)slot = payload;
    return r;
}

static int read_rest(const struct operation *op, const struct wire_response *response,
                     struct str text, struct arena *a, void *object, struct wire_error *err)
{
    const struct member *bad = NULL;
    const struct shape *shape = operation_output(op);
    if (bind_read_headers(a, response->headers, response->n_headers, shape, object, &bad) < 0)
        return unreadable(op, response, a, str_printf(a, "header %s", member_wire_name(bad)).p,
                          err);
    for (uint32_t i = 0; i < shape->n_members; i++)
        if (shape_member(shape, i)->location == LOCATION_STATUS &&
            member_shape(shape_member(shape, i))->type == SHAPE_INTEGER)
            *(struct opt_int *)wire_slot(shape_member(shape, i), object) =
                opt_int(response->status);
    if (shape_payload(shape))
        return read_payload(op, response, text, shape_payload(shape), a, object, err);
    if (!bind_has_body_members(shape))
        return 0;
    return read_body(op, response, text, shape, a, object, err);
}

int wire_decode_output(const struct operation *op, const struct wire_response *response,
                       struct arena *a, void **ret, struct wire_error *err)
{
    bool failed = response->status >= 300 || response->status < 100;
    bool stream = !failed && operation_output(op) && shape_payload(operation_output(op)) &&
                  member_shape(shape_payload(operation_output(op)))->type == SHAPE_STREAM;
    bool rest = operation_service(op)->protocol == PROTOCOL_REST_JSON ||
                operation_service(op)->protocol == PROTOCOL_REST_XML;
    struct str text = S("");
    if (!stream && response->body.has && body_load(&response->body, BODY_MAX, a, &text) < 0)
        return unreadable(op, response, a, "it is too large", err);
    if (failed)
        return decode_error(op, response, text, a, err);
    if (!operation_output(op)) {
        *ret = NULL;
        return 0;
    }
    void *object = arena_alloc(a, operation_output(op)->size);
    int r = rest ? read_rest(op, response, text, a, object, err)
                 : read_body(op, response, text, operation_output(op), a, object, err);
    if (r == 0)
        *ret = object;
    return r;
}
