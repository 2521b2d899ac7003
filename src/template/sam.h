/* template/sam - the transform AWS::Serverless-2016-10-31.
 *
 * The result equals that of aws-sam-translator 1.110.0 as JSON. Supported: Serverless::Function
 * (events, DeploymentPreference, FunctionUrlConfig and other properties that need resource types
 * unknown here are refused by name), Serverless::LayerVersion, Globals. The input is not changed.
 */
#pragma once
#include "template/template.h"

#define SAM_TRANSFORM "AWS::Serverless-2016-10-31"

struct sam_input {
    const struct json *root;             /* the parsed template */
    const struct template_param *params; /* values given; defaults are taken from the template */
    size_t n_params;
    struct str region; /* absent: us-east-1 */
};

/* On failure err.message is the translator's text: "Invalid Serverless Application Specification
 * document. Number of errors found: 1. Resource with id [X] is invalid. ..." The Transform section
 * is removed from the result, other transforms in it are kept. */
int sam_transform(struct arena *a, const struct sam_input *in, struct json **ret,
                  struct template_error *err);

/* The ARN of an AWS-managed policy by its name, if SAM knows it; absent otherwise. */
struct str sam_managed_policy_arn(struct arena *a, struct str partition, struct str name);
