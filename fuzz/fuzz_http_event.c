/* fuzz_http_event - a function's result, or the head of a streamed answer, out of any bytes: what
 * becomes an answer has a status and headers that cannot begin others. */
#include <errno.h>
#include "service/lambda/http_event.h"

static void check(const struct http_answer *a)
{
    if (a->status < 200 || a->status > 599 || !a->body.p)
        abort();
    for (size_t i = 0; i < a->headers.n; i++) {
        struct str name = a->headers.items[i].name;
        if (!name.n || str_find_byte(name, '\n') >= 0 || str_find_byte(name, ':') >= 0 ||
            str_eq_nocase(name, S("content-length")))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str in = str_copy(&a, str_of((const char *)data, size));
    struct http_answer answer;
    size_t used;
    if (http_answer_of(&a, in, &answer) == 0)
        check(&answer);
    if (http_answer_rest(&a, in, &answer) == 0)
        check(&answer);
    int r = http_prelude(&a, in, &answer, &used);
    if (r > 0) {
        check(&answer);
        if (used > in.n || used < 8)
            abort();
    }
    struct http_event_request req = {.method = S("GET"), .path = S("/"), .query = in, .body = in};
    http_event(&a, &req);
    http_event_rest(&a, &req, S("/"), S("Prod"));
    return 0;
}
