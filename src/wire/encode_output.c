/* encode_output - what an operation answered, and errors, as responses. */
#include "base/digest.h"
#include "wire/bind.h"
#include "wire/server.h"
#include "wire/xml.h"

#define PROLOG "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static void put(struct arena *a, struct wire_headers *h, const char *name, struct str value)
{
    if (!wire_find_header(h->items, h->n, name).p)
        wire_headers_add(a, h, str_from(name), value);
}

static void drop(struct wire_headers *h, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->n; i++)
        if (!str_eq_nocase(h->items[i].name, str_from(name)))
            h->items[kept++] = h->items[i];
    h->n = kept;
}

static const char *json_type(enum protocol protocol)
{
    return protocol == PROTOCOL_JSON_1_0   ? "application/x-amz-json-1.0"
           : protocol == PROTOCOL_JSON_1_1 ? "application/x-amz-json-1.1"
                                           : "application/json";
}

static void put_request_id(enum protocol protocol, struct arena *a, struct str request_id,
                           struct wire_headers *h)
{
    if (protocol != PROTOCOL_REST_XML) {
        put(a, h, "x-amzn-RequestId", request_id);
        return;
    }
    put(a, h, "x-amz-request-id", request_id);
    uint8_t hash[32];
    digest_sha256(request_id, hash);
    put(a, h, "x-amz-id-2", base64_encode(a, str_of((char *)hash, sizeof(hash))));
}

static struct body taken(struct arena *a, const struct buf *b)
{
    return body_mem(buf_copy(b, a));
}

static void encode_payload(const struct wire_route *route, const struct member *m, const void *out,
                           struct arena *a, struct buf *b, struct wire_headers *h,
                           struct wire_response *ret)
{
    const void *slot = wire_slot(m, out);
    bool xml = route->protocol == PROTOCOL_REST_XML;
    if (wire_slot_absent(member_shape(m), slot))
        return;
    if (member_shape(m)->type == SHAPE_STREAM) {
        ret->body = *(const struct body *)slot;
        return;
    }
    if (member_shape(m)->type != SHAPE_STRUCTURE) {
        put(a, h, "Content-Type", S("application/json"));
        ret->body = body_mem(*(const struct str *)slot);
        return;
    }
    const void *object = *(void *const *)slot;
    if (xml) {
        const char *ns =
            member_xml_namespace(m) ? member_xml_namespace(m) : route->service->xml_namespace;
        buf_text(b, PROLOG);
        xml_write_root(b, route->service, member_wire_name(m), ns, member_shape(m), object);
    } else {
        wire_json_write(b, member_shape(m), object);
    }
    put(a, h, "Content-Type", xml ? S("application/xml") : S("application/json"));
    ret->body = taken(a, b);
}

static void encode_rest(const struct wire_route *route, const void *out, struct arena *a,
                        struct buf *b, struct wire_headers *h, struct wire_response *ret)
{
    const struct shape *shape = operation_output(route->op);
    if (!shape || !out)
        return;
    bind_write_headers(a, route->service, shape, out, h);
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        if (m->location != LOCATION_STATUS || member_shape(m)->type != SHAPE_INTEGER)
            continue;
        const struct opt_int *status = wire_slot(m, out);
        if (status->has)
            ret->status = (int)status->is;
    }
    if (shape_payload(shape)) {
        encode_payload(route, shape_payload(shape), out, a, b, h, ret);
        return;
    }
    if (ret->status == 204 || ret->status == 304 ||
        strcmp(operation_method(route->op), "HEAD") == 0)
        return;
    if (route->protocol == PROTOCOL_REST_JSON) {
        wire_json_write(b, shape, out);
        put(a, h, "Content-Type", S("application/json"));
    } else if (bind_has_body_members(shape)) {
        buf_text(b, PROLOG);
        xml_write_root(b, route->service,
                       shape->wire_name ? shape_wire_name(shape) : shape_name(shape),
                       route->service->xml_namespace, shape, out);
        put(a, h, "Content-Type", S("application/xml"));
    } else {
        return;
    }
    ret->body = taken(a, b);
}

