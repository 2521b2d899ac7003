/* template/sam_policies - SAM's policy templates: name, parameters, statements.
 *
 * The statements are JSON with ' for ", so that they can be read here. {'Ref':'X'} stands for the
 * value given for parameter X. */
#include "template/sam_data.h"

// clang-format off
const struct sam_policy_template sam_policy_templates[] = {
    {"AMIDescribePolicy", "",
     "{'Statement':[{'Action':['ec2:DescribeImages'],'Effect':'Allow','Resource':'*'}]}"},
    {"AWSSecretsManagerGetSecretValuePolicy", "SecretArn",
     "{'Statement':[{'Action':['secretsmanager:GetSecretValue'],'Effect':'Allow','Resource':{'"
     "Fn::Sub':['${secretArn}',{'secretArn':{'Ref':'SecretArn'}}]}}]}"},
    {"AWSSecretsManagerRotationPolicy", "FunctionName",
     "{'Statement':[{'Action':['secretsmanager:DescribeSecret','secretsmanager:GetSecretValue'"
     ",'secretsmanager:PutSecretValue','secretsmanager:UpdateSecretVersionStage'],'Condition':"
     "{'StringEquals':{'secretsmanager:resource/AllowRotationLambdaArn':{'Fn::Sub':['arn:${AWS"
     "::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${functionName}',{'functio"
     "nName':{'Ref':'FunctionName'}}]}}},'Effect':'Allow','Resource':{'Fn::Sub':'arn:${AWS::Pa"
     "rtition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:*'}},{'Action':['secrets"
     "manager:GetRandomPassword'],'Effect':'Allow','Resource':'*'}]}"},
    {"AcmGetCertificatePolicy", "CertificateArn",
     "{'Statement':[{'Action':['acm:GetCertificate'],'Effect':'Allow','Resource':{'Fn::Sub':['"
     "${certificateArn}',{'certificateArn':{'Ref':'CertificateArn'}}]}}]}"},
    {"AthenaQueryPolicy", "WorkGroupName",
     "{'Statement':[{'Action':['athena:ListWorkGroups','athena:GetExecutionEngine','athena:Get"
     "ExecutionEngines','athena:GetNamespace','athena:GetCatalogs','athena:GetNamespaces','ath"
     "ena:GetTables','athena:GetTable'],'Effect':'Allow','Resource':'*'},{'Action':['athena:St"
     "artQueryExecution','athena:GetQueryResults','athena:DeleteNamedQuery','athena:GetNamedQu"
     "ery','athena:ListQueryExecutions','athena:StopQueryExecution','athena:GetQueryResultsStr"
     "eam','athena:ListNamedQueries','athena:CreateNamedQuery','athena:GetQueryExecution','ath"
     "ena:BatchGetNamedQuery','athena:BatchGetQueryExecution','athena:GetWorkGroup'],'Effect':"
     "'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:athena:${AWS::Region}:${AWS::Accou"
     "ntId}:workgroup/${workgroupName}',{'workgroupName':{'Ref':'WorkGroupName'}}]}}]}"},
    {"CloudFormationDescribeStacksPolicy", "",
     "{'Statement':[{'Action':['cloudformation:DescribeStacks'],'Effect':'Allow','Resource':{'"
     "Fn::Sub':'arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/*'"
     "}}]}"},
    {"CloudWatchDashboardPolicy", "",
     "{'Statement':[{'Action':['cloudwatch:GetDashboard','cloudwatch:ListDashboards','cloudwat"
     "ch:PutDashboard','cloudwatch:ListMetrics'],'Effect':'Allow','Resource':'*'}]}"},
    {"CloudWatchDescribeAlarmHistoryPolicy", "",
     "{'Statement':[{'Action':['cloudwatch:DescribeAlarmHistory'],'Effect':'Allow','Resource':"
     "'*'}]}"},
    {"CloudWatchPutMetricPolicy", "",
     "{'Statement':[{'Action':['cloudwatch:PutMetricData'],'Effect':'Allow','Resource':'*'}]}"},
    {"CodeCommitCrudPolicy", "RepositoryName",
     "{'Statement':[{'Action':['codecommit:GitPull','codecommit:GitPush','codecommit:CreateBra"
     "nch','codecommit:DeleteBranch','codecommit:GetBranch','codecommit:ListBranches','codecom"
     "mit:MergeBranchesByFastForward','codecommit:MergeBranchesBySquash','codecommit:MergeBran"
     "chesByThreeWay','codecommit:UpdateDefaultBranch','codecommit:BatchDescribeMergeConflicts"
     "','codecommit:CreateUnreferencedMergeCommit','codecommit:DescribeMergeConflicts','codeco"
     "mmit:GetMergeCommit','codecommit:GetMergeOptions','codecommit:BatchGetPullRequests','cod"
     "ecommit:CreatePullRequest','codecommit:DescribePullRequestEvents','codecommit:GetComment"
     "sForPullRequest','codecommit:GetCommitsFromMergeBase','codecommit:GetMergeConflicts','co"
     "decommit:GetPullRequest','codecommit:ListPullRequests','codecommit:MergePullRequestByFas"
     "tForward','codecommit:MergePullRequestBySquash','codecommit:MergePullRequestByThreeWay',"
     "'codecommit:PostCommentForPullRequest','codecommit:UpdatePullRequestDescription','codeco"
     "mmit:UpdatePullRequestStatus','codecommit:UpdatePullRequestTitle','codecommit:DeleteFile"
     "','codecommit:GetBlob','codecommit:GetFile','codecommit:GetFolder','codecommit:PutFile',"
     "'codecommit:DeleteCommentContent','codecommit:GetComment','codecommit:GetCommentsForComp"
     "aredCommit','codecommit:PostCommentForComparedCommit','codecommit:PostCommentReply','cod"
     "ecommit:UpdateComment','codecommit:BatchGetCommits','codecommit:CreateCommit','codecommi"
     "t:GetCommit','codecommit:GetCommitHistory','codecommit:GetDifferences','codecommit:GetOb"
     "jectIdentifier','codecommit:GetReferences','codecommit:GetTree','codecommit:GetRepositor"
     "y','codecommit:UpdateRepositoryDescription','codecommit:ListTagsForResource','codecommit"
     ":TagResource','codecommit:UntagResource','codecommit:GetRepositoryTriggers','codecommit:"
     "PutRepositoryTriggers','codecommit:TestRepositoryTriggers','codecommit:GetBranch','codec"
     "ommit:GetCommit','codecommit:UploadArchive','codecommit:GetUploadArchiveStatus','codecom"
     "mit:CancelUploadArchive'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}"
     ":codecommit:${AWS::Region}:${AWS::AccountId}:${repositoryName}',{'repositoryName':{'Ref'"
     ":'RepositoryName'}}]}}]}"},
    {"CodeCommitReadPolicy", "RepositoryName",
     "{'Statement':[{'Action':['codecommit:GitPull','codecommit:GetBranch','codecommit:ListBra"
     "nches','codecommit:BatchDescribeMergeConflicts','codecommit:DescribeMergeConflicts','cod"
     "ecommit:GetMergeCommit','codecommit:GetMergeOptions','codecommit:BatchGetPullRequests','"
     "codecommit:DescribePullRequestEvents','codecommit:GetCommentsForPullRequest','codecommit"
     ":GetCommitsFromMergeBase','codecommit:GetMergeConflicts','codecommit:GetPullRequest','co"
     "decommit:ListPullRequests','codecommit:GetBlob','codecommit:GetFile','codecommit:GetFold"
     "er','codecommit:GetComment','codecommit:GetCommentsForComparedCommit','codecommit:BatchG"
     "etCommits','codecommit:GetCommit','codecommit:GetCommitHistory','codecommit:GetDifferenc"
     "es','codecommit:GetObjectIdentifier','codecommit:GetReferences','codecommit:GetTree','co"
     "decommit:GetRepository','codecommit:ListTagsForResource','codecommit:GetRepositoryTrigge"
     "rs','codecommit:TestRepositoryTriggers','codecommit:GetBranch','codecommit:GetCommit','c"
     "odecommit:GetUploadArchiveStatus'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::P"
     "artition}:codecommit:${AWS::Region}:${AWS::AccountId}:${repositoryName}',{'repositoryNam"
     "e':{'Ref':'RepositoryName'}}]}}]}"},
    {"CodePipelineLambdaExecutionPolicy", "",
     "{'Statement':[{'Action':['codepipeline:PutJobSuccessResult','codepipeline:PutJobFailureR"
     "esult'],'Effect':'Allow','Resource':'*'}]}"},
    {"CodePipelineReadOnlyPolicy", "PipelineName",
     "{'Statement':[{'Action':['codepipeline:ListPipelineExecutions'],'Effect':'Allow','Resour"
     "ce':{'Fn::Sub':['arn:${AWS::Partition}:codepipeline:${AWS::Region}:${AWS::AccountId}:${p"
     "ipelinename}',{'pipelinename':{'Ref':'PipelineName'}}]}}]}"},
    {"ComprehendBasicAccessPolicy", "",
     "{'Statement':[{'Action':['comprehend:BatchDetectKeyPhrases','comprehend:DetectDominantLa"
     "nguage','comprehend:DetectEntities','comprehend:BatchDetectEntities','comprehend:DetectK"
     "eyPhrases','comprehend:DetectSentiment','comprehend:BatchDetectDominantLanguage','compre"
     "hend:BatchDetectSentiment'],'Effect':'Allow','Resource':'*'}]}"},
    {"CostExplorerReadOnlyPolicy", "",
     "{'Statement':[{'Action':['ce:GetCostAndUsage','ce:GetDimensionValues','ce:GetReservation"
     "Coverage','ce:GetReservationPurchaseRecommendation','ce:GetReservationUtilization','ce:G"
     "etTags'],'Effect':'Allow','Resource':'*'}]}"},
    {"DynamoDBBackupFullAccessPolicy", "TableName",
     "{'Statement':[{'Action':['dynamodb:CreateBackup','dynamodb:DescribeContinuousBackups'],'"
     "Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:dynamodb:${AWS::Region}:${"
     "AWS::AccountId}:table/${tableName}',{'tableName':{'Ref':'TableName'}}]}},{'Action':['dyn"
     "amodb:DeleteBackup','dynamodb:DescribeBackup','dynamodb:ListBackups'],'Effect':'Allow','"
     "Resource':{'Fn::Sub':['arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:t"
     "able/${tableName}/backup/*',{'tableName':{'Ref':'TableName'}}]}}]}"},
    {"DynamoDBCrudPolicy", "TableName",
     "{'Statement':[{'Action':['dynamodb:GetItem','dynamodb:DeleteItem','dynamodb:PutItem','dy"
     "namodb:Scan','dynamodb:Query','dynamodb:UpdateItem','dynamodb:BatchWriteItem','dynamodb:"
     "BatchGetItem','dynamodb:DescribeTable','dynamodb:ConditionCheckItem'],'Effect':'Allow','"
     "Resource':[{'Fn::Sub':['arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:"
     "table/${tableName}',{'tableName':{'Ref':'TableName'}}]},{'Fn::Sub':['arn:${AWS::Partitio"
     "n}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${tableName}/index/*',{'tableName':{'"
     "Ref':'TableName'}}]}]}]}"},
    {"DynamoDBReadPolicy", "TableName",
     "{'Statement':[{'Action':['dynamodb:GetItem','dynamodb:Scan','dynamodb:Query','dynamodb:B"
     "atchGetItem','dynamodb:DescribeTable'],'Effect':'Allow','Resource':[{'Fn::Sub':['arn:${A"
     "WS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${tableName}',{'tableName"
     "':{'Ref':'TableName'}}]},{'Fn::Sub':['arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AW"
     "S::AccountId}:table/${tableName}/index/*',{'tableName':{'Ref':'TableName'}}]}]}]}"},
    {"DynamoDBReconfigurePolicy", "TableName",
     "{'Statement':[{'Action':['dynamodb:UpdateTable'],'Effect':'Allow','Resource':{'Fn::Sub':"
     "['arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${tableName}',{'"
     "tableName':{'Ref':'TableName'}}]}}]}"},
    {"DynamoDBRestoreFromBackupPolicy", "TableName",
     "{'Statement':[{'Action':['dynamodb:RestoreTableFromBackup'],'Effect':'Allow','Resource':"
     "{'Fn::Sub':['arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${tab"
     "leName}/backup/*',{'tableName':{'Ref':'TableName'}}]}},{'Action':['dynamodb:PutItem','dy"
     "namodb:UpdateItem','dynamodb:DeleteItem','dynamodb:GetItem','dynamodb:Query','dynamodb:S"
     "can','dynamodb:BatchWriteItem'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Part"
     "ition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${tableName}',{'tableName':{'Ref'"
     ":'TableName'}}]}}]}"},
    {"DynamoDBStreamReadPolicy", "StreamName TableName",
     "{'Statement':[{'Action':['dynamodb:DescribeStream','dynamodb:GetRecords','dynamodb:GetSh"
     "ardIterator'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:dynamodb:${"
     "AWS::Region}:${AWS::AccountId}:table/${tableName}/stream/${streamName}',{'streamName':{'"
     "Ref':'StreamName'},'tableName':{'Ref':'TableName'}}]}},{'Action':['dynamodb:ListStreams'"
     "],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:dynamodb:${AWS::Region}"
     ":${AWS::AccountId}:table/${tableName}/stream/*',{'tableName':{'Ref':'TableName'}}]}}]}"},
    {"DynamoDBWritePolicy", "TableName",
     "{'Statement':[{'Action':['dynamodb:PutItem','dynamodb:UpdateItem','dynamodb:BatchWriteIt"
     "em'],'Effect':'Allow','Resource':[{'Fn::Sub':['arn:${AWS::Partition}:dynamodb:${AWS::Reg"
     "ion}:${AWS::AccountId}:table/${tableName}',{'tableName':{'Ref':'TableName'}}]},{'Fn::Sub"
     "':['arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${tableName}/i"
     "ndex/*',{'tableName':{'Ref':'TableName'}}]}]}]}"},
    {"EC2CopyImagePolicy", "ImageId",
     "{'Statement':[{'Action':['ec2:CopyImage'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:$"
     "{AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:image/${imageId}',{'imageId':{'Ref"
     "':'ImageId'}}]}}]}"},
    {"EC2DescribePolicy", "",
     "{'Statement':[{'Action':['ec2:DescribeRegions','ec2:DescribeInstances'],'Effect':'Allow'"
     ",'Resource':'*'}]}"},
    {"EFSWriteAccessPolicy", "AccessPoint FileSystem",
     "{'Statement':[{'Action':['elasticfilesystem:ClientMount','elasticfilesystem:ClientWrite'"
     "],'Condition':{'StringEquals':{'elasticfilesystem:AccessPointArn':{'Fn::Sub':['arn:${AWS"
     "::Partition}:elasticfilesystem:${AWS::Region}:${AWS::AccountId}:access-point/${AccessPoi"
     "nt}',{'AccessPoint':{'Ref':'AccessPoint'}}]}}},'Effect':'Allow','Resource':{'Fn::Sub':['"
     "arn:${AWS::Partition}:elasticfilesystem:${AWS::Region}:${AWS::AccountId}:file-system/${F"
     "ileSystem}',{'FileSystem':{'Ref':'FileSystem'}}]}}]}"},
    {"EKSDescribePolicy", "",
     "{'Statement':[{'Action':['eks:DescribeCluster','eks:ListClusters'],'Effect':'Allow','Res"
     "ource':'*'}]}"},
    {"EcsRunTaskPolicy", "TaskDefinition",
     "{'Statement':[{'Action':['ecs:RunTask'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${A"
     "WS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:task-definition/${taskDefinition}',{"
     "'taskDefinition':{'Ref':'TaskDefinition'}}]}}]}"},
    {"ElasticMapReduceAddJobFlowStepsPolicy", "ClusterId",
     "{'Statement':[{'Action':'elasticmapreduce:AddJobFlowSteps','Effect':'Allow','Resource':{"
     "'Fn::Sub':['arn:${AWS::Partition}:elasticmapreduce:${AWS::Region}:${AWS::AccountId}:clus"
     "ter/${clusterId}',{'clusterId':{'Ref':'ClusterId'}}]}}]}"},
    {"ElasticMapReduceCancelStepsPolicy", "ClusterId",
     "{'Statement':[{'Action':'elasticmapreduce:CancelSteps','Effect':'Allow','Resource':{'Fn:"
     ":Sub':['arn:${AWS::Partition}:elasticmapreduce:${AWS::Region}:${AWS::AccountId}:cluster/"
     "${clusterId}',{'clusterId':{'Ref':'ClusterId'}}]}}]}"},
    {"ElasticMapReduceModifyInstanceFleetPolicy", "ClusterId",
     "{'Statement':[{'Action':['elasticmapreduce:ModifyInstanceFleet','elasticmapreduce:ListIn"
     "stanceFleets'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:elasticmap"
     "reduce:${AWS::Region}:${AWS::AccountId}:cluster/${clusterId}',{'clusterId':{'Ref':'Clust"
     "erId'}}]}}]}"},
    {"ElasticMapReduceModifyInstanceGroupsPolicy", "ClusterId",
     "{'Statement':[{'Action':['elasticmapreduce:ModifyInstanceGroups','elasticmapreduce:ListI"
     "nstanceGroups'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:elasticma"
     "preduce:${AWS::Region}:${AWS::AccountId}:cluster/${clusterId}',{'clusterId':{'Ref':'Clus"
     "terId'}}]}}]}"},
    {"ElasticMapReduceSetTerminationProtectionPolicy", "ClusterId",
     "{'Statement':[{'Action':'elasticmapreduce:SetTerminationProtection','Effect':'Allow','Re"
     "source':{'Fn::Sub':['arn:${AWS::Partition}:elasticmapreduce:${AWS::Region}:${AWS::Accoun"
     "tId}:cluster/${clusterId}',{'clusterId':{'Ref':'ClusterId'}}]}}]}"},
    {"ElasticMapReduceTerminateJobFlowsPolicy", "ClusterId",
     "{'Statement':[{'Action':'elasticmapreduce:TerminateJobFlows','Effect':'Allow','Resource'"
     ":{'Fn::Sub':['arn:${AWS::Partition}:elasticmapreduce:${AWS::Region}:${AWS::AccountId}:cl"
     "uster/${clusterId}',{'clusterId':{'Ref':'ClusterId'}}]}}]}"},
    {"ElasticsearchHttpPostPolicy", "DomainName",
     "{'Statement':[{'Action':['es:ESHttpPost','es:ESHttpPut'],'Effect':'Allow','Resource':{'F"
     "n::Sub':['arn:${AWS::Partition}:es:${AWS::Region}:${AWS::AccountId}:domain/${domainName}"
     "/*',{'domainName':{'Ref':'DomainName'}}]}}]}"},
    {"EventBridgePutEventsPolicy", "EventBusName",
     "{'Statement':[{'Action':'events:PutEvents','Effect':'Allow','Resource':{'Fn::Sub':['arn:"
     "${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${eventBusName}',{'e"
     "ventBusName':{'Ref':'EventBusName'}}]}}]}"},
    {"FilterLogEventsPolicy", "LogGroupName",
     "{'Statement':[{'Action':['logs:FilterLogEvents'],'Effect':'Allow','Resource':{'Fn::Sub':"
     "['arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${logGroupName}:"
     "log-stream:*',{'logGroupName':{'Ref':'LogGroupName'}}]}}]}"},
    {"FirehoseCrudPolicy", "DeliveryStreamName",
     "{'Statement':[{'Action':['firehose:CreateDeliveryStream','firehose:DeleteDeliveryStream'"
     ",'firehose:DescribeDeliveryStream','firehose:PutRecord','firehose:PutRecordBatch','fireh"
     "ose:UpdateDestination'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:f"
     "irehose:${AWS::Region}:${AWS::AccountId}:deliverystream/${deliveryStreamName}',{'deliver"
     "yStreamName':{'Ref':'DeliveryStreamName'}}]}}]}"},
    {"FirehoseWritePolicy", "DeliveryStreamName",
     "{'Statement':[{'Action':['firehose:PutRecord','firehose:PutRecordBatch'],'Effect':'Allow"
     "','Resource':{'Fn::Sub':['arn:${AWS::Partition}:firehose:${AWS::Region}:${AWS::AccountId"
     "}:deliverystream/${deliveryStreamName}',{'deliveryStreamName':{'Ref':'DeliveryStreamName"
     "'}}]}}]}"},
    {"KMSDecryptPolicy", "KeyId",
     "{'Statement':[{'Action':'kms:Decrypt','Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS"
     "::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/${keyId}',{'keyId':{'Ref':'KeyId'}"
     "}]}}]}"},
    {"KMSEncryptPolicy", "KeyId",
     "{'Statement':[{'Action':'kms:Encrypt','Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS"
     "::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/${keyId}',{'keyId':{'Ref':'KeyId'}"
     "}]}}]}"},
    {"KMSEncryptPolicy_v2", "KeyId",
     "{'Statement':[{'Action':['kms:Encrypt','kms:GenerateDataKey','kms:GenerateDataKeyWithout"
     "Plaintext','kms:GenerateDataKeyPair','kms:GenerateDataKeyPairWithoutPlaintext'],'Effect'"
     ":'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::Account"
     "Id}:key/${keyId}',{'keyId':{'Ref':'KeyId'}}]}}]}"},
    {"KinesisCrudPolicy", "StreamName",
     "{'Statement':[{'Action':['kinesis:AddTagsToStream','kinesis:CreateStream','kinesis:Decre"
     "aseStreamRetentionPeriod','kinesis:DeleteStream','kinesis:DescribeStream','kinesis:Descr"
     "ibeStreamSummary','kinesis:GetShardIterator','kinesis:IncreaseStreamRetentionPeriod','ki"
     "nesis:ListTagsForStream','kinesis:MergeShards','kinesis:PutRecord','kinesis:PutRecords',"
     "'kinesis:SplitShard','kinesis:RemoveTagsFromStream'],'Effect':'Allow','Resource':{'Fn::S"
     "ub':['arn:${AWS::Partition}:kinesis:${AWS::Region}:${AWS::AccountId}:stream/${streamName"
     "}',{'streamName':{'Ref':'StreamName'}}]}}]}"},
    {"KinesisStreamReadPolicy", "StreamName",
     "{'Statement':[{'Action':['kinesis:ListStreams','kinesis:DescribeLimits'],'Effect':'Allow"
     "','Resource':{'Fn::Sub':'arn:${AWS::Partition}:kinesis:${AWS::Region}:${AWS::AccountId}:"
     "stream/*'}},{'Action':['kinesis:DescribeStream','kinesis:DescribeStreamSummary','kinesis"
     ":GetRecords','kinesis:GetShardIterator'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${"
     "AWS::Partition}:kinesis:${AWS::Region}:${AWS::AccountId}:stream/${streamName}',{'streamN"
     "ame':{'Ref':'StreamName'}}]}}]}"},
    {"LambdaInvokePolicy", "FunctionName",
     "{'Statement':[{'Action':['lambda:InvokeFunction'],'Effect':'Allow','Resource':{'Fn::Sub'"
     ":['arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${functionName"
     "}*',{'functionName':{'Ref':'FunctionName'}}]}}]}"},
    {"MobileAnalyticsWriteOnlyAccessPolicy", "",
     "{'Statement':[{'Action':['mobileanalytics:PutEvents'],'Effect':'Allow','Resource':'*'}]}"},
    {"OrganizationsListAccountsPolicy", "",
     "{'Statement':[{'Action':['organizations:ListAccounts'],'Effect':'Allow','Resource':'*'}]"
     "}"},
    {"PinpointEndpointAccessPolicy", "PinpointApplicationId",
     "{'Statement':[{'Action':['mobiletargeting:GetEndpoint','mobiletargeting:UpdateEndpoint',"
     "'mobiletargeting:UpdateEndpointsBatch'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${A"
     "WS::Partition}:mobiletargeting:${AWS::Region}:${AWS::AccountId}:apps/${pinpointApplicati"
     "onId}/endpoints/*',{'pinpointApplicationId':{'Ref':'PinpointApplicationId'}}]}}]}"},
    {"PollyFullAccessPolicy", "LexiconName",
     "{'Statement':[{'Action':['polly:GetLexicon','polly:DeleteLexicon'],'Effect':'Allow','Res"
     "ource':[{'Fn::Sub':['arn:${AWS::Partition}:polly:${AWS::Region}:${AWS::AccountId}:lexico"
     "n/${lexiconName}',{'lexiconName':{'Ref':'LexiconName'}}]}]},{'Action':['polly:DescribeVo"
     "ices','polly:ListLexicons','polly:PutLexicon','polly:SynthesizeSpeech'],'Effect':'Allow'"
     ",'Resource':[{'Fn::Sub':'arn:${AWS::Partition}:polly:${AWS::Region}:${AWS::AccountId}:le"
     "xicon/*'}]}]}"},
    {"RekognitionDetectOnlyPolicy", "",
     "{'Statement':[{'Action':['rekognition:DetectFaces','rekognition:DetectLabels','rekogniti"
     "on:DetectModerationLabels','rekognition:DetectText'],'Effect':'Allow','Resource':'*'}]}"},
    {"RekognitionFacesManagementPolicy", "CollectionId",
     "{'Statement':[{'Action':['rekognition:IndexFaces','rekognition:DeleteFaces','rekognition"
     ":SearchFaces','rekognition:SearchFacesByImage','rekognition:ListFaces'],'Effect':'Allow'"
     ",'Resource':{'Fn::Sub':['arn:${AWS::Partition}:rekognition:${AWS::Region}:${AWS::Account"
     "Id}:collection/${collectionId}',{'collectionId':{'Ref':'CollectionId'}}]}}]}"},
    {"RekognitionFacesPolicy", "",
     "{'Statement':[{'Action':['rekognition:CompareFaces','rekognition:DetectFaces'],'Effect':"
     "'Allow','Resource':'*'}]}"},
    {"RekognitionLabelsPolicy", "",
     "{'Statement':[{'Action':['rekognition:DetectLabels','rekognition:DetectModerationLabels'"
     "],'Effect':'Allow','Resource':'*'}]}"},
    {"RekognitionNoDataAccessPolicy", "CollectionId",
     "{'Statement':[{'Action':['rekognition:CompareFaces','rekognition:DetectFaces','rekogniti"
     "on:DetectLabels','rekognition:DetectModerationLabels'],'Effect':'Allow','Resource':{'Fn:"
     ":Sub':['arn:${AWS::Partition}:rekognition:${AWS::Region}:${AWS::AccountId}:collection/${"
     "collectionId}',{'collectionId':{'Ref':'CollectionId'}}]}}]}"},
    {"RekognitionReadPolicy", "CollectionId",
     "{'Statement':[{'Action':['rekognition:ListCollections','rekognition:ListFaces','rekognit"
     "ion:SearchFaces','rekognition:SearchFacesByImage'],'Effect':'Allow','Resource':{'Fn::Sub"
     "':['arn:${AWS::Partition}:rekognition:${AWS::Region}:${AWS::AccountId}:collection/${coll"
     "ectionId}',{'collectionId':{'Ref':'CollectionId'}}]}}]}"},
    {"RekognitionWriteOnlyAccessPolicy", "CollectionId",
     "{'Statement':[{'Action':['rekognition:CreateCollection','rekognition:IndexFaces'],'Effec"
     "t':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:rekognition:${AWS::Region}:${AW"
     "S::AccountId}:collection/${collectionId}',{'collectionId':{'Ref':'CollectionId'}}]}}]}"},
    {"Route53ChangeResourceRecordSetsPolicy", "HostedZoneId",
     "{'Statement':[{'Action':['route53:ChangeResourceRecordSets'],'Effect':'Allow','Resource'"
     ":{'Fn::Sub':['arn:${AWS::Partition}:route53:::hostedzone/${HostedZoneId}',{'HostedZoneId"
     "':{'Ref':'HostedZoneId'}}]}}]}"},
    {"S3CrudPolicy", "BucketName",
     "{'Statement':[{'Action':['s3:GetObject','s3:ListBucket','s3:GetBucketLocation','s3:GetOb"
     "jectVersion','s3:PutObject','s3:PutObjectAcl','s3:GetLifecycleConfiguration','s3:PutLife"
     "cycleConfiguration','s3:DeleteObject'],'Effect':'Allow','Resource':[{'Fn::Sub':['arn:${A"
     "WS::Partition}:s3:::${bucketName}',{'bucketName':{'Ref':'BucketName'}}]},{'Fn::Sub':['ar"
     "n:${AWS::Partition}:s3:::${bucketName}/*',{'bucketName':{'Ref':'BucketName'}}]}]}]}"},
    {"S3FullAccessPolicy", "BucketName",
     "{'Statement':[{'Action':['s3:GetObject','s3:GetObjectAcl','s3:GetObjectVersion','s3:PutO"
     "bject','s3:PutObjectAcl','s3:DeleteObject','s3:DeleteObjectTagging','s3:DeleteObjectVers"
     "ionTagging','s3:GetObjectTagging','s3:GetObjectVersionTagging','s3:PutObjectTagging','s3"
     ":PutObjectVersionTagging'],'Effect':'Allow','Resource':[{'Fn::Sub':['arn:${AWS::Partitio"
     "n}:s3:::${bucketName}/*',{'bucketName':{'Ref':'BucketName'}}]}]},{'Action':['s3:ListBuck"
     "et','s3:GetBucketLocation','s3:GetLifecycleConfiguration','s3:PutLifecycleConfiguration'"
     "],'Effect':'Allow','Resource':[{'Fn::Sub':['arn:${AWS::Partition}:s3:::${bucketName}',{'"
     "bucketName':{'Ref':'BucketName'}}]}]}]}"},
    {"S3ReadPolicy", "BucketName",
     "{'Statement':[{'Action':['s3:GetObject','s3:ListBucket','s3:GetBucketLocation','s3:GetOb"
     "jectVersion','s3:GetLifecycleConfiguration'],'Effect':'Allow','Resource':[{'Fn::Sub':['a"
     "rn:${AWS::Partition}:s3:::${bucketName}',{'bucketName':{'Ref':'BucketName'}}]},{'Fn::Sub"
     "':['arn:${AWS::Partition}:s3:::${bucketName}/*',{'bucketName':{'Ref':'BucketName'}}]}]}]"
     "}"},
    {"S3WritePolicy", "BucketName",
     "{'Statement':[{'Action':['s3:PutObject','s3:PutObjectAcl','s3:PutLifecycleConfiguration'"
     "],'Effect':'Allow','Resource':[{'Fn::Sub':['arn:${AWS::Partition}:s3:::${bucketName}',{'"
     "bucketName':{'Ref':'BucketName'}}]},{'Fn::Sub':['arn:${AWS::Partition}:s3:::${bucketName"
     "}/*',{'bucketName':{'Ref':'BucketName'}}]}]}]}"},
    {"SESBulkTemplatedCrudPolicy", "IdentityName",
     "{'Statement':[{'Action':['ses:GetIdentityVerificationAttributes','ses:SendEmail','ses:Se"
     "ndRawEmail','ses:SendTemplatedEmail','ses:SendBulkTemplatedEmail','ses:VerifyEmailIdenti"
     "ty'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:ses:${AWS::Region}:$"
     "{AWS::AccountId}:identity/${identityName}',{'identityName':{'Ref':'IdentityName'}}]}}]}"},
    {"SESBulkTemplatedCrudPolicy_v2", "IdentityName TemplateName",
     "{'Statement':[{'Action':['ses:SendEmail','ses:SendRawEmail','ses:SendTemplatedEmail','se"
     "s:SendBulkTemplatedEmail'],'Effect':'Allow','Resource':[{'Fn::Sub':['arn:${AWS::Partitio"
     "n}:ses:${AWS::Region}:${AWS::AccountId}:identity/${identityName}',{'identityName':{'Ref'"
     ":'IdentityName'}}]},{'Fn::Sub':['arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::Account"
     "Id}:template/${templateName}',{'templateName':{'Ref':'TemplateName'}}]}]},{'Action':['se"
     "s:GetIdentityVerificationAttributes','ses:VerifyEmailIdentity'],'Effect':'Allow','Resour"
     "ce':'*'}]}"},
    {"SESCrudPolicy", "IdentityName",
     "{'Statement':[{'Action':['ses:GetIdentityVerificationAttributes','ses:SendEmail','ses:Se"
     "ndRawEmail','ses:VerifyEmailIdentity'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AW"
     "S::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/${identityName}',{'identityN"
     "ame':{'Ref':'IdentityName'}}]}}]}"},
    {"SESEmailTemplateCrudPolicy", "",
     "{'Statement':[{'Action':['ses:CreateTemplate','ses:GetTemplate','ses:ListTemplates','ses"
     ":UpdateTemplate','ses:DeleteTemplate','ses:TestRenderTemplate'],'Effect':'Allow','Resour"
     "ce':'*'}]}"},
    {"SESSendBouncePolicy", "IdentityName",
     "{'Statement':[{'Action':['ses:SendBounce'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:"
     "${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/${identityName}',{'ident"
     "ityName':{'Ref':'IdentityName'}}]}}]}"},
    {"SNSCrudPolicy", "TopicName",
     "{'Statement':[{'Action':['sns:ListSubscriptionsByTopic','sns:CreateTopic','sns:SetTopicA"
     "ttributes','sns:Subscribe','sns:Publish'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:$"
     "{AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:${topicName}*',{'topicName':{'Ref'"
     ":'TopicName'}}]}}]}"},
    {"SNSPublishMessagePolicy", "TopicName",
     "{'Statement':[{'Action':['sns:Publish'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${A"
     "WS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:${topicName}',{'topicName':{'Ref':'T"
     "opicName'}}]}}]}"},
    {"SQSPollerPolicy", "QueueName",
     "{'Statement':[{'Action':['sqs:ChangeMessageVisibility','sqs:ChangeMessageVisibilityBatch"
     "','sqs:DeleteMessage','sqs:DeleteMessageBatch','sqs:GetQueueAttributes','sqs:ReceiveMess"
     "age'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:sqs:${AWS::Region}:"
     "${AWS::AccountId}:${queueName}',{'queueName':{'Ref':'QueueName'}}]}}]}"},
    {"SQSSendMessagePolicy", "QueueName",
     "{'Statement':[{'Action':['sqs:SendMessage*'],'Effect':'Allow','Resource':{'Fn::Sub':['ar"
     "n:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${queueName}',{'queueName':{'Re"
     "f':'QueueName'}}]}}]}"},
    {"SSMParameterReadPolicy", "ParameterName",
     "{'Statement':[{'Action':['ssm:DescribeParameters'],'Effect':'Allow','Resource':'*'},{'Ac"
     "tion':['ssm:GetParameters','ssm:GetParameter','ssm:GetParametersByPath'],'Effect':'Allow"
     "','Resource':{'Fn::Sub':['arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:par"
     "ameter/${parameterName}',{'parameterName':{'Ref':'ParameterName'}}]}}]}"},
    {"SSMParameterWithSlashPrefixReadPolicy", "ParameterName",
     "{'Statement':[{'Action':['ssm:DescribeParameters'],'Effect':'Allow','Resource':'*'},{'Ac"
     "tion':['ssm:GetParameters','ssm:GetParameter','ssm:GetParametersByPath'],'Effect':'Allow"
     "','Resource':{'Fn::Sub':['arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:par"
     "ameter${parameterName}',{'parameterName':{'Ref':'ParameterName'}}]}}]}"},
    {"SageMakerCreateEndpointConfigPolicy", "EndpointConfigName",
     "{'Statement':[{'Action':['sagemaker:CreateEndpointConfig'],'Effect':'Allow','Resource':{"
     "'Fn::Sub':['arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}:endpoint-co"
     "nfig/${endpointConfigName}',{'endpointConfigName':{'Ref':'EndpointConfigName'}}]}}]}"},
    {"SageMakerCreateEndpointPolicy", "EndpointName",
     "{'Statement':[{'Action':['sagemaker:CreateEndpoint'],'Effect':'Allow','Resource':{'Fn::S"
     "ub':['arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}:endpoint/${endpoi"
     "ntName}',{'endpointName':{'Ref':'EndpointName'}}]}}]}"},
    {"ServerlessRepoReadWriteAccessPolicy", "",
     "{'Statement':[{'Action':['serverlessrepo:CreateApplication','serverlessrepo:CreateApplic"
     "ationVersion','serverlessrepo:UpdateApplication','serverlessrepo:GetApplication','server"
     "lessrepo:ListApplications','serverlessrepo:ListApplicationVersions','serverlessrepo:List"
     "ApplicationDependencies'],'Effect':'Allow','Resource':[{'Fn::Sub':'arn:${AWS::Partition}"
     ":serverlessrepo:${AWS::Region}:${AWS::AccountId}:applications/*'}]}]}"},
    {"StepFunctionsCallbackPolicy", "StateMachineName",
     "{'Statement':[{'Action':['states:SendTaskFailure','states:SendTaskHeartbeat','states:Sen"
     "dTaskSuccess'],'Effect':'Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:states:${A"
     "WS::Region}:${AWS::AccountId}:stateMachine:${stateMachineName}',{'stateMachineName':{'Re"
     "f':'StateMachineName'}}]}}]}"},
    {"StepFunctionsExecutionPolicy", "StateMachineName",
     "{'Statement':[{'Action':['states:StartExecution'],'Effect':'Allow','Resource':{'Fn::Sub'"
     ":['arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:${stateMac"
     "hineName}',{'stateMachineName':{'Ref':'StateMachineName'}}]}}]}"},
    {"StepFunctionsExecutionPolicy_v2", "StateMachineName",
     "{'Statement':[{'Action':['states:StartExecution','states:StartSyncExecution'],'Effect':'"
     "Allow','Resource':{'Fn::Sub':['arn:${AWS::Partition}:states:${AWS::Region}:${AWS::Accoun"
     "tId}:stateMachine:${stateMachineName}',{'stateMachineName':{'Ref':'StateMachineName'}}]}"
     "}]}"},
    {"TextractDetectAnalyzePolicy", "",
     "{'Statement':[{'Action':['textract:DetectDocumentText','textract:StartDocumentTextDetect"
     "ion','textract:StartDocumentAnalysis','textract:AnalyzeDocument'],'Effect':'Allow','Reso"
     "urce':'*'}]}"},
    {"TextractGetResultPolicy", "",
     "{'Statement':[{'Action':['textract:GetDocumentTextDetection','textract:GetDocumentAnalys"
     "is'],'Effect':'Allow','Resource':'*'}]}"},
    {"TextractPolicy", "",
     "{'Statement':[{'Action':['textract:*'],'Effect':'Allow','Resource':'*'}]}"},
    {"VPCAccessPolicy", "",
     "{'Statement':[{'Action':['ec2:CreateNetworkInterface','ec2:DeleteNetworkInterface','ec2:"
     "DescribeNetworkInterfaces','ec2:DetachNetworkInterface'],'Effect':'Allow','Resource':'*'"
     "}]}"},
    {0},
};
