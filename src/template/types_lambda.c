/* template/types_lambda - properties of the resource types of AWS::Lambda; facts of
 * CloudFormation's schemas. */
#include "template/resource_tables.h"

static const struct property_type alias_provisioned_concurrency_configuration[] = {
    {"ProvisionedConcurrentExecutions", PROPERTY_INTEGER, .required = true},
    {0},
};

static const struct property_type alias_version_weight[] = {
    {"FunctionVersion", PROPERTY_STRING, .required = true},
    {"FunctionWeight", PROPERTY_NUMBER, .required = true},
    {0},
};

static const struct property_type alias_alias_routing_configuration[] = {
    {"AdditionalVersionWeights", PROPERTY_LIST, .item = PROPERTY_OBJECT,
     .object = alias_version_weight},
    {0},
};

static const struct property_type alias_properties[] = {
    {"Description", PROPERTY_STRING},
    {"FunctionName", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {"FunctionVersion", PROPERTY_STRING, .required = true},
    {"Name", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {"ProvisionedConcurrencyConfig", PROPERTY_OBJECT,
     .object = alias_provisioned_concurrency_configuration},
    {"RoutingConfig", PROPERTY_OBJECT, .object = alias_alias_routing_configuration},
    {0},
};

static const char *const alias_attributes[] = {"AliasArn", NULL};

static const struct property_type event_invoke_config_destination[] = {
    {"Destination", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type event_invoke_config_destination_config[] = {
    {"OnFailure", PROPERTY_OBJECT, .object = event_invoke_config_destination},
    {"OnSuccess", PROPERTY_OBJECT, .object = event_invoke_config_destination},
    {0},
};

static const struct property_type event_invoke_config_properties[] = {
    {"DestinationConfig", PROPERTY_OBJECT, .object = event_invoke_config_destination_config},
    {"FunctionName", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {"MaximumEventAgeInSeconds", PROPERTY_INTEGER},
    {"MaximumRetryAttempts", PROPERTY_INTEGER},
    {"Qualifier", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {0},
};

static const char *const event_invoke_config_attributes[] = {NULL};

static const struct property_type function_lambda_managed_instances_capacity_provider_config[] = {
    {"CapacityProviderArn", PROPERTY_STRING, .required = true},
    {"ExecutionEnvironmentMemoryGiBPerVCpu", PROPERTY_NUMBER},
    {"PerExecutionEnvironmentMaxConcurrency", PROPERTY_INTEGER},
    {0},
};

static const struct property_type function_capacity_provider_config[] = {
    {"LambdaManagedInstancesCapacityProviderConfig", PROPERTY_OBJECT, .required = true,
     .object = function_lambda_managed_instances_capacity_provider_config},
    {0},
};

static const struct property_type function_code[] = {
    {"ImageUri", PROPERTY_STRING},        {"S3Bucket", PROPERTY_STRING},
    {"S3Key", PROPERTY_STRING},           {"S3ObjectStorageMode", PROPERTY_STRING},
    {"S3ObjectVersion", PROPERTY_STRING}, {"SourceKMSKeyArn", PROPERTY_STRING},
    {"ZipFile", PROPERTY_STRING},         {0},
};

static const struct property_type function_dead_letter_config[] = {
    {"TargetArn", PROPERTY_STRING},
    {0},
};

static const struct property_type function_durable_config[] = {
    {"ExecutionTimeout", PROPERTY_INTEGER, .required = true},
    {"RetentionPeriodInDays", PROPERTY_INTEGER},
    {0},
};

static const struct property_type function_environment[] = {
    {"Variables", PROPERTY_MAP, .item = PROPERTY_ANY, .variables = true},
    {0},
};

static const struct property_type function_ephemeral_storage[] = {
    {"Size", PROPERTY_INTEGER, .required = true},
    {0},
};

static const struct property_type function_file_system_config[] = {
    {"Arn", PROPERTY_STRING, .required = true},
    {"LocalMountPath", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type function_function_scaling_config[] = {
    {"MaxExecutionEnvironments", PROPERTY_INTEGER},
    {"MinExecutionEnvironments", PROPERTY_INTEGER},
    {0},
};

static const struct property_type function_image_config[] = {
    {"Command", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"EntryPoint", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"WorkingDirectory", PROPERTY_STRING},
    {0},
};

static const struct property_type function_logging_config[] = {
    {"ApplicationLogLevel", PROPERTY_STRING},
    {"LogFormat", PROPERTY_STRING},
    {"LogGroup", PROPERTY_STRING},
    {"SystemLogLevel", PROPERTY_STRING},
    {0},
};

static const struct property_type function_runtime_management_config[] = {
    {"RuntimeVersionArn", PROPERTY_STRING},
    {"UpdateRuntimeOn", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type function_snap_start[] = {
    {"ApplyOn", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type function_tag[] = {
    {"Key", PROPERTY_STRING, .required = true},
    {"Value", PROPERTY_STRING},
    {0},
};

static const struct property_type function_tenancy_config[] = {
    {"TenantIsolationMode", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type function_tracing_config[] = {
    {"Mode", PROPERTY_STRING},
    {0},
};

static const struct property_type function_vpc_config[] = {
    {"Ipv6AllowedForDualStack", PROPERTY_BOOLEAN},
    {"SecurityGroupIds", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"SubnetIds", PROPERTY_LIST, .item = PROPERTY_STRING},
    {0},
};

static const struct property_type function_properties[] = {
    {"Architectures", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"CapacityProviderConfig", PROPERTY_OBJECT, .object = function_capacity_provider_config},
    {"Code", PROPERTY_OBJECT, .required = true, .object = function_code},
    {"CodeSigningConfigArn", PROPERTY_STRING},
    {"DeadLetterConfig", PROPERTY_OBJECT, .object = function_dead_letter_config},
    {"Description", PROPERTY_STRING},
    {"DurableConfig", PROPERTY_OBJECT, .update = UPDATE_CONDITIONAL,
     .object = function_durable_config},
    {"Environment", PROPERTY_OBJECT, .object = function_environment},
    {"EphemeralStorage", PROPERTY_OBJECT, .object = function_ephemeral_storage},
    {"FileSystemConfigs", PROPERTY_LIST, .item = PROPERTY_OBJECT,
     .object = function_file_system_config},
    {"FunctionName", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"FunctionScalingConfig", PROPERTY_OBJECT, .object = function_function_scaling_config},
    {"Handler", PROPERTY_STRING},
    {"ImageConfig", PROPERTY_OBJECT, .object = function_image_config},
    {"KmsKeyArn", PROPERTY_STRING},
    {"Layers", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"LoggingConfig", PROPERTY_OBJECT, .object = function_logging_config},
    {"MemorySize", PROPERTY_INTEGER},
    {"PackageType", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"PublishToLatestPublished", PROPERTY_BOOLEAN},
    {"RecursiveLoop", PROPERTY_STRING},
    {"ReservedConcurrentExecutions", PROPERTY_INTEGER},
    {"Role", PROPERTY_STRING, .required = true},
    {"Runtime", PROPERTY_STRING},
    {"RuntimeManagementConfig", PROPERTY_OBJECT, .object = function_runtime_management_config},
    {"SnapStart", PROPERTY_OBJECT, .object = function_snap_start},
    {"Tags", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = function_tag},
    {"TenancyConfig", PROPERTY_OBJECT, .update = UPDATE_REPLACEMENT,
     .object = function_tenancy_config},
    {"Timeout", PROPERTY_INTEGER},
    {"TracingConfig", PROPERTY_OBJECT, .object = function_tracing_config},
    {"VpcConfig", PROPERTY_OBJECT, .object = function_vpc_config},
    {0},
};

static const char *const function_attributes[] = {"Arn", "SnapStartResponse",
                                                  "SnapStartResponse.ApplyOn",
                                                  "SnapStartResponse.OptimizationStatus", NULL};

static const struct property_type layer_version_content[] = {
    {"S3Bucket", PROPERTY_STRING, .required = true},
    {"S3Key", PROPERTY_STRING, .required = true},
    {"S3ObjectVersion", PROPERTY_STRING},
    {0},
};

static const struct property_type layer_version_properties[] = {
    {"CompatibleArchitectures", PROPERTY_LIST, .item = PROPERTY_STRING,
     .update = UPDATE_REPLACEMENT},
    {"CompatibleRuntimes", PROPERTY_LIST, .item = PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"Content", PROPERTY_OBJECT, .required = true, .update = UPDATE_REPLACEMENT,
     .object = layer_version_content},
    {"Description", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"LayerName", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"LicenseInfo", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {0},
};

static const char *const layer_version_attributes[] = {"LayerVersionArn", NULL};

static const struct property_type layer_version_permission_properties[] = {
    {"Action", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {"LayerVersionArn", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {"OrganizationId", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"Principal", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {0},
};

static const char *const layer_version_permission_attributes[] = {"Id", NULL};

static const struct property_type permission_properties[] = {
    {"Action", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {"EventSourceToken", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"FunctionName", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {"FunctionUrlAuthType", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"InvokedViaFunctionUrl", PROPERTY_BOOLEAN, .update = UPDATE_REPLACEMENT},
    {"Principal", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {"PrincipalOrgID", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"SourceAccount", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"SourceArn", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {0},
};

static const char *const permission_attributes[] = {"Id", NULL};

static const struct property_type url_cors[] = {
    {"AllowCredentials", PROPERTY_BOOLEAN},
    {"AllowHeaders", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"AllowMethods", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"AllowOrigins", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"ExposeHeaders", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"MaxAge", PROPERTY_INTEGER},
    {0},
};

static const struct property_type url_properties[] = {
    {"AuthType", PROPERTY_STRING, .required = true},
    {"Cors", PROPERTY_OBJECT, .object = url_cors},
    {"InvokeMode", PROPERTY_STRING},
    {"Qualifier", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"TargetFunctionArn", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {0},
};

static const char *const url_attributes[] = {"FunctionArn", "FunctionUrl", NULL};

static const struct property_type version_function_scaling_config[] = {
    {"MaxExecutionEnvironments", PROPERTY_INTEGER},
    {"MinExecutionEnvironments", PROPERTY_INTEGER},
    {0},
};

static const struct property_type version_provisioned_concurrency_configuration[] = {
    {"ProvisionedConcurrentExecutions", PROPERTY_INTEGER, .required = true},
    {0},
};

static const struct property_type version_runtime_policy[] = {
    {"RuntimeVersionArn", PROPERTY_STRING},
    {"UpdateRuntimeOn", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type version_properties[] = {
    {"CodeSha256", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"Description", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"FunctionName", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {"FunctionScalingConfig", PROPERTY_OBJECT, .object = version_function_scaling_config},
    {"ProvisionedConcurrencyConfig", PROPERTY_OBJECT, .update = UPDATE_REPLACEMENT,
     .object = version_provisioned_concurrency_configuration},
    {"RuntimePolicy", PROPERTY_OBJECT, .update = UPDATE_REPLACEMENT,
     .object = version_runtime_policy},
    {0},
};

static const char *const version_attributes[] = {"FunctionArn", "Version", NULL};

const struct resource_type lambda_resource_types[] = {
    {"AWS::Lambda::Alias", alias_properties, alias_attributes, false},
    {"AWS::Lambda::EventInvokeConfig", event_invoke_config_properties,
     event_invoke_config_attributes, false},
    {"AWS::Lambda::Function", function_properties, function_attributes, false},
    {"AWS::Lambda::LayerVersion", layer_version_properties, layer_version_attributes, false},
    {"AWS::Lambda::LayerVersionPermission", layer_version_permission_properties,
     layer_version_permission_attributes, false},
    {"AWS::Lambda::Permission", permission_properties, permission_attributes, false},
    {"AWS::Lambda::Url", url_properties, url_attributes, false},
    {"AWS::Lambda::Version", version_properties, version_attributes, false},
    {0},
};
