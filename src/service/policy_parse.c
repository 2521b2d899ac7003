/* policy_parse - policy documents, refused in AWS's words when something is wrong with them.
 *
 * IAM looks in this order: syntax (one message for all of it), version, values that an older parser
 * of theirs refuses, Sids, actions, resources, vendors. S3 and trust policies name the field. */
#include <ctype.h>
#include <errno.h>
#include "base/json.h"
#include "service/policy_document.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct parse {
    struct arena *arena;
    enum policy_kind kind;
    struct policy *policy;
    struct policy_fault fault; /* the first thing found wrong */
    size_t statement;          /* being looked at, from 1 */
    struct str member;         /* of it */
};

static int wrong(struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int wrong(struct parse *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (!str_has(p->fault.message)) {
        p->fault.message = str_vprintf(p->arena, fmt, ap);
        p->fault.statement = p->statement;
    }
    va_end(ap);
    return -EBADMSG;
}

/* In more words than AWS has for it; before wrong(). */
static void explain(struct parse *p, const char *what, struct str name)
{
    if (!str_has(p->fault.message))
        p->fault.detail = str_printf(p->arena, "%s%.*s", what, STR(name));
}

/* What is wrong with the form: S3 and trust policies say it in detail, IAM does not. */
static int malformed(struct parse *p, const char *what, struct str name)
{
    if (p->kind == POLICY_IDENTITY) {
        explain(p, what, name);
        return wrong(p, "Syntax errors in policy.");
    }
    return wrong(p, "%s%.*s", what, STR(name));
}

static bool one_of(struct str word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(word, words[i]))
            return true;
    return false;
}

static void add_word(struct parse *p, struct policy_words *w, struct str word)
{
    struct str *slot = arena_push(p->arena, (void **)&w->items, &w->n, &w->cap, sizeof(struct str));
    *slot = word;
}

/* A text or a list of texts; scalars is for condition values, which may be numbers and booleans. */
static int parse_words(struct parse *p, const struct json *v, bool scalars,
                       struct policy_words *ret)
{
    ret->has = true;
    const struct json *one = v->type == JSON_ARRAY ? v->first : v;
    for (; one; one = v->type == JSON_ARRAY ? one->next : NULL) {
        if (one->type == JSON_STRING || (scalars && one->type == JSON_NUMBER))
            add_word(p, ret, one->text);
        else if (scalars && one->type == JSON_BOOL)
            add_word(p, ret, one->boolean ? S("true") : S("false"));
        else
            return -EBADMSG;
    }
    return 0;
}

static void add_principal(struct parse *p, struct policy_statement *s, enum principal_kind kind,
                          struct str name)
{
    struct policy_named *slot = arena_push(p->arena, (void **)&s->principals, &s->n_principals,
                                           &s->cap_principals, sizeof(*slot));
    *slot = (struct policy_named){kind, name};
}

static bool digits(struct str s, size_t n)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isdigit((unsigned char)s.p[i]))
            return false;
    return s.n == n;
}

static bool aws_principal_valid(struct str name)
{
    if (str_is(name, "*") || digits(name, 12))
        return true;
    struct str parts[6], rest = name;
    for (int i = 0; i < 5; i++)
        if (!str_cut(rest, ':', &parts[i], &rest))
            return false;
    return str_is(parts[0], "arn") && parts[1].n &&
           (str_is(parts[2], "iam") || str_is(parts[2], "sts")) && digits(parts[4], 12) && rest.n &&
           memchr(rest.p, '*', rest.n) == NULL;
}

