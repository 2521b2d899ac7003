// context - the handler's second argument, and the ways to answer that node18 to node22 have.
'use strict';

function parseHeader(text, name) {
  if (!text) {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch (e) {
    throw new Error(`Cannot parse ${name} as json: ${e}`);
  }
}

// Fields of W3C's trace context, which travel in a client context.
function takeTraceContext(clientContext) {
  const from = clientContext?.w3c;
  const fields = {};
  if (clientContext && typeof clientContext === 'object') {
    delete clientContext.w3c;
  }
  for (const name of ['traceparent', 'tracestate', 'baggage']) {
    if (typeof from?.[name] === 'string') {
      fields[name] = from[name];
    }
  }
  return Object.freeze(fields);
}

// Objects of one event are written so that those of the next one have the same hidden class (no
// spread, no accessors of their own): V8 keeps a class, and what it holds, until it collects all.

// `tracing`: node24 has more fields.
function makeContext(headers, tracing) {
  const { env } = process;
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const clientContext = parseHeader(headers['lambda-runtime-client-context'], 'ClientContext');
  const context = {
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext,
    identity: parseHeader(headers['lambda-runtime-cognito-identity'], 'CognitoIdentity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  if (tracing) {
    const fields = takeTraceContext(clientContext);
    context.xRayTraceId = headers['lambda-runtime-trace-id'];
    context.w3c = () => fields;
  }
  return context;
}

const WAITS = Symbol('waits');
const waitsForEmpty = {
  get() {
    return this[WAITS].forEmpty;
  },
  set(value) {
    this[WAITS].forEmpty = value;
  },
  enumerable: true,
  configurable: true,
};

// callbackWaitsForEmptyEventLoop of a context is `waits.forEmpty`.
function defineWaits(context, waits) {
  Object.defineProperty(context, WAITS, { value: waits });
  return Object.defineProperty(context, 'callbackWaitsForEmptyEventLoop', waitsForEmpty);
}

// callback(), and context.done() and its like; the first one called is the one that counts.
// `way` has succeed(result) and fail(error), which answer and go on, and whenEmpty(listener).
function withCallbacks(way) {
  const waits = { forEmpty: true };
  let called = false;
  let answered = false;

  const complete = (result) => {
    if (answered) {
      console.error(
        'Invocation has already been reported as done. Cannot call complete more than once per' +
          ' invocation.'
      );
      return;
    }
    answered = true;
    way.succeed(result);
  };
  const settle = (error, result, answer) => {
    way.whenEmpty(() => {});
    if (error !== undefined && error !== null) {
      way.fail(error);
    } else {
      answer(result);
    }
  };
  // An answer that throws leaves the way open for the error.
  const once =
    (answer) =>
    (...args) => {
      if (!called) {
        answer(...args);
        called = true;
      }
    };

  const done = (error, result) => settle(error, result, complete);
  const callback = (error, result) =>
    settle(error, result, (value) => {
      if (!waits.forEmpty) {
        complete(value);
        return;
      }
      way.whenEmpty(() => {
        way.whenEmpty(() => {});
        setImmediate(() => complete(value));
      });
    });

  const context = defineWaits({}, waits);
  context.succeed = once((result) => done(null, result));
  context.fail = once((error) => done(error ?? 'handled', null));
  context.done = once(done);
  return {
    context,
    callback: once(callback),
    close: () => {
      answered = true;
      way.whenEmpty(() => {});
    },
  };
}

module.exports = { defineWaits, makeContext, withCallbacks };
