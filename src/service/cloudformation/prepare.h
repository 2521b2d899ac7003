/* prepare - from what a client sends (a template in the request, in S3, or the previous one, and
 * parameters) to a source that can be deployed. Used by stacks, change sets and template
 * operations. */
#pragma once
#include "service/cloudformation/worker.h"

struct request {
    struct call *call;
    struct str template_body, template_url;
    bool use_previous_template;
    const struct cloudformation_parameters *parameters;
    const struct cloudformation_tags *tags;
    const struct cloudformation_capabilities *capabilities;
    const struct cloudformation_resource_types *types; /* those that the template may have */
    struct str policy_body, policy_url; /* StackPolicy...; what URLs name becomes the body */
    struct str during_body, during_url; /* StackPolicyDuringUpdate... */
    struct str role_arn;                /* service role: CloudFormation must be able to assume it */
    bool expands;   /* CreateStack and UpdateStack: a transform asks for CAPABILITY_AUTO_EXPAND */
    bool text_only; /* GetTemplateSummary and ValidateTemplate: parameters don't matter */
    const struct cloudformation_stack_record *stack; /* the one that exists, or NULL */
    struct str stack_name, stack_id;
    /* Results, for then(). */
    struct cloudformation_record_source source;
    struct template_processed processed;
    /* Goes on when the template is there; what it returns ends the call. */
    int (*then)(struct request *request);
    void *user;
};

/* Returns what the handler has to return: the result of then(), CALL_LATER while the template is
 * fetched, or a refusal that has been answered. request lives in the call's arena. */
int prepare(struct request *request);

/* The text behind an S3 address; then() goes on with it, and what it returns ends the call. */
int prepare_document(struct call *call, const char *name, struct str url,
                     int (*then)(void *user, struct str text), void *user);

/* policies.c - a stack policy, and which resources it may name; answers the client's error. */
struct policy_scope {
    const struct template *view;      /* or NULL */
    struct stack_resources resources; /* that are there already */
};
int policy_validate(struct call *call, struct str text, struct policy_scope *scope);

/* Parameters of a source for showing: NoEcho as ****. */
void prepare_show_parameters(struct arena *a, const struct cloudformation_record_source *source,
                             struct cloudformation_parameters *ret);
void prepare_show_tags(struct arena *a, const struct cloudformation_record_source *source,
                       struct cloudformation_tags *ret);