static int parse_principal(struct parse *p, struct policy_statement *s, const struct json *v)
{
    s->has_principal = true;
    if (v->type == JSON_STRING) {
        if (!str_is(v->text, "*"))
            return wrong(p,
                         p->kind == POLICY_BUCKET ? "Invalid policy syntax."
                                                  : "Invalid principal in policy: \"%.*s\"",
                         STR(v->text));
        add_principal(p, s, PRINCIPAL_KIND_ANY, v->text);
        return 0;
    }
    if (v->type != JSON_OBJECT || v->n == 0)
        return malformed(p, "Invalid principal in policy", S(""));
    static const char *const kinds[] = {"AWS", "Service", "Federated", "CanonicalUser"};
    JSON_EACH(v, member) {
        struct policy_words names = {0};
        if (!one_of(member->key, kinds, ARRAY_LEN(kinds)) ||
            parse_words(p, member, false, &names) < 0 || names.n == 0)
            return malformed(p, "Invalid principal in policy", S(""));
        enum principal_kind kind = PRINCIPAL_KIND_OTHER;
        if (str_is(member->key, "AWS"))
            kind = PRINCIPAL_KIND_AWS;
        else if (str_is(member->key, "Service"))
            kind = PRINCIPAL_KIND_SERVICE;
        for (size_t i = 0; i < names.n; i++) {
            bool bad = kind == PRINCIPAL_KIND_AWS && !aws_principal_valid(names.items[i]);
            bad = bad || (kind == PRINCIPAL_KIND_SERVICE &&
                          str_find_byte(names.items[i], '.') < 0 && !str_is(names.items[i], "*"));
            if (bad && p->kind == POLICY_BUCKET)
                return wrong(p, "Invalid principal in policy");
            if (bad)
                return wrong(p, "Invalid principal in policy: \"%.*s\":\"%.*s\"", STR(member->key),
                             STR(names.items[i]));
            add_principal(p, s, kind, names.items[i]);
        }
    }
    return 0;
}

static int parse_conditions(struct parse *p, struct policy_statement *s, const struct json *v)
{
    if (v->type != JSON_OBJECT)
        return malformed(p, "Invalid Condition", S(""));
    JSON_EACH(v, block) {
        struct policy_condition c = {0};
        if (block->type != JSON_OBJECT)
            return malformed(p, "Invalid Condition type : ", block->key);
        if (condition_operator_parse(block->key, &c.operator) < 0) {
            if (block->n == 0)
                continue;
            return malformed(p, "Invalid Condition type : ", block->key);
        }
        JSON_EACH(block, member) {
            c.key = member->key;
            c.name = block->key;
            c.values = (struct policy_words){0};
            if (parse_words(p, member, true, &c.values) < 0)
                return malformed(p, "Invalid Condition value for ", member->key);
            if (c.operator.type == CONDITION_DATE)
                for (size_t i = 0; i < c.values.n; i++)
                    if (!condition_date_valid(c.values.items[i])) {
                        explain(p, "Not a date: ", c.values.items[i]);
                        return wrong(p, "The policy failed legacy parsing");
                    }
            struct policy_condition *slot = arena_push(
                p->arena, (void **)&s->conditions, &s->n_conditions, &s->cap_conditions, sizeof(c));
            *slot = c;
        }
    }
    return 0;
}

static int parse_effect(struct parse *p, struct policy_statement *s, const struct json *v)
{
    if (!json_is(v, JSON_STRING))
        return malformed(p, v ? "Invalid effect" : "Missing required field Effect", S(""));
    if (!str_is(v->text, "Allow") && !str_is(v->text, "Deny")) {
        if (p->kind == POLICY_IDENTITY &&
            (str_eq_nocase(v->text, S("Allow")) || str_eq_nocase(v->text, S("Deny")))) {
            explain(p, "Effect is written Allow or Deny, with one capital letter, not ", v->text);
            return wrong(p, "The policy failed legacy parsing");
        }
        return malformed(p, "Invalid effect: ", v->text);
    }
    s->allow = str_is(v->text, "Allow");
    return 0;
}

/* Name or NotName; both at once is an error. */
static int parse_either(struct parse *p, const struct json *object, const char *name,
                        const char *not_name, struct policy_words *ret, bool *ret_not)
{
    const struct json *yes = json_get(object, name), *no = json_get(object, not_name);
    p->member = str_from(yes || !no ? name : not_name);
    if (yes && no)
        return malformed(p, "Statement has both of ", str_from(name));
    if (!yes && !no)
        return 0;
    *ret_not = no != NULL;
    if (parse_words(p, yes ? yes : no, false, ret) < 0)
        return malformed(p, "Invalid field ", str_from(yes ? name : not_name));
    return 0;
}

