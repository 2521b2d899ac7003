/* managed - the policies that AWS itself provides. Their names, descriptions and documents are
 * AWS's published ones; what is not in this table is answered NoSuchEntity. */
#include "service/iam/managed.h"

/* clang-format off */
const struct managed_policy managed_policies[] = {
    {"/service-role/", "AWSLambdaBasicExecutionRole", "ANPAHAXXUC7TTBZMW2DM2", "v1",
     "Provides write permissions to CloudWatch Logs.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:"
     "CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"],\"Resource\":\"*\"}"
     "]}"},
    {"/service-role/", "AWSLambdaVPCAccessExecutionRole", "ANPAZGCLWDEMBV7KAGXIO", "v3",
     "Provides minimum permissions for a Lambda function to execute while accessing a reso"
     "urce within a VPC - create, describe, delete network interfaces and write permission"
     "s to CloudWatch Logs.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:"
     "CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\",\"ec2:CreateNetworkI"
     "nterface\",\"ec2:DescribeNetworkInterfaces\",\"ec2:DescribeSubnets\",\"ec2:DeleteNet"
     "workInterface\",\"ec2:AssignPrivateIpAddresses\",\"ec2:UnassignPrivateIpAddresses\"]"
     ",\"Resource\":\"*\",\"Sid\":\"AWSLambdaVPCAccessExecutionPermissions\"}]}"},
    {"/service-role/", "AWSLambdaSQSQueueExecutionRole", "ANPAQAOZHLCZUTQDH7WCL", "v1",
     "Provides receive message, delete message, and read attribute access to SQS queues, a"
     "nd write permissions to CloudWatch logs.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"sqs:R"
     "eceiveMessage\",\"sqs:DeleteMessage\",\"sqs:GetQueueAttributes\",\"logs:CreateLogGro"
     "up\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"],\"Resource\":\"*\"}]}"},
    {"/service-role/", "AWSLambdaKinesisExecutionRole", "ANPAZ42JR3FYWBMMKZLN7", "v2",
     "Provides list and read access to Kinesis streams and write permissions to CloudWatch"
     " logs.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"kines"
     "is:DescribeStream\",\"kinesis:DescribeStreamSummary\",\"kinesis:GetRecords\",\"kines"
     "is:GetShardIterator\",\"kinesis:ListShards\",\"kinesis:ListStreams\",\"kinesis:Subsc"
     "ribeToShard\",\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\""
     "],\"Resource\":\"*\"}]}"},
    {"/service-role/", "AWSLambdaDynamoDBExecutionRole", "ANPAJBKKFGALPR2TM2DNP", "v1",
     "Provides list and read access to DynamoDB streams and write permissions to CloudWatc"
     "h logs.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"dynam"
     "odb:DescribeStream\",\"dynamodb:GetRecords\",\"dynamodb:GetShardIterator\",\"dynamod"
     "b:ListStreams\",\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents"
     "\"],\"Resource\":\"*\"}]}"},
    {"/service-role/", "AWSLambdaMSKExecutionRole", "ANPATHLVXHL66AS3TYOEO", "v2",
     "Provides permissions required to access MSK Cluster within a VPC, manage ENIs (creat"
     "e, describe, delete) in the VPC and write permissions to CloudWatch Logs.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"kafka"
     ":DescribeCluster\",\"kafka:DescribeClusterV2\",\"kafka:GetBootstrapBrokers\",\"ec2:C"
     "reateNetworkInterface\",\"ec2:DescribeNetworkInterfaces\",\"ec2:DescribeVpcs\",\"ec2"
     ":DeleteNetworkInterface\",\"ec2:DescribeSubnets\",\"ec2:DescribeSecurityGroups\",\"l"
     "ogs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"],\"Resource\":\""
     "*\"}]}"},
    {"/service-role/", "AWSLambdaRole", "ANPAGEW6VVARPS3BW6HCP", "v1",
     "Default policy for AWS Lambda service role.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"lambd"
     "a:InvokeFunction\"],\"Resource\":\"*\"}]}"},
    {"/", "AWSLambdaExecute", "ANPA4D35DSFCAXYIR54OW", "v1",
     "Provides Put, Get access to S3 and full access to CloudWatch Logs.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:"
     "*\"],\"Resource\":\"arn:aws:logs:*:*:*\"},{\"Effect\":\"Allow\",\"Action\":[\"s3:Get"
     "Object\",\"s3:PutObject\"],\"Resource\":\"arn:aws:s3:::*\"}]}"},
    {"/", "AWSLambdaInvocation-DynamoDB", "ANPA5IO36OPXULVANAWUW", "v1",
     "Provides read access to DynamoDB Streams.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"lambd"
     "a:InvokeFunction\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":[\"dynamodb"
     ":DescribeStream\",\"dynamodb:GetRecords\",\"dynamodb:GetShardIterator\",\"dynamodb:L"
     "istStreams\"],\"Resource\":\"*\"}]}"},
    {"/", "AWSLambda_FullAccess", "ANPAW4V7L33VVEHJ6TDLZ", "v1",
     "Grants full access to AWS Lambda service, AWS Lambda console features, and other rel"
     "ated AWS services.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"cloud"
     "formation:DescribeStacks\",\"cloudformation:ListStackResources\",\"cloudwatch:ListMe"
     "trics\",\"cloudwatch:GetMetricData\",\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSu"
     "bnets\",\"ec2:DescribeVpcs\",\"kms:ListAliases\",\"iam:GetPolicy\",\"iam:GetPolicyVe"
     "rsion\",\"iam:GetRole\",\"iam:GetRolePolicy\",\"iam:ListAttachedRolePolicies\",\"iam"
     ":ListRolePolicies\",\"iam:ListRoles\",\"lambda:*\",\"logs:DescribeLogGroups\",\"stat"
     "es:DescribeStateMachine\",\"states:ListStateMachines\",\"tag:GetResources\",\"xray:G"
     "etTraceSummaries\",\"xray:BatchGetTraces\"],\"Resource\":\"*\"},{\"Effect\":\"Allow"
     "\",\"Action\":\"iam:PassRole\",\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{"
     "\"iam:PassedToService\":\"lambda.amazonaws.com\"}}},{\"Effect\":\"Allow\",\"Action\""
     ":[\"logs:DescribeLogStreams\",\"logs:GetLogEvents\",\"logs:FilterLogEvents\"],\"Reso"
     "urce\":\"arn:aws:logs:*:*:log-group:/aws/lambda/*\"}]}"},
    {"/", "AWSLambda_ReadOnlyAccess", "ANPALVQL5A3ZR7XPFFGUE", "v1",
     "Grants read-only access to AWS Lambda service, AWS Lambda console features, and othe"
     "r related AWS services.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"cloud"
     "formation:DescribeStacks\",\"cloudformation:ListStacks\",\"cloudformation:ListStackR"
     "esources\",\"cloudwatch:GetMetricData\",\"cloudwatch:ListMetrics\",\"ec2:DescribeSec"
     "urityGroups\",\"ec2:DescribeSubnets\",\"ec2:DescribeVpcs\",\"kms:ListAliases\",\"iam"
     ":GetPolicy\",\"iam:GetPolicyVersion\",\"iam:GetRole\",\"iam:GetRolePolicy\",\"iam:Li"
     "stAttachedRolePolicies\",\"iam:ListRolePolicies\",\"iam:ListRoles\",\"logs:DescribeL"
     "ogGroups\",\"lambda:Get*\",\"lambda:List*\",\"states:DescribeStateMachine\",\"states"
     ":ListStateMachines\",\"tag:GetResources\",\"xray:GetTraceSummaries\",\"xray:BatchGet"
     "Traces\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":[\"logs:DescribeLogSt"
     "reams\",\"logs:GetLogEvents\",\"logs:FilterLogEvents\"],\"Resource\":\"arn:aws:logs:"
     "*:*:log-group:/aws/lambda/*\"}]}"},
    {"/", "AWSXRayDaemonWriteAccess", "ANPAWDG4A54J4KGUTPTW7", "v2",
     "Allow the AWS X-Ray Daemon to relay raw trace segments data to the service's API and"
     " retrieve sampling data (rules, targets, etc.) to be used by the X-Ray SDK.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"xray:"
     "PutTraceSegments\",\"xray:PutTelemetryRecords\",\"xray:GetSamplingRules\",\"xray:Get"
     "SamplingTargets\",\"xray:GetSamplingStatisticSummaries\"],\"Resource\":\"*\"}]}"},
    {"/", "AWSXrayWriteOnlyAccess", "ANPAVKPUECO4X3ZSNENH2", "v2",
     "AWS X-Ray write only managed policy",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"xray:"
     "PutTraceSegments\",\"xray:PutTelemetryRecords\",\"xray:GetSamplingRules\",\"xray:Get"
     "SamplingTargets\",\"xray:GetSamplingStatisticSummaries\"],\"Resource\":\"*\"}]}"},
    {"/", "CloudWatchLambdaInsightsExecutionRolePolicy", "ANPAVXV7OU6TFJCJ4T66J", "v1",
     "Policy required for the Lambda Insights Extension",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"logs:C"
     "reateLogGroup\",\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":[\"logs:CreateL"
     "ogStream\",\"logs:PutLogEvents\"],\"Resource\":\"arn:aws:logs:*:*:log-group:/aws/lam"
     "bda-insights:*\"}]}"},
    {"/", "AdministratorAccess", "ANPA34SN6YCLNSZWWPS7E", "v1",
     "Provides full access to AWS services and resources.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\""
     "Resource\":\"*\"}]}"},
    {"/", "PowerUserAccess", "ANPALHG27PL3YBRYSN4HT", "v7",
     "Provides full access to AWS services and resources, but does not allow management of"
     " Users and groups.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"NotAction\":[\"ia"
     "m:*\",\"organizations:*\",\"account:*\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\","
     "\"Action\":[\"account:GetAccountInformation\",\"account:GetPrimaryEmail\",\"account:"
     "ListRegions\",\"iam:CreateServiceLinkedRole\",\"iam:DeleteServiceLinkedRole\",\"iam:"
     "ListRoles\",\"organizations:DescribeOrganization\"],\"Resource\":\"*\"}]}"},
    {"/", "AmazonS3FullAccess", "ANPAM4IUABDSGPXMCW4U2", "v2",
     "Provides full access to all buckets via the AWS Management Console.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:*"
     "\",\"s3-object-lambda:*\"],\"Resource\":\"*\"}]}"},
    {"/", "AmazonS3ReadOnlyAccess", "ANPAYZAUAF34BQNVMLD6I", "v3",
     "Provides read only access to all buckets via the AWS Management Console.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:Ge"
     "t*\",\"s3:List*\",\"s3:Describe*\",\"s3-object-lambda:Get*\",\"s3-object-lambda:List"
     "*\"],\"Resource\":\"*\"}]}"},
    {"/", "CloudWatchLogsFullAccess", "ANPA52GJG75OTRLGUILQ3", "v4",
     "Provides full access to CloudWatch Logs",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:"
     "*\",\"cloudwatch:GenerateQuery\",\"cloudwatch:GenerateQueryResultsSummary\"],\"Resou"
     "rce\":\"*\",\"Sid\":\"CloudWatchLogsFullAccess\"}]}"},
    {"/", "CloudWatchLogsReadOnlyAccess", "ANPAOHKWXZM5AJI35PZ5I", "v6",
     "Provides read only access to CloudWatch Logs",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:"
     "Describe*\",\"logs:Get*\",\"logs:List*\",\"logs:StartQuery\",\"logs:StopQuery\",\"lo"
     "gs:TestMetricFilter\",\"logs:FilterLogEvents\",\"logs:StartLiveTail\",\"logs:StopLiv"
     "eTail\",\"cloudwatch:GenerateQuery\",\"cloudwatch:GenerateQueryResultsSummary\"],\"R"
     "esource\":\"*\"}]}"},
    {"/", "AWSCloudFormationFullAccess", "ANPAEVGXUZUIPE2QCCSKD", "v1",
     "Provides full access to AWS CloudFormation.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"cloud"
     "formation:*\"],\"Resource\":\"*\"}]}"},
    {"/", "AWSCloudFormationReadOnlyAccess", "ANPAIEEMHCHDG337XQVTP", "v2",
     "Provides access to AWS CloudFormation via the AWS Management Console.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"cloud"
     "formation:Describe*\",\"cloudformation:EstimateTemplateCost\",\"cloudformation:Get*"
     "\",\"cloudformation:List*\",\"cloudformation:ValidateTemplate\",\"cloudformation:Det"
     "ect*\"],\"Resource\":\"*\"}]}"},
    {"/", "IAMFullAccess", "ANPATMJ5T63DJOLG2WPDQ", "v2",
     "Provides full access to IAM via the AWS Management Console.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"iam:*"
     "\",\"organizations:DescribeAccount\",\"organizations:DescribeOrganization\",\"organi"
     "zations:DescribeOrganizationalUnit\",\"organizations:DescribePolicy\",\"organization"
     "s:ListChildren\",\"organizations:ListParents\",\"organizations:ListPoliciesForTarget"
     "\",\"organizations:ListRoots\",\"organizations:ListPolicies\",\"organizations:ListTa"
     "rgetsForPolicy\"],\"Resource\":\"*\"}]}"},
    {"/", "IAMReadOnlyAccess", "ANPALX6RHJC5OXFALFNF6", "v4",
     "Provides read only access to IAM via the AWS Management Console.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"iam:G"
     "enerateCredentialReport\",\"iam:GenerateServiceLastAccessedDetails\",\"iam:Get*\",\""
     "iam:List*\",\"iam:SimulateCustomPolicy\",\"iam:SimulatePrincipalPolicy\"],\"Resource"
     "\":\"*\"}]}"},
    {"/", "AmazonDynamoDBFullAccess_v2", "ANPAOH3XRQVBEW2EZS7Q4", "v1",
     "Provides full access to Amazon DynamoDB.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"dynam"
     "odb:*\",\"dax:*\",\"application-autoscaling:DeleteScalingPolicy\",\"application-auto"
     "scaling:DeregisterScalableTarget\",\"application-autoscaling:DescribeScalableTargets"
     "\",\"application-autoscaling:DescribeScalingActivities\",\"application-autoscaling:D"
     "escribeScalingPolicies\",\"application-autoscaling:PutScalingPolicy\",\"application-"
     "autoscaling:RegisterScalableTarget\",\"cloudwatch:DeleteAlarms\",\"cloudwatch:Descri"
     "beAlarms\",\"cloudwatch:GetMetricStatistics\",\"cloudwatch:PutMetricAlarm\"],\"Resou"
     "rce\":\"*\"}]}"},
    {0},
};
/* clang-format on */

#define PREFIX ":iam::aws:policy"

/* arn:aws:iam::aws:policy/...; aws-cn and aws-us-gov have the same ones. */
const struct managed_policy *managed_policy_find(struct str arn)
{
    ssize_t at = str_find(arn, S(PREFIX "/"));
    if (!str_starts(arn, S("arn:aws")) || at < 0 ||
        str_find_byte(str_slice(arn, 4, (size_t)at), ':') >= 0)
        return NULL;
    struct str rest = str_slice(arn, (size_t)at + sizeof(PREFIX) - 1, arn.n);
    for (const struct managed_policy *p = managed_policies; p->name; p++) {
        struct str path = str_from(p->path);
        if (str_starts(rest, path) && str_is(str_slice(rest, path.n, rest.n), p->name))
            return p;
    }
    return NULL;
}
