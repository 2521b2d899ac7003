/* encode_input - an operation's input struct as the request a client sends. */
#include <errno.h>
#include "base/digest.h"
#include "wire/bind.h"
#include "wire/client.h"
#include "wire/query.h"
#include "wire/xml.h"

static void put(struct arena *a, struct wire_headers *h, const char *name, struct str value)
{
    if (!wire_find_header(h->items, h->n, name).p)
        wire_headers_add(a, h, str_from(name), value);
}

/* A copy of the input with absent idempotency tokens made up; the caller's struct stays as it is.
 */
static const void *with_token(struct arena *a, const struct shape *shape, const void *in)
{
    for (uint32_t i = 0; i < shape->n_members; i++) {
        const struct member *m = shape_member(shape, i);
        if (!m->idempotency_token || member_shape(m)->type != SHAPE_STRING ||
            !wire_slot_absent(member_shape(m), wire_slot(m, in)))
            continue;
        void *copy = arena_copy(a, in, shape->size);
        *(struct str *)wire_slot(m, copy) = random_uuid(a);
        return copy;
    }
    return in;
}

static void rest_payload(const struct operation *op, const struct member *m, const void *in,
                         struct arena *a, struct buf *b, struct wire_headers *h,
                         struct wire_request *ret)
{
    const void *slot = wire_slot(m, in);
    bool xml = operation_service(op)->protocol == PROTOCOL_REST_XML;
    if (wire_slot_absent(member_shape(m), slot))
        return;
    if (member_shape(m)->type == SHAPE_STREAM) {
        ret->body = *(const struct body *)slot;
        return;
    }
    if (member_shape(m)->type != SHAPE_STRUCTURE) {
        ret->body = body_mem(*(const struct str *)slot);
        return;
    }
    const void *object = *(void *const *)slot;
    if (xml)
        xml_write_root(b, operation_service(op), member_wire_name(m),
                       member_xml_namespace(m) ? member_xml_namespace(m)
                                               : operation_service(op)->xml_namespace,
                       member_shape(m), object);
    else
        wire_json_write(b, member_shape(m), object);
    put(a, h, "Content-Type", xml ? S("application/xml") : S("application/json"));
    ret->body = body_mem(buf_copy(b, a));
}

static int encode_rest(const struct operation *op, const void *in,
                       const struct wire_encode_options *options, struct arena *a, struct buf *b,
                       struct wire_headers *h, struct wire_request *ret, struct wire_error *err)
{
    const struct member *bad = NULL;
    int r = bind_write_uri(a, op, in, options && options->bucket_in_host, &ret->path, &ret->query,
                           &bad);
    if (r < 0) {
        *err = (struct wire_error){.code = S("ParamValidation"),
                                   .message =
                                       str_printf(a, "%s: %s must not be empty", operation_name(op),
                                                  bad ? member_name(bad) : "a part of the path")};
        return r;
    }
    ret->method = str_from(operation_method(op));
    if (!operation_input(op) || !in)
        return 0;
    bind_write_headers(a, operation_service(op), operation_input(op), in, h);
    if (shape_payload(operation_input(op))) {
        rest_payload(op, shape_payload(operation_input(op)), in, a, b, h, ret);
        return 0;
    }
    if (!bind_has_body_members(operation_input(op)))
        return 0;
    if (operation_service(op)->protocol == PROTOCOL_REST_XML)
        xml_write_root(b, operation_service(op),
                       op->input_wire_name ? operation_input_wire_name(op)
                                           : shape_name(operation_input(op)),
                       op->input_xml_namespace ? operation_input_xml_namespace(op)
                                               : operation_service(op)->xml_namespace,
                       operation_input(op), in);
    else
        wire_json_write(b, operation_input(op), in);
    put(a, h, "Content-Type",
        operation_service(op)->protocol == PROTOCOL_REST_XML ? S("application/xml")
                                                             : S("application/json"));
    ret->body = body_mem(buf_copy(b, a));
    return 0;
}

static void encode_query(const struct operation *op, const void *in, struct arena *a, struct buf *b,
                         struct wire_headers *h)
{
    buf_printf(b, "Action=%s&Version=%s", operation_name(op), operation_service(op)->api_version);
    if (operation_input(op) && in)
        query_write(b, a, operation_input(op), in);
    put(a, h, "Content-Type", S("application/x-www-form-urlencoded; charset=utf-8"));
}

static void encode_json(const struct operation *op, const void *in, struct arena *a, struct buf *b,
                        struct wire_headers *h)
{
    if (operation_input(op) && in)
        wire_json_write(b, operation_input(op), in);
    else
        buf_text(b, "{}");
    put(a, h, "X-Amz-Target",
        str_printf(a, "%s.%s", operation_service(op)->target_prefix, operation_name(op)));
    put(a, h, "Content-Type",
        operation_service(op)->protocol == PROTOCOL_JSON_1_0 ? S("application/x-amz-json-1.0")
                                                             : S("application/x-amz-json-1.1"));
}

/* S3 wants a digest of bodies that replace or delete things. */
static void put_checksum(const struct operation *op, struct arena *a, const struct body *body,
                         struct wire_headers *h)
{
    uint8_t md5[16];
    if (!op->checksum_required || !body->has || body->in_file ||
        wire_find_header(h->items, h->n, "Content-MD5").p)
        return;
    digest_md5(body->mem, md5);
    put(a, h, "Content-MD5", base64_encode(a, str_of((char *)md5, sizeof(md5))));
}

int wire_encode_input(const struct operation *op, const void *in,
                      const struct wire_encode_options *options, struct arena *a,
                      struct wire_request *ret, struct wire_error *err)
{
    struct wire_request req = {.method = S("POST"), .path = S("/")};
    struct wire_headers h = {0};
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    int r = 0;
    if (operation_input(op) && in)
        in = with_token(a, operation_input(op), in);
    switch (operation_service(op)->protocol) {
    case PROTOCOL_REST_JSON:
    case PROTOCOL_REST_XML:
        r = encode_rest(op, in, options, a, &b, &h, &req, err);
        break;
    case PROTOCOL_QUERY:
        encode_query(op, in, a, &b, &h);
        req.body = body_mem(buf_copy(&b, a));
        break;
    case PROTOCOL_CBOR:
        *err = (struct wire_error){.code = S("ParamValidation"),
                                   .message = S("the rpc-v2-cbor protocol is not supported")};
        return -EINVAL;
    default:
        encode_json(op, in, a, &b, &h);
        req.body = body_mem(buf_copy(&b, a));
    }
    if (r < 0)
        return r;
    put_checksum(op, a, &req.body, &h);
    if (options && options->base_path.n)
        req.path = str_printf(a, "%.*s%.*s", STR(options->base_path), STR(req.path));
    req.headers = h.items;
    req.n_headers = h.n;
    *ret = req;
    return 0;
}
