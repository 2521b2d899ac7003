// console - console.log() and its like, as lines with time, request and level, or as JSON; and the
// descriptor on which records keep their borders, when the platform gives one.
'use strict';

const fs = require('node:fs');
const { format } = require('node:util');
const { intoError, toLogText } = require('./errors.cjs');

const REQUEST_ID = Symbol.for('aws.lambda.runtime.requestId');
const TENANT_ID = Symbol.for('aws.lambda.runtime.tenantId');

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const FRAME_TEXT = 0xa55a0003;
const FRAME_JSON = 0xa55a0002;

// A pipe that is full makes us wait, as a blocking write would.
function writeAll(fd, data) {
  while (data.length) {
    try {
      data = data.subarray(fs.writeSync(fd, data));
    } catch (e) {
      if (e.code === 'EPIPE') {
        return;
      }
      if (e.code !== 'EAGAIN') {
        throw e;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function errorFields(error) {
  const { stack } = error;
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof stack === 'string' ? stack.split('\n') : stack,
  };
}

function expandErrors(key, value) {
  return value instanceof Error ? Object.assign(errorFields(value), value) : value;
}

function jsonRecord(time, level, params) {
  const record = { timestamp: time.toISOString(), level, requestId: globalThis[REQUEST_ID] };
  const tenant = globalThis[TENANT_ID];
  if (tenant !== undefined && tenant !== null) {
    record.tenantId = tenant;
  }
  if (params.length === 1) {
    [record.message] = params;
    try {
      return JSON.stringify(record, expandErrors);
    } catch {
      record.message = format(record.message);
      return JSON.stringify(record);
    }
  }
  record.message = format(...params);
  const error = params.find((p) => p instanceof Error);
  return JSON.stringify(error ? Object.assign(record, errorFields(error)) : record);
}

function textRecord(time, level, params) {
  return `${time.toISOString()}\t${globalThis[REQUEST_ID]}\t${level}\t${format(...params)}`;
}

// Each record is one line; \r keeps its own lines together.
function toStdout(make) {
  return (level, params) => {
    const record = make(new Date(), LEVELS[level], params);
    writeAll(1, Buffer.from(record.replace(/\n/g, '\r') + '\n'));
  };
}

function toDescriptor(fd, make, type, ending) {
  return (level, params) => {
    const time = new Date();
    const record = make(time, LEVELS[level], params) + ending;
    const frame = Buffer.allocUnsafe(16 + Buffer.byteLength(record));
    frame.writeUInt32BE((type | ((level + 1) << 2)) >>> 0, 0);
    frame.writeUInt32BE(frame.length - 16, 4);
    frame.writeBigUInt64BE(BigInt(time.valueOf()) * 1000n, 8);
    frame.write(record, 16);
    writeAll(fd, frame);
  };
}

// Takes the console over; returns log(what, error) for the runtime's own records of failures.
function patchConsole() {
  const inJson = (process.env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
  const make = inJson ? jsonRecord : textRecord;
  let write = toStdout(make);
  if (process.env._LAMBDA_TELEMETRY_LOG_FD !== undefined) {
    const fd = parseInt(process.env._LAMBDA_TELEMETRY_LOG_FD, 10);
    delete process.env._LAMBDA_TELEMETRY_LOG_FD;
    write = toDescriptor(fd, make, inJson ? FRAME_JSON : FRAME_TEXT, inJson ? '' : '\n');
  }

  const least = LEVELS.indexOf((process.env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase());
  LEVELS.forEach((name, level) => {
    // The first parameter counts as one, also when it is missing.
    const log = (message, ...params) => write(level, [message, ...params]);
    const heard = level >= least || name === 'FATAL';
    console[name.toLowerCase()] = heard ? log : () => {};
  });
  console.log = console.info;

  return inJson
    ? (what, error) => console.error(intoError(error))
    : (what, error) => console.error(what, toLogText(intoError(error)));
}

function setRequest(id, tenant) {
  globalThis[REQUEST_ID] = id;
  globalThis[TENANT_ID] = tenant;
}

module.exports = { patchConsole, setRequest };
