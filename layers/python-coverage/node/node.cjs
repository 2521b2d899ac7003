// node - counts what a Node.js function runs: NODE_OPTIONS=--require /opt/lamina/coverage/node.cjs
//
// V8 counts. After each invocation, before the runtime asks for the next one, what has run since
// the last look is joined with what is known, in this process; what is new is written for the
// shipper (../shipper/blobs.h), one line a source file: path, tab, functions as docs/coverage-format.md
// has them. Nothing new, nothing written. A killed process loses what it ran since the last look.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { fileURLToPath } = require('node:url');
const { threadId, isMainThread } = require('node:worker_threads');

const LEVELS = { DEBUG: 10, INFO: 20, WARNING: 30, WARN: 30, ERROR: 40, CRITICAL: 50 };
const env = process.env;
const level = env.COVERAGE_DEBUG === 'true' ? 10 : LEVELS[(env.COVERAGE_LOG_LEVEL || 'INFO').toUpperCase()] || 20;

function log(name, operation, message) {
  if (LEVELS[name] < level) {
    return;
  }
  const line = { level: name, logger: 'lamina-coverage', operation, message };
  try {
    fs.writeSync(2, `${JSON.stringify(line)}\n`);
  } catch {
    // nobody listens
  }
}

// ---- what the variables say ----

function flag(name, preset) {
  const value = (env[name] || '').toLowerCase();
  if (['true', '1', 'yes', 'on'].includes(value)) {
    return true;
  }
  if (['false', '0', 'no', 'off'].includes(value)) {
    return false;
  }
  if (value) {
    log('WARNING', 'configure', `${name} is "${value}", which is not valid: using ${preset}`);
  }
  return preset;
}

function sampled() {
  const text = env.COVERAGE_SAMPLE_RATE;
  const rate = text ? Number(text) : 1;
  if (!(rate >= 0 && rate <= 1)) {
    log('WARNING', 'configure', `COVERAGE_SAMPLE_RATE is "${text}", which is not valid: using 1.0`);
    return true;
  }
  return Math.random() < rate;
}

function byFunction() {
  const mode = env.COVERAGE_NODE_MODE || 'block';
  if (mode !== 'block' && mode !== 'function') {
    log('WARNING', 'configure', `COVERAGE_NODE_MODE is "${mode}", which is not valid: using block`);
  }
  return mode === 'function' || !flag('COVERAGE_BRANCH_COVERAGE', true);
}

// coverage.py's globs, as those of the tracer for Python (../tracer/pattern.c).
function toPattern(glob) {
  if (/\*\*\*|[^/]\*\*|\*\*[^/]|^\*\*$/.test(glob) || /\[[^\]]*$|^[^[]*\]/.test(glob)) {
    return null;
  }
  let text = glob.includes('/') ? '' : '(?:.*/)?';
  for (let i = 0; i < glob.length; i++) {
    const rest = glob.slice(i);
    const set = /^\[([!^]?)([^\]]*)\]/.exec(rest);
    if (/^\/\*{1,2}$/.test(rest)) {
      text += '/.*';
      break;
    } else if (rest.startsWith('**/') || (i === 0 && rest.startsWith('*/'))) {
      text += '(?:.*/)?';
      i += rest.indexOf('/');
    } else if (set) {
      text += `[${set[1] ? '^' : ''}${set[2].replace(/[\\^]/g, '\\$&')}]`;
      i += set[0].length - 1;
    } else {
      text += { '*': '[^/]*', '?': '[^/]' }[glob[i]] || glob[i].replace(/[\\^$.|+(){}]/g, '\\$&');
    }
  }
  return new RegExp(`^${text}$`, 's');
}

function patterns(name) {
  const globs = (env[name] || '').split(',').map((s) => s.trim());
  const all = [];
  for (const glob of globs.filter(Boolean)) {
    let pattern = null;
    try {
      pattern = toPattern(glob);
    } catch {
      // told below
    }
    if (pattern) {
      all.push(pattern);
    } else {
      log('WARNING', 'configure', `${name} has "${glob}", which is not a pattern: it is left out`);
    }
  }
  return all;
}

// ---- what is known ----

// Ranges as [from, to, from, to ...], ascending, that touch nowhere.
function join(a, b) {
  const out = [];
  for (let i = 0, k = 0; i < a.length || k < b.length; ) {
    const first = k >= b.length || (i < a.length && a[i] <= b[k]);
    const from = first ? a[i++] : b[k++];
    const to = first ? a[i++] : b[k++];
    if (out.length && from <= out[out.length - 1]) {
      out[out.length - 1] = Math.max(out[out.length - 1], to);
    } else {
      out.push(from, to);
    }
  }
  return out;
}

