/* authorize - may this principal do this? An explicit denial anywhere wins; then somebody has to
 * allow it: the identity's own policies (within its boundary and session policy), or the resource.
 */
#include <errno.h>
#include "base/log.h"
#include "cloud/question.h"

/* Verdicts. */

static struct policy_request request_of(struct question *q)
{
    struct policy_request r = {
        .arena = q->call->arena,
        .action = q->action,
        .resource = q->resource,
        .lookup = condition_value,
        .user = q,
    };
    if (q->who->type == PRINCIPAL_SERVICE) {
        r.who.service = q->who->service;
    } else if (q->who->type != PRINCIPAL_ANONYMOUS) {
        r.who.account = q->who->account;
        r.who.arn = q->who->arn;
        if (q->has_access && q->who->type != PRINCIPAL_USER)
            r.who.role_arn = q->access.role.arn;
    }
    return r;
}

static enum policy_verdict says(struct question *q, enum policy_kind kind, struct str text)
{
    const struct policy *policy = policy_cache_get(q->call->cloud->policies, kind, text);
    if (!policy)
        return POLICY_SILENT;
    struct policy_request r = request_of(q);
    return policy_evaluate(policy, &r);
}

static enum policy_verdict identity_says(struct question *q)
{
    enum policy_verdict verdict = POLICY_SILENT;
    for (size_t i = 0; i < q->access.n_documents; i++) {
        enum policy_verdict one = says(q, POLICY_IDENTITY, q->access.documents[i]);
        verdict = one > verdict ? one : verdict;
    }
    return verdict;
}

/* IAM names its things by kind and name, "role R" or "policy arn:...", but not what it would create
 * or pass on. */
static struct str iam_words(struct question *q, struct str resource)
{
    struct arena *a = q->call->arena;
    ssize_t role = str_find(resource, S(":role/"));
    if (!str_starts(resource, S("arn:aws:iam::")) || str_is(q->action, "iam:PassRole") ||
        str_is(q->action, "iam:CreateRole") || str_is(q->action, "iam:ListRoles"))
        return resource;
    ssize_t user = str_find(resource, S(":user/")), group = str_find(resource, S(":group/"));
    bool made = str_starts(q->action, S("iam:Create")) || str_starts(q->action, S("iam:List"));
    if (role > 0 || (!made && (user > 0 || group > 0))) {
        size_t slash = (size_t)str_find_last_byte(resource, '/');
        return str_printf(a, "%s %.*s",
                          role > 0   ? "role"
                          : user > 0 ? "user"
                                     : "group",
                          STR(str_slice(resource, slash + 1, resource.n)));
    }
    if (str_is(q->action, "iam:CreatePolicy"))
        return str_printf(
            a, "policy %.*s",
            STR(str_slice(resource, (size_t)str_find_last_byte(resource, '/') + 1, resource.n)));
    if (str_is(q->action, "iam:ListPolicies"))
        return S("policy path /");
    if (str_find(resource, S(":policy/")) > 0)
        return str_printf(a, "policy %.*s", STR(resource));
    return resource;
}

/* Denials, in AWS's sentences. S3 puts the resource in quotes. */
static int deny(struct question *q, const char *because, bool names_action, struct str *ret_why)
{
    struct arena *a = q->call->arena;
    const char *quote = str_is(action_vendor(q->action), "s3") ? "\"" : "";
    struct str resource =
        str_is(action_vendor(q->action), "iam") ? iam_words(q, q->resource) : q->resource;
    struct str why =
        str_printf(a, "User: %.*s is not authorized to perform: %.*s on resource: %s%.*s%s%s",
                   STR(q->who->arn), STR(q->action), quote, STR(resource), quote, because);
    if (names_action)
        why = str_printf(a, "%.*s %.*s action", STR(why), STR(q->action));
    *ret_why = why;
    return -EACCES;
}

/* May the role be assumed? Its trust policy decides; trusting a whole account leaves it to that
 * account's own policies. */
