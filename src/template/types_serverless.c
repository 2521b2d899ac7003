/* template/types_serverless - properties of the resource types that the SAM transform replaces. */
#include "template/resource_tables.h"

static const struct property_type code_location[] = {
    {"Bucket", PROPERTY_STRING, .required = true},
    {"Key", PROPERTY_STRING, .required = true},
    {"Version", PROPERTY_STRING},
    {0},
};

static const struct property_type environment[] = {
    {"Variables", PROPERTY_MAP, .item = PROPERTY_STRING, .variables = true},
    {0},
};

static const struct property_type vpc_config[] = {
    {"Ipv6AllowedForDualStack", PROPERTY_BOOLEAN},
    {"SecurityGroupIds", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"SubnetIds", PROPERTY_LIST, .item = PROPERTY_STRING},
    {0},
};

static const struct property_type dead_letter_queue[] = {
    {"TargetArn", PROPERTY_STRING, .required = true},
    {"Type", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type ephemeral_storage[] = {
    {"Size", PROPERTY_INTEGER, .required = true},
    {0},
};

static const struct property_type image_config[] = {
    {"Command", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"EntryPoint", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"WorkingDirectory", PROPERTY_STRING},
    {0},
};

static const struct property_type logging_config[] = {
    {"ApplicationLogLevel", PROPERTY_STRING},
    {"LogFormat", PROPERTY_STRING},
    {"LogGroup", PROPERTY_STRING},
    {"SystemLogLevel", PROPERTY_STRING},
    {0},
};

static const struct property_type snap_start[] = {
    {"ApplyOn", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type function_url_config[] = {
    {"AuthType", PROPERTY_STRING, .required = true},
    {"Cors", PROPERTY_JSON},
    {"InvokeMode", PROPERTY_STRING},
    {0},
};

static const struct property_type provisioned_concurrency[] = {
    {"ProvisionedConcurrentExecutions", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type function_properties[] = {
    {"Architectures", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"AssumeRolePolicyDocument", PROPERTY_JSON},
    {"AutoPublishAlias", PROPERTY_STRING},
    {"AutoPublishAliasAllProperties", PROPERTY_BOOLEAN},
    {"AutoPublishCodeSha256", PROPERTY_STRING},
    {"CapacityProviderConfig", PROPERTY_JSON},
    {"CodeSigningConfigArn", PROPERTY_STRING},
    {"CodeUri", PROPERTY_ANY, .object = code_location}, /* a path, an S3 URI or a location */
    {"DeadLetterQueue", PROPERTY_OBJECT, .object = dead_letter_queue},
    {"DeploymentPreference", PROPERTY_JSON},
    {"Description", PROPERTY_STRING},
    {"DurableConfig", PROPERTY_JSON},
    {"Environment", PROPERTY_OBJECT, .object = environment},
    {"EphemeralStorage", PROPERTY_OBJECT, .object = ephemeral_storage},
    {"EventInvokeConfig", PROPERTY_JSON},
    {"Events", PROPERTY_MAP, .item = PROPERTY_JSON},
    {"FileSystemConfigs", PROPERTY_LIST, .item = PROPERTY_ANY},
    {"FunctionName", PROPERTY_STRING},
    {"FunctionScalingConfig", PROPERTY_JSON},
    {"FunctionUrlConfig", PROPERTY_OBJECT, .object = function_url_config},
    {"Handler", PROPERTY_STRING},
    {"ImageConfig", PROPERTY_OBJECT, .object = image_config},
    {"ImageUri", PROPERTY_STRING},
    {"InlineCode", PROPERTY_STRING},
    {"KmsKeyArn", PROPERTY_STRING},
    {"Layers", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"LoggingConfig", PROPERTY_OBJECT, .object = logging_config},
    {"MemorySize", PROPERTY_INTEGER},
    {"PackageType", PROPERTY_STRING},
    {"PermissionsBoundary", PROPERTY_STRING},
    {"Policies", PROPERTY_ANY},
    {"PropagateTags", PROPERTY_BOOLEAN},
    {"ProvisionedConcurrencyConfig", PROPERTY_OBJECT, .object = provisioned_concurrency},
    {"PublishToLatestPublished", PROPERTY_BOOLEAN},
    {"RecursiveLoop", PROPERTY_STRING},
    {"ReservedConcurrentExecutions", PROPERTY_INTEGER},
    {"Role", PROPERTY_STRING},
    {"RolePath", PROPERTY_STRING},
    {"Runtime", PROPERTY_STRING},
    {"RuntimeManagementConfig", PROPERTY_JSON},
    {"SnapStart", PROPERTY_OBJECT, .object = snap_start},
    {"SourceKMSKeyArn", PROPERTY_STRING},
    {"Tags", PROPERTY_MAP, .item = PROPERTY_STRING},
    {"TenancyConfig", PROPERTY_JSON},
    {"Timeout", PROPERTY_INTEGER},
    {"Tracing", PROPERTY_STRING},
    {"VersionDeletionPolicy", PROPERTY_STRING},
    {"VersionDescription", PROPERTY_STRING},
    {"VpcConfig", PROPERTY_OBJECT, .object = vpc_config},
    {0},
};

static const char *const function_attributes[] = {"Arn", "Alias", "Version", NULL};

static const struct property_type layer_version_properties[] = {
    {"CompatibleArchitectures", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"CompatibleRuntimes", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"ContentUri", PROPERTY_ANY, .required = true, .object = code_location},
    {"Description", PROPERTY_STRING},
    {"LayerName", PROPERTY_STRING},
    {"LicenseInfo", PROPERTY_STRING},
    {"PublishLambdaVersion", PROPERTY_BOOLEAN},
    {"RetentionPolicy", PROPERTY_STRING},
    {0},
};

static const char *const layer_version_attributes[] = {"Arn", "LayerVersionArn", NULL};

const struct resource_type serverless_resource_types[] = {
    {"AWS::Serverless::Function", function_properties, function_attributes, true},
    {"AWS::Serverless::LayerVersion", layer_version_properties, layer_version_attributes, true},
    {0},
};