// Where the innermost range has run. V8's ranges are nested and sorted, the outermost first.
function executed(ranges) {
  const out = [];
  const open = [];
  let at = ranges[0].startOffset;
  const reach = (to) => {
    if (to > at && open.length && open[open.length - 1].count > 0) {
      if (out[out.length - 1] === at) {
        out[out.length - 1] = to;
      } else {
        out.push(at, to);
      }
    }
    at = Math.max(at, to);
  };
  for (const range of ranges) {
    while (open.length && open[open.length - 1].endOffset <= range.startOffset) {
      reach(open[open.length - 1].endOffset);
      open.pop();
    }
    reach(range.startOffset);
    open.push(range);
  }
  while (open.length) {
    reach(open[open.length - 1].endOffset);
    open.pop();
  }
  return out;
}

const SIGNATURES_MAX = 64;

class FunctionHits {
  constructor(name, { startOffset, endOffset }) {
    this.name = name;
    this.start = startOffset;
    this.end = endOffset;
    this.run = [];
    this.blocks = new Map(); // "from,to" -> [from, to]
    this.seen = new Set(); // what V8 has said before
  }

  // Is anything of it new?
  add(ranges) {
    const signature = ranges.map((r) => `${r.startOffset},${r.endOffset}${r.count > 0 ? '+' : ''}`).join();
    if (this.seen.has(signature)) {
      return false;
    }
    if (this.seen.size < SIGNATURES_MAX) {
      this.seen.add(signature);
    }
    const run = join(this.run, executed(ranges));
    let news = run.length !== this.run.length || run.some((v, i) => v !== this.run[i]);
    this.run = run;
    for (const { startOffset, endOffset } of ranges.slice(1)) {
      const key = `${startOffset},${endOffset}`;
      if (!this.blocks.has(key)) {
        this.blocks.set(key, [startOffset, endOffset]);
        news = true;
      }
    }
    return news;
  }

  describe() {
    const blocks = [...this.blocks.values()].sort((a, b) => a[0] - b[0] || b[1] - a[1]);
    return [this.name, this.start, this.end, this.run, blocks.flat()];
  }
}

class SourceHits {
  constructor(file) {
    this.file = file;
    this.functions = new Map();
    this.line = null; // as it was written last
  }

  add(functions) {
    for (const { functionName, ranges } of functions) {
      const key = `${ranges[0].startOffset},${ranges[0].endOffset}`;
      let known = this.functions.get(key);
      if (!known) {
        known = new FunctionHits(functionName, ranges[0]);
        this.functions.set(key, known);
        this.line = null;
      }
      if (known.add(ranges)) {
        this.line = null;
      }
    }
  }

  toLine() {
    this.line ||= `${this.file}\t${JSON.stringify([...this.functions.values()].map((f) => f.describe()))}\n`;
    return this.line;
  }
}

// ---- which files ----

class Selection {
  constructor() {
    this.include = patterns('COVERAGE_INCLUDE_PATTERNS');
    this.exclude = patterns('COVERAGE_EXCLUDE_PATTERNS');
    const root = path.resolve(env.LAMBDA_TASK_ROOT || '/var/task');
    this.roots = [root];
    try {
      this.roots.push(fs.realpathSync(root));
    } catch {
      // it is not there
    }
  }

  has(file) {
    const own = this.roots.some((root) => file.startsWith(`${root}/`)) && !file.includes('/node_modules/');
    const wanted = this.include.length ? this.include.some((p) => p.test(file)) : own;
    return wanted && !this.exclude.some((p) => p.test(file)) && !/[\t\n]/.test(file);
  }
}

function toFile(url) {
  try {
    if (url.startsWith('file://')) {
      return fileURLToPath(url);
    }
  } catch {
    return null;
  }
  return url.startsWith('/') ? url : null;
}

// ---- looking ----

class Collector {
  constructor(session) {
    this.session = session;
    this.directory = env.LAMINA_COVERAGE_DIR || '/tmp/.lamina-coverage';
    const name = `node-${process.pid}-${process.hrtime.bigint().toString(16)}-${threadId}`;
    this.part = path.join(this.directory, `.${name}`);
    this.name = path.join(this.directory, `${name}.v8`);
    this.selection = new Selection();
    this.sources = new Map(); // by url; null: not counted
    this.fifo = undefined; // of the runtime's process only
    this.asked = false; // for an event
    this.failed = false;
  }

