// index - started for every node function, as /var/runtime/index.mjs is on AWS.
//
// In this order: load what any function needs; wait, when this process was started ahead, for the
// function; find its handler; then one event after the other.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const errors = require('./errors.cjs');
const { Client } = require('./client.cjs');
const { patchConsole, setRequest } = require('./console.cjs');
const { defineWaits, makeContext, withCallbacks } = require('./context.cjs');
const { loadHandler } = require('./loader.cjs');
const streams = require('./stream.cjs');

// What happens when a function's event loop has run empty. Others, too, look at it there.
const BEFORE_EXIT = Symbol.for('aws.lambda.beforeExit');
const whenEmpty = (listener) => {
  globalThis[BEFORE_EXIT] = listener;
};

// Who was loaded first (--require) and wants to know where an invocation ends: coverage.
const watcher = globalThis[Symbol.for('lamina.next')];

const AsyncFunction = (async () => {}).constructor;

function toText(result) {
  let text;
  try {
    text = JSON.stringify(result === undefined ? null : result);
  } catch {
    throw new Error('Unable to stringify response body');
  }
  if (text === undefined) {
    throw new TypeError('Wrong arguments'); // of a function or a symbol, in AWS's words
  }
  return text;
}

// The name is seen in stack traces: "at Runtime.handler".
class Runtime {
  constructor(client, logError) {
    this.client = client;
    this.logError = logError;
    this.id = null; // of the event at work
    this.stream = null; // of its answer
  }

  async start(folder, name, major) {
    this.handler = await loadHandler(folder, name, major);
    this.isAsync = this.handler instanceof AsyncFunction;
    if (streams.isStreaming(this.handler)) {
      this.handleOnce = this.handleOnceStreaming;
    } else if (major >= 24) {
      if (this.handler.length >= 3) {
        throw new errors.CallbackHandlerDeprecated(
          'ERROR: AWS Lambda has removed support for callback-based function handlers starting' +
            ' with Node.js 24. You need to modify this function to use a supported handler' +
            ' signature to use Node.js 24 or later. For more information see' +
            ' https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.'
        );
      }
      this.handleOnce = this.handleOncePlain;
    } else {
      this.handleOnce = this.handleOnceNonStreaming;
    }
    this.major = major;
    this.scheduleIteration();
  }

  scheduleIteration() {
    setImmediate(() => {
      this.handleOnce().catch((error) => {
        console.log(`Unexpected Top Level Error: ${error}`);
        this.die(error, 129);
      });
    });
  }

  async nextEvent() {
    this.id = null;
    watcher?.before();
    const { status, headers, body } = await this.client.next();
    watcher?.after();
    if (status !== 200) {
      throw new Error(`the Runtime API has answered ${status} ${body}`);
    }
    this.id = headers['lambda-runtime-aws-request-id'];
    setRequest(this.id, headers['lambda-runtime-aws-tenant-id']);
    const trace = headers['lambda-runtime-trace-id'];
    if (trace) {
      process.env._X_AMZN_TRACE_ID = trace;
    } else {
      delete process.env._X_AMZN_TRACE_ID;
    }
    return { headers, body };
  }

  postResult(result) {
    this.client.postResponse(this.id, toText(result));
  }

  postError(error, done) {
    const body = JSON.stringify(errors.toPayload(error));
    this.client.postError(this.id, body, errors.toCause(error), done);
  }

  // The event at work, or the start, has failed for good.
  die(error, status) {
    const exit = () => process.exit(status);
    if (this.stream) {
      this.stream.fail(error, exit);
    } else if (this.id) {
      this.postError(error, exit);
    } else {
      const payload = errors.toPayload(error);
      this.client.postInitError(JSON.stringify(payload), payload.errorType, exit);
    }
  }

  fail(error) {
    this.logError('Invoke Error', error);
    this.postError(error, () => this.scheduleIteration());
  }

