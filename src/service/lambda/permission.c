/* permission - resource policies of functions: statement by statement, as AWS writes them. */
#include <ctype.h>
#include <errno.h>
#include "base/digest.h"
#include "service/lambda/lambda.h"

static struct json *text(struct call *call, struct str s)
{
    return json_new_str(call->arena, s);
}

static void set(struct call *call, struct json *object, const char *key, struct json *v)
{
    json_set(call->arena, object, str_from(key), v);
}

static struct json *principal_of(struct call *call, struct str principal)
{
    struct json *p = json_new(call->arena, JSON_OBJECT);
    bool digits = principal.n == 12;
    for (size_t i = 0; i < principal.n; i++)
        digits = digits && isdigit((unsigned char)principal.p[i]);
    if (str_is(principal, "*"))
        return text(call, principal);
    if (str_ends(principal, S(".amazonaws.com")) || str_ends(principal, S(".amazon.com")))
        set(call, p, "Service", text(call, principal));
    else if (digits)
        set(call, p, "AWS",
            text(call, str_printf(call->arena, "arn:aws:iam::%.*s:root", STR(principal))));
    else if (str_starts(principal, S("arn:aws:iam::")) || str_starts(principal, S("arn:aws:sts::")))
        set(call, p, "AWS", text(call, principal));
    else
        return NULL;
    return p;
}

static void condition(struct call *call, struct json **conditions, const char *operator,
                      const char * key, struct json *value)
{
    if (!*conditions)
        *conditions = json_new(call->arena, JSON_OBJECT);
    struct json *group = json_get(*conditions, operator);
    if (!group)
        group = json_set(call->arena, *conditions, str_from(operator),
                         json_new(call->arena, JSON_OBJECT));
    set(call, group, key, value);
}

int statement_make(struct call *call, const struct statement_request *q, struct json **ret)
{
    struct json *principal = principal_of(call, q->principal);
    if (!principal)
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "The provided principal was invalid. Please check the principal and try "
                           "again.");
    struct json *s = json_new(call->arena, JSON_OBJECT), *c = NULL;
    set(call, s, "Sid", text(call, q->sid));
    set(call, s, "Effect", text(call, S("Allow")));
    set(call, s, "Principal", principal);
    set(call, s, "Action", text(call, q->action));
    set(call, s, "Resource", text(call, q->resource));
    if (q->source_account.n)
        condition(call, &c, "StringEquals", "AWS:SourceAccount", text(call, q->source_account));
    if (q->url_auth_type.n)
        condition(call, &c, "StringEquals", "lambda:FunctionUrlAuthType",
                  text(call, q->url_auth_type));
    if (q->organization.n)
        condition(call, &c, "StringEquals", "aws:PrincipalOrgID", text(call, q->organization));
    if (q->event_source_token.n)
        condition(call, &c, "StringEquals", "lambda:EventSourceToken",
                  text(call, q->event_source_token));
    if (q->via_url_has)
        condition(call, &c, "Bool", "lambda:InvokedViaFunctionUrl",
                  text(call, q->via_url ? S("true") : S("false")));
    if (q->source_arn.n)
        condition(call, &c, "ArnLike", "AWS:SourceArn", text(call, q->source_arn));
    if (c)
        set(call, s, "Condition", c);
    *ret = s;
    return 0;
}

static struct json *statements_of(struct call *call, struct str policy, struct json **ret_root)
{
    struct json *root = NULL;
    if (!policy.n || json_parse(call->arena, policy, &root, NULL) < 0) {
        root = json_new(call->arena, JSON_OBJECT);
        set(call, root, "Version", text(call, S("2012-10-17")));
        set(call, root, "Id", text(call, S("default")));
        set(call, root, "Statement", json_new(call->arena, JSON_ARRAY));
    }
    *ret_root = root;
    return json_get(root, "Statement");
}

int policy_add(struct call *call, struct str policy, struct json *statement, struct str *ret)
{
    struct json *root, *list = statements_of(call, policy, &root);
    struct str sid = json_get_str(statement, "Sid");
    JSON_EACH(list, s)
        if (str_eq(json_get_str(s, "Sid"), sid))
            return lambda_fail(call, LAMBDA_RESOURCE_CONFLICT,
                               "The statement id (%.*s) provided already exists. Please provide a "
                               "new statement id, or remove the existing statement.",
                               STR(sid));
    json_add(list, json_copy(call->arena, statement));
    *ret = json_text(call->arena, root, -1);
    if (ret->n > 20480)
        return lambda_fail(call, LAMBDA_POLICY_LENGTH_EXCEEDED,
                           "The final policy size (%zu) is bigger than the limit (20480).", ret->n);
    return 0;
}

