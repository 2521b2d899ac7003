/* policy_eval - what a policy says to a request: an explicit denial beats everything. */
#include "service/policy_document.h"

/* How exactly a statement names the one who asks. */
enum named { NAMED_NOT, NAMED_ACCOUNT, NAMED_SELF, NAMED_SESSION };

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
    if (str_eq(name, who->arn))
        return NAMED_SESSION;
    if (who->role_arn.n && str_eq(name, who->role_arn))
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

/* action: in small letters. */
static bool action_applies(const struct policy_statement *s, struct str action)
{
    bool any = false;
    for (size_t i = 0; i < s->actions.n && !any; i++) {
        const struct policy_pattern *p = &s->action_patterns[i];
        if (action.n < p->literal || memcmp(p->text.p, action.p, p->literal) != 0)
            continue;
        any = p->literal == p->text.n ? action.n == p->text.n
                                      : policy_glob(str_slice(p->text, p->literal, p->text.n),
                                                    str_slice(action, p->literal, action.n), false);
    }
    return any != s->not_action;
}

static bool resource_applies(const struct policy *p, const struct policy_statement *s,
                             const struct policy_request *r)
{
    if (!s->resources.has)
        return true; /* trust policies: the role itself */
    bool any = false, unknown = false;
    for (size_t i = 0; i < s->resources.n && !any; i++) {
        const struct policy_pattern *pattern = &s->resource_patterns[i];
        if (r->resource.n < pattern->literal ||
            memcmp(pattern->text.p, r->resource.p, pattern->literal) != 0) {
            unknown = unknown ||
                      (s->not_resource && s->allow && !str_has(policy_expand(p, pattern->text, r)));
            continue;
        }
        if (pattern->literal == pattern->text.n) {
            any = r->resource.n == pattern->text.n;
            continue;
        }
        struct str expanded = policy_expand(p, pattern->text, r);
        any = str_has(expanded) && policy_glob_arn(expanded, r->resource);
        unknown = unknown || !str_has(expanded);
    }
    /* "all but ${aws:username}'s" of somebody who has none allows nothing. */
    if (s->not_resource && s->allow && unknown)
        return false;
    return any != s->not_resource;
}

/* *ret_condition: the first that does not hold. */
static enum policy_miss statement_misses(const struct policy *p, const struct policy_statement *s,
                                         const struct policy_request *r, struct str action,
                                         enum policy_verdict *ret_says, size_t *ret_condition)
{
    if (!action_applies(s, action))
        return POLICY_MISSES_ACTION;
    enum named how = statement_names(s, &r->who);
    if (how == NAMED_NOT)
        return POLICY_MISSES_PRINCIPAL;
    if (!resource_applies(p, s, r))
        return POLICY_MISSES_RESOURCE;
    for (size_t i = 0; i < s->n_conditions; i++) {
        if (condition_holds(p, &s->conditions[i], r) &&
            !(s->allow && condition_unknown(p, &s->conditions[i], r)))
            continue;
        *ret_condition = i;
        return POLICY_MISSES_CONDITION;
    }
    if (!s->allow)
        *ret_says = POLICY_DENIES;
    else if (how == NAMED_ACCOUNT)
        *ret_says = POLICY_DELEGATES;
    else
        *ret_says = how == NAMED_SESSION ? POLICY_ALLOWS_ITSELF : POLICY_ALLOWS;
    return POLICY_MATCHES;
}

/* Actions are compared without regard to case; room: for those of usual length. */
struct small {
    char room[128];
    struct str text;
};

static void make_small(struct small *m, const struct policy_request *r)
{
    if (r->action.n > sizeof m->room) {
        m->text = str_lower(r->arena, r->action);
        return;
    }
    for (size_t i = 0; i < r->action.n; i++) {
        char c = r->action.p[i];
        m->room[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    m->text = str_of(m->room, r->action.n);
}

enum policy_verdict policy_evaluate(const struct policy *p, const struct policy_request *r)
{
    enum policy_verdict verdict = POLICY_SILENT, says = POLICY_SILENT;
    size_t condition;
    struct small action;
    make_small(&action, r);
    for (size_t i = 0; i < p->n; i++) {
        if (statement_misses(p, &p->statements[i], r, action.text, &says, &condition))
            continue;
        if (says == POLICY_DENIES)
            return POLICY_DENIES;
        verdict = says > verdict ? says : verdict;
    }
    return verdict;
}

struct policy_finding *policy_explain(const struct policy *p, const struct policy_request *r,
                                      size_t *ret_n)
{
    struct policy_finding *out = ARENA_ARRAY(r->arena, struct policy_finding, p->n + 1);
    struct small action;
    make_small(&action, r);
    for (size_t i = 0; i < p->n; i++) {
        const struct policy_statement *s = &p->statements[i];
        struct policy_finding *f = &out[i];
        size_t at = 0;
        *f = (struct policy_finding){.statement = i, .sid = s->sid, .allow = s->allow};
        f->miss = statement_misses(p, s, r, action.text, &f->says, &at);
        if (f->miss != POLICY_MISSES_CONDITION)
            continue;
        const struct policy_condition *c = &s->conditions[at];
        struct policy_values *wanted = ARENA_NEW(r->arena, struct policy_values);
        *wanted = (struct policy_values){c->values.items, c->values.n};
        f->operator= c->name;
        f->key = c->key;
        f->wanted = wanted;
        if (!r->lookup || !r->lookup(r->user, r->arena, c->key, &f->have))
            f->have = (struct policy_values){0};
    }
    *ret_n = p->n;
    return out;
}

bool statement_concerns(const struct policy *p, const struct policy_statement *s,
                        const struct policy_request *r)
{
    struct small action;
    make_small(&action, r);
    return action_applies(s, action.text) && statement_names(s, &r->who) != NAMED_NOT &&
           resource_applies(p, s, r);
}

void policy_aws_principals(const struct policy *p, struct arena *a, struct policy_values *ret)
{
    size_t cap = 0;
    *ret = (struct policy_values){0};
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < p->statements[i].n_principals; j++) {
            const struct policy_named *named = &p->statements[i].principals[j];
            if (named->kind == PRINCIPAL_KIND_AWS)
                *(struct str *)arena_push(a, (void **)&ret->items, &ret->n, &cap,
                                          sizeof(struct str)) = named->name;
        }
}
