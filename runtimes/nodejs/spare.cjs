// spare - a process that was started before its function was known: see runtimes/README.md.
'use strict';

const fs = require('node:fs');
const Module = require('node:module');

// All of `size` bytes, or null at the end of the file.
function readAll(fd, size) {
  const data = Buffer.alloc(size);
  for (let filled = 0; filled < size; ) {
    let n;
    try {
      n = fs.readSync(fd, data, filled, size - filled, null);
    } catch (e) {
      if (e.code === 'EINTR') {
        continue;
      }
      throw e;
    }
    if (n === 0) {
      return null;
    }
    filled += n;
  }
  return data;
}

// Those that begin the list are there already, in this order, unless somebody has changed the kind's.
// They are left alone: to set TZ, even to what it is, has V8 look for the time zone again (0.5 ms).
function takeOver(folder, variables) {
  const names = Object.keys(process.env);
  let same = 0;
  while (same < names.length && variables[same] === `${names[same]}=${process.env[names[same]]}`) {
    same++;
  }
  for (const name of names.slice(same)) {
    delete process.env[name];
  }
  for (const text of variables.slice(same)) {
    const at = text.indexOf('=');
    process.env[text.slice(0, at)] = text.slice(at + 1);
  }
  process.chdir(folder);
  Module._initPaths(); // NODE_PATH
}

// When this process is a spare: blocks until it is told what it is for.
function awaitFunction(fd) {
  delete process.env._LAMINA_SPARE_FD;
  try {
    if (!fs.fstatSync(fd).isSocket()) {
      return;
    }
  } catch {
    return;
  }
  const size = readAll(fd, 4);
  const message = size && readAll(fd, size.readUInt32LE(0));
  if (!message) {
    process.exit(0);
  }
  fs.closeSync(fd);
  const [folder, ...variables] = message.toString().split('\0').slice(0, -1);
  takeOver(folder, variables);
}

module.exports = { awaitFunction };
