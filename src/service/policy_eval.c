/* policy_eval - what a policy says to a request: an explicit denial beats everything. */
#include "service/policy_document.h"

/* How exactly a statement names the one who asks. */
enum named { NAMED_NOT, NAMED_ACCOUNT, NAMED_SELF };

static struct str arn_account(struct str arn)
{
    struct str head, rest = arn;
    for (int i = 0; i < 4; i++)
        if (!str_cut(rest, ':', &head, &rest))
            return (struct str){0};
    str_cut(rest, ':', &head, &rest);
    return head;
}

static enum named names_aws(struct str name, const struct policy_principal *who)
{
    if (str_is(name, "*"))
        return NAMED_SELF;
    if (who->account.n == 0)
        return NAMED_NOT;
    if (str_eq(name, who->arn) || (who->role_arn.n && str_eq(name, who->role_arn)))
        return NAMED_SELF;
    bool whole_account = name.n == 12 || str_ends(name, S(":root"));
    struct str account = name.n == 12 ? name : arn_account(name);
    if (whole_account && str_eq(account, who->account))
        return str_ends(who->arn, S(":root")) ? NAMED_SELF : NAMED_ACCOUNT;
    return NAMED_NOT;
}

static enum named statement_names(const struct policy_statement *s,
                                  const struct policy_principal *who)
{
    if (!s->has_principal)
        return NAMED_SELF; /* an identity's policy speaks about its identity */
    enum named best = NAMED_NOT;
    for (size_t i = 0; i < s->n_principals; i++) {
        const struct policy_named *p = &s->principals[i];
        enum named how = NAMED_NOT;
        if (p->kind == PRINCIPAL_KIND_ANY)
            how = NAMED_SELF;
        else if (p->kind == PRINCIPAL_KIND_AWS)
            how = names_aws(p->name, who);
        else if (p->kind == PRINCIPAL_KIND_SERVICE && who->service.n)
            how = str_eq_nocase(p->name, who->service) || str_is(p->name, "*") ? NAMED_SELF
                                                                               : NAMED_NOT;
        best = how > best ? how : best;
    }
    if (s->not_principal)
        return best == NAMED_NOT ? NAMED_SELF : NAMED_NOT;
    return best;
}

static bool action_applies(const struct policy_statement *s, struct str action)
{
    bool any = false;
    for (size_t i = 0; i < s->actions.n && !any; i++)
        any = policy_glob(s->actions.items[i], action, true);
    return any != s->not_action;
}

static bool resource_applies(const struct policy *p, const struct policy_statement *s,
                             const struct policy_request *r)
{
    if (!s->resources.has)
        return true; /* trust policies: the role itself */
    bool any = false;
    for (size_t i = 0; i < s->resources.n && !any; i++) {
        struct str pattern = policy_expand(p, s->resources.items[i], r);
        any = str_has(pattern) && policy_glob_arn(pattern, r->resource);
    }
    return any != s->not_resource;
}

static bool conditions_hold(const struct policy *p, const struct policy_statement *s,
                            const struct policy_request *r)
{
    for (size_t i = 0; i < s->n_conditions; i++)
        if (!condition_holds(p, &s->conditions[i], r))
            return false;
    return true;
}

enum policy_verdict policy_evaluate(const struct policy *p, const struct policy_request *r)
{
    enum policy_verdict verdict = POLICY_SILENT;
    for (size_t i = 0; i < p->n; i++) {
        const struct policy_statement *s = &p->statements[i];
        enum policy_verdict says = POLICY_DENIES;
        if (!action_applies(s, r->action))
            continue;
        enum named how = statement_names(s, &r->who);
        if (how == NAMED_NOT || !resource_applies(p, s, r) || !conditions_hold(p, s, r))
            continue;
        if (s->allow)
            says = how == NAMED_ACCOUNT ? POLICY_DELEGATES : POLICY_ALLOWS;
        if (says == POLICY_DENIES)
            return POLICY_DENIES;
        verdict = says > verdict ? says : verdict;
    }
    return verdict;
}
