/* template/types_s3 - properties of the resource types of AWS::S3; facts of CloudFormation's
 * schemas. */
#include "template/resource_tables.h"

static const struct property_type bucket_accelerate_configuration[] = {
    {"AccelerationStatus", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_destination[] = {
    {"BucketAccountId", PROPERTY_STRING},
    {"BucketArn", PROPERTY_STRING, .required = true},
    {"Format", PROPERTY_STRING, .required = true},
    {"Prefix", PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_data_export[] = {
    {"Destination", PROPERTY_OBJECT, .required = true, .object = bucket_destination},
    {"OutputSchemaVersion", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_storage_class_analysis[] = {
    {"DataExport", PROPERTY_OBJECT, .object = bucket_data_export},
    {0},
};

static const struct property_type bucket_tag_filter[] = {
    {"Key", PROPERTY_STRING, .required = true},
    {"Value", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_analytics_configuration[] = {
    {"Id", PROPERTY_STRING, .required = true},
    {"Prefix", PROPERTY_STRING},
    {"StorageClassAnalysis", PROPERTY_OBJECT, .required = true,
     .object = bucket_storage_class_analysis},
    {"TagFilters", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = bucket_tag_filter},
    {0},
};

static const struct property_type bucket_blocked_encryption_types[] = {
    {"EncryptionType", PROPERTY_LIST, .item = PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_server_side_encryption_by_default[] = {
    {"KMSMasterKeyID", PROPERTY_STRING},
    {"SSEAlgorithm", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_server_side_encryption_rule[] = {
    {"BlockedEncryptionTypes", PROPERTY_OBJECT, .object = bucket_blocked_encryption_types},
    {"BucketKeyEnabled", PROPERTY_BOOLEAN},
    {"ServerSideEncryptionByDefault", PROPERTY_OBJECT,
     .object = bucket_server_side_encryption_by_default},
    {0},
};

static const struct property_type bucket_bucket_encryption[] = {
    {"ServerSideEncryptionConfiguration", PROPERTY_LIST, .item = PROPERTY_OBJECT, .required = true,
     .object = bucket_server_side_encryption_rule},
    {0},
};

static const struct property_type bucket_cors_rule[] = {
    {"AllowedHeaders", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"AllowedMethods", PROPERTY_LIST, .item = PROPERTY_STRING, .required = true},
    {"AllowedOrigins", PROPERTY_LIST, .item = PROPERTY_STRING, .required = true},
    {"ExposedHeaders", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"Id", PROPERTY_STRING},
    {"MaxAge", PROPERTY_INTEGER},
    {0},
};

static const struct property_type bucket_cors_configuration[] = {
    {"CorsRules", PROPERTY_LIST, .item = PROPERTY_OBJECT, .required = true,
     .object = bucket_cors_rule},
    {0},
};

static const struct property_type bucket_tiering[] = {
    {"AccessTier", PROPERTY_STRING, .required = true},
    {"Days", PROPERTY_INTEGER, .required = true},
    {0},
};

static const struct property_type bucket_intelligent_tiering_configuration[] = {
    {"Id", PROPERTY_STRING, .required = true},
    {"Prefix", PROPERTY_STRING},
    {"Status", PROPERTY_STRING, .required = true},
    {"TagFilters", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = bucket_tag_filter},
    {"Tierings", PROPERTY_LIST, .item = PROPERTY_OBJECT, .required = true,
     .object = bucket_tiering},
    {0},
};

static const struct property_type bucket_inventory_configuration[] = {
    {"Destination", PROPERTY_OBJECT, .required = true, .object = bucket_destination},
    {"Enabled", PROPERTY_BOOLEAN, .required = true},
    {"Id", PROPERTY_STRING, .required = true},
    {"IncludedObjectVersions", PROPERTY_STRING, .required = true},
    {"OptionalFields", PROPERTY_LIST, .item = PROPERTY_STRING},
    {"Prefix", PROPERTY_STRING},
    {"ScheduleFrequency", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_abort_incomplete_multipart_upload[] = {
    {"DaysAfterInitiation", PROPERTY_INTEGER, .required = true},
    {0},
};

static const struct property_type bucket_noncurrent_version_expiration[] = {
    {"NewerNoncurrentVersions", PROPERTY_INTEGER},
    {"NoncurrentDays", PROPERTY_INTEGER, .required = true},
    {0},
};

static const struct property_type bucket_noncurrent_version_transition[] = {
    {"NewerNoncurrentVersions", PROPERTY_INTEGER},
    {"StorageClass", PROPERTY_STRING, .required = true},
    {"TransitionInDays", PROPERTY_INTEGER, .required = true},
    {0},
};

static const struct property_type bucket_transition[] = {
    {"StorageClass", PROPERTY_STRING, .required = true},
    {"TransitionDate", PROPERTY_STRING},
    {"TransitionInDays", PROPERTY_INTEGER},
    {0},
};

static const struct property_type bucket_rule[] = {
    {"AbortIncompleteMultipartUpload", PROPERTY_OBJECT,
     .object = bucket_abort_incomplete_multipart_upload},
    {"ExpirationDate", PROPERTY_STRING},
    {"ExpirationInDays", PROPERTY_INTEGER},
    {"ExpiredObjectDeleteMarker", PROPERTY_BOOLEAN},
    {"Id", PROPERTY_STRING},
    {"NoncurrentVersionExpiration", PROPERTY_OBJECT,
     .object = bucket_noncurrent_version_expiration},
    {"NoncurrentVersionExpirationInDays", PROPERTY_INTEGER},
    {"NoncurrentVersionTransition", PROPERTY_OBJECT,
     .object = bucket_noncurrent_version_transition},
    {"NoncurrentVersionTransitions", PROPERTY_LIST, .item = PROPERTY_OBJECT,
     .object = bucket_noncurrent_version_transition},
    {"ObjectSizeGreaterThan", PROPERTY_STRING},
    {"ObjectSizeLessThan", PROPERTY_STRING},
    {"Prefix", PROPERTY_STRING},
    {"Status", PROPERTY_STRING, .required = true},
    {"TagFilters", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = bucket_tag_filter},
    {"Transition", PROPERTY_OBJECT, .object = bucket_transition},
    {"Transitions", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = bucket_transition},
    {0},
};

static const struct property_type bucket_lifecycle_configuration[] = {
    {"Rules", PROPERTY_LIST, .item = PROPERTY_OBJECT, .required = true, .object = bucket_rule},
    {"TransitionDefaultMinimumObjectSize", PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_logging_configuration[] = {
    {"DestinationBucketName", PROPERTY_STRING},
    {"LogFilePrefix", PROPERTY_STRING},
    {"TargetObjectKeyFormat", PROPERTY_JSON},
    {0},
};

static const struct property_type bucket_metadata_destination[] = {
    {"TableBucketArn", PROPERTY_STRING},
    {"TableBucketType", PROPERTY_STRING, .required = true},
    {"TableNamespace", PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_metadata_table_encryption_configuration[] = {
    {"KmsKeyArn", PROPERTY_STRING},
    {"SseAlgorithm", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_inventory_table_configuration[] = {
    {"ConfigurationState", PROPERTY_STRING, .required = true},
    {"EncryptionConfiguration", PROPERTY_OBJECT,
     .object = bucket_metadata_table_encryption_configuration},
    {"TableArn", PROPERTY_STRING},
    {"TableName", PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_record_expiration[] = {
    {"Days", PROPERTY_INTEGER},
    {"Expiration", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_journal_table_configuration[] = {
    {"EncryptionConfiguration", PROPERTY_OBJECT,
     .object = bucket_metadata_table_encryption_configuration},
    {"RecordExpiration", PROPERTY_OBJECT, .required = true, .object = bucket_record_expiration},
    {"TableArn", PROPERTY_STRING},
    {"TableName", PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_metadata_configuration[] = {
    {"Destination", PROPERTY_OBJECT, .object = bucket_metadata_destination},
    {"InventoryTableConfiguration", PROPERTY_OBJECT,
     .object = bucket_inventory_table_configuration},
    {"JournalTableConfiguration", PROPERTY_OBJECT, .required = true,
     .object = bucket_journal_table_configuration},
    {0},
};

static const struct property_type bucket_s3_tables_destination[] = {
    {"TableArn", PROPERTY_STRING},
    {"TableBucketArn", PROPERTY_STRING, .required = true},
    {"TableName", PROPERTY_STRING, .required = true},
    {"TableNamespace", PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_metadata_table_configuration[] = {
    {"S3TablesDestination", PROPERTY_OBJECT, .required = true,
     .object = bucket_s3_tables_destination},
    {0},
};

static const struct property_type bucket_metrics_configuration[] = {
    {"AccessPointArn", PROPERTY_STRING},
    {"Id", PROPERTY_STRING, .required = true},
    {"Prefix", PROPERTY_STRING},
    {"TagFilters", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = bucket_tag_filter},
    {0},
};

static const struct property_type bucket_default_retention[] = {
    {"Days", PROPERTY_INTEGER},
    {"Mode", PROPERTY_STRING},
    {"Years", PROPERTY_INTEGER},
    {0},
};

static const struct property_type bucket_object_lock_rule[] = {
    {"DefaultRetention", PROPERTY_OBJECT, .object = bucket_default_retention},
    {0},
};

static const struct property_type bucket_object_lock_configuration[] = {
    {"ObjectLockEnabled", PROPERTY_STRING},
    {"Rule", PROPERTY_OBJECT, .object = bucket_object_lock_rule},
    {0},
};

static const struct property_type bucket_ownership_controls_rule[] = {
    {"ObjectOwnership", PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_ownership_controls[] = {
    {"Rules", PROPERTY_LIST, .item = PROPERTY_OBJECT, .required = true,
     .object = bucket_ownership_controls_rule},
    {0},
};

static const struct property_type bucket_public_access_block_configuration[] = {
    {"BlockPublicAcls", PROPERTY_BOOLEAN},
    {"BlockPublicPolicy", PROPERTY_BOOLEAN},
    {"IgnorePublicAcls", PROPERTY_BOOLEAN},
    {"RestrictPublicBuckets", PROPERTY_BOOLEAN},
    {0},
};

static const struct property_type bucket_delete_marker_replication[] = {
    {"Status", PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_access_control_translation[] = {
    {"Owner", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_encryption_configuration[] = {
    {"ReplicaKmsKeyID", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_replication_time_value[] = {
    {"Minutes", PROPERTY_INTEGER, .required = true},
    {0},
};

static const struct property_type bucket_metrics[] = {
    {"EventThreshold", PROPERTY_OBJECT, .object = bucket_replication_time_value},
    {"Status", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_replication_time[] = {
    {"Status", PROPERTY_STRING, .required = true},
    {"Time", PROPERTY_OBJECT, .required = true, .object = bucket_replication_time_value},
    {0},
};

static const struct property_type bucket_replication_destination[] = {
    {"AccessControlTranslation", PROPERTY_OBJECT, .object = bucket_access_control_translation},
    {"Account", PROPERTY_STRING},
    {"Bucket", PROPERTY_STRING, .required = true},
    {"EncryptionConfiguration", PROPERTY_OBJECT, .object = bucket_encryption_configuration},
    {"Metrics", PROPERTY_OBJECT, .object = bucket_metrics},
    {"ReplicationTime", PROPERTY_OBJECT, .object = bucket_replication_time},
    {"StorageClass", PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_replication_rule_and_operator[] = {
    {"Prefix", PROPERTY_STRING},
    {"TagFilters", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = bucket_tag_filter},
    {0},
};

static const struct property_type bucket_replication_rule_filter[] = {
    {"And", PROPERTY_OBJECT, .object = bucket_replication_rule_and_operator},
    {"Prefix", PROPERTY_STRING},
    {"TagFilter", PROPERTY_OBJECT, .object = bucket_tag_filter},
    {0},
};

static const struct property_type bucket_replica_modifications[] = {
    {"Status", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_sse_kms_encrypted_objects[] = {
    {"Status", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_source_selection_criteria[] = {
    {"ReplicaModifications", PROPERTY_OBJECT, .object = bucket_replica_modifications},
    {"SseKmsEncryptedObjects", PROPERTY_OBJECT, .object = bucket_sse_kms_encrypted_objects},
    {0},
};

static const struct property_type bucket_replication_rule[] = {
    {"DeleteMarkerReplication", PROPERTY_OBJECT, .object = bucket_delete_marker_replication},
    {"Destination", PROPERTY_OBJECT, .required = true, .object = bucket_replication_destination},
    {"Filter", PROPERTY_OBJECT, .object = bucket_replication_rule_filter},
    {"Id", PROPERTY_STRING},
    {"Prefix", PROPERTY_STRING},
    {"Priority", PROPERTY_INTEGER},
    {"SourceSelectionCriteria", PROPERTY_OBJECT, .object = bucket_source_selection_criteria},
    {"Status", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_replication_configuration[] = {
    {"Role", PROPERTY_STRING, .required = true},
    {"Rules", PROPERTY_LIST, .item = PROPERTY_OBJECT, .required = true,
     .object = bucket_replication_rule},
    {0},
};

static const struct property_type bucket_tag[] = {
    {"Key", PROPERTY_STRING, .required = true},
    {"Value", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_versioning_configuration[] = {
    {"Status", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_redirect_all_requests_to[] = {
    {"HostName", PROPERTY_STRING, .required = true},
    {"Protocol", PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_redirect_rule[] = {
    {"HostName", PROPERTY_STRING},       {"HttpRedirectCode", PROPERTY_STRING},
    {"Protocol", PROPERTY_STRING},       {"ReplaceKeyPrefixWith", PROPERTY_STRING},
    {"ReplaceKeyWith", PROPERTY_STRING}, {0},
};

static const struct property_type bucket_routing_rule_condition[] = {
    {"HttpErrorCodeReturnedEquals", PROPERTY_STRING},
    {"KeyPrefixEquals", PROPERTY_STRING},
    {0},
};

static const struct property_type bucket_routing_rule[] = {
    {"RedirectRule", PROPERTY_OBJECT, .required = true, .object = bucket_redirect_rule},
    {"RoutingRuleCondition", PROPERTY_OBJECT, .object = bucket_routing_rule_condition},
    {0},
};

static const struct property_type bucket_website_configuration[] = {
    {"ErrorDocument", PROPERTY_STRING},
    {"IndexDocument", PROPERTY_STRING},
    {"RedirectAllRequestsTo", PROPERTY_OBJECT, .object = bucket_redirect_all_requests_to},
    {"RoutingRules", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = bucket_routing_rule},
    {0},
};

static const struct property_type bucket_properties[] = {
    {"AbacStatus", PROPERTY_STRING},
    {"AccelerateConfiguration", PROPERTY_OBJECT, .object = bucket_accelerate_configuration},
    {"AccessControl", PROPERTY_STRING},
    {"AnalyticsConfigurations", PROPERTY_LIST, .item = PROPERTY_OBJECT,
     .object = bucket_analytics_configuration},
    {"BucketEncryption", PROPERTY_OBJECT, .object = bucket_bucket_encryption},
    {"BucketName", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"BucketNamePrefix", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"BucketNamespace", PROPERTY_STRING, .update = UPDATE_REPLACEMENT},
    {"CorsConfiguration", PROPERTY_OBJECT, .object = bucket_cors_configuration},
    {"IntelligentTieringConfigurations", PROPERTY_LIST, .item = PROPERTY_OBJECT,
     .object = bucket_intelligent_tiering_configuration},
    {"InventoryConfigurations", PROPERTY_LIST, .item = PROPERTY_OBJECT,
     .object = bucket_inventory_configuration},
    {"LifecycleConfiguration", PROPERTY_OBJECT, .object = bucket_lifecycle_configuration},
    {"LoggingConfiguration", PROPERTY_OBJECT, .object = bucket_logging_configuration},
    {"MetadataConfiguration", PROPERTY_OBJECT, .object = bucket_metadata_configuration},
    {"MetadataTableConfiguration", PROPERTY_OBJECT, .object = bucket_metadata_table_configuration},
    {"MetricsConfigurations", PROPERTY_LIST, .item = PROPERTY_OBJECT,
     .object = bucket_metrics_configuration},
    {"NotificationConfiguration", PROPERTY_OBJECT, .object = s3_bucket_notification},
    {"ObjectLockConfiguration", PROPERTY_OBJECT, .object = bucket_object_lock_configuration},
    {"ObjectLockEnabled", PROPERTY_BOOLEAN},
    {"OwnershipControls", PROPERTY_OBJECT, .object = bucket_ownership_controls},
    {"PublicAccessBlockConfiguration", PROPERTY_OBJECT,
     .object = bucket_public_access_block_configuration},
    {"ReplicationConfiguration", PROPERTY_OBJECT, .object = bucket_replication_configuration},
    {"Tags", PROPERTY_LIST, .item = PROPERTY_OBJECT, .object = bucket_tag},
    {"VersioningConfiguration", PROPERTY_OBJECT, .object = bucket_versioning_configuration},
    {"WebsiteConfiguration", PROPERTY_OBJECT, .object = bucket_website_configuration},
    {0},
};

static const char *const bucket_attributes[] = {
    "Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL", NULL};

static const struct property_type bucket_policy_properties[] = {
    {"Bucket", PROPERTY_STRING, .required = true, .update = UPDATE_REPLACEMENT},
    {"PolicyDocument", PROPERTY_JSON, .required = true},
    {0},
};

static const char *const bucket_policy_attributes[] = {NULL};

const struct resource_type s3_resource_types[] = {
    {"AWS::S3::Bucket", bucket_properties, bucket_attributes, false},
    {"AWS::S3::BucketPolicy", bucket_policy_properties, bucket_policy_attributes, false},
    {0},
};
