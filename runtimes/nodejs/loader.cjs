// loader - from a handler's name to its function: which files are tried, and as what.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');
const { pathToFileURL } = require('node:url');
const { HandlerNotFound, ImportModuleError, MalformedHandlerName, UserCodeSyntaxError } =
  require('./errors.cjs');

// Modules that a function requires name this one in their "Require stack", as on AWS.
const requireUser = createRequire(path.join(__dirname, 'index.mjs'));

// "folder/file.export.member" -> ["folder/", "file", "export.member"]
function splitName(name) {
  if (name.includes('..')) {
    throw new MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories` +
        ' in handler names.'
    );
  }
  const base = path.basename(name);
  const dot = base.indexOf('.');
  if (dot < 0) {
    throw new MalformedHandlerName('Bad handler');
  }
  return [name.slice(0, name.indexOf(base)), base.slice(0, dot), base.slice(dot + 1)];
}

// What is nearest counts; a folder of packages ends the search.
function isModulePackage(folder) {
  while (!folder.endsWith('/node_modules')) {
    const file = path.join(folder, 'package.json');
    if (fs.existsSync(file)) {
      try {
        return JSON.parse(fs.readFileSync(file))?.type === 'module';
      } catch (e) {
        console.warn(
          `${file} cannot be read, it will be ignored for ES module detection purposes.`,
          e
        );
        return false;
      }
    }
    if (folder === '/') {
      return false;
    }
    folder = path.dirname(folder);
  }
  return false;
}

const load = {
  common: (file) => (fs.existsSync(file) ? requireUser(file) : undefined),
  module: (file) => (fs.existsSync(file) ? import(pathToFileURL(file).href) : undefined),
};

// Up to node22: CommonJS comes first.
async function loadModule(root, folder, name) {
  const file = path.resolve(root, folder, name);
  const asModule = fs.existsSync(file + '.js') && isModulePackage(path.dirname(file));
  return (
    load.common(file) ||
    (!asModule && load.common(file + '.js')) ||
    (asModule && (await load.module(file + '.js'))) ||
    (await load.module(file + '.mjs')) ||
    load.common(file + '.cjs') ||
    requireUser(requireUser.resolve(name, { paths: [root, folder] }))
  );
}

// Since node24 everything is imported; a CommonJS module's exports may be its default.
async function importModule(root, folder, name) {
  const file = path.resolve(root, folder, name);
  for (const extension of ['', '.js', '.mjs', '.cjs']) {
    const found = await load.module(file + extension);
    if (found) {
      return found;
    }
  }
  return requireUser(requireUser.resolve(name, { paths: [root, path.join(root, folder)] }));
}

function member(object, names) {
  return names.split('.').reduce((o, name) => o && o[name], object);
}

// The function that `name` stands for. `major` is the runtime's: 18, 20, 22, 24.
async function loadHandler(root, name, major) {
  const [folder, file, names] = splitName(name);
  let module;
  try {
    module = await (major >= 24 ? importModule : loadModule)(root, folder, file);
  } catch (e) {
    if (e instanceof SyntaxError) {
      throw new UserCodeSyntaxError(e);
    }
    // As on AWS, where `throw null` is a TypeError of this line.
    if (e.code === 'MODULE_NOT_FOUND') {
      throw new ImportModuleError(e);
    }
    throw e;
  }
  const handler = member(module, names) || (major >= 24 && member(module?.default, names));
  if (!handler) {
    throw new HandlerNotFound(`${name} is undefined or not exported`);
  }
  if (typeof handler !== 'function') {
    throw new HandlerNotFound(`${name} is not a function`);
  }
  return handler;
}

module.exports = { loadHandler };
