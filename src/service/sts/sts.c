/* sts - AWS Security Token Service: who am I, and sessions of roles. */
#include <ctype.h>
#include <errno.h>
#include "base/clock.h"
#include "base/json.h"
#include "service/policy.h"
#include "service/sts/session.h"
#include "service/sts/sts.h"
#include "wire/iam.h"
#include "wire/request.h"

#define POLICY_PLAIN_MAX 2048
#define POLICY_ARNS_MAX 10
#define CHAINED_MAX_S 3600

static int get_caller_identity(struct call *call, const struct sts_get_caller_identity_input *in,
                               struct sts_get_caller_identity_output *out)
{
    out->account = call->who->account;
    out->arn = call->who->arn;
    out->user_id = call->who->user_id;
    return 0;
}

static struct sts_credentials *credentials(struct call *call, const struct session_credentials *c)
{
    struct sts_credentials *out = ARENA_NEW(call->arena, struct sts_credentials);
    out->access_key_id = c->access_key;
    out->secret_access_key = c->secret_key;
    out->session_token = c->token;
    out->expiration = opt_time(c->expires_ms);
    return out;
}

static int get_session_token(struct call *call, const struct sts_get_session_token_input *in,
                             struct sts_get_session_token_output *out)
{
    bool user = call->who->type == PRINCIPAL_USER;
    int64_t longest = user ? 129600 : 3600; /* AWS gives root an hour, whatever it asks for */
    if ((call->who->type != PRINCIPAL_ROOT && !user) ||
        str_starts(call->who->access_key, S("ASIA")))
        return call_fail(call, STS_ACCESS_DENIED,
                         "Cannot call GetSessionToken with session credentials");
    struct session_request request = {
        .account = call->who->account,
        .arn = call->who->arn,
        .user_id = call->who->user_id,
        .role_name = call->who->role_name,
        .now_ms = call->now_ms,
        .duration_s = in->duration_seconds.has ? in->duration_seconds.is
                      : user                   ? 43200
                                               : 3600,
    };
    if (request.duration_s > longest)
        request.duration_s = longest;
    struct session_credentials made;
    int r = session_create(call->store, call->arena, &request, &made);
    if (r == 0)
        out->credentials = credentials(call, &made);
    return r;
}

/* AssumeRole. Permission has been given by the daemon, which read the trust policy; what is left
 * are the role's own facts and the session policies, which IAM is asked for. */

struct assume {
    const struct sts_assume_role_input *in;
    struct sts_assume_role_output *out;
    const struct iam_role *role;
    struct json *statements; /* of all session policies */
    size_t next_arn;
    struct iam_get_policy_input policy;
    struct iam_get_policy_version_input version;
};

static const struct principal sts_itself = {.type = PRINCIPAL_SERVICE,
                                            .service = S_INIT("sts.amazonaws.com")};

/* Acts in the role's account. */
static const struct principal *itself(struct call *call, struct str account)
{
    struct principal *p = ARENA_NEW(call->arena, struct principal);
    *p = sts_itself;
    p->account = account;
    return p;
}

static struct str arn_account(struct str arn)
{
    struct str head, rest = arn;
    for (int i = 0; i < 5; i++)
        str_cut(rest, ':', &head, &rest);
    return head;
}

/* One document out of all: what any of them allows. The daemon intersects it with the role's. */
static int add_session_policy(struct call *call, struct assume *as, struct str text)
{
    struct str message;
    struct json *root;
    if (policy_check(call->arena, POLICY_IDENTITY, text, &message) < 0 ||
        json_parse(call->arena, text, &root, NULL) < 0)
        return call_fail(call, STS_MALFORMED_POLICY_DOCUMENT, "%.*s", STR(message));
    struct json *statement = json_get(root, "Statement");
    if (!as->statements)
        as->statements = json_new(call->arena, JSON_ARRAY);
    /* Sids are unique in a document, not over several. */
    if (statement->type != JSON_ARRAY) {
        json_remove(json_add(as->statements, json_copy(call->arena, statement)), S("Sid"));
        return 0;
    }
    JSON_EACH(statement, one) {
        json_remove(json_add(as->statements, json_copy(call->arena, one)), S("Sid"));
    }
    return 0;
}

static struct str session_policy(struct call *call, const struct assume *as)
{
    struct arena *a = call->arena;
    if (!as->statements)
        return (struct str){0};
    struct json *root = json_new(a, JSON_OBJECT);
    json_set(a, root, S("Version"), json_new_str(a, S("2012-10-17")));
    json_set(a, root, S("Statement"), as->statements);
    return json_text(a, root, -1);
}

static int assume_finish(struct call *call, struct assume *as)
{
    const struct sts_assume_role_input *in = as->in;
    struct arena *a = call->arena;
    struct str account = arn_account(in->role_arn);
    struct sts_assumed_role_user *user = ARENA_NEW(a, struct sts_assumed_role_user);
    user->arn = str_printf(a, "arn:aws:sts::%.*s:assumed-role/%.*s/%.*s", STR(account),
                           STR(as->role->role_name), STR(in->role_session_name));
    user->assumed_role_id =
        str_printf(a, "%.*s:%.*s", STR(as->role->role_id), STR(in->role_session_name));
    struct session_request request = {
        .account = account,
        .arn = user->arn,
        .user_id = user->assumed_role_id,
        .role_name = as->role->role_name,
        .role_arn = in->role_arn,
        .policy = session_policy(call, as),
        .tags = &in->tags,
        .now_ms = call->now_ms,
        .duration_s = in->duration_seconds.has ? in->duration_seconds.is : 3600,
    };
    struct session_credentials made;
    int r = session_create(call->store, a, &request, &made);
    if (r < 0)
        return r;
    as->out->credentials = credentials(call, &made);
    as->out->assumed_role_user = user;
    as->out->source_identity = in->source_identity;
    if (as->statements)
        as->out->packed_policy_size =
            opt_int((int64_t)(request.policy.n * 100 / POLICY_PLAIN_MAX) + 1);
    return 0;
}

