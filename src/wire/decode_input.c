/* decode_input - a request's URI, query, headers and body as the operation's input struct. */
#include <errno.h>
#include "wire/bind.h"
#include "wire/server.h"
#include "wire/tree.h"

#define BODY_MAX (64 * 1024 * 1024) /* of a body that is parsed; streams are not */

static int malformed(const struct wire_route *route, struct arena *a, const char *text,
                     struct wire_error *err)
{
    const struct service_model *s = route->service;
    if (route->protocol == PROTOCOL_REST_XML)
        wire_error_set(err, s, S("MalformedXML"),
                       S("The XML you provided was not well-formed or did not validate against our "
                         "published schema"));
    else if (route->protocol == PROTOCOL_QUERY)
        wire_error_set(err, s, S("MalformedQueryString"),
                       S("The query string contains a syntax error"));
    else
        wire_error_set(
            err, s, s->malformed_code ? str_from(s->malformed_code) : S("SerializationException"),
            str_printf(a, "%s%s", s->malformed_text ? s->malformed_text : "", text));
    return -EBADMSG;
}

static const char *java_type(const struct shape *shape)
{
    switch (shape->type) {
    case SHAPE_STRING:
        return "a String";
    case SHAPE_BLOB:
    case SHAPE_STREAM:
        return "a ByteBuffer";
    case SHAPE_BOOLEAN:
        return "a Boolean";
    case SHAPE_INTEGER:
        return shape->has_max && shape->max <= INT32_MAX ? "an Integer" : "a Long";
    case SHAPE_DOUBLE:
        return "a Double";
    case SHAPE_TIMESTAMP:
        return "a Timestamp";
    default:
        return "a structure";
    }
}

/* The sentences of AWS's JSON parser for a value of the wrong type. */
static int json_refused(const struct wire_route *route, struct arena *a,
                        const struct wire_read_error *e, struct wire_error *err)
{
    struct str text;
    if (!e->shape)
        return malformed(route, a,
                         strcmp(e->message, "too deep") == 0 ? "nesting is too deep"
                                                             : "Unexpected token or end of input",
                         err);
    if (strcmp(e->found, "START_OBJECT") == 0)
        text = S("Start of structure or map found where not expected.");
    else if (strcmp(e->found, "START_ARRAY") == 0)
        text = S("Start of list found where not expected");
    else if (e->shape->type == SHAPE_LIST)
        text = S("Expected list or null");
    else if (e->shape->type == SHAPE_MAP)
        text = S("Expected map or null");
    else if (e->shape->type == SHAPE_STRUCTURE)
        text = S("Expected null");
    else
        text = str_printf(a, "%s can not be converted to %s", e->found, java_type(e->shape));
    wire_error_set(err, route->service, S("SerializationException"), text);
    return -EBADMSG;
}

static int scalar_refused(const struct wire_route *route, struct arena *a,
                          const struct shape *shape, struct str name, struct str found,
                          struct wire_error *err)
{
    const struct service_model *s = route->service;
    if (route->protocol == PROTOCOL_REST_XML)
        wire_error_set(
            err, s, S("InvalidArgument"),
            str_printf(a, "Provided %.*s not an integer or within integer range", STR(name)));
    else
        wire_error_set(
            err, s,
            route->protocol == PROTOCOL_QUERY ? S("MalformedInput") : S("SerializationException"),
            found.p ? str_printf(a, "%.*s can not be converted to %s", STR(found), java_type(shape))
                    : str_printf(a, "STRING_VALUE of %.*s can not be converted to %s", STR(name),
                                 java_type(shape)));
    return -EBADMSG;
}

static int tree_refused(const struct wire_route *route, struct arena *a, const struct tree_error *e,
                        struct wire_error *err)
{
    if (route->protocol == PROTOCOL_REST_XML)
        return malformed(route, a, "", err);
    return scalar_refused(route, a, e->shape,
                          e->member ? str_from(member_wire_name(e->member)) : S(""), e->text, err);
}

static int load(const struct wire_route *route, const struct wire_request *req, struct arena *a,
                struct str *ret, struct wire_error *err)
{
    *ret = S("");
    if (!req->body.has)
        return 0;
    int r = body_load(&req->body, BODY_MAX, a, ret);
    if (r == 0)
        return 0;
    *err = (struct wire_error){
        .code = r == -EMSGSIZE ? S("RequestEntityTooLargeException") : S("InternalFailure"),
        .status = r == -EMSGSIZE ? 413 : 500,
        .message = r == -EMSGSIZE ? S("Request is too large") : S("The body cannot be read")};
    return -EBADMSG;
}

