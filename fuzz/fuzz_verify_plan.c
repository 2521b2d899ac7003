/* fuzz_verify_plan - any text as verify.yaml: a plan, or an error with its line. */
#include <assert.h>
#include "cli/verify.h"
#include "template/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct json *root;
    struct template_error err = {0};
    struct verify_plan plan = {0};
    struct str why = {0}, text = str_of((const char *)data, size);
    if (str_find(text, S("payload_file")) >= 0) /* files of this machine are not read */
        return 0;
    if (template_parse(&a, text, &root, &err) < 0)
        return 0;
    if (verify_plan_parse(&a, root, S("verify.yaml"), &plan, &why) < 0) {
        assert(str_starts(why, S("verify.yaml:")));
        return 0;
    }
    assert(plan.warm.n_gates <= GATE_MAX && plan.load.n_gates <= GATE_MAX);
    assert(plan.memory_mb.low <= plan.memory_mb.high && plan.max_regression >= 0);
    return 0;
}
