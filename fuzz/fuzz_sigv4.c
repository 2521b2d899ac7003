/* fuzz_sigv4 - any bytes as the Authorization header, the presigned query, and a chunked body:
 * never taken as signed. */
#include <stdlib.h>
#include "base/clock.h"
#include "wire/chunked.h"
#include "wire/s3.h"
#include "wire/sts.h"

static int lookup(void *user, struct str access_key, struct str token, struct sigv4_secret *ret)
{
    *ret = (struct sigv4_secret){.secret_key = S("a secret that the input does not hold")};
    return 0;
}

static int ignore(void *user, const void *p, size_t n)
{
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str text = str_of((const char *)data, size);
    struct wire_header headers[] = {{S("Host"), S("h")},
                                    {S("X-Amz-Date"), S("20250101T000000Z")},
                                    {S("X-Amz-Content-Sha256"), S("UNSIGNED-PAYLOAD")},
                                    {S("Authorization"), text}};
    struct sigv4_verifier v = {.lookup = lookup, .now_ms = 1735689600000};
    struct sigv4_result result;
    struct wire_error err;
    struct wire_request req = {
        .method = S("GET"), .path = S("/"), .headers = headers, .n_headers = 4};
    if (sigv4_verify(&v, &s3_model, &req, &a, &result, &err) == 0 && !result.anonymous)
        abort();
    req.n_headers = 1;
    req.query = text;
    req.path = text;
    if (sigv4_verify(&v, &sts_model, &req, &a, &result, &err) == 0 && !result.anonymous)
        abort();

    struct sigv4_result auth = {.payload = size % 2 ? SIGV4_PAYLOAD_UNSIGNED_CHUNKED_TRAILER
                                                    : SIGV4_PAYLOAD_CHUNKED_TRAILER,
                                .date = S("20250101"),
                                .amz_date = S("20250101T000000Z"),
                                .region = S("r"),
                                .service = S("s3")};
    struct wire_pair sum;
    struct chunked *c = chunked_open(&auth, -1, S("x-amz-checksum-crc32"));
    if (chunked_feed(c, data, size / 2, ignore, NULL, &a, &err) == 0 &&
        chunked_feed(c, data + size / 2, size - size / 2, ignore, NULL, &a, &err) == 0)
        chunked_end(c, &a, &sum, &err);
    chunked_close(c);
    return 0;
}