static int assume(struct question *q, struct str *ret_why)
{
    struct arena *a = q->call->arena;
    struct str account, name;
    struct iam_role_record role;
    enum policy_verdict trust = POLICY_SILENT;
    if (iam_role_arn_parse(q->resource, &account, &name) == 0 &&
        iam_role_find(q->call->store, a, account, name, &role) == 0 &&
        str_eq(role.arn, q->resource))
        trust = says(q, POLICY_TRUST, role.trust_policy);
    enum policy_verdict own = q->has_access ? identity_says(q) : POLICY_SILENT;
    if (own == POLICY_DENIES)
        return deny(q, " with an explicit deny in an identity-based policy", false, ret_why);
    bool needs_own = trust == POLICY_DELEGATES ||
                     (q->who->type != PRINCIPAL_ROOT && q->who->type != PRINCIPAL_SERVICE &&
                      !str_eq(account, q->who->account));
    if (trust == POLICY_DENIES || trust == POLICY_SILENT || (needs_own && own != POLICY_ALLOWS))
        return deny(q, "", false, ret_why);
    if (q->who->session_policy.n &&
        says(q, POLICY_IDENTITY, q->who->session_policy) != POLICY_ALLOWS)
        return deny(q, " because no session policy allows the", true, ret_why);
    if (q->has_access && str_has(q->access.boundary) &&
        says(q, POLICY_IDENTITY, q->access.boundary) != POLICY_ALLOWS)
        return deny(q, " because no permissions boundary allows the", true, ret_why);
    return 0;
}

/* A bucket's policy may shut everybody out, but the account's root can always take it back. */
static bool root_always_may(struct str action)
{
    return str_is(action, "s3:GetBucketPolicy") || str_is(action, "s3:PutBucketPolicy") ||
           str_is(action, "s3:DeleteBucketPolicy");
}

static int resource_says(struct question *q)
{
    if (!q->service || !q->service->resource_policy)
        return 0;
    struct call as = *q->call; /* the hook looks at call->who */
    struct mounted *m = mounted_find(q->call->cloud, q->service->model->id);
    as.who = q->who;
    as.service = q->service;
    as.state = m->state;
    return q->service->resource_policy(&as, q->action, q->resource);
}

/* ARNs of roles, users and groups have their path, which requests do not tell; who names no user
 * means himself. */
static void complete_iam_arn(struct question *q)
{
    static const char *const kinds[] = {"role", "user", "group"};
    struct str head = {0}, account = {0}, rest = q->resource, kind, name;
    struct iam_role_record e;
    if (!str_is(action_vendor(q->action), "iam") || !str_starts(rest, S("arn:aws:iam::")))
        return;
    for (int i = 0; i < 5; i++) {
        str_cut(rest, ':', &head, &rest);
        account = head;
    }
    str_cut(rest, '/', &kind, &name);
    name = str_slice(name, (size_t)(str_find_last_byte(name, '/') + 1), name.n);
    if (str_is(kind, "user") && str_is(name, "*") && q->who->type == PRINCIPAL_USER)
        q->resource = q->who->arn;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_is(kind, kinds[i]) &&
            iam_entity_find(q->call->store, q->call->arena, account, kinds[i], name, &e) == 0)
            q->resource = e.arn;
}

/* A role's session: its own policies, what limits them, and the resource's word. */
static int decide_session(struct question *q, int resource, struct str *ret_why)
{
    enum policy_verdict says_all[POLICY_LAYERS] = {
        [POLICY_LAYER_RESOURCE] = resource == CALL_POLICY_ALLOWS_ITSELF ? POLICY_ALLOWS_ITSELF
                                  : resource > 0                        ? POLICY_ALLOWS
                                                                        : POLICY_SILENT,
        [POLICY_LAYER_IDENTITY] = q->has_access ? identity_says(q) : POLICY_SILENT,
    };
    bool applies[POLICY_LAYERS] = {
        [POLICY_LAYER_RESOURCE] = resource > 0,
        [POLICY_LAYER_IDENTITY] = true,
        [POLICY_LAYER_BOUNDARY] = q->has_access && str_has(q->access.boundary),
        [POLICY_LAYER_SESSION] = q->who->session_policy.n > 0,
    };
    if (applies[POLICY_LAYER_BOUNDARY])
        says_all[POLICY_LAYER_BOUNDARY] = says(q, POLICY_IDENTITY, q->access.boundary);
    if (applies[POLICY_LAYER_SESSION])
        says_all[POLICY_LAYER_SESSION] = says(q, POLICY_IDENTITY, q->who->session_policy);
    enum policy_layer layer;
    bool stranger = resource == CALL_POLICY_LETS_STRANGER;
    enum policy_effect effect = policy_decide_from(says_all, applies, stranger, &layer);
    if (effect == POLICY_ALLOWED)
        return 0;
    struct arena *a = q->call->arena;
    const char *name = policy_layer_name(layer);
    if (effect == POLICY_EXPLICIT_DENY)
        return deny(q,
                    str_c(a, str_printf(a, " with an explicit deny in %s %s",
                                        *name == 'i' ? "an" : "a", name)),
                    false, ret_why);
    return deny(q, str_c(a, str_printf(a, " because no %s allows the", name)), true, ret_why);
}

