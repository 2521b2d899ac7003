// Streams: functions written with awslambda.streamifyResponse(), read by the SDK and by fetch().
import assert from "node:assert/strict";
import { test } from "node:test";
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  CreateFunctionUrlConfigCommand,
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from "@aws-sdk/client-lambda";
import { endpoint, errorOf, options, unique, zipped } from "./cloud.mjs";

const iam = new IAMClient(options);
const lambda = new LambdaClient(options);
const soon = { maxWaitTime: 30, minDelay: 1, maxDelay: 1 };
const major = process.versions.node.split(".")[0];

async function create(source) {
  const name = unique("stream");
  const { Role } = await iam.send(
    new CreateRoleCommand({
      RoleName: name,
      AssumeRolePolicyDocument: JSON.stringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Principal: { Service: "lambda.amazonaws.com" },
            Action: "sts:AssumeRole",
          },
        ],
      }),
    }),
  );
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Role: Role.Arn,
      Runtime: `nodejs${major}.x`,
      Handler: "app.handler",
      Timeout: 20,
      MemorySize: 1769,
      Code: { ZipFile: zipped({ "app.mjs": source }) },
    }),
  );
  await waitUntilFunctionActiveV2({ client: lambda, ...soon }, { FunctionName: name });
  return name;
}

async function invoke(FunctionName, event) {
  const r = await lambda.send(
    new InvokeWithResponseStreamCommand({
      FunctionName,
      Payload: JSON.stringify(event),
      LogType: "Tail",
    }),
  );
  const text = new TextDecoder();
  const pieces = [];
  let complete;
  for await (const e of r.EventStream) {
    if (e.PayloadChunk) pieces.push(text.decode(e.PayloadChunk.Payload));
    if (e.InvokeComplete) complete = e.InvokeComplete;
  }
  return { r, pieces, complete };
}

test("a streamed answer", async () => {
  const name = await create(`
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType("text/plain");
  for (const piece of event.pieces) stream.write(piece);
  if (event.fails) throw new TypeError("in the middle");
  stream.end();
});
`);
  let { r, pieces, complete } = await invoke(name, { pieces: ["one ", "two"] });
  assert.equal(r.$metadata.httpStatusCode, 200);
  assert.equal(r.ExecutedVersion, "$LATEST");
  assert.equal(r.ResponseStreamContentType, "application/vnd.amazon.eventstream");
  assert.equal(pieces.join(""), "one two");
  assert.equal(complete.ErrorCode, undefined);
  assert.match(Buffer.from(complete.LogResult, "base64").toString(), /\nREPORT RequestId: /);

  // A piece that fills every buffer on the way, unchanged.
  const big = "abcdefgh".repeat(64 * 1024);
  ({ pieces } = await invoke(name, { pieces: [big, big] }));
  assert.ok(pieces.length > 1);
  assert.equal(pieces.join(""), big + big);

  ({ pieces, complete } = await invoke(name, { pieces: ["half"], fails: true }));
  assert.equal(pieces.join(""), "half");
  assert.equal(complete.ErrorCode, "Unhandled");
  const details = JSON.parse(complete.ErrorDetails);
  assert.deepEqual([details.errorType, details.errorMessage], ["TypeError", "in the middle"]);

  // Invoke waits for all of it.
  const whole = await lambda.send(
    new InvokeCommand({ FunctionName: name, Payload: JSON.stringify({ pieces: ["a", "b"] }) }),
  );
  assert.equal(Buffer.from(whole.Payload).toString(), "ab");
});

test("answers that are not streamed, and refusals", async () => {
  const name = await create(`
export const handler = async (event) => {
  if (event.fails) throw new Error("no");
  return event;
};
`);
  let { pieces, complete } = await invoke(name, { a: 1 });
  assert.deepEqual([JSON.parse(pieces.join("")), complete.ErrorCode], [{ a: 1 }, undefined]);
  ({ pieces, complete } = await invoke(name, { fails: true }));
  assert.deepEqual([pieces, complete.ErrorCode], [[], "Unhandled"]);
  assert.equal(JSON.parse(complete.ErrorDetails).errorMessage, "no");
  const missing = new InvokeWithResponseStreamCommand({ FunctionName: "no-such-function" });
  assert.deepEqual((await errorOf(lambda.send(missing))).slice(0, 2), [
    404,
    "ResourceNotFoundException",
  ]);
});

test("a function URL that streams", async () => {
  const FunctionName = await create(`
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const head = { statusCode: 418, headers: { "X-Path": event.rawPath }, cookies: ["a=b"] };
  stream = awslambda.HttpResponseStream.from(stream, head);
  stream.write("short and ");
  stream.write("stout");
  stream.end();
});
`);
  const { FunctionUrl } = await lambda.send(
    new CreateFunctionUrlConfigCommand({
      FunctionName,
      AuthType: "NONE",
      InvokeMode: "RESPONSE_STREAM",
      Cors: { AllowOrigins: ["*"] },
    }),
  );
  for (const Action of ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"])
    await lambda.send(
      new AddPermissionCommand({
        FunctionName,
        StatementId: Action.slice(7),
        Action,
        Principal: "*",
      }),
    );
  // Not every resolver knows *.localhost: the same by its other address.
  const id = new URL(FunctionUrl).hostname.split(".")[0];
  const r = await fetch(`${endpoint}/_lamina/url/${id}/tea?pot=1`, {
    headers: { Origin: "https://example.com" },
  });
  assert.deepEqual([r.status, await r.text()], [418, "short and stout"]);
  assert.equal(r.headers.get("x-path"), "/tea");
  assert.equal(r.headers.get("set-cookie"), "a=b");
  assert.equal(r.headers.get("access-control-allow-origin"), "*");
});