static int parse_statement(struct parse *p, const struct json *v)
{
    static const char *const fields[] = {"Sid",       "Effect",       "Action",
                                         "NotAction", "Resource",     "NotResource",
                                         "Principal", "NotPrincipal", "Condition"};
    if (v->type != JSON_OBJECT)
        return malformed(p, "Invalid policy syntax.", S(""));
    p->member = (struct str){0};
    struct policy_statement *s = arena_push(p->arena, (void **)&p->policy->statements,
                                            &p->policy->n, &p->policy->cap, sizeof(*s));
    *s = (struct policy_statement){0};
    JSON_EACH(v, member) {
        p->member = member->key;
        if (!one_of(member->key, fields, ARRAY_LEN(fields)))
            return malformed(p, "Unknown field ", member->key);
    }
    p->member = S("Sid");
    const struct json *sid = json_get(v, "Sid"), *condition = json_get(v, "Condition");
    if (sid && sid->type != JSON_STRING)
        return malformed(p, "Invalid Sid", S(""));
    s->sid = sid ? sid->text : (struct str){0};
    p->member = S("Effect");
    int r = parse_effect(p, s, json_get(v, "Effect"));
    if (r == 0)
        r = parse_either(p, v, "Action", "NotAction", &s->actions, &s->not_action);
    if (r == 0)
        r = parse_either(p, v, "Resource", "NotResource", &s->resources, &s->not_resource);
    const struct json *who = json_get(v, "Principal"), *not_who = json_get(v, "NotPrincipal");
    s->not_principal = not_who != NULL;
    if (r == 0)
        p->member = who ? S("Principal") : S("NotPrincipal");
    if (r == 0 && who && not_who)
        r = malformed(p, "Statement has both of ", S("Principal"));
    if (r == 0 && (who || not_who))
        r = parse_principal(p, s, who ? who : not_who);
    if (r == 0)
        p->member = S("Condition");
    if (r == 0 && condition)
        r = parse_conditions(p, s, condition);
    return r;
}

static int parse_document(struct parse *p, const struct json *root)
{
    static const char *const fields[] = {"Version", "Id", "Statement"};
    if (!json_is(root, JSON_OBJECT))
        return malformed(p, "This policy contains invalid Json", S(""));
    JSON_EACH(root, member) {
        p->member = member->key;
        if (!one_of(member->key, fields, ARRAY_LEN(fields)))
            return malformed(p, "Unknown field ", member->key);
    }
    p->member = S("Version");
    const struct json *version = json_get(root, "Version"), *id = json_get(root, "Id");
    if (version && !str_is(json_str(version), "2012-10-17") &&
        !str_is(json_str(version), "2008-10-17"))
        return malformed(p, "The policy must contain a valid version string", S(""));
    p->member = S("Id");
    if (id && id->type != JSON_STRING)
        return malformed(p, "Invalid Id", S(""));
    p->policy->variables = version && str_is(json_str(version), "2012-10-17");
    p->member = S("Statement");
    const struct json *statements = json_get(root, "Statement");
    if (!statements || (statements->type == JSON_ARRAY && statements->n == 0))
        return malformed(p, "Missing required field Statement", S(""));
    p->statement = 1;
    if (statements->type != JSON_ARRAY)
        return parse_statement(p, statements);
    int r = 0;
    for (const struct json *v = statements->first; v && r == 0; v = v->next, p->statement++)
        r = parse_statement(p, v);
    return r;
}

static int check_action(struct parse *p, struct str action)
{
    if (str_is(action, "*"))
        return 0;
    struct str vendor, name;
    bool has_vendor = str_cut(action, ':', &vendor, &name);
    if (p->kind == POLICY_BUCKET)
        return has_vendor && (str_eq_nocase(vendor, S("s3")) || str_is(vendor, "*")) && name.n
                   ? 0
                   : wrong(p, "Policy has invalid action");
    if (!has_vendor)
        return wrong(p, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, "
                        "etc.");
    if (str_find_byte(name, ':') >= 0)
        return wrong(p, "Actions/Condition can contain only one colon.");
    for (size_t i = 0; i < vendor.n && !str_is(vendor, "*"); i++)
        if (!isalnum((unsigned char)vendor.p[i]) && !strchr("-.", vendor.p[i]))
            return wrong(p, "Vendor %.*s is not valid", STR(vendor));
    if (p->kind == POLICY_TRUST && !str_eq_nocase(vendor, S("sts")))
        return wrong(p, "AssumeRole policy may only specify STS AssumeRole actions.");
    return 0;
}

