/* fuzz_telemetry - any bytes as an extension's subscription, and as the head of a log frame. */
#include "base/arena.h"
#include "service/lambda/frame.h"
#include "service/lambda/telemetry_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct telemetry_request r;
    struct frame_head f;
    struct str wrong = S(""), bytes = str_of((const char *)data, size);
    arena_init(&a);
    for (int api = API_TELEMETRY; api <= API_LOGS; api++) {
        int code = telemetry_request_parse(&a, (enum telemetry_api)api, bytes, &r, &wrong);
        if ((code == 0) != (wrong.n == 0))
            __builtin_trap();
        if (code == 0 && (!r.port || !r.types || r.max_bytes < 262144))
            __builtin_trap();
    }
    if (frame_parse(str_slice(bytes, 0, size < FRAME_HEAD ? size : FRAME_HEAD), 0, &f) &&
        !frame_begins(str_slice(bytes, 0, 4)))
        __builtin_trap();
    arena_done(&a);
    return 0;
}
