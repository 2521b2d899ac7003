// errors - what becomes of a failure: the object that the caller gets, the one in the log, and
// X-Ray's view of it.
'use strict';

const { types } = require('node:util');

// X-Ray's cause travels in a header; the platform takes no more than this.
const MAX_CAUSE = 64 * 1024;

class ImportModuleError extends Error {}
class HandlerNotFound extends Error {}
class MalformedHandlerName extends Error {}
class UserCodeSyntaxError extends Error {}
class MalformedStreamingHandler extends Error {}
class InvalidStreamingOperation extends Error {}
class CallbackHandlerDeprecated extends Error {}
class NodeJsExit extends Error {
  constructor() {
    super(
      'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly' +
        ' caused by a Promise that was never settled. For more information, see' +
        ' https://nodejs.org/docs/latest/api/process.html#exit-codes'
    );
  }
}
class UnhandledPromiseRejection extends Error {
  constructor(reason, promise) {
    super(reason);
    this.reason = reason;
    this.promise = promise;
  }
}

const kinds = {
  ImportModuleError,
  HandlerNotFound,
  MalformedHandlerName,
  UserCodeSyntaxError,
  MalformedStreamingHandler,
  InvalidStreamingOperation,
  CallbackHandlerDeprecated,
  NodeJsExit,
  UnhandledPromiseRejection,
};
for (const [name, kind] of Object.entries(kinds)) {
  kind.prototype.name = `Runtime.${name}`;
}

// Errors of another realm (a vm's, say) are no instances of ours.
function isError(value) {
  return (
    types.isNativeError(value) ||
    (value &&
      ['name', 'message', 'stack'].every((k) => value[k] && typeof value[k] === 'string'))
  );
}

// DEL is the one character that a header must not hold and JSON does not escape.
function visible(text) {
  return text === undefined ? undefined : text.replace(/\x7f/g, '%7F');
}

// The payload.
function toPayload(error) {
  try {
    if (isError(error)) {
      return {
        errorType: visible(error.name),
        errorMessage: visible(error.message),
        trace: visible(error.stack).split('\n'),
      };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or' +
        ' more of its message, name, and stack',
    };
  }
}

function intoError(value) {
  return value instanceof Error ? value : new Error(value);
}

// The text behind "Invoke Error" and the like in a log.
function toLogText(error) {
  const expand = (key, value) => {
    if (!(value instanceof Error)) {
      return value;
    }
    const { name, message, code, stack } = value;
    const all = { errorType: name, errorMessage: message, code, ...value };
    if (typeof stack === 'string') {
      all.stack = stack.split('\n');
    }
    return all;
  };
  try {
    return '\t' + JSON.stringify(error, expand);
  } catch {
    return '\t' + JSON.stringify(toPayload(error));
  }
}

// "    at Object.f (file:///x/y.mjs:3:9)" -> label, path, line
function frame(text) {
  const plain = text.trim().replace(/[()]/g, '').replace(/^\S* /, '');
  const cut = plain.lastIndexOf(' ');
  const [path, line] = plain.slice(cut + 1).split(':');
  return { path, line: parseInt(line, 10), label: cut > 0 ? plain.slice(0, cut) : 'anonymous' };
}

function toCause(error) {
  try {
    const stack = error.stack ? visible(error.stack).split('\n').slice(1).map(frame) : [];
    const cause = JSON.stringify({
      working_directory: process.cwd(),
      exceptions: [{ type: visible(error.name), message: visible(error.message), stack }],
      paths: [...new Set(stack.map((f) => f.path))],
    });
    // Header values are ASCII.
    const ascii = cause.replace(
      /[^\x20-\x7e]/g,
      (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')
    );
    return ascii.length <= MAX_CAUSE ? ascii : '';
  } catch {
    return '';
  }
}

module.exports = { ...kinds, toPayload, toLogText, toCause, intoError };
