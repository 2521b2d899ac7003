/* template/types_s3_notification - the NotificationConfiguration of a bucket; facts of
 * CloudFormation's schemas. */
#include "template/resource_tables.h"

static const struct property_type bucket_event_bridge_configuration[] = {
    {"EventBridgeEnabled", PROPERTY_BOOLEAN, .required = true},
    {0},
};

static const struct property_type bucket_filter_rule[] = {
    {"Name", PROPERTY_STRING, .required = true},
    {"Value", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_s3_key_filter[] = {
    {"Rules", PROPERTY_LIST, .item = PROPERTY_OBJECT, .required = true,
     .object = bucket_filter_rule},
    {0},
};

static const struct property_type bucket_notification_filter[] = {
    {"S3Key", PROPERTY_OBJECT, .required = true, .object = bucket_s3_key_filter},
    {0},
};

static const struct property_type bucket_lambda_configuration[] = {
    {"Event", PROPERTY_STRING, .required = true},
    {"Filter", PROPERTY_OBJECT, .object = bucket_notification_filter},
    {"Function", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_queue_configuration[] = {
    {"Event", PROPERTY_STRING, .required = true},
    {"Filter", PROPERTY_OBJECT, .object = bucket_notification_filter},
    {"Queue", PROPERTY_STRING, .required = true},
    {0},
};

static const struct property_type bucket_topic_configuration[] = {
    {"Event", PROPERTY_STRING, .required = true},
    {"Filter", PROPERTY_OBJECT, .object = bucket_notification_filter},
    {"Topic", PROPERTY_STRING, .required = true},
    {0},
};

const struct property_type s3_bucket_notification[] = {
    {"EventBridgeConfiguration", PROPERTY_OBJECT, .object = bucket_event_bridge_configuration},
    {"LambdaConfigurations", PROPERTY_LIST, .item = PROPERTY_OBJECT,
     .object = bucket_lambda_configuration},
    {"QueueConfigurations", PROPERTY_LIST, .item = PROPERTY_OBJECT,
     .object = bucket_queue_configuration},
    {"TopicConfigurations", PROPERTY_LIST, .item = PROPERTY_OBJECT,
     .object = bucket_topic_configuration},
    {0},
};
