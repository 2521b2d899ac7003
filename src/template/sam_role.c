/* template/sam_role - the execution role of a function and the many forms of its policies. */
#include "template/sam_data.h"
#include "template/sam_inside.h"

#include <errno.h>

enum policy_type {
    MANAGED_POLICY,
    POLICY_STATEMENT,
    POLICY_TEMPLATE,
    POLICY_UNKNOWN,
    POLICY_ERROR
};

static const struct sam_policy_template *find_template(struct str name)
{
    for (const struct sam_policy_template *t = sam_policy_templates; t->name; t++)
        if (str_is(name, t->name))
            return t;
    return NULL;
}

static void invalid_structure(struct sam *s, const char *what)
{
    /* Not the resource's own error: it is reported with the others. */
    struct str message = str_printf(s->arena, "Structure of the SAM template is invalid. %s", what);
    struct sam_problem *p = arena_push(s->arena, (void **)&s->problems, &s->n_problems,
                                       &s->cap_problems, sizeof *s->problems);
    *p = (struct sam_problem){message, message, s->resource->key_line, s->resource->key_column};
}

static enum policy_type type_of(struct sam *s, const struct json *policy, bool templates)
{
    if (policy->type == JSON_STRING)
        return MANAGED_POLICY;
    if (is_if(policy)) {
        const struct json *arg = policy->first;
        if (arg->type != JSON_ARRAY || arg->n != 3) {
            invalid_structure(s, "Fn::If requires 3 arguments");
            return POLICY_ERROR;
        }
        const struct json *yes = json_at(arg, 1), *no = json_at(arg, 2);
        enum policy_type a = type_of(s, yes, templates);
        enum policy_type b = a == POLICY_ERROR ? a : type_of(s, no, templates);
        if (a == b || is_no_value(no) || b == POLICY_ERROR)
            return b == POLICY_ERROR ? b : a;
        if (is_no_value(yes))
            return b;
        invalid_structure(s, "Different policy types within the same Fn::If statement is "
                             "unsupported. Separate different policy types into different Fn::If "
                             "statements");
        return POLICY_ERROR;
    }
    if (template_is_intrinsic(policy))
        return MANAGED_POLICY;
    if (json_get(policy, "Statement"))
        return POLICY_STATEMENT;
    if (templates && json_is(policy, JSON_OBJECT) && policy->n == 1 &&
        find_template(policy->first->key))
        return POLICY_TEMPLATE;
    return POLICY_UNKNOWN;
}

/* ---- policy templates ---- */

static bool is_parameter(const struct sam_policy_template *t, struct str name)
{
    struct str rest = str_from(t->parameters), head;
    for (bool more = rest.n > 0; more;) {
        more = str_cut(rest, ' ', &head, &rest);
        if (str_eq(head, name))
            return true;
    }
    return false;
}

static struct json *fill(struct sam *s, const struct sam_policy_template *t, const struct json *v,
                         const struct json *values)
{
    struct str name =
        v->type == JSON_OBJECT && v->n == 1 ? json_get_str(v, "Ref") : (struct str){0};
    if (str_has(name) && is_parameter(t, name))
        return json_copy(s->arena, json_find(values, name));
    struct json *copy = json_copy(s->arena, v);
    if (!v->first)
        return copy;
    copy->first = copy->last = NULL;
    copy->n = 0;
    JSON_EACH(v, child) {
        struct json *one = fill(s, t, child, values);
        one->key = child->key;
        json_add(copy, one);
    }
    return copy;
}

static int convert_one(struct sam *s, struct str id, const struct json *policy, struct json **ret)
{
    const struct sam_policy_template *t = find_template(policy->first->key);
    const struct json *values = policy->first;
    if (!json_is(values, JSON_OBJECT))
        return sam_invalid(s, id, "Must specify valid parameter values for policy template '%s'",
                           t->name);
    struct buf missing;
    buf_init(&missing, 4096);
    struct str rest = str_from(t->parameters), head;
    for (bool more = rest.n > 0; more;) {
        more = str_cut(rest, ' ', &head, &rest);
        if (!json_find(values, head))
            buf_printf(&missing, "%s'%.*s'", missing.n ? ", " : "", STR(head));
    }
    struct str list = buf_copy(&missing, s->arena);
    buf_done(&missing);
    if (list.n)
        return sam_invalid(
            s, id, "Following required parameters of template '%s' don't have values: [%.*s]",
            t->name, STR(list));
    *ret = fill(s, t, from_text(s, t->definition), values);
    return 0;
}

