/* fuzz_policy - any bytes as a policy, then a request put to what was accepted. */
#include "service/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lookup(void *user, struct arena *a, struct str key, struct policy_values *ret)
{
    /* some keys have one value, some have two, some none: as their length says */
    if (key.n % 3 == 0)
        return false;
    ret->items = ARENA_ARRAY(a, struct str, 2);
    ret->items[0] = key;
    ret->items[1] = S("2025-01-01T00:00:00Z");
    ret->n = key.n % 3;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum policy_kind kinds[] = {POLICY_IDENTITY, POLICY_TRUST, POLICY_BUCKET,
                                             POLICY_RESOURCE};
    struct str text = {(const char *)data, size};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct policy *policy;
        struct str message;
        if (policy_parse(&a, kinds[i], text, &policy, &message) < 0)
            continue;
        struct policy_request r = {
            .arena = &a,
            .action = S("s3:GetObject"),
            .resource = S("arn:aws:s3:::bucket/a/b"),
            .who = {.account = S("000000000000"),
                    .arn = S("arn:aws:sts::000000000000:assumed-role/R/S"),
                    .role_arn = S("arn:aws:iam::000000000000:role/R")},
            .lookup = lookup,
        };
        policy_evaluate(policy, &r);
    }
    return 0;
}
