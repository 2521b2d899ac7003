/* fuzz_wire_json - any bytes as the body of a JSON operation; what is taken is written and read
 * again the same. */
#include <stdlib.h>
#include "wire/lambda.h"
#include "wire/server.h"
#include "wire/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    const struct shape *shape = operation_input(&lambda_create_function_op);
    struct wire_route route = {
        .service = &lambda_model, .op = &lambda_create_function_op, .protocol = PROTOCOL_REST_JSON};
    struct wire_request req = {.method = S("POST"),
                               .path = S("/2015-03-31/functions"),
                               .body = body_mem(str_of((const char *)data, size))};
    struct wire_error err;
    void *in, *again = arena_alloc(&a, shape->size);
    if (wire_decode_input(&route, &req, &a, &in, &err) < 0)
        return 0;
    wire_check_input(&route, in, &a, &err);
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    wire_json_write(&b, shape, in);
    if (wire_json_read(&a, buf_view(&b), shape, again, NULL) < 0 || !wire_equal(shape, in, again))
        abort();
    return 0;
}
