/* fuzz_wire_query - any bytes as the parameters of a query operation, and as path and query of S3's
 * routes. */
#include "wire/client.h"
#include "wire/cloudformation.h"
#include "wire/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wire_router *router;
    auto_arena struct arena a;
    arena_init(&a);
    struct str text = str_of((const char *)data, size);
    struct wire_route route = {.service = &cloudformation_model,
                               .op = &cloudformation_create_stack_op,
                               .protocol = PROTOCOL_QUERY};
    struct wire_request req = {.method = S("POST"), .path = S("/"), .body = body_mem(text)};
    struct wire_error err;
    void *in;
    if (wire_decode_input(&route, &req, &a, &in, &err) == 0) {
        wire_check_input(&route, in, &a, &err);
        wire_encode_input(route.op, in, NULL, &a, &req, &err);
    }
    if (!router)
        router = wire_router_new(&s3_model);
    req = (struct wire_request){.method = S("GET")};
    str_cut(text, '?', &req.path, &req.query);
    if (wire_route(router, &req, &a, &route, &err) == 0 && route.op->modelled &&
        wire_decode_input(&route, &req, &a, &in, &err) == 0)
        wire_check_input(&route, in, &a, &err);
    return 0;
}
