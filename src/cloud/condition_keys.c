/* condition_keys - what condition keys and policy variables are worth for a request: facts of the
 * principal and the request, tags, and members of the operation's input. */
#include "base/clock.h"
#include "cloud/question.h"
#include "service/sts/session.h"

struct str action_vendor(struct str action)
{
    struct str vendor, rest;
    str_cut(action, ':', &vendor, &rest);
    return vendor;
}

static bool one_value(struct arena *a, struct str v, struct policy_values *ret)
{
    if (!str_has(v) || v.n == 0)
        return false;
    ret->items = ARENA_NEW(a, struct str);
    ret->items[0] = v;
    ret->n = 1;
    return true;
}

/* s3:x-amz-acl and s3:max-keys are ACL and MaxKeys in the model. */
static bool same_word(struct str key, const char *member)
{
    if (str_starts(key, S("x-amz-")))
        key = str_slice(key, 6, key.n);
    size_t i = 0;
    for (; i < key.n && *member; i++) {
        if (key.p[i] == '-')
            continue;
        if (!str_eq_nocase(str_of(&key.p[i], 1), str_of(member, 1)))
            return false;
        member++;
    }
    return i == key.n && !*member;
}

/* sts:ExternalId, s3:prefix ...: most keys of services are members of the operation's input. */
static bool input_value(const struct question *q, struct arena *a, struct str name,
                        struct policy_values *ret)
{
    const struct operation *op = q->call->op;
    if (!op || !operation_input(op) || !q->call->in)
        return false;
    for (uint32_t i = 0; i < operation_input(op)->n_members; i++) {
        const struct member *m = shape_member(operation_input(op), i);
        const char *slot = (const char *)q->call->in + m->offset;
        if (!same_word(name, member_name(m)))
            continue;
        if (member_shape(m)->type == SHAPE_STRING)
            return one_value(a, *(const struct str *)slot, ret);
        if (member_shape(m)->type == SHAPE_INTEGER && ((const struct opt_int *)slot)->has)
            return one_value(
                a, str_printf(a, "%lld", (long long)((const struct opt_int *)slot)->is), ret);
        if (member_shape(m)->type == SHAPE_BOOLEAN && ((const struct opt_bool *)slot)->has)
            return one_value(a, ((const struct opt_bool *)slot)->is ? S("true") : S("false"), ret);
        return false;
    }
    return false;
}

/* aws:RequestTag/KEY (key given) or aws:TagKeys: of a Tags member, a map or a list of pairs. */
static bool request_tags(const struct question *q, struct arena *a, struct str key,
                         struct policy_values *ret)
{
    const struct operation *op = q->call->op;
    const struct member *m = op && operation_input(op) && q->call->in
                                 ? member_find(operation_input(op), S("Tags"))
                                 : NULL;
    if (!m || (member_shape(m)->type != SHAPE_LIST && member_shape(m)->type != SHAPE_MAP))
        return false;
    const struct any_list *list = (const void *)((const char *)q->call->in + m->offset);
    const struct shape *shape = member_shape(m);
    const struct member *k = NULL, *v = NULL;
    if (shape->type == SHAPE_LIST) {
        if (shape_element(shape)->type != SHAPE_STRUCTURE)
            return false;
        k = member_find(shape_element(shape), S("Key"));
        v = member_find(shape_element(shape), S("Value"));
        if (!k || !v)
            return false;
    } else if (shape_element(shape)->type != SHAPE_STRING) {
        return false;
    }
    ret->items = ARENA_ARRAY(a, struct str, list->n + 1);
    for (size_t i = 0; i < list->n; i++) {
        const char *item = (const char *)list->items + i * shape->stride;
        struct str tag = *(const struct str *)(item + (k ? k->offset : 0));
        struct str value = *(const struct str *)(item + (v ? v->offset : shape->value_offset));
        if (!str_has(key))
            ret->items[ret->n++] = tag;
        else if (str_eq(tag, key))
            ret->items[ret->n++] = value;
    }
    return ret->n > 0;
}

