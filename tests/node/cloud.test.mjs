// cloud - the JavaScript SDK against the embedded cloud: a stack, functions, roles, logs.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CancelUpdateStackCommand,
  CloudFormationClient,
  ContinueUpdateRollbackCommand,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStacksCommand,
  RollbackStackCommand,
  UpdateStackCommand,
  waitUntilStackCreateComplete,
  waitUntilStackDeleteComplete,
} from "@aws-sdk/client-cloudformation";
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  DeleteQueryDefinitionCommand,
  DescribeQueryDefinitionsCommand,
  FilterLogEventsCommand,
  GetQueryResultsCommand,
  PutLogEventsCommand,
  PutQueryDefinitionCommand,
  StartQueryCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import {
  CreateRoleCommand,
  GetRoleCommand,
  IAMClient,
  PutRolePolicyCommand,
  SimulateCustomPolicyCommand,
  SimulatePrincipalPolicyCommand,
} from "@aws-sdk/client-iam";
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from "@aws-sdk/client-lambda";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { errorOf, options, unique, zipped } from "./cloud.mjs";

const account = "000000000000";
const sts = new STSClient(options);
const iam = new IAMClient(options);
const lambda = new LambdaClient(options);
const logs = new CloudWatchLogsClient(options);
const cloudformation = new CloudFormationClient(options);
const soon = { maxWaitTime: 30, minDelay: 1, maxDelay: 1 };

const trust = (Principal) =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal, Action: "sts:AssumeRole" }],
  });

test("who am I", async () => {
  const me = await sts.send(new GetCallerIdentityCommand({}));
  assert.deepEqual([me.Account, me.Arn], [account, `arn:aws:iam::${account}:root`]);
});

test("a role, and a session of it", async () => {
  const RoleName = unique("role");
  const { Role } = await iam.send(
    new CreateRoleCommand({
      RoleName,
      AssumeRolePolicyDocument: trust({ AWS: `arn:aws:iam::${account}:root` }),
    }),
  );
  assert.ok(Role.CreateDate instanceof Date);
  const { Credentials: c } = await sts.send(
    new AssumeRoleCommand({ RoleArn: Role.Arn, RoleSessionName: "node" }),
  );
  const credentials = {
    accessKeyId: c.AccessKeyId,
    secretAccessKey: c.SecretAccessKey,
    sessionToken: c.SessionToken,
  };
  const me = await new STSClient({ ...options, credentials }).send(new GetCallerIdentityCommand({}));
  assert.equal(me.Arn, `arn:aws:sts::${account}:assumed-role/${RoleName}/node`);
  const denied = await errorOf(new IAMClient({ ...options, credentials }).send(new GetRoleCommand({ RoleName })));
  assert.deepEqual(denied.slice(0, 2), [403, "AccessDenied"]);
});

test("a function", async () => {
  const RoleName = unique("role");
  const { Role } = await iam.send(
    new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: trust({ Service: "lambda.amazonaws.com" }) }),
  );
  await iam.send(
    new PutRolePolicyCommand({
      RoleName,
      PolicyName: "logs",
      PolicyDocument: JSON.stringify({
        Version: "2012-10-17",
        Statement: [{ Effect: "Allow", Action: "logs:*", Resource: "*" }],
      }),
    }),
  );
  const FunctionName = unique("node");
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName,
      Runtime: "python3.11",
      Role: Role.Arn,
      Handler: "app.handler",
      Code: { ZipFile: zipped({ "app.py": "def handler(event, context):\n    return {'n': event['n'] * 2}\n" }) },
    }),
  );
  await waitUntilFunctionActiveV2({ client: lambda, ...soon }, { FunctionName });
  const invoke = (event) =>
    lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(event), LogType: "Tail" }));

  const good = await invoke({ n: 21 });
  assert.deepEqual(JSON.parse(good.Payload.transformToString()), { n: 42 });
  assert.deepEqual([good.StatusCode, good.ExecutedVersion, good.FunctionError], [200, "$LATEST", undefined]);
  assert.match(Buffer.from(good.LogResult, "base64").toString(), /\nEND RequestId: .*\nREPORT RequestId: /);

  const bad = await invoke({});
  assert.equal(bad.FunctionError, "Unhandled");
  assert.equal(JSON.parse(bad.Payload.transformToString()).errorType, "KeyError");

  await lambda.send(new DeleteFunctionCommand({ FunctionName }));
  assert.deepEqual(await errorOf(lambda.send(new GetFunctionCommand({ FunctionName }))), [
    404,
    "ResourceNotFoundException",
    `Function not found: arn:aws:lambda:us-east-1:${account}:function:${FunctionName}`,
  ]);
});

