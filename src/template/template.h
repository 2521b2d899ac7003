/* template/template - a parsed template seen as sections, with the checks CloudFormation makes.
 *
 * Everything lives in the arena given to template_open(); the tree is not copied and not changed,
 * so it must live as long. A template that still has a SAM transform is opened after
 * sam_transform(). Order of work: template_open(), template_bind(), then template_resolve()
 * (resolve.h) resource by resource in t->order. */
#pragma once
#include "template/parse.h"

/* A parameter value as a request gives it. */
struct template_param {
    struct str key;
    struct str value;  /* absent with use_previous */
    bool use_previous; /* take it from template_bind()'s previous list */
};

/* Answers for the pseudo parameters. */
struct template_env {
    struct str account_id, region, partition,
        url_suffix; /* partition and suffix may be absent: by region */
    struct str stack_name, stack_id;
    const struct str *notification_arns;
    size_t n_notification_arns;
};

enum template_param_kind { PARAM_STRING, PARAM_NUMBER, PARAM_NUMBER_LIST, PARAM_COMMA_LIST };

struct template_parameter {
    struct str name;
    struct str type; /* as written: "String", "List<AWS::EC2::Subnet::Id>" */
    enum template_param_kind kind;
    bool no_echo;
    struct str description, constraint_description;
    struct str default_value; /* absent: none */
    const struct json *declaration;
    /* after template_bind() */
    struct str value;      /* the text, lists joined by "," as given */
    struct json *resolved; /* what Ref gives: a string, or an array of strings for list types */
    bool given;            /* by the request, not by Default */
};

enum template_policy {
    POLICY_DELETE,
    POLICY_RETAIN,
    POLICY_SNAPSHOT,
    POLICY_RETAIN_EXCEPT_ON_CREATE
};

struct template_resource {
    struct str logical_id;
    struct str type;
    const struct json *declaration;
    const struct json *properties; /* NULL when there are none */
    const struct json *metadata;
    struct str condition; /* absent: always */
    bool active;          /* after template_bind(): its condition holds */
    enum template_policy deletion_policy, update_replace_policy;
    bool has_deletion_policy, has_update_replace_policy; /* written in the template */
    size_t *depends; /* indexes into t->resources: Ref, GetAtt, Sub and DependsOn, unique */
    size_t n_depends;
};

struct template_output {
    struct str name, description; /* description absent: none */
    struct str condition;
    bool active;
    const struct json *value;
    const struct json *export_name; /* NULL: not exported */
};

enum template_condition_state {
    CONDITION_UNKNOWN,
    CONDITION_BUSY,
    CONDITION_FALSE,
    CONDITION_TRUE
};
struct template_condition {
    struct str name;
    const struct json *expression;
    enum template_condition_state state;
};

struct template
{
    struct arena *arena;
    const struct json *root;
    struct str description;
    const struct json *metadata, *mappings;
    bool language_extensions; /* Transform names AWS::LanguageExtensions */
    struct template_parameter *parameters;
    size_t n_parameters;
    struct template_condition *conditions;
    size_t n_conditions;
    struct template_resource *resources; /* in the template's order */
    size_t n_resources;
    size_t *order; /* n_resources indexes: each after all that it depends on; skip inactive ones */
    struct template_output *outputs;
    size_t n_outputs;
    struct template_env env; /* set by template_bind() */
};

/* Checks the form and the references, and finds the order. AWS's texts, e.g. "Template format
 * error: Unresolved resource dependencies [X] in the Resources block of the template", "Circular
 * dependency between resources: [A, B]". */
int template_open(struct arena *a, const struct json *root, struct template **ret,
                  struct template_error *err);

/* Parameter values, conditions, which resources and outputs are active, and the order once more.
 * previous: the values of the stack that is being updated (n 0 on create). */
int template_bind(struct template *t, const struct template_param *given, size_t n_given,
                  const struct template_param *previous, size_t n_previous,
                  const struct template_env *env, struct template_error *err);

struct template_parameter *template_parameter_find(const struct template *t, struct str name);
struct template_resource *template_resource_find(const struct template *t, struct str logical_id);

/* -EBADMSG when unknown or circular; after template_bind(). */
int template_condition_holds(struct template *t, struct str name, bool *ret,
                             struct template_error *err);

/* Which capabilities the template asks for: bits, and the resource types that are the reason. */
#define CAPABILITY_IAM 1
#define CAPABILITY_NAMED_IAM 2
#define CAPABILITY_AUTO_EXPAND 4
int template_capabilities(struct arena *a, const struct json *root, struct str **ret_types,
                          size_t *ret_n_types);

/* "AWS::Serverless-2016-10-31" among the root's Transform. */
bool template_has_transform(const struct json *root, struct str name);
/* Names of all transforms. -EBADMSG: not a string or list of strings. */
int template_transforms(struct arena *a, const struct json *root, struct str **ret, size_t *ret_n,
                        struct template_error *err);

struct str template_partition(struct str region);  /* aws, aws-cn, aws-us-gov, ... */
struct str template_url_suffix(struct str region); /* amazonaws.com, amazonaws.com.cn */