static int read_json(const struct wire_route *route, struct arena *a, struct str text,
                     const struct shape *shape, void *object, struct wire_error *err)
{
    struct wire_read_error e;
    if (!str_trim(text).n)
        return 0; /* no body: all members absent */
    return wire_json_read(a, text, shape, object, &e) < 0 ? json_refused(route, a, &e, err) : 0;
}

static int read_xml(const struct wire_route *route, struct arena *a, struct str text,
                    const struct shape *shape, const char *root_name, void *object,
                    struct wire_error *err)
{
    struct node *root;
    struct tree_error e;
    if (!str_trim(text).n)
        return 0;
    if (tree_parse_xml(a, text, &root) < 0 || (root_name && !str_is(root->name, root_name)))
        return malformed(route, a, "", err);
    return tree_read(a, TREE_XML, root, shape, object, &e) < 0 ? tree_refused(route, a, &e, err)
                                                               : 0;
}

static int read_payload(const struct wire_route *route, const struct wire_request *req,
                        struct arena *a, const struct member *m, void *object,
                        struct wire_error *err)
{
    void *slot = wire_slot(m, object);
    struct str text;
    if (member_shape(m)->type == SHAPE_STREAM) {
        *(struct body *)slot = req->body;
        return 0;
    }
    int r = load(route, req, a, &text, err);
    if (r < 0)
        return r;
    if (member_shape(m)->type == SHAPE_BLOB || member_shape(m)->type == SHAPE_STRING) {
        if (text.n)
            *(struct str *)slot = text;
        return 0;
    }
    if (member_shape(m)->type != SHAPE_STRUCTURE || !str_trim(text).n)
        return 0;
    void *payload = arena_alloc(a, member_shape(m)->size);
    r = route->protocol == PROTOCOL_REST_XML
            ? read_xml(route, a, text, member_shape(m), member_wire_name(m), payload, err)
            : read_json(route, a, text, member_shape(m), payload, err);
    if (r == 0)
        *(void **)slot = payload;
    return r;
}

static int read_rest(const struct wire_route *route, const struct wire_request *req,
                     struct arena *a, void *object, struct wire_error *err)
{
    const struct operation *op = route->op;
    const struct member *bad = NULL;
    if (bind_read_labels(a, op, route->labels, route->n_labels, object, &bad) < 0 ||
        bind_read_query(a, req->query, operation_input(op), object, &bad) < 0 ||
        bind_read_headers(a, req->headers, req->n_headers, operation_input(op), object, &bad) < 0)
        return scalar_refused(route, a, member_shape(bad), str_from(member_wire_name(bad)),
                              (struct str){0}, err);
    if (shape_payload(operation_input(op)))
        return read_payload(route, req, a, shape_payload(operation_input(op)), object, err);
    if (!bind_has_body_members(operation_input(op)))
        return 0;
    struct str text;
    int r = load(route, req, a, &text, err);
    if (r < 0)
        return r;
    return route->protocol == PROTOCOL_REST_XML
               ? read_xml(route, a, text, operation_input(op), operation_input_wire_name(op),
                          object, err)
               : read_json(route, a, text, operation_input(op), object, err);
}

static int read_query(const struct wire_route *route, const struct wire_request *req,
                      struct arena *a, void *object, struct wire_error *err)
{
    struct str text;
    struct node *root;
    struct tree_error e;
    int r = load(route, req, a, &text, err);
    if (r < 0)
        return r;
    if (!text.n)
        text = req->query;
    else if (req->query.n)
        text = str_printf(a, "%.*s&%.*s", STR(req->query), STR(text));
    if (tree_parse_query(a, text, &root) < 0)
        return malformed(route, a, "", err);
    return tree_read(a, TREE_QUERY, root, operation_input(route->op), object, &e) < 0
               ? tree_refused(route, a, &e, err)
               : 0;
}

int wire_decode_input(const struct wire_route *route, const struct wire_request *req,
                      struct arena *a, void **ret, struct wire_error *err)
{
    const struct shape *shape = operation_input(route->op);
    if (!shape) {
        *ret = NULL;
        return 0;
    }
    void *object = arena_alloc(a, shape->size);
    struct str text;
    int r;
    switch (route->protocol) {
    case PROTOCOL_REST_JSON:
    case PROTOCOL_REST_XML:
        r = read_rest(route, req, a, object, err);
        break;
    case PROTOCOL_QUERY:
        r = read_query(route, req, a, object, err);
        break;
    default:
        r = load(route, req, a, &text, err);
        if (r == 0)
            r = read_json(route, a, text, shape, object, err);
    }
    if (r < 0)
        return r;
    *ret = object;
    return 0;
}
