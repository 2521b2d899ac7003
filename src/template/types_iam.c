/* template/types_iam - properties of the resource types of AWS::IAM; facts of CloudFormation's
 * schemas. */
#include "template/resource_tables.h"

static const struct property_type managed_policy_properties[] = {
    {"Description", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"Groups", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"ManagedPolicyName", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"Path", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"PolicyDocument", PROPERTY_ANY, .required = true},
    {"Roles", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"Users", PROPERTY_LIST, .item = PROPERTY_STRING},
    {0},
};

static const char *const managed_policy_attributes[] = {"AttachmentCount",
                                                        "CreateDate",
                                                        "DefaultVersionId",
                                                        "IsAttachable",
                                                        "PermissionsBoundaryUsageCount",
                                                        "PolicyArn",
                                                        "PolicyId",
                                                        "UpdateDate",
                                                        NULL};

static const struct property_type policy_properties[] = {
    {"Groups", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"PolicyDocument", PROPERTY_JSON, .required = true},
    {"PolicyName", PROPERTY_STRING, .required = true},
    {"Roles", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"Users", PROPERTY_LIST, .item = PROPERTY_STRING},
    {0},
};

static const char *const policy_attributes[] = {"Id", NULL};

static const struct property_type role_policy[] = {
    {"PolicyDocument", PROPERTY_JSON, .required = true},
    {"PolicyName", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type role_tag[] = {
    {"Key", PROPERTY_STRING, .required = true},
    {"Value", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type role_properties[] = {
    {"AssumeRolePolicyDocument", PROPERTY_JSON, .required = true},
    {"Description", PROPERTY_STRING},
    {"ManagedPolicyArns", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"MaxSessionDuration", PROPERTY_INTEGER},
    {"Path", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"PermissionsBoundary", PROPERTY_STRING},
    {"Policies", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = role_policy},
    {"RoleName", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"Tags", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = role_tag},
    {0},
};

static const char *const role_attributes[] = {"Arn", "RoleId", NULL};

static const struct property_type login_profile[] = {
    {"Password", PROPERTY_STRING, .required = true},
    {"PasswordResetRequired", PROPERTY_BOOLEAN},
    {0},
};

static const struct property_type user_properties[] = {
    {"Groups", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"LoginProfile", PROPERTY_OBJECT, .object = login_profile},
    {"ManagedPolicyArns", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"Path", PROPERTY_STRING},
    {"PermissionsBoundary", PROPERTY_STRING},
    {"Policies", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = role_policy},
    {"Tags", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = role_tag},
    {"UserName", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {0},
};

static const struct property_type group_properties[] = {
    {"GroupName", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"ManagedPolicyArns", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"Path", PROPERTY_STRING},
    {"Policies", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = role_policy},
    {0},
};

static const char *const arn_attribute[] = {"Arn", NULL};

static const struct property_type access_key_properties[] = {
    {"Serial", PROPERTY_INTEGER, .update = UPDATE_REPLACEMENT},
    {"Status", PROPERTY_STRING},
    {"UserName", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {0},
};

static const char *const access_key_attributes[] = {"SecretAccessKey", NULL};

static const struct property_type members_properties[] = {
    {"GroupName", PROPERTY_STRING, .required = true},
    {"Users", PROPERTY_LIST, .item = PROPERTY_STRING, .required = true},
    {0},
};

const struct resource_type iam_resource_types[] = {
    {"AWS::IAM::AccessKey", access_key_properties, access_key_attributes, false},
    {"AWS::IAM::Group", group_properties, arn_attribute, false},
    {"AWS::IAM::ManagedPolicy", managed_policy_properties, managed_policy_attributes, false},
    {"AWS::IAM::Policy", policy_properties, policy_attributes, false},
    {"AWS::IAM::Role", role_properties, role_attributes, false},
    {"AWS::IAM::User", user_properties, arn_attribute, false},
    {"AWS::IAM::UserToGroupAddition", members_properties, policy_attributes, false},
    {0},
};