/* The policies of who asks: a role's, or a user's. */
static int load_access(struct question *q)
{
    const struct principal *who = q->who;
    int r = -ENOENT;
    if (who->type == PRINCIPAL_ROLE_SESSION)
        r = iam_access_load(q->call->store, q->call->arena, who->account, who->role_name,
                            &q->access);
    else if (who->type == PRINCIPAL_USER)
        r = iam_user_access_load(q->call->store, q->call->arena, who->account, who->role_name,
                                 &q->access);
    /* Sessions know whose they are by id: a role made anew with an old name is another one. Only a
     * service that acts as the role by itself (a function's log lines, its destinations) has
     * neither key nor id: it would get a session of the role that has the name now. */
    struct str id, session;
    str_cut(who->user_id, ':', &id, &session);
    bool by_name = !str_has(who->user_id) && !str_has(who->access_key);
    q->has_access = r == 0 && (by_name || str_eq(id, q->access.role.role_id));
    return r == -ENOENT ? 0 : r;
}

static int decide(struct question *q, struct str *ret_why)
{
    const struct principal *who = q->who;
    int r = load_access(q);
    if (r < 0)
        return r;
    if (!str_is(q->action, "iam:PassRole") &&
        (who->type == PRINCIPAL_ROLE_SESSION || who->type == PRINCIPAL_USER ||
         q->call->cloud->record))
        complete_iam_arn(q);
    if (str_is(q->action, "sts:AssumeRole"))
        return assume(q, ret_why);
    if (who->type == PRINCIPAL_SERVICE)
        return 0;
    if (who->type == PRINCIPAL_ROOT && root_always_may(q->action))
        return 0;
    int resource = resource_says(q);
    if (resource == -EACCES)
        return deny(q, " with an explicit deny in a resource-based policy", false, ret_why);
    if (resource == -EPERM && who->type != PRINCIPAL_ANONYMOUS)
        return deny(q, " because no resource-based policy allows the", true, ret_why);
    if (who->type == PRINCIPAL_ROOT)
        return 0;
    if (who->type == PRINCIPAL_ANONYMOUS) {
        *ret_why = S("Access Denied");
        return resource > 0 ? 0 : -EACCES;
    }
    return decide_session(q, resource, ret_why);
}

static const struct service *service_of_action(struct cloud *cloud, struct str action)
{
    struct str vendor = action_vendor(action);
    for (size_t i = 0; i < cloud->n_mounted; i++)
        if (str_is(vendor, cloud->mounted[i].model->signing_name))
            return cloud->mounted[i].service;
    return NULL;
}

int call_allowed(struct call *call, const struct principal *who, struct str action,
                 struct str resource, struct str *ret_why)
{
    if (call->cloud->options.iam == IAM_OFF && !call->cloud->record)
        return 0;
    struct question q = {.call = call,
                         .who = who,
                         .action = action,
                         .resource = resource,
                         .service = service_of_action(call->cloud, action)};
    struct str why = {0};
    int r = decide(&q, &why);
    record_decision(&q, r == 0, why);
    if (call->cloud->options.iam == IAM_OFF)
        return 0;
    if (r == -EACCES && call->cloud->options.iam == IAM_LOG) {
        log_warn("not enforced: %.*s", STR(why));
        return 0;
    }
    if (r == -EACCES)
        *ret_why = why;
    return r;
}

static enum policy_verdict policy_says(struct call *call, struct str policy, struct str action,
                                       struct str resource)
{
    struct question q = {.call = call, .who = call->who, .action = action, .resource = resource};
    if (load_access(&q) < 0)
        return POLICY_DENIES; /* what names the role could not be seen to match */
    return says(&q, POLICY_RESOURCE, policy);
}

