// What a design function finds around itself, how its source becomes a function, and the commands of a script.
// ES5: both engines run it. `realm` is the engine's own part (see quickjs_realm.js for what it brings). The files
// views.js, mime.js and render.js are parts that are loaded when first needed: each is a function of `core`.

var stringify = realm.stringify;
var logged = [];  // [level, text] of this call

var core = {
  realm: realm,
  functions: [],         // map and reduce functions are called as its members: it is their `this`
  designDocument: null,
  designFunction: null,
  sawEmit: false,        // whether a map function that serves as a filter has emitted
  emitted: [],           // [key, value] of the document at hand
  note: note,
  errorResponse: errorResponse,
  part: part
};

var parts = {};
function part(name) {
  if (!parts[name]) parts[name] = realm.load(name)(core);
  return parts[name];
}

function note(level, text) { logged[logged.length] = [level, text]; }

// -- the sandbox ----------------------------------------------------------------------------------------------------

function log(message) {
  if (realm.isError(message)) message = String(message);
  else if (typeof message !== 'string') message = stringify(message);
  note('info', String(message));
}

// An Error as a whole value is worth its name and message; anywhere deeper JSON makes {} of it.
function emit(key, value) {
  if (typeof value === 'object' && value !== null && realm.isError(value)) {
    value = {error: value.name, message: value.message};
  }
  var rows = core.emitted;
  rows[rows.length] = [key, value];
}

function emitToFilter() { core.sawEmit = true; }

function sum(values) {
  var total = 0;
  for (var i in values) total += values[i];
  return total;
}

function isArray(value) { return realm.classOf(value) === '[object Array]'; }

// Full-text indexing calls it; without the search plugins nobody reads what it was given.
function index() {}

var sandbox = {
  emit: emit, sum: sum, log: log, toJSON: stringify, JSON: realm.JSON, isArray: isArray,
  provides: function provides(type, run) { part('mime').provides(type, run); },
  registerType: function registerType() { part('mime').registerType.apply(null, arguments); },
  start: function start(response) { part('render').start(response); },
  send: function send(chunk) { part('render').send(chunk); },
  getRow: function getRow() { return part('render').getRow(); }
};

function furnish(extras) {
  var name;
  for (name in extras) sandbox[name] = extras[name];
  for (name in sandbox) realm.define(name, sandbox[name]);
}

// -- compiling ------------------------------------------------------------------------------------------------------

// `program` is the source in a form that every engine takes (see source.py); messages show the source itself.
function compile(source, program) {
  if (!source) throw ['error', 'not_found', 'missing function'];
  var result;
  try {
    result = realm.evaluate(program);
  } catch (error) {
    if (realm.crash(error)) throw error;
    throw ['error', 'compilation_error', String(error) + ' (' + source + ')'];
  }
  if (!realm.isFunction(result)) {
    throw ['error', 'compilation_error', 'Expression does not eval to a function. (' + source + ')'];
  }
  return result;
}

// The function at a path of a design document. From now on it stands in the place of its source there.
function compileAt(ddoc, path, program) {
  var point = ddoc, last = path.length - 1;
  for (var i = 0; i < last; i++) point = point[path[i]];
  point[path[last]] = compile(point[path[last]], program);
  return point[path[last]];
}

// -- CommonJS -------------------------------------------------------------------------------------------------------

function noParent(current) { return ['error', 'invalid_require_path', 'Object has no parent ' + stringify(current)]; }

