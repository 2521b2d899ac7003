/* fuzz_yaml_write - what is read from any text, written and read again is the same. */
#include <stdio.h>
#include <stdlib.h>
#include "build/yaml_write.h"
#include "template/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct json *first, *second;
    struct template_error err = {0};
    arena_init(&a);
    if (template_parse(&a, str_of((const char *)data, size), &first, &err) == 0) {
        struct buf b;
        buf_init(&b, 64 << 20);
        yaml_write(&b, first);
        bool large = b.n > TEMPLATE_MAX_BYTES; /* aliases are copied */
        if (!large &&
            (template_parse(&a, buf_view(&b), &second, &err) < 0 || !json_equal(first, second))) {
            fprintf(stderr, "%.*s\nwritten:\n%.*s\n%.*s\n", STR(json_text(&a, first, 1)),
                    STR(buf_view(&b)), STR(err.message));
            abort();
        }
        buf_done(&b);
    }
    arena_done(&a);
    return 0;
}