static void next_policy(struct call *call, struct assume *as);

static void on_version(struct call *child, void *user)
{
    struct call *call = child->parent;
    struct assume *as = user;
    const struct iam_get_policy_version_output *out = child->out;
    struct str text;
    int r = child->result;
    if (r == 0) {
        /* IAM gives documents percent-encoded */
        text = wire_percent_decode(call->arena, out->policy_version->document, false);
        r = add_session_policy(call, as, text);
    }
    if (r < 0) {
        call_finish(call, r == CALL_FAILED ? r : -EIO);
        return;
    }
    as->next_arn++;
    next_policy(call, as);
}

static void on_policy(struct call *child, void *user)
{
    struct call *call = child->parent;
    struct assume *as = user;
    const struct iam_get_policy_output *out = child->out;
    if (child->result < 0) {
        call_finish(call, call_fail(call, STS_MALFORMED_POLICY_DOCUMENT,
                                    "PolicyArns.member.%zu: policy %.*s does not exist",
                                    as->next_arn + 1, STR(as->policy.policy_arn)));
        return;
    }
    as->version.policy_arn = as->policy.policy_arn;
    as->version.version_id = out->policy->default_version_id;
    call_send_as(call, itself(call, arn_account(as->in->role_arn)), &iam_get_policy_version_op,
                 &as->version, on_version, as);
}

static void next_policy(struct call *call, struct assume *as)
{
    if (as->next_arn == as->in->policy_arns.n) {
        call_finish(call, assume_finish(call, as));
        return;
    }
    as->policy.policy_arn = as->in->policy_arns.items[as->next_arn].arn;
    call_send_as(call, itself(call, arn_account(as->in->role_arn)), &iam_get_policy_op, &as->policy,
                 on_policy, as);
}

static void on_role(struct call *child, void *user)
{
    struct call *call = child->parent;
    struct assume *as = user;
    const struct iam_get_role_output *out = child->out;
    if (child->result < 0) {
        call_finish(call, call_fail(call, STS_ACCESS_DENIED,
                                    "User: %.*s is not authorized to perform: sts:AssumeRole on "
                                    "resource: %.*s",
                                    STR(call->who->arn), STR(as->in->role_arn)));
        return;
    }
    as->role = out->role;
    int64_t wanted = as->in->duration_seconds.has ? as->in->duration_seconds.is : 3600;
    int64_t max = out->role->max_session_duration.has ? out->role->max_session_duration.is : 3600;
    if (wanted > max) {
        call_finish(call, call_fail(call, STS_VALIDATION_ERROR,
                                    "The requested DurationSeconds exceeds the MaxSessionDuration "
                                    "set for this role."));
        return;
    }
    next_policy(call, as);
}

static int assume_role(struct call *call, const struct sts_assume_role_input *in,
                       struct sts_assume_role_output *out)
{
    struct arena *a = call->arena;
    ssize_t slash = str_find_last_byte(in->role_arn, '/');
    if (!str_starts(in->role_arn, S("arn:aws")) || slash < 0)
        return call_fail(call, STS_VALIDATION_ERROR, "%.*s is invalid", STR(in->role_arn));
    if (call->who->type == PRINCIPAL_ROLE_SESSION && in->duration_seconds.has &&
        in->duration_seconds.is > CHAINED_MAX_S)
        return call_fail(call, STS_VALIDATION_ERROR,
                         "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                         "assumed by role chaining");
    if (in->policy_arns.n > POLICY_ARNS_MAX)
        return call_fail(call, STS_VALIDATION_ERROR, "Too many managed session policies: %zu > %d",
                         in->policy_arns.n, POLICY_ARNS_MAX);
    struct assume *as = ARENA_NEW(a, struct assume);
    as->in = in;
    as->out = out;
    if (in->policy.n) {
        if (in->policy.n > POLICY_PLAIN_MAX)
            return call_fail(call, STS_PACKED_POLICY_TOO_LARGE,
                             "Serialized token too large for session: %zu of %d characters of "
                             "policy",
                             in->policy.n, POLICY_PLAIN_MAX);
        int r = add_session_policy(call, as, in->policy);
        if (r < 0)
            return r;
    }
    struct iam_get_role_input *role = ARENA_NEW(a, struct iam_get_role_input);
    role->role_name = str_slice(in->role_arn, (size_t)slash + 1, in->role_arn.n);
    call_send_as(call, itself(call, arn_account(in->role_arn)), &iam_get_role_op, role, on_role,
                 as);
    return CALL_LATER;
}

static const struct handler handlers[] = {
    {sts_get_caller_identity_run(get_caller_identity), .action = ""}, /* needs no permission */
    {sts_get_session_token_run(get_session_token), .action = ""},
    {sts_assume_role_run(assume_role), .resource = "{RoleArn}"},
    {0},
};

static const struct handler *const handler_lists[] = {handlers, NULL};

static int sts_open(struct cloud *cloud, struct store *store, uv_loop_t *loop, void **ret_state)
{
    struct arena a;
    arena_init(&a);
    int r = session_sweep(store, &a, clock_now_ms());
    arena_done(&a);
    return r;
}

const struct service sts_service = {
    .model = &sts_model,
    .handlers = handler_lists,
    .open = sts_open,
};