/* A tag given to AssumeRole, else one of the role. */
static struct str principal_tag(const struct question *q, struct str key)
{
    struct sts_session_record session = {0};
    if (q->who->access_key.n)
        session_find(q->call->store, q->call->arena, q->who->access_key, &session);
    for (size_t i = 0; i < session.tags.n; i++)
        if (str_eq(session.tags.items[i].key, key))
            return session.tags.items[i].value;
    const struct iam_tag_list_type *tags = &q->access.role.tags;
    for (size_t i = 0; q->has_access && i < tags->n; i++)
        if (str_eq(tags->items[i].key, key))
            return tags->items[i].value;
    return (struct str){0};
}

static bool key_is(struct str key, const char *name)
{
    return str_eq_nocase(key, str_from(name));
}

static bool aws_value(const struct question *q, struct arena *a, struct str key,
                      struct policy_values *ret)
{
    const struct principal *who = q->who;
    struct str family, rest;
    if (str_cut(key, '/', &family, &rest)) {
        if (key_is(family, "aws:PrincipalTag"))
            return one_value(a, principal_tag(q, rest), ret);
        return key_is(family, "aws:RequestTag") && request_tags(q, a, rest, ret);
    }
    if (key_is(key, "aws:TagKeys"))
        return request_tags(q, a, (struct str){0}, ret);
    if (key_is(key, "aws:CurrentTime"))
        return one_value(a, clock_iso8601_s(a, q->call->now_ms), ret);
    if (key_is(key, "aws:EpochTime"))
        return one_value(a, str_printf(a, "%lld", (long long)q->call->now_ms / 1000), ret);
    if (key_is(key, "aws:SourceIp"))
        return one_value(a, q->call->source_ip, ret);
    if (key_is(key, "aws:UserAgent"))
        return one_value(a, q->call->user_agent, ret);
    if (key_is(key, "aws:RequestedRegion"))
        return one_value(a, q->call->region, ret);
    if (key_is(key, "aws:SecureTransport"))
        return one_value(a, S("false"), ret);
    if (key_is(key, "aws:ResourceAccount"))
        return one_value(a, q->call->account, ret);
    if (who->type == PRINCIPAL_SERVICE) {
        if (key_is(key, "aws:SourceAccount"))
            return one_value(a, q->call->account, ret);
        return key_is(key, "aws:PrincipalServiceName") && one_value(a, who->service, ret);
    }
    if (who->type == PRINCIPAL_ANONYMOUS)
        return key_is(key, "aws:PrincipalType") && one_value(a, S("Anonymous"), ret);
    if (key_is(key, "aws:PrincipalAccount"))
        return one_value(a, who->account, ret);
    if (key_is(key, "aws:userid"))
        return one_value(a, who->user_id, ret);
    if (key_is(key, "aws:PrincipalType"))
        return one_value(a,
                         who->type == PRINCIPAL_ROOT   ? S("Account")
                         : who->type == PRINCIPAL_USER ? S("User")
                                                       : S("AssumedRole"),
                         ret);
    if (key_is(key, "aws:username"))
        return who->type == PRINCIPAL_USER && one_value(a, who->role_name, ret);
    if (key_is(key, "aws:PrincipalArn"))
        return one_value(a, q->has_access ? q->access.role.arn : who->arn, ret);
    return false;
}

bool condition_value(void *user, struct arena *a, struct str key, struct policy_values *ret)
{
    const struct question *q = user;
    struct str vendor, name;
    *ret = (struct policy_values){0};
    if (!str_cut(key, ':', &vendor, &name))
        return false;
    if (str_eq_nocase(vendor, S("aws")))
        return aws_value(q, a, key, ret);
    if (key_is(key, "iam:PassedToService"))
        return q->call->service &&
               one_value(a, str_printf(a, "%s.amazonaws.com", q->call->service->model->id), ret);
    if (!str_eq_nocase(vendor, action_vendor(q->action)))
        return false;
    for (size_t i = 0; i < q->call->n_conditions; i++)
        if (str_eq_nocase(key, q->call->conditions[i].name))
            return one_value(a, q->call->conditions[i].value, ret);
    if (input_value(q, a, name, ret))
        return true;
    /* CreateFunctionUrlConfig's member has a shorter name. */
    return key_is(key, "lambda:FunctionUrlAuthType") && input_value(q, a, S("AuthType"), ret);
}