  source(url) {
    let source = this.sources.get(url);
    if (source === undefined) {
      const file = toFile(url);
      source = file && this.selection.has(file) ? new SourceHits(file) : null;
      this.sources.set(url, source);
    }
    return source;
  }

  // Joins what has run since the last look, and writes it if there is anything new.
  take() {
    let scripts = [];
    this.session.post('Profiler.takePreciseCoverage', (error, answer) => {
      scripts = error ? [] : answer.result;
    });
    let news = false;
    for (const { url, functions } of scripts) {
      const source = this.source(url);
      if (source) {
        source.add(functions);
        news ||= source.line === null;
      }
    }
    if (news) {
      this.write();
    }
  }

  write() {
    const text = [...this.sources.values()].map((s) => (s ? s.toLine() : '')).join('');
    try {
      fs.mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      fs.writeFileSync(this.part, text, { mode: 0o600 });
      fs.renameSync(this.part, this.name);
    } catch (e) {
      if (!this.failed) {
        log('WARNING', 'write', `hits cannot be written, and are tried again with the next ones: ${e.message}`);
      }
      this.failed = true;
      for (const source of this.sources.values()) {
        if (source) {
          source.line = null;
        }
      }
    }
  }

  // Says to the shipper that this process will tell it where invocations end.
  promise() {
    try {
      const { O_RDWR, O_NONBLOCK } = fs.constants;
      this.fifo = fs.openSync(path.join(this.directory, 'done'), O_RDWR | O_NONBLOCK);
      fs.writeFileSync(path.join(this.directory, 'tells-done'), String(process.pid), { mode: 0o600 });
    } catch (e) {
      log('DEBUG', 'start', `nobody is there to be told: ${e.message}`);
    }
  }

  tell() {
    try {
      if (this.fifo !== undefined) {
        fs.writeSync(this.fifo, '.');
      }
    } catch {
      // the pipe is full
    }
  }

  // The runtime is about to ask for the next event; an environment may be frozen now. The first
  // time no invocation has ended.
  beforeNext() {
    clearTimeout(this.timer);
    try {
      this.take();
    } finally {
      if (this.asked) {
        this.tell();
      }
      this.asked = true;
    }
  }

  // There is one.
  afterNext() {
    this.lookAhead(1000);
  }

  // While an invocation goes on: what it has run by then is not lost when it never returns.
  lookAhead(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.take();
      this.lookAhead(ms * 2);
    }, ms);
    this.timer.unref();
  }
}

// ---- the start ----

// AWS's runtime asks by a native module.
function watchNative({ before, after }) {
  const { dlopen } = process;
  process.dlopen = function (module, ...args) {
    const result = Reflect.apply(dlopen, this, [module, ...args]);
    const { next } = module.exports || {};
    if (typeof next === 'function' && String(args[0]).endsWith('rapid-client.node')) {
      module.exports.next = function (...a) {
        before();
        const answer = Reflect.apply(next, this, a);
        if (typeof answer?.then === 'function') {
          answer.then(after, () => {});
        }
        return answer;
      };
      process.dlopen = dlopen;
    }
    return result;
  };
}

function start() {
  const { Session } = require('node:inspector');
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  const mode = byFunction() ? { callCount: false, detailed: false } : { callCount: true, detailed: true };
  session.post('Profiler.startPreciseCoverage', mode);
  const collector = new Collector(session);
  const quietly = (method) => () => {
    try {
      collector[method]();
    } catch (e) {
      log('DEBUG', 'take', `coverage could not be taken: ${e.message}`);
    }
  };
  process.on('exit', quietly('beforeNext'));
  // What the function starts inherits its environment: it is no runtime.
  if (isMainThread && !env.LAMINA_COVERAGE_CHILD) {
    env.LAMINA_COVERAGE_CHILD = '1';
    collector.promise();
    const hooks = { before: quietly('beforeNext'), after: quietly('afterNext') };
    globalThis[Symbol.for('lamina.next')] = hooks;
    watchNative(hooks);
  }
  // Other processes and threads have no event to end: they look now and then.
  collector.lookAhead(1000);
}

if (env.COVERAGE_S3_BUCKET && flag('COVERAGE_ENABLED', true) && sampled()) {
  try {
    start();
  } catch (e) {
    log('ERROR', 'start', `coverage is off: ${e.message}`);
  }
}