static void encode_query(const struct wire_route *route, const void *out, struct str request_id,
                         struct buf *b)
{
    const struct operation *op = route->op;
    buf_printf(b, "<%sResponse xmlns=\"%s\">", operation_name(op),
               route->service->xml_namespace ? route->service->xml_namespace : "");
    if (operation_output(op)) {
        const char *wrapper = operation_result_wrapper(op);
        if (wrapper)
            buf_printf(b, "<%s>", wrapper);
        if (out)
            xml_write_members(b, route->service, operation_output(op), out);
        if (wrapper)
            buf_printf(b, "</%s>", wrapper);
    }
    buf_text(b, "<ResponseMetadata>");
    xml_write_element(b, "RequestId", request_id);
    buf_printf(b, "</ResponseMetadata></%sResponse>", operation_name(op));
}

void wire_encode_output(const struct wire_route *route, const void *out, struct str request_id,
                        struct arena *a, struct wire_response *ret)
{
    struct wire_headers h = {0};
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    *ret = (struct wire_response){.status = route->op->status ? route->op->status : 200};
    switch (route->protocol) {
    case PROTOCOL_REST_JSON:
    case PROTOCOL_REST_XML:
        encode_rest(route, out, a, &b, &h, ret);
        break;
    case PROTOCOL_QUERY:
        encode_query(route, out, request_id, &b);
        put(a, &h, "Content-Type", S("text/xml"));
        ret->body = taken(a, &b);
        break;
    default:
        if (operation_output(route->op) && out)
            wire_json_write(&b, operation_output(route->op), out);
        put(a, &h, "Content-Type", str_from(json_type(route->protocol)));
        ret->body = taken(a, &b);
    }
    put_request_id(route->protocol, a, request_id, &h);
    if (ret->body.has)
        drop(&h, "Content-Length"); /* the body has its own */
    ret->headers = h.items;
    ret->n_headers = h.n;
}

/* ---- errors ---- */

void wire_error_set(struct wire_error *err, const struct service_model *service, struct str code,
                    struct str message)
{
    const struct error_shape *shape = error_find(service, code);
    *err = (struct wire_error){.code = shape ? str_from(shape->code) : code,
                               .message = message,
                               .status = shape ? shape->status : 400,
                               .shape = shape};
}

static bool is_message(const struct member *m)
{
    return str_eq_nocase(str_from(member_name(m)), S("message"));
}

/* Lambda spells "Message" in some errors and "message" in others: as the model has it. What no
 * model lists comes from AWS's own frontend; its denials say "Message". */
static const char *message_key(const struct wire_error *err)
{
    const struct shape *shape = err->shape ? error_members(err->shape) : NULL;
    for (uint32_t i = 0; shape && i < shape->n_members; i++)
        if (is_message(shape_member(shape, i)))
            return member_wire_name(shape_member(shape, i));
    return str_starts(err->code, S("AccessDenied")) ? "Message" : "message";
}

static void separate(struct buf *b)
{
    if (b->n && b->p[b->n - 1] != '{')
        buf_byte(b, ',');
}

/* The error's further members, as the model names them. */
static void json_detail(const struct wire_error *err, bool rest, struct buf *b)
{
    const struct shape *shape = err->shape ? error_members(err->shape) : NULL;
    const struct member *type = shape ? member_find(shape, S("Type")) : NULL;
    bool has_type = false;
    if (shape && err->detail) {
        auto_buf struct buf detail;
        buf_init(&detail, SIZE_MAX);
        wire_json_write(&detail, shape, err->detail);
        if (detail.n > 2) {
            separate(b);
            buf_add(b, detail.p + 1, detail.n - 2);
        }
        has_type = type && !wire_slot_absent(member_shape(type), wire_slot(type, err->detail));
    }
    if (rest && type && type->location == LOCATION_BODY && !has_type) {
        separate(b);
        buf_printf(b, "\"Type\":\"%s\"", err->status >= 500 ? "Service" : "User");
    }
}

static bool detail_has_message(const struct wire_error *err)
{
    const struct shape *shape = err->shape ? error_members(err->shape) : NULL;
    for (uint32_t i = 0; shape && err->detail && i < shape->n_members; i++)
        if (is_message(shape_member(shape, i)) &&
            !wire_slot_absent(member_shape(shape_member(shape, i)),
                              wire_slot(shape_member(shape, i), err->detail)))
            return true;
    return false;
}