int policy_take_out(struct call *call, struct str policy, struct str sid, struct str *ret,
                    bool *ret_empty)
{
    struct json *root, *list = statements_of(call, policy, &root);
    struct json *kept = json_new(call->arena, JSON_ARRAY);
    bool found = false;
    JSON_EACH(list, s) {
        if (str_eq(json_get_str(s, "Sid"), sid))
            found = true;
        else
            json_add(kept, json_copy(call->arena, s));
    }
    if (!found)
        return -ENOENT;
    set(call, root, "Statement", kept);
    *ret = json_text(call->arena, root, -1);
    *ret_empty = kept->n == 0;
    return 0;
}

/* The function and qualifier that a policy operation is about; both must exist. */
static int policy_of(struct call *call, struct str function, struct str qualifier,
                     struct function_ref *ref, struct lambda_policy_record *ret)
{
    int r = function_ref_get(call, function, qualifier, ref);
    if (r < 0)
        return r;
    struct lambda_version_record v = {0};
    r = version_resolve(call, ref, &v, NULL);
    if (r < 0)
        return r;
    if (str_is(ref->qualifier, "$LATEST"))
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "We currently do not support adding policies for $LATEST.");
    r = policy_load(call, ref->name, ref->qualifier, ret);
    return r == -ENOENT ? 0 : r;
}

static int check_revision(struct call *call, struct str asked, const struct lambda_policy_record *p)
{
    if (!asked.n || str_eq(asked, p->revision_id))
        return 0;
    return lambda_fail(call, LAMBDA_PRECONDITION_FAILED,
                       "The Revision Id provided does not match the latest Revision Id. Call the "
                       "GetPolicy API to retrieve the latest Revision Id");
}

static int save(struct call *call, const struct function_ref *ref, struct str policy)
{
    struct lambda_policy_record p = {policy, random_uuid(call->arena)};
    return record_put(call, key_policy(call, ref->name, ref->qualifier),
                      &lambda_policy_record_shape, &p);
}

static int add_permission(struct call *call, const struct lambda_add_permission_input *in,
                          struct lambda_add_permission_output *out)
{
    struct function_ref ref;
    struct lambda_policy_record policy = {0};
    int r = policy_of(call, in->function_name, in->qualifier, &ref, &policy);
    if (r < 0)
        return r;
    r = check_revision(call, in->revision_id, &policy);
    if (r < 0)
        return r;
    struct statement_request q = {
        .sid = in->statement_id,
        .action = in->action,
        .principal = in->principal,
        .resource = function_arn(call, ref.name, ref.qualifier),
        .source_arn = in->source_arn,
        .source_account = in->source_account,
        .organization = in->principal_org_id,
        .url_auth_type = in->function_url_auth_type,
        .event_source_token = in->event_source_token,
        .via_url_has = in->invoked_via_function_url.has,
        .via_url = in->invoked_via_function_url.is,
    };
    struct json *statement;
    struct str text_now;
    r = statement_make(call, &q, &statement);
    if (r == 0)
        r = policy_add(call, policy.policy, statement, &text_now);
    if (r == 0)
        r = save(call, &ref, text_now);
    if (r < 0)
        return r;
    out->statement = json_text(call->arena, statement, -1);
    return 0;
}

static int remove_permission(struct call *call, const struct lambda_remove_permission_input *in,
                             void *out)
{
    struct function_ref ref;
    struct lambda_policy_record policy = {0};
    int r = policy_of(call, in->function_name, in->qualifier, &ref, &policy);
    if (r < 0)
        return r;
    if (!policy.policy.n)
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND,
                           "No policy is associated with the given resource.");
    r = check_revision(call, in->revision_id, &policy);
    if (r < 0)
        return r;
    struct str text_now;
    bool empty;
    r = policy_take_out(call, policy.policy, in->statement_id, &text_now, &empty);
    if (r == -ENOENT)
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND,
                           "Statement %.*s is not found in resource policy.",
                           STR(in->statement_id));
    if (r < 0)
        return r;
    return empty ? record_delete(call, key_policy(call, ref.name, ref.qualifier))
                 : save(call, &ref, text_now);
}

static int get_policy(struct call *call, const struct lambda_get_policy_input *in,
                      struct lambda_get_policy_output *out)
{
    struct function_ref ref;
    struct lambda_policy_record policy = {0};
    int r = policy_of(call, in->function_name, in->qualifier, &ref, &policy);
    if (r < 0)
        return r;
    if (!policy.policy.n)
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND,
                           "The resource you requested does not exist.");
    out->policy = policy.policy;
    out->revision_id = policy.revision_id;
    return 0;
}

const struct handler lambda_permission_handlers[] = {
    {lambda_add_permission_run(add_permission), NULL, "function:{FunctionName}"},
    {lambda_remove_permission_run(remove_permission), NULL, "function:{FunctionName}"},
    {lambda_get_policy_run(get_policy), NULL, "function:{FunctionName}"},
    {0},
};