  // node18 to node22: the handler returns a promise, or calls back, or just ends.
  async handleOnceNonStreaming() {
    const { headers, body } = await this.nextEvent();
    const answers = withCallbacks({
      whenEmpty,
      succeed: (result) => {
        this.postResult(result);
        this.scheduleIteration();
      },
      fail: (error) => this.fail(error),
    });
    whenEmpty(() => {
      answers.close();
      if (this.isAsync) {
        this.fail(new errors.NodeJsExit());
      } else {
        this.postResult(null);
        this.scheduleIteration();
      }
    });
    try {
      const event = JSON.parse(body);
      const context = Object.assign(answers.context, makeContext(headers));
      const result = this.handler(event, context, answers.callback);
      if (result && typeof result.then === 'function') {
        result.then(context.succeed, context.fail).catch(context.fail);
      }
    } catch (error) {
      answers.callback(error);
    }
  }

  // Since node24: what the handler returns, once it is there.
  async handleOncePlain() {
    const { headers, body } = await this.nextEvent();
    whenEmpty(() => {
      whenEmpty(() => {});
      this.fail(new errors.NodeJsExit());
    });
    try {
      const result = await this.handler(JSON.parse(body), makeContext(headers, true));
      const text = toText(result);
      await new Promise(setImmediate);
      this.client.postResponse(this.id, text);
      whenEmpty(() => {});
      this.scheduleIteration();
    } catch (error) {
      await new Promise(setImmediate);
      whenEmpty(() => {});
      this.fail(error);
    }
  }

  async handleOnceStreaming() {
    const { headers, body } = await this.nextEvent();
    const stream = streams.openStream(this.client, this.id, this.handler);
    this.stream = stream;
    const waits = { forEmpty: this.major < 24 };
    const next = () => {
      this.stream = null;
      whenEmpty(() => {});
      if (waits.forEmpty) {
        whenEmpty(() => {
          whenEmpty(() => {});
          this.scheduleIteration();
        });
      } else {
        this.scheduleIteration();
      }
    };
    const fail = (error) => {
      this.logError('Invoke Error', error);
      stream.fail(error, next);
    };
    whenEmpty(() => {
      whenEmpty(() => {});
      fail(new errors.NodeJsExit());
    });
    try {
      const context = Object.assign(
        this.major < 24 ? defineWaits({}, waits) : {},
        makeContext(headers, this.major >= 24)
      );
      const promise = this.handler(JSON.parse(body), stream, context);
      if (!promise || typeof promise.then !== 'function') {
        fail('Streaming does not support non-async handlers.');
        return;
      }
      if ((await promise) !== undefined) {
        console.warn('Streaming handlers ignore return values.');
      }
      await stream.done;
      next();
    } catch (error) {
      fail(error);
    }
  }
}

// The runtime's name says how it behaves; whoever runs another node under it wants that.
function majorVersion() {
  const name = /nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV);
  return parseInt(name ? name[1] : process.versions.node, 10);
}

function rehearse(address, folder) {
  const runtime = new Runtime(new Client(address), () => {});
  runtime.start(folder, 'rehearsal.handler', majorVersion());
  return () => {
    runtime.client.abandon();
    setRequest(undefined, undefined);
    whenEmpty(() => {});
  };
}

const spare = process.env._LAMINA_SPARE_FD;
if (spare !== undefined) {
  await require('./rehearsal.cjs').rehearse(rehearse);
  // Garbage of ours is not collected on a function's time: once to find what stays, once to move it.
  globalThis.gc?.({ type: 'minor' });
  globalThis.gc?.({ type: 'minor' });
  await new Promise(setImmediate);
  require('./spare.cjs').awaitFunction(Number(spare));
}

const logError = patchConsole();
const runtime = new Runtime(new Client(process.env.AWS_LAMBDA_RUNTIME_API), logError);

process.on('uncaughtException', (error) => {
  logError('Uncaught Exception', error);
  runtime.die(error, 129);
});
process.on('unhandledRejection', (reason, promise) => {
  const error = new errors.UnhandledPromiseRejection(reason, promise);
  logError('Unhandled Promise Rejection', error);
  runtime.die(error, 128);
});
whenEmpty(() => {});
process.on('beforeExit', () => globalThis[BEFORE_EXIT]());

const flag = process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA;
if (flag !== '1' && flag !== 'true') {
  globalThis.awslambda = {
    streamifyResponse: streams.streamifyResponse,
    HttpResponseStream: streams.HttpResponseStream,
  };
}

try {
  const folder = process.env.LAMBDA_TASK_ROOT || process.cwd();
  await runtime.start(folder, process.env._HANDLER, majorVersion());
} catch (error) {
  logError('Uncaught Exception', error);
  runtime.die(error, 129);
}
