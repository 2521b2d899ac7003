/* fuzz_wire_xml - any bytes as the body of S3 operations; what is taken is encoded by the client
 * side without falling over. */
#include "wire/client.h"
#include "wire/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct operation *const ops[] = {
        &s3_delete_objects_op, &s3_put_bucket_lifecycle_configuration_op,
        &s3_complete_multipart_upload_op, &s3_put_bucket_tagging_op};
    auto_arena struct arena a;
    arena_init(&a);
    if (!size)
        return 0;
    struct wire_route route = {.service = &s3_model,
                               .op = ops[data[0] % 4],
                               .protocol = PROTOCOL_REST_XML,
                               .labels = {S("bucket"), S("key")},
                               .n_labels = 2};
    struct wire_request req = {.method = S("POST"),
                               .path = S("/bucket/key"),
                               .body = body_mem(str_of((const char *)data + 1, size - 1))};
    struct wire_error err;
    void *in;
    if (wire_decode_input(&route, &req, &a, &in, &err) < 0)
        return 0;
    wire_check_input(&route, in, &a, &err);
    wire_encode_input(route.op, in, NULL, &a, &req, &err);
    return 0;
}