static int convert_if(struct sam *s, struct str id, const struct json *policy, struct json **ret)
{
    struct json *arg = json_new(s->arena, JSON_ARRAY);
    json_add(arg, json_copy(s->arena, policy->first->first));
    for (size_t i = 1; i < 3; i++) {
        const struct json *branch = json_at(policy->first, i);
        struct json *one;
        if (is_no_value(branch)) {
            one = json_copy(s->arena, branch);
        } else {
            int r = convert_one(s, id, branch, &one);
            if (r < 0)
                return r;
        }
        json_add(arg, one);
    }
    *ret = json_new(s->arena, JSON_OBJECT);
    json_set(s->arena, *ret, S("Fn::If"), arg);
    return 0;
}

/* Policies as a list; *ret NULL when there are none. */
static struct json *policy_list(struct sam *s, const struct json *properties)
{
    const struct json *v = json_get(properties, "Policies");
    if (!truthy(v))
        return NULL;
    struct json *copy = json_copy(s->arena, v);
    if (v->type == JSON_ARRAY)
        return copy;
    struct json *list = json_new(s->arena, JSON_ARRAY);
    json_add(list, copy);
    return list;
}

int convert_policy_templates(struct sam *s, struct json *properties, struct str id)
{
    const struct json *list = policy_list(s, properties);
    if (!list)
        return 0;
    JSON_EACH(list, policy)
        if (type_of(s, policy, true) == POLICY_ERROR)
            return -EBADMSG;
    struct json *result = json_new(s->arena, JSON_ARRAY);
    JSON_EACH(list, policy) {
        struct json *one = NULL;
        int r = 0;
        if (type_of(s, policy, true) != POLICY_TEMPLATE)
            one = json_copy(s->arena, policy);
        else if (is_if(policy))
            r = convert_if(s, id, policy, &one);
        else
            r = convert_one(s, id, policy, &one);
        if (r < 0)
            return r;
        json_add(result, one);
    }
    json_set(s->arena, properties, S("Policies"), result);
    return 0;
}

/* ---- managed policies ---- */

struct str sam_managed_policy_arn(struct arena *a, struct str partition, struct str name)
{
    int bit = str_is(partition, "aws")          ? IN_AWS
              : str_is(partition, "aws-cn")     ? IN_AWS_CN
              : str_is(partition, "aws-us-gov") ? IN_AWS_US_GOV
              : str_is(partition, "aws-eusc")   ? IN_AWS_EUSC
                                                : 0;
    for (const struct sam_managed_policy *p = sam_managed_policies; p->name; p++)
        if ((p->partitions & bit) && str_is(name, p->name))
            return str_printf(a, "arn:%.*s:iam::aws:policy/%s%s", STR(partition), p->path, p->name);
    return (struct str){0};
}

static void to_arn(struct sam *s, struct json *v)
{
    if (v->type != JSON_STRING)
        return;
    struct str arn = sam_managed_policy_arn(s->arena, s->partition, v->text);
    if (str_has(arn))
        v->text = arn;
}

static void add_managed(struct sam *s, struct json *arns, struct json *policy)
{
    if (is_if(policy)) {
        to_arn(s, json_at(policy->first, 1));
        to_arn(s, json_at(policy->first, 2));
    } else {
        to_arn(s, policy);
    }
    JSON_EACH(arns, known)
        if (json_equal(known, policy))
            return;
    json_add(arns, json_copy(s->arena, policy));
}

static void add_aws_managed(struct sam *s, struct json *arns, const char *name)
{
    json_add(arns, json_new_str(s->arena, str_printf(s->arena, "arn:%.*s:iam::aws:policy/%s",
                                                     STR(s->partition), name)));
}

/* ---- the role ---- */

static struct json *named_document(struct sam *s, struct str role, int index,
                                   const struct json *document)
{
    struct json *policy = json_new(s->arena, JSON_OBJECT);
    put_text(s, policy, "PolicyName", str_printf(s->arena, "%.*sPolicy%d", STR(role), index));
    json_set(s->arena, policy, S("PolicyDocument"), json_copy(s->arena, document));
    return policy;
}

static void add_statement(struct sam *s, struct json *documents, struct str role, int index,
                          const struct json *policy)
{
    if (!is_if(policy)) {
        json_add(documents, named_document(s, role, index, policy));
        return;
    }
    struct json *arg = json_new(s->arena, JSON_ARRAY);
    json_add(arg, json_copy(s->arena, policy->first->first));
    for (size_t i = 1; i < 3; i++) {
        const struct json *branch = json_at(policy->first, i);
        json_add(arg, is_no_value(branch) ? json_copy(s->arena, branch)
                                          : named_document(s, role, index, branch));
    }
    struct json *whole = json_new(s->arena, JSON_OBJECT);
    json_set(s->arena, whole, S("Fn::If"), arg);
    json_add(documents, whole);
}