int call_policy_says(struct call *call, struct str policy, struct str action, struct str resource)
{
    enum policy_verdict verdict = policy_says(call, policy, action, resource);
    if (verdict == POLICY_DENIES)
        return -EACCES;
    if (verdict == POLICY_ALLOWS_ITSELF &&
        (call->who->type == PRINCIPAL_ROLE_SESSION || call->who->type == PRINCIPAL_USER))
        return CALL_POLICY_ALLOWS_ITSELF;
    return verdict == POLICY_ALLOWS || verdict == POLICY_ALLOWS_ITSELF;
}

int call_policy_says_of(struct call *call, struct str owner, struct str policy, struct str action,
                        struct str resource)
{
    const struct principal *who = call->who;
    if (who->type == PRINCIPAL_SERVICE || str_eq(who->account, owner))
        return policy.n ? call_policy_says(call, policy, action, resource) : 0;
    enum policy_verdict verdict =
        policy.n ? policy_says(call, policy, action, resource) : POLICY_SILENT;
    if (verdict == POLICY_DENIES)
        return -EACCES;
    return verdict == POLICY_SILENT ? -EPERM : CALL_POLICY_LETS_STRANGER;
}

/* Operations. */

static struct str input_text(const struct frame *f, struct str name)
{
    const struct shape *input = operation_input(f->call.op);
    const struct member *m = input && f->call.in ? member_find(input, name) : NULL;
    const struct opt_int *number = m ? (const void *)((const char *)f->call.in + m->offset) : NULL;
    if (m && member_shape(m)->type == SHAPE_INTEGER && number->has)
        return str_printf(f->call.arena, "%lld", (long long)number->is);
    if (!m || member_shape(m)->type != SHAPE_STRING)
        return (struct str){0};
    return *(const struct str *)((const char *)f->call.in + m->offset);
}

/* "function:{FunctionName}" of this call: arn:aws:lambda:us-east-1:000000000000:function:f. A
 * member that is an ARN already stands for the whole. */
static struct str resource_of(struct frame *f)
{
    const char *form = f->handler->resource;
    struct arena *a = f->call.arena;
    if (!form || strcmp(form, "*") == 0)
        return S("*");
    struct buf b;
    buf_init(&b, 16 * 1024);
    struct str whole = {0};
    for (const char *p = form; *p && !str_has(whole); p++) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (!end) {
            buf_byte(&b, *p);
            continue;
        }
        struct str value = input_text(f, str_of(p + 1, (size_t)(end - p - 1)));
        if (str_starts(value, S("arn:")) && p == form)
            whole = value;
        else if (str_starts(value, S("arn:")))
            whole = value;
        else if (str_find(value, S(":function:")) > 0)
            buf_str(&b, str_slice(value, (size_t)str_find(value, S(":function:")) + 10, value.n));
        else
            buf_str(&b, value.n ? value : S("*"));
        p = end;
    }
    struct str rest = buf_copy(&b, a);
    buf_done(&b);
    if (str_has(whole))
        return whole;
    if (str_starts(rest, S("arn:")))
        return rest;
    return call_arn(&f->call, f->mounted->model->signing_name, "%.*s", STR(rest));
}

static struct str denial_code(const struct service_model *m)
{
    if (m->protocol == PROTOCOL_QUERY || m->protocol == PROTOCOL_REST_XML)
        return S("AccessDenied");
    return S("AccessDeniedException");
}

int authorize_call(struct frame *f, struct wire_error *err)
{
    struct call *call = &f->call;
    const struct service_model *m = f->mounted->model;
    if (call->cloud->options.iam == IAM_OFF && !call->cloud->record)
        return 0;
    if (f->handler->action && f->handler->action[0] == '\0')
        return 0; /* nobody needs permission for it: sts:GetCallerIdentity */
    const char *name = f->handler->action ? f->handler->action : operation_name(call->op);
    struct str why = {0};
    int r = call_allowed(call, &f->who, str_printf(call->arena, "%s:%s", m->signing_name, name),
                         resource_of(f), &why);
    if (r == 0)
        return 0;
    wire_error_set(err, m, denial_code(m), r == -EACCES ? why : S("An internal error occurred."));
    err->status = r == -EACCES ? 403 : 500;
    return -EACCES;
}