test("log events", async () => {
  const logGroupName = unique("/node");
  await logs.send(new CreateLogGroupCommand({ logGroupName }));
  await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName: "s" }));
  const logEvents = ["one", "two", "three"].map((message, i) => ({ timestamp: Date.now() + i, message }));
  await logs.send(new PutLogEventsCommand({ logGroupName, logStreamName: "s", logEvents }));
  const { events } = await logs.send(new FilterLogEventsCommand({ logGroupName, filterPattern: "?one ?three" }));
  assert.deepEqual(events.map((e) => e.message), ["one", "three"]);
  await logs.send(new DeleteLogGroupCommand({ logGroupName }));
  assert.equal(
    (await errorOf(logs.send(new FilterLogEventsCommand({ logGroupName }))))[1],
    "ResourceNotFoundException",
  );
});

test("a stack", async () => {
  const StackName = unique("stack");
  const TemplateBody = JSON.stringify({
    Resources: { Group: { Type: "AWS::Logs::LogGroup" } },
    Outputs: { Name: { Value: { Ref: "Group" } } },
  });
  await cloudformation.send(new CreateStackCommand({ StackName, TemplateBody }));
  await waitUntilStackCreateComplete({ client: cloudformation, ...soon }, { StackName });
  const { Stacks } = await cloudformation.send(new DescribeStacksCommand({ StackName }));
  assert.match(Stacks[0].Outputs[0].OutputValue, new RegExp(`^${StackName}-Group-`));
  assert.ok(Stacks[0].CreationTime instanceof Date);
  await cloudformation.send(new DeleteStackCommand({ StackName }));
  await waitUntilStackDeleteComplete({ client: cloudformation, ...soon }, { StackName: Stacks[0].StackId });
  assert.deepEqual(await errorOf(cloudformation.send(new DescribeStacksCommand({ StackName }))), [
    400,
    "ValidationError",
    `Stack with id ${StackName} does not exist`,
  ]);
});

test("a query of logs", async () => {
  const logGroupName = unique("/node");
  await logs.send(new CreateLogGroupCommand({ logGroupName }));
  await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName: "s" }));
  const now = Date.now();
  const logEvents = [3, 1, 2].map((n, i) => ({ timestamp: now + i, message: JSON.stringify({ n }) }));
  await logs.send(new PutLogEventsCommand({ logGroupName, logStreamName: "s", logEvents }));
  const queryString = "stats sum(n) as total, max(n), count(*)";
  const startTime = Math.floor(now / 1000) - 60;
  const { queryId } = await logs.send(
    new StartQueryCommand({ logGroupName, queryString, startTime, endTime: startTime + 120 }),
  );
  let found;
  do found = await logs.send(new GetQueryResultsCommand({ queryId }));
  while (["Running", "Scheduled"].includes(found.status) && Date.now() < now + 30_000);
  assert.deepEqual(found.results, [
    [
      { field: "total", value: "6" },
      { field: "max(n)", value: "3" },
      { field: "count(*)", value: "3" },
    ],
  ]);
  assert.deepEqual([found.status, found.statistics.recordsMatched], ["Complete", 3]);

  const name = unique("query");
  const { queryDefinitionId } = await logs.send(
    new PutQueryDefinitionCommand({ name, queryString, logGroupNames: [logGroupName] }),
  );
  const list = async () =>
    (await logs.send(new DescribeQueryDefinitionsCommand({ queryDefinitionNamePrefix: name }))).queryDefinitions;
  assert.deepEqual(
    (await list()).map((d) => [d.queryDefinitionId, d.queryString, d.logGroupNames]),
    [[queryDefinitionId, queryString, [logGroupName]]],
  );
  await logs.send(new DeleteQueryDefinitionCommand({ queryDefinitionId }));
  assert.deepEqual(await list(), []);
  await logs.send(new DeleteLogGroupCommand({ logGroupName }));
  const [status, code] = await errorOf(
    logs.send(new StartQueryCommand({ logGroupName, queryString, startTime, endTime: startTime + 120 })),
  );
  assert.deepEqual([status, code], [400, "ResourceNotFoundException"]);
});

