// stream - answers that leave while they are made: awslambda.streamifyResponse() and the stream
// that such a handler writes to. Chunks go to the connection of the Runtime API as they come; a
// failure on the way is told in trailers.
'use strict';

const { Writable } = require('node:stream');
const { headerText } = require('./client.cjs');
const { InvalidStreamingOperation, MalformedStreamingHandler, toPayload } = require('./errors.cjs');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';

class ResponseStream extends Writable {
  #client;
  #id;
  #contentType = 'application/octet-stream';
  #begun = false; // write() has been called: it is too late for another content type
  #started = false; // the head has been sent
  #closed = false; // the end has been sent
  #trailers = '';
  #settle;

  constructor(client, id, highWaterMark) {
    super(highWaterMark ? { highWaterMark } : {});
    this.#client = client;
    this.#id = id;
    // When the platform has taken all of it.
    const done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    done.catch(() => {}); // whoever waits for it hears of it
    Object.defineProperty(this, 'done', { value: done });
  }

  setContentType(type) {
    if (this.#begun) {
      throw new InvalidStreamingOperation('Cannot set content-type, too late.');
    }
    this.#contentType = type;
  }

  write(chunk, encoding, callback) {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
      chunk = JSON.stringify(chunk);
    }
    // On AWS, too, it is write() that brings a prelude, never end().
    if (!this.#begun) {
      this.#begun = true;
      if (typeof this._onBeforeFirstWrite === 'function') {
        this._onBeforeFirstWrite((first) => super.write(first));
      }
    }
    return super.write(chunk, encoding, callback);
  }

  // Instead of an end: the error of a handler that failed.
  fail(error, callback) {
    if (this.writableEnded || this.destroyed) {
      callback(); // too late to tell anybody
      return;
    }
    const payload = toPayload(error);
    const body = Buffer.from(JSON.stringify(payload)).toString('base64');
    this.#trailers =
      `Lambda-Runtime-Function-Error-Type: ${headerText(payload.errorType)}\r\n` +
      `Lambda-Runtime-Function-Error-Body: ${body}\r\n`;
    this.done.then(callback, callback);
    super.end();
  }

  #start() {
    if (!this.#started) {
      this.#started = true;
      this.#client.startStream(this.#id, this.#contentType);
    }
  }

  _write(chunk, encoding, callback) {
    this._writev([{ chunk }], callback);
  }

  _writev(parts, callback) {
    const size = parts.reduce((n, p) => n + p.chunk.length, 0);
    this.#start();
    if (!size) {
      callback(); // a chunk without bytes would be the last one
      return;
    }
    this.#client.send(`${size.toString(16)}\r\n`, 'latin1');
    for (const { chunk } of parts) {
      this.#client.send(chunk);
    }
    this.#client.send('\r\n', 'latin1', callback);
  }

  _final(callback) {
    this.#start();
    this.#closed = true;
    this.#client.send(`0\r\n${this.#trailers}\r\n`, 'latin1', callback);
    this.#client.expect(() => this.#settle.resolve());
  }

  // Half of an answer can only be taken back with its connection.
  _destroy(error, callback) {
    if (!this.#closed) {
      this.#closed = true;
      this.#client.abandon();
      this.#settle.reject(error || new Error('socket hang up'));
    }
    callback(error);
  }
}

class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType(PRELUDE_TYPE);
    const text = JSON.stringify(prelude);
    stream._onBeforeFirstWrite = (write) => {
      write(text);
      write(new Uint8Array(8));
    };
    return stream;
  }
}

function streamifyResponse(handler, options) {
  handler[STREAMING] = 'response';
  if (typeof options?.highWaterMark === 'number') {
    handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
  }
  return handler;
}

function isStreaming(handler) {
  const mode = handler[STREAMING];
  if (mode === undefined || mode === null || mode === false) {
    return false;
  }
  if (mode !== 'response') {
    throw new MalformedStreamingHandler('Only response streaming is supported.');
  }
  return true;
}

function openStream(client, id, handler) {
  return new ResponseStream(client, id, parseInt(handler[HIGH_WATER_MARK], 10) || undefined);
}

module.exports = { HttpResponseStream, streamifyResponse, isStreaming, openStream };