static int check_iam_resource(struct parse *p, struct str resource, struct str rest)
{
    static const char *const starts[] = {"user/",
                                         "federated-user/",
                                         "role/",
                                         "group/",
                                         "instance-profile/",
                                         "mfa/",
                                         "server-certificate/",
                                         "policy/",
                                         "sms-mfa/",
                                         "saml-provider/",
                                         "oidc-provider/",
                                         "report/",
                                         "access-report/"};
    struct str region, account;
    str_cut(rest, ':', &region, &rest);
    if (region.n && !str_is(region, "*"))
        return wrong(p, "IAM resource %.*s cannot contain region information.", STR(resource));
    str_cut(rest, ':', &account, &rest);
    if (rest.n == 0 || str_is(rest, "*") || memchr(rest.p, '*', rest.n) || str_is(rest, "root"))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        if (str_starts(rest, str_from(starts[i])))
            return 0;
    struct str words[ARRAY_LEN(starts)];
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        words[i] = str_from(starts[i]);
    struct str list = str_join(p->arena, S(", "), words, ARRAY_LEN(starts));
    return wrong(p, "IAM resource path must either be \"*\" or start with %.*s.", STR(list));
}

static int check_resource(struct parse *p, struct str resource)
{
    if (str_is(resource, "*") || (p->policy->variables && str_starts(resource, S("${"))))
        return 0;
    struct str scheme, partition, service, rest;
    if (p->kind == POLICY_BUCKET)
        return str_starts(resource, S("arn:aws")) && str_find(resource, S(":s3:::")) > 0
                   ? 0
                   : wrong(p, "Policy has invalid resource");
    if (!str_cut(resource, ':', &scheme, &rest))
        return wrong(p, "Resource %.*s must be in ARN format or \"*\".", STR(resource));
    bool more = str_cut(rest, ':', &partition, &rest);
    if (!str_starts(partition, S("aws")) && !str_is(partition, "*")) {
        struct str parts[4] = {S("*"), S("*"), S("*"), S("*")};
        for (int i = 0; i < 4 && more; i++) {
            if (i < 3)
                more = str_cut(rest, ':', &parts[i], &rest);
            else
                parts[i] = rest;
        }
        return wrong(p,
                     "Partition \"%.*s\" is not valid for resource "
                     "\"arn:%.*s:%.*s:%.*s:%.*s:%.*s\".",
                     STR(partition), STR(partition), STR(parts[0]), STR(parts[1]), STR(parts[2]),
                     STR(parts[3]));
    }
    if (!more)
        return wrong(p, "Resource vendor must be fully qualified and cannot contain regexes.");
    str_cut(rest, ':', &service, &rest);
    if (str_is(service, "iam"))
        return check_iam_resource(p, resource, rest);
    if (str_is(service, "s3") && rest.n && rest.p[0] != ':' && rest.p[0] != '*' &&
        str_find(rest, S("accesspoint/")) < 0)
        return wrong(p, "Resource %.*s can not contain region information.", STR(resource));
    return 0;
}

static int check_principals(struct parse *p, const struct policy_statement *s)
{
    if (p->kind == POLICY_IDENTITY && s->has_principal)
        return wrong(p, "Policy document should not specify a principal.");
    if (p->kind != POLICY_IDENTITY && !s->has_principal)
        return wrong(p, "Missing required field Principal");
    if (p->kind == POLICY_TRUST && s->resources.has)
        return wrong(p, "Has prohibited field Resource");
    return 0;
}

