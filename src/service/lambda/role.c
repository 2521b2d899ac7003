/* role - the execution role: Lambda must be able to assume it, the caller must be able to pass it.
 */
#include "service/lambda/lambda.h"
#include "service/policy.h"
#include "wire/iam.h"
#include "wire/request.h"

struct check {
    struct call *call;
    struct str role_arn;
    role_done_fn *done;
    void *user;
};

static bool trusts_lambda(struct call *call, struct str document)
{
    struct policy *policy;
    struct str why;
    struct str text = wire_percent_decode(call->arena, document, false);
    if (policy_parse(call->arena, POLICY_TRUST, text, &policy, &why) < 0)
        return false;
    struct policy_request q = {
        .arena = call->arena,
        .action = S("sts:AssumeRole"),
        .resource = S("*"),
        .who = {.service = S("lambda.amazonaws.com")},
    };
    return policy_evaluate(policy, &q) == POLICY_ALLOWS;
}

static void got_role(struct call *child, void *user)
{
    struct check *c = user;
    const struct iam_get_role_output *out = child->out;
    int r = 0;
    if (child->result < 0 || !out->role || !str_eq(out->role->arn, c->role_arn) ||
        !trusts_lambda(c->call, out->role->assume_role_policy_document))
        r = lambda_fail(c->call, LAMBDA_INVALID_PARAMETER_VALUE,
                        "The role defined for the function cannot be assumed by Lambda.");
    c->done(c->call, r, c->user);
}

void role_check(struct call *call, struct str role_arn, role_done_fn *done, void *user)
{
    static const struct principal lambda_itself = {
        .type = PRINCIPAL_SERVICE,
        .service = S_INIT("lambda.amazonaws.com"),
    };
    struct principal *who = arena_copy(call->arena, &lambda_itself, sizeof(lambda_itself));
    who->account = call->account;
    struct check *c = ARENA_NEW(call->arena, struct check);
    *c = (struct check){call, role_arn, done, user};
    struct iam_get_role_input *in = ARENA_NEW(call->arena, struct iam_get_role_input);
    ssize_t slash = str_find_last_byte(role_arn, '/');
    in->role_name = str_slice(role_arn, (size_t)(slash + 1), role_arn.n);
    call_send_as(call, who, &iam_get_role_op, in, got_role, c);
}
