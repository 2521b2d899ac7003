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

function takeOver(folder, variables) {
  for (const name of Object.keys(process.env)) {
    delete process.env[name];
  }
  for (const text of variables) {
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