static struct json *dead_letter_policy(struct sam *s, const struct json *queue)
{
    struct json *policy = from_text(s, "{'PolicyName':'DeadLetterQueuePolicy','PolicyDocument':{"
                                       "'Version':'2012-10-17','Statement':[{'Effect':'Allow'}]}}");
    struct json *statement = json_get(json_get(policy, "PolicyDocument"), "Statement")->first;
    bool sqs = str_is(json_get_str(queue, "Type"), "SQS");
    put_text(s, statement, "Action", sqs ? S("sqs:SendMessage") : S("sns:Publish"));
    put(s, statement, "Resource", json_get(queue, "TargetArn"));
    return policy;
}

static int add_policies(struct sam *s, struct str id, struct str role, const struct json *list,
                        struct json *arns, struct json *documents)
{
    int index = 0;
    JSON_EACH(list, policy) {
        switch (type_of(s, policy, false)) {
        case POLICY_STATEMENT:
            add_statement(s, documents, role, index, policy);
            break;
        case MANAGED_POLICY:
            add_managed(s, arns, policy);
            break;
        case POLICY_ERROR:
            return -EBADMSG;
        default:
            return sam_invalid(s, id, "Policy at index %d in the 'Policies' property is not valid",
                               index);
        }
        index++;
    }
    return 0;
}

/* The role as a resource, not yet among the generated ones. */
int build_role(struct sam *s, struct str id, struct json *properties, struct json **ret)
{
    struct str role_id = str_printf(s->arena, "%.*sRole", STR(id));
    struct json *arns = json_new(s->arena, JSON_ARRAY);
    struct json *documents = json_new(s->arena, JSON_ARRAY);
    add_aws_managed(s, arns,
                    truthy(json_get(properties, "DurableConfig"))
                        ? "service-role/AWSLambdaBasicDurableExecutionRolePolicy"
                        : "service-role/AWSLambdaBasicExecutionRole");
    struct json *tracing = json_get(properties, "Tracing");
    bool traced = truthy(tracing);
    int r = resolve_parameters(s, &tracing);
    if (r < 0)
        return r;
    if (traced && !str_is(json_str(tracing), "Disabled"))
        add_aws_managed(s, arns,
                        str_is(s->partition, "aws") ? "AWSXrayWriteOnlyAccess"
                                                    : "AWSXRayDaemonWriteAccess");
    if (truthy(json_get(properties, "VpcConfig")))
        add_aws_managed(s, arns, "service-role/AWSLambdaVPCAccessExecutionRole");
    if (truthy(json_get(properties, "DeadLetterQueue")))
        json_add(documents, dead_letter_policy(s, json_get(properties, "DeadLetterQueue")));
    JSON_EACH(s->role_documents, document)
        json_add(documents, json_copy(s->arena, document));
    r = add_policies(s, id, role_id, policy_list(s, properties), arns, documents);
    if (r < 0)
        return r;
    struct json *resource = json_new(s->arena, JSON_OBJECT), *out = json_new(s->arena, JSON_OBJECT);
    put_text(s, resource, "Type", S("AWS::IAM::Role"));
    const struct json *attributes = passed_attributes(s);
    JSON_EACH(attributes, attribute)
        json_set(s->arena, resource, attribute->key, json_copy(s->arena, attribute));
    json_set(s->arena, resource, S("Properties"), out);
    const struct json *trust = json_get(properties, "AssumeRolePolicyDocument");
    if (is_none(trust))
        trust =
            from_text(s, "{'Version':'2012-10-17','Statement':[{'Action':['sts:AssumeRole'],"
                         "'Effect':'Allow','Principal':{'Service':['lambda.amazonaws.com']}}]}");
    put(s, out, "AssumeRolePolicyDocument", trust);
    put(s, out, "ManagedPolicyArns", arns);
    if (documents->n)
        put(s, out, "Policies", documents);
    put(s, out, "Path", json_get(properties, "RolePath"));
    put(s, out, "PermissionsBoundary", json_get(properties, "PermissionsBoundary"));
    put(s, out, "Tags", tag_list(s, json_get(properties, "Tags"), true));
    *ret = resource;
    return 0;
}