static int check_statement(struct parse *p, const struct policy_statement *s)
{
    p->member = s->not_principal ? S("NotPrincipal") : S("Principal");
    int r = check_principals(p, s);
    if (r == 0)
        p->member = s->not_action ? S("NotAction") : S("Action");
    if (r == 0 && s->actions.n == 0)
        r = p->kind == POLICY_IDENTITY ? wrong(p, "Policy statement must contain actions.")
                                       : wrong(p, "Missing required field Action");
    bool needs = p->kind == POLICY_IDENTITY || p->kind == POLICY_BUCKET;
    if (r == 0)
        p->member = s->not_resource ? S("NotResource") : S("Resource");
    if (r == 0 && needs && s->resources.n == 0)
        r = p->kind == POLICY_IDENTITY ? wrong(p, "Policy statement must contain resources.")
                                       : wrong(p, "Missing required field Resource");
    for (size_t i = 0; i < s->resources.n && r == 0; i++)
        r = check_resource(p, s->resources.items[i]);
    if (r == 0)
        p->member = s->not_action ? S("NotAction") : S("Action");
    for (size_t i = 0; i < s->actions.n && r == 0; i++)
        r = check_action(p, s->actions.items[i]);
    return r;
}

static int check_document(struct parse *p)
{
    struct policy *policy = p->policy;
    p->member = S("Sid");
    for (size_t i = 0; i < policy->n; i++)
        for (size_t j = p->statement = i + 1; j-- > 1;)
            if (policy->statements[i].sid.n &&
                str_eq(policy->statements[i].sid, policy->statements[j - 1].sid))
                return wrong(p, "Statement IDs (SID) in a single policy must be unique.");
    int r = 0;
    for (size_t i = 0; i < policy->n && r == 0; i++) {
        p->statement = i + 1;
        r = check_statement(p, &policy->statements[i]);
    }
    return r;
}

static struct policy_pattern *patterns_of(struct arena *a, const struct policy_words *words,
                                          bool small)
{
    struct policy_pattern *out = ARENA_ARRAY(a, struct policy_pattern, words->n + 1);
    for (size_t i = 0; i < words->n; i++) {
        struct str word = words->items[i];
        out[i].text = small ? str_lower(a, word) : word;
        while (out[i].literal < word.n && !strchr("*?$\x01", word.p[out[i].literal]))
            out[i].literal++;
    }
    return out;
}

static void prepare(struct parse *p, struct str text)
{
    p->policy->text = text;
    for (size_t i = 0; i < p->policy->n; i++) {
        struct policy_statement *s = &p->policy->statements[i];
        s->action_patterns = patterns_of(p->arena, &s->actions, true);
        s->resource_patterns = patterns_of(p->arena, &s->resources, false);
    }
}

int policy_parse_explained(struct arena *a, enum policy_kind kind, struct str text,
                           struct policy **ret, struct policy_fault *fault)
{
    struct parse p = {.arena = a, .kind = kind, .policy = ARENA_NEW(a, struct policy)};
    struct json *root;
    struct json_error err;
    int r = json_parse(a, text, &root, &err);
    bool no_json = r < 0;
    if (r < 0 && kind == POLICY_BUCKET)
        wrong(&p, "Policies must be valid JSON and the first byte must be '{'");
    else if (r < 0)
        malformed(&p, "This policy contains invalid Json", S(""));
    else if ((r = parse_document(&p, root)) == 0)
        r = check_document(&p);
    if (r < 0) {
        *fault = p.fault;
        fault->line = no_json ? err.line : 1;
        fault->column = no_json ? err.column : 1;
        if (no_json)
            fault->detail = str_from(err.message);
        else
            policy_place_member(text, fault->statement, p.member, &fault->line, &fault->column);
        return -EBADMSG;
    }
    prepare(&p, text);
    *ret = p.policy;
    return 0;
}

int policy_parse(struct arena *a, enum policy_kind kind, struct str text, struct policy **ret,
                 struct str *ret_message)
{
    struct policy_fault fault;
    int r = policy_parse_explained(a, kind, text, ret, &fault);
    if (r < 0)
        *ret_message = fault.message;
    return r;
}

int policy_check(struct arena *a, enum policy_kind kind, struct str text, struct str *ret_message)
{
    struct policy *policy;
    return policy_parse(a, kind, text, &policy, ret_message);
}
