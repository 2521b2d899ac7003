/* template/types_logs - properties of the resource types of AWS::Logs; facts of CloudFormation's
 * schemas. */
#include "template/resource_tables.h"

static const struct property_type log_group_tag[] = {
    {"Key", PROPERTY_STRING, .required = true},
    {"Value", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type log_group_properties[] = {
    {"BearerTokenAuthenticationEnabled", PROPERTY_BOOLEAN},
    {"DataProtectionPolicy", PROPERTY_JSON},
    {"DeletionProtectionEnabled", PROPERTY_BOOLEAN},
    {"FieldIndexPolicies", PROPERTY_LIST, .item = PROPERTY_ANY},
    {"KmsKeyId", PROPERTY_STRING},
    {"LogGroupClass", PROPERTY_STRING},
    {"LogGroupName", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"ResourcePolicyDocument", PROPERTY_JSON},
    {"RetentionInDays", PROPERTY_INTEGER},
    {"Tags", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = log_group_tag},
    {0},
};

static const char *const log_group_attributes[] = {"Arn", NULL};

const struct resource_type logs_resource_types[] = {
    {"AWS::Logs::LogGroup", log_group_properties, log_group_attributes, false},
    {0},
};