test("what a role may do", async () => {
  const RoleName = unique("role");
  const policy = {
    Version: "2012-10-17",
    Statement: [{ Sid: "Read", Effect: "Allow", Action: "s3:Get*", Resource: "arn:aws:s3:::b/*" }],
  };
  const { Role } = await iam.send(
    new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: trust({ Service: "lambda.amazonaws.com" }) }),
  );
  await iam.send(
    new PutRolePolicyCommand({ RoleName, PolicyName: "read", PolicyDocument: JSON.stringify(policy) }),
  );
  const asked = { ActionNames: ["s3:GetObject", "s3:PutObject"], ResourceArns: ["arn:aws:s3:::b/k"] };
  const own = await iam.send(new SimulatePrincipalPolicyCommand({ PolicySourceArn: Role.Arn, ...asked }));
  const custom = await iam.send(
    new SimulateCustomPolicyCommand({ PolicyInputList: [JSON.stringify(policy)], ...asked }),
  );
  for (const { EvaluationResults: results } of [own, custom]) {
    assert.deepEqual(
      results.map((r) => [r.EvalActionName, r.EvalDecision, r.EvalResourceName]),
      [
        ["s3:GetObject", "allowed", "arn:aws:s3:::b/k"],
        ["s3:PutObject", "implicitDeny", "arn:aws:s3:::b/k"],
      ],
    );
    assert.deepEqual(results.map((r) => r.MatchedStatements?.length ?? 0), [1, 0]);
  }
});

test("a stack's ways back", async () => {
  const StackName = unique("stack");
  const taken = unique("/taken");
  const group = (LogGroupName, RetentionInDays, DependsOn) => ({
    Type: "AWS::Logs::LogGroup",
    Properties: { LogGroupName, RetentionInDays },
    ...(DependsOn && { DependsOn }),
  });
  const template = (Resources) => JSON.stringify({ Resources });
  await logs.send(new CreateLogGroupCommand({ logGroupName: taken }));
  const before = template({ A: group(unique("/a"), 1) });
  await cloudformation.send(new CreateStackCommand({ StackName, TemplateBody: before }));
  await waitUntilStackCreateComplete({ client: cloudformation, ...soon }, { StackName });
  for (const Command of [CancelUpdateStackCommand, RollbackStackCommand, ContinueUpdateRollbackCommand]) {
    const [status, code, message] = await errorOf(cloudformation.send(new Command({ StackName })));
    assert.deepEqual([status, code], [400, "ValidationError"]);
    assert.match(message, /cannot be called from current stack status/);
  }
  const TemplateBody = template({ ...JSON.parse(before).Resources, B: group(taken, 1, "A") });
  await cloudformation.send(new UpdateStackCommand({ StackName, TemplateBody, DisableRollback: true }));
  const until = Date.now() + 30_000;
  const status = async () =>
    (await cloudformation.send(new DescribeStacksCommand({ StackName }))).Stacks[0].StackStatus;
  while ((await status()).endsWith("_IN_PROGRESS") && Date.now() < until);
  assert.equal(await status(), "UPDATE_FAILED");
  await cloudformation.send(new RollbackStackCommand({ StackName }));
  while ((await status()).endsWith("_IN_PROGRESS") && Date.now() < until);
  assert.equal(await status(), "UPDATE_ROLLBACK_COMPLETE");
  await cloudformation.send(new DeleteStackCommand({ StackName }));
  await logs.send(new DeleteLogGroupCommand({ logGroupName: taken }));
});
