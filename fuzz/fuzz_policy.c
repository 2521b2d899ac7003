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
    static const char *const types[] = {"date", "ip", "numericList", "binary", "boolean"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        policy_value_valid(str_from(types[i]), text);
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
        enum policy_verdict verdict = policy_evaluate(policy, &r);
        size_t n;
        struct policy_finding *found = policy_explain(policy, &r, &n);
        bool any_deny = false;
        for (size_t j = 0; j < n; j++) {
            any_deny |= found[j].miss == POLICY_MATCHES && !found[j].allow;
            struct policy_place at = policy_place_of(policy, j);
            if (at.start_line < 1 || at.end_line < at.start_line)
                __builtin_trap(); /* every statement stands somewhere */
        }
        if (any_deny != (verdict == POLICY_DENIES))
            __builtin_trap(); /* the explanation is the decision's */
        struct policy_values keys;
        policy_context_keys(policy, &a, &keys);
        policy_missing_keys(policy, &r, &keys);
        struct policy_source source = {S("p"), policy};
        struct policy_case all = {0};
        for (size_t j = 0; j < POLICY_LAYERS; j++)
            if (size >> j & 1)
                all.layers[j] = (struct policy_sources){true, &source, 1, 1};
        struct policy_decision d;
        policy_decide(&all, &r, &d);
    }
    return 0;
}