// Where walking `names` leads, from `place` or, when the path is absolute, from `root`: {current, parent, id}
function locate(names, place, root) {
  for (var i = 0; i < names.length; i++) {
    var name = names[i];
    if (name === '..') {
      if (!(place.parent && place.parent.parent)) throw noParent(place.current);
      place = {id: place.id.slice(0, place.id.lastIndexOf('/')), parent: place.parent.parent, current: place.parent.current};
    } else if (name === '.') {
      if (!place.parent) throw noParent(place.current);
      place = {id: place.id, parent: place.parent, current: place.current};
    } else {
      if (i === 0) place = {current: root};
      if (place.current[name] === undefined) {
        throw ['error', 'invalid_require_path',
               'Object has no property "' + name + '". ' + stringify(place.current)];
      }
      place = {current: place.current[name], parent: place, id: place.id ? place.id + '/' + name : name};
    }
  }
  if (typeof place.current !== 'string') {
    throw ['error', 'invalid_require_path', 'Must require a JavaScript string, not: ' + typeof place.current];
  }
  return {current: place.current, parent: place.parent, id: place.id, exports: {}};
}

function makeRequire(ddoc) {
  if (!ddoc._module_cache) ddoc._module_cache = {};
  var cache = ddoc._module_cache;
  return function require(path, requirer) {
    var module = locate(path.split('/'), (requirer || {}).parent || {}, ddoc);
    if (!realm.hasOwn(cache, module.id)) {
      cache[module.id] = {};  // what a module of a circle gets of one that is not done yet
      try {
        var body = realm.evaluate('(function (module, exports, require) { ' + module.current + '\n })');
        body.apply(sandbox, [module, module.exports, function (name) { return require(name, module); }]);
      } catch (error) {
        if (realm.crash(error)) throw error;
        throw ['error', 'compilation_error', "Module require('" + path + "') raised error " + String(error)];
      }
      cache[module.id] = module.exports;
    }
    return cache[module.id];
  };
}

// -- commands: texts in, a text out -----------------------------------------------------------------------------------

var commands = {
  // a map function, with the modules of views/lib; `foreign` when it may tell that documents come from elsewhere
  add_map: function (source, program, libText, foreign) {
    if (foreign === 'foreign') core.functions = realm.adopt(core.functions);
    furnish({index: index, require: makeRequire({views: {lib: realm.parse(libText)}})});
    core.functions[0] = compile(source, program);
    return 'true';
  },
  add_reduce: function (source, program, foreign) {
    if (foreign === 'foreign') core.functions = realm.adopt(core.functions);
    furnish({});
    core.functions[0] = compile(source, program);
    return 'true';
  },
  // the function at a path of a design document
  add_ddoc: function (ddocText, pathText, program) {
    var path = realm.parse(pathText);
    core.designDocument = realm.adopt(realm.parse(ddocText));
    furnish({emit: path[0] === 'views' ? emitToFilter : emit, require: makeRequire(core.designDocument)});
    core.designFunction = compileAt(core.designDocument, path, program);
    return 'true';
  }
};

// What the protocol says of something thrown: ["error", name, reason] with a fourth member "fatal" or "crash" when
// this script is of no use any more.
function errorResponse(error) {
  if (error === null || error === undefined) return ['error', 'internal_error', null, 'fatal'];
  var crash = realm.crash(error);
  if (crash) return ['error', crash, null, 'crash'];
  if (error[0] == 'fatal') return ['error', error[1], error[2], 'fatal'];
  if (error[0] == 'error') return ['error', error[1], error[2]];
  if (error.name == 'InternalError') return ['error', error.name, error.message, 'fatal'];
  if (error.error && error.reason) return ['error', error.error, error.reason];
  if (error.name) return ['error', error.name, error];
  return ['error', 'unnamed_error', error.stack];
}

// '[log, answer]', or '[log, null, error]', in one piece. Commands that are not here are functions of the part that `place` names.
function dispatch(place, command) {
  var texts = [], answer, failure;
  for (var i = 2; i < arguments.length; i++) texts[i - 2] = arguments[i];
  logged = [];
  try {
    answer = (place ? part(place) : commands)[command].apply(null, texts);
    return realm.join(['[', stringify(logged), ',', answer === undefined ? 'null' : answer, ']'], '');
  } catch (error) {
    failure = errorResponse(error);
  }
  return realm.join(['[', stringify(logged), ',null,', stringify(failure), ']'], '');
}
