/* layer_permission - who else may use a layer version. */
#include <errno.h>
#include "base/digest.h"
#include "service/lambda/lambda.h"

static int load(struct call *call, struct str layer, int64_t version, struct str *ret_name,
                struct lambda_layer_version_record *ret)
{
    int r = layer_ref_get(call, layer, ret_name);
    if (r < 0)
        return r;
    if (version < 1)
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Layer Version Cannot be less than 1.");
    r = layer_load(call, *ret_name, version, ret);
    if (r == -ENOENT)
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND, "Layer version %.*s does not exist.",
                           STR(layer_arn(call, *ret_name, version)));
    return r;
}

static int check_revision(struct call *call, struct str asked,
                          const struct lambda_layer_version_record *layer)
{
    if (!asked.n || str_eq(asked, layer->policy_revision_id))
        return 0;
    return lambda_fail(call, LAMBDA_PRECONDITION_FAILED,
                       "The Revision Id provided does not match the latest Revision Id. Call the "
                       "GetLayerPolicy API to retrieve the latest Revision Id");
}

static int add(struct call *call, const struct lambda_add_layer_version_permission_input *in,
               struct lambda_add_layer_version_permission_output *out)
{
    struct str name;
    struct lambda_layer_version_record layer = {0};
    int r = load(call, in->layer_name, in->version_number.is, &name, &layer);
    if (r == 0)
        r = check_revision(call, in->revision_id, &layer);
    if (r < 0)
        return r;
    struct statement_request q = {
        .sid = in->statement_id,
        .action = in->action,
        .principal = in->principal,
        .resource = layer_arn(call, name, in->version_number.is),
        .organization = in->organization_id,
    };
    struct json *statement;
    r = statement_make(call, &q, &statement);
    if (r == 0)
        r = policy_add(call, layer.policy, statement, &layer.policy);
    if (r < 0)
        return r;
    layer.policy_revision_id = random_uuid(call->arena);
    out->statement = json_text(call->arena, statement, -1);
    out->revision_id = layer.policy_revision_id;
    return layer_save(call, name, in->version_number.is, &layer);
}

static int no_policy(struct call *call)
{
    return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND,
                       "No policy is associated with the given resource.");
}

static int get(struct call *call, const struct lambda_get_layer_version_policy_input *in,
               struct lambda_get_layer_version_policy_output *out)
{
    struct str name;
    struct lambda_layer_version_record layer = {0};
    int r = load(call, in->layer_name, in->version_number.is, &name, &layer);
    if (r < 0)
        return r;
    if (!layer.policy.n)
        return no_policy(call);
    out->policy = layer.policy;
    out->revision_id = layer.policy_revision_id;
    return 0;
}

static int take_out(struct call *call,
                    const struct lambda_remove_layer_version_permission_input *in, void *out)
{
    struct str name;
    struct lambda_layer_version_record layer = {0};
    int r = load(call, in->layer_name, in->version_number.is, &name, &layer);
    if (r < 0)
        return r;
    if (!layer.policy.n)
        return no_policy(call);
    r = check_revision(call, in->revision_id, &layer);
    if (r < 0)
        return r;
    bool empty;
    r = policy_take_out(call, layer.policy, in->statement_id, &layer.policy, &empty);
    if (r == -ENOENT)
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND,
                           "Statement %.*s is not found in resource policy.",
                           STR(in->statement_id));
    if (r < 0)
        return r;
    if (empty)
        layer.policy = (struct str){0};
    layer.policy_revision_id = random_uuid(call->arena);
    return layer_save(call, name, in->version_number.is, &layer);
}

const struct handler lambda_layer_permission_handlers[] = {
    {lambda_add_layer_version_permission_run(add), NULL, "layer:{LayerName}:{VersionNumber}"},
    {lambda_get_layer_version_policy_run(get), NULL, "layer:{LayerName}:{VersionNumber}"},
    {lambda_remove_layer_version_permission_run(take_out), NULL,
     "layer:{LayerName}:{VersionNumber}"},
    {0},
};
