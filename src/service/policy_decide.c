/* policy_decide - all policies that speak about one request, in AWS's order: a denial anywhere,
 * then whoever does not allow. */
#include "service/policy_document.h"

const char *policy_layer_name(enum policy_layer layer)
{
    static const char *const names[] = {"service control policy", "resource-based policy",
                                        "identity-based policy", "permissions boundary",
                                        "session policy"};
    return names[layer];
}

const char *policy_effect_name(enum policy_effect effect)
{
    static const char *const names[] = {"allowed", "explicitDeny", "implicitDeny"};
    return names[effect];
}

static bool allows(enum policy_verdict says)
{
    return says == POLICY_ALLOWS || says == POLICY_ALLOWS_ITSELF;
}

/* A resource of the same account that allows a session itself is enough; one that allows its role
 * stands for the identity's policies, and boundary and session policy limit it as them. A resource
 * of another account has to allow, or leave it to the principal's account, beside the identity. */
enum policy_effect policy_decide_from(const enum policy_verdict says[POLICY_LAYERS],
                                      const bool applies[POLICY_LAYERS], bool cross_account,
                                      enum policy_layer *ret_layer)
{
    for (int i = 0; i < POLICY_LAYERS; i++) {
        *ret_layer = (enum policy_layer)i;
        if (applies[i] && says[i] == POLICY_DENIES)
            return POLICY_EXPLICIT_DENY;
    }
    *ret_layer = POLICY_LAYER_ORGANIZATION;
    if (applies[POLICY_LAYER_ORGANIZATION] && !allows(says[POLICY_LAYER_ORGANIZATION]))
        return POLICY_IMPLICIT_DENY;
    enum policy_verdict resource =
        applies[POLICY_LAYER_RESOURCE] ? says[POLICY_LAYER_RESOURCE] : POLICY_SILENT;
    *ret_layer = POLICY_LAYER_RESOURCE;
    if (cross_account && !allows(resource) && resource != POLICY_DELEGATES)
        return POLICY_IMPLICIT_DENY;
    if (!cross_account && resource == POLICY_ALLOWS_ITSELF)
        return POLICY_ALLOWED;
    *ret_layer = POLICY_LAYER_IDENTITY;
    if (!allows(says[POLICY_LAYER_IDENTITY]) && (cross_account || !allows(resource)))
        return POLICY_IMPLICIT_DENY;
    for (int i = POLICY_LAYER_BOUNDARY; i < POLICY_LAYERS; i++) {
        *ret_layer = (enum policy_layer)i;
        if (applies[i] && !allows(says[i]))
            return POLICY_IMPLICIT_DENY;
    }
    return POLICY_ALLOWED;
}

static void add_hits(const struct policy_case *c, const struct policy_request *r,
                     enum policy_layer layer, bool allow, struct policy_decision *d)
{
    const struct policy_sources *sources = &c->layers[layer];
    for (size_t i = 0; i < sources->n; i++) {
        size_t n;
        struct policy_finding *f = policy_explain(sources->items[i].policy, r, &n);
        for (size_t j = 0; j < n; j++) {
            if (f[j].miss != POLICY_MATCHES || f[j].allow != allow)
                continue;
            struct policy_hit *hit =
                arena_push(r->arena, (void **)&d->hits, &d->n_hits, &d->cap_hits, sizeof *hit);
            *hit = (struct policy_hit){layer, i, j};
        }
    }
}

enum policy_effect policy_decide(const struct policy_case *c, const struct policy_request *r,
                                 struct policy_decision *ret)
{
    struct policy_decision d = {0};
    bool applies[POLICY_LAYERS];
    for (int i = 0; i < POLICY_LAYERS; i++) {
        applies[i] = c->layers[i].applies;
        for (size_t j = 0; j < c->layers[i].n; j++) {
            enum policy_verdict one = policy_evaluate(c->layers[i].items[j].policy, r);
            d.says[i] = one > d.says[i] ? one : d.says[i];
        }
    }
    d.effect = policy_decide_from(d.says, applies, c->cross_account, &d.layer);
    for (int i = 0; i < POLICY_LAYERS && d.effect != POLICY_IMPLICIT_DENY; i++)
        if (applies[i])
            add_hits(c, r, (enum policy_layer)i, d.effect == POLICY_ALLOWED, &d);
    *ret = d;
    return d.effect;
}
