/* template/resource_tables - the parts that resource_types.c looks through, one a service. */
#pragma once
#include "template/resource_types.h"

/* A row names only what differs from zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern const struct resource_type lambda_resource_types[];
extern const struct resource_type iam_resource_types[];
extern const struct resource_type s3_resource_types[];
extern const struct resource_type logs_resource_types[];
extern const struct resource_type serverless_resource_types[];

/* types_s3_notification.c */
extern const struct property_type s3_bucket_notification[];
