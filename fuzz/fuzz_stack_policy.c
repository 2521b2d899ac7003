/* fuzz_stack_policy - any bytes as a stack policy, then updates put to what was accepted. */
#include "base/cleanup.h"
#include "service/cloudformation/stack_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has(void *user, struct str logical_id)
{
    return logical_id.n % 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const actions[] = {"Update:Modify", "Update:Replace", "Update:Delete"};
    auto_arena struct arena a;
    arena_init(&a);
    struct stack_policy *policy;
    struct str text = {(const char *)data, size};
    if (size > STACK_POLICY_MAX || stack_policy_parse(&a, text, &policy) < 0)
        return 0;
    stack_policy_unknown(policy, has, NULL);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        struct str why = {0};
        bool allowed =
            stack_policy_allows(&a, policy, actions[i], S("A"), S("AWS::S3::Bucket"), &why);
        if (allowed == str_has(why))
            __builtin_trap(); /* a refusal says why, nothing else does */
    }
    return 0;
}