static void error_json(const struct wire_route *route, const struct wire_error *err,
                       struct arena *a, struct buf *b, struct wire_headers *h)
{
    bool rest = route->protocol == PROTOCOL_REST_JSON;
    buf_byte(b, '{');
    if (!rest) {
        buf_text(b, "\"__type\":");
        const char *ns = route->service->error_namespace;
        json_write_str(b, ns ? str_printf(a, "%s#%.*s", ns, STR(err->code)) : err->code);
    }
    json_detail(err, rest, b);
    if (err->message.p && !detail_has_message(err)) {
        separate(b);
        buf_printf(b, "\"%s\":", message_key(err));
        json_write_str(b, err->message);
    }
    buf_byte(b, '}');
    if (rest)
        put(a, h, "x-amzn-ErrorType", err->code);
    put(a, h, "Content-Type", str_from(json_type(route->protocol)));
}

static void error_query(const struct wire_route *route, const struct wire_error *err,
                        struct str request_id, struct arena *a, struct buf *b,
                        struct wire_headers *h)
{
    buf_printf(b, "<ErrorResponse xmlns=\"%s\"><Error><Type>%s</Type>",
               route->service->xml_namespace ? route->service->xml_namespace : "",
               err->status >= 500 ? "Receiver" : "Sender");
    xml_write_element(b, "Code", err->code);
    if (err->message.p)
        xml_write_element(b, "Message", err->message);
    buf_text(b, "</Error>");
    xml_write_element(b, "RequestId", request_id);
    buf_text(b, "</ErrorResponse>");
    put(a, h, "Content-Type", S("text/xml"));
}

static void error_xml(const struct wire_request *req, const struct wire_error *err,
                      struct str request_id, struct arena *a, struct buf *b, struct wire_headers *h)
{
    bool has_resource = false;
    buf_text(b, PROLOG "<Error>");
    xml_write_element(b, "Code", err->code);
    if (err->message.p)
        xml_write_element(b, "Message", err->message);
    for (size_t i = 0; i < err->n_extra; i++) {
        buf_byte(b, '<');
        buf_str(b, err->extra[i].name);
        buf_byte(b, '>');
        xml_write_text(b, err->extra[i].value);
        buf_add(b, "</", 2);
        buf_str(b, err->extra[i].name);
        buf_byte(b, '>');
        has_resource |= str_eq(err->extra[i].name, S("BucketName")) ||
                        str_eq(err->extra[i].name, S("Resource")) ||
                        str_eq(err->extra[i].name, S("Key"));
    }
    if (req && !has_resource && req->path.n)
        xml_write_element(b, "Resource", req->path);
    xml_write_element(b, "RequestId", request_id);
    xml_write_element(b, "HostId", wire_find_header(h->items, h->n, "x-amz-id-2"));
    buf_text(b, "</Error>");
    if (err->status != 304)
        put(a, h, "Content-Type", S("application/xml"));
}

void wire_encode_error(const struct wire_route *route, const struct wire_request *req,
                       const struct wire_error *err, struct str request_id, struct arena *a,
                       struct wire_response *ret)
{
    struct wire_headers h = {0};
    struct wire_error e = *err;
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    if (!e.status)
        e.status = e.shape ? e.shape->status : 400;
    if (e.shape && error_members(e.shape) && e.detail)
        bind_write_headers(a, route->service, error_members(e.shape), e.detail, &h);
    for (size_t i = 0; i < e.n_headers; i++)
        wire_headers_add(a, &h, e.headers[i].name, e.headers[i].value);
    put_request_id(route->protocol, a, request_id, &h);
    *ret = (struct wire_response){.status = e.status};
    switch (route->protocol) {
    case PROTOCOL_REST_XML:
        error_xml(req, &e, request_id, a, &b, &h);
        break;
    case PROTOCOL_QUERY:
        error_query(route, &e, request_id, a, &b, &h);
        break;
    default:
        error_json(route, &e, a, &b, &h);
    }
    if (e.status != 304 && e.status != 204 && !(req && str_is(req->method, "HEAD")))
        ret->body = taken(a, &b);
    ret->headers = h.items;
    ret->n_headers = h.n;
}
