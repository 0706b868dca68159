// What a design function finds around itself, how its source becomes a function, and the commands of a script.
// ES5: both engines run it. `realm` is the engine's own part (see quickjs_realm.js for its members). The files
// views.js, mime.js and render.js are parts, functions of `core`; they load before a script's own code runs.
//
// A script may replace any built-in. So what the server depends on uses built-ins saved before, calls functions by
// realm.apply, and keeps its lists in arrays without a prototype (realm.bare), which have no setters and no toJSON.

var stringify = realm.stringify, bare = realm.bare, apply = realm.apply, toText = String;
var logged = bare([]);  // [level, text] of this call

var core = {
  realm: realm,
  functions: [],         // map and reduce functions are called as its members: it is their `this`
  designDocument: null,
  designFunction: null,
  compile: compile,
  sawEmit: false,        // whether a map function that serves as a filter has emitted
  emitted: bare([]),     // keys and values of the present document, in turn
  note: note,
  errorResponse: errorResponse,
  part: part
};

var parts = {};
function part(name) {
  if (!parts[name]) parts[name] = realm.load(name)(core);
  return parts[name];
}

function note(level, text) { logged[logged.length] = bare([level, text]); }

// -- the sandbox ----------------------------------------------------------------------------------------------------

function log(message) {
  if (realm.isError(message)) message = toText(message);
  else if (typeof message !== 'string') message = stringify(message);
  note('info', toText(message));
}

// An Error that is the whole value becomes its name and message; anywhere deeper JSON makes {} of it.
function emit(key, value) {
  if (typeof value === 'object' && value !== null && realm.isError(value)) {
    value = {error: value.name, message: value.message};
  }
  var rows = core.emitted;
  rows[rows.length] = key;
  rows[rows.length] = value;
}

function emitToFilter() { core.sawEmit = true; }

function sum(values) {
  var total = 0;
  for (var i in values) total += values[i];
  return total;
}

function isArray(value) { return realm.classOf(value) === '[object Array]'; }

// Full-text indexing calls it; without the search plugins nobody reads its arguments.
function index() {}

var sandbox = {
  emit: emit, sum: sum, log: log, toJSON: stringify, JSON: realm.JSON, isArray: isArray,
  provides: function provides(type, run) { part('mime').provides(type, run); },
  registerType: function registerType() { apply(part('mime').registerType, null, arguments); },
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
    throw ['error', 'compilation_error', toText(error) + ' (' + source + ')'];
  }
  if (!realm.isFunction(result)) {
    throw ['error', 'compilation_error', 'Expression does not eval to a function. (' + source + ')'];
  }
  return result;
}

// The function at a path of a design document, which takes the place of its source there.
function compileAt(ddoc, path, program) {
  var point = ddoc, last = path.length - 1;
  for (var i = 0; i < last; i++) point = point[path[i]];
  var source = point[path[last]];
  if (!source) {
    throw ['error', 'not_found', 'missing ' + path[0] + ' function ' + path[last] + ' on design doc ' + ddoc._id];
  }
  point[path[last]] = compile(typeof source === 'string' ? source : stringify(source), program);
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
      cache[module.id] = {};  // the exports, so far, of a module that requires itself in a circle
      try {
        var body = realm.evaluate('(function (module, exports, require) { ' + module.current + '\n })');
        apply(body, sandbox, [module, module.exports, function (name) { return require(name, module); }]);
      } catch (error) {
        if (realm.crash(error)) throw error;
        throw ['error', 'compilation_error', "Module require('" + path + "') raised error " + toText(error)];
      }
      cache[module.id] = module.exports;
    }
    return cache[module.id];
  };
}

// -- commands: texts in, a text out -----------------------------------------------------------------------------------

var commands = {
  // whether a source compiles; only for sources that are a single function expression, which leaves nothing behind
  check: function (source, program) {
    compile(source, program);
    return 'true';
  },
  // a map function, with the modules of views/lib; `foreign` when it can detect that documents come from elsewhere
  add_map: function (source, program, libText, foreign) {
    if (foreign === 'foreign') core.functions = realm.adopt(core.functions);
    furnish({index: index, require: makeRequire({views: {lib: realm.parse(libText)}})});
    part('views');
    core.functions[0] = compile(source, program);
    return 'true';
  },
  add_reduce: function (source, program, foreign) {
    if (foreign === 'foreign') core.functions = realm.adopt(core.functions);
    furnish({});
    part('views');
    core.functions[0] = compile(source, program);
    return 'true';
  },
  // make this a script for functions that change nothing and look at nothing but their arguments: see validate_pure
  freeze: function () {
    furnish({require: makeRequire({})});
    part('render');
    realm.freezeAll();
    return 'true';
  },
  // the function at a path of a design document
  add_ddoc: function (ddocText, pathText, program) {
    var path = realm.parse(pathText);
    core.designDocument = realm.adopt(realm.parse(ddocText));
    furnish({emit: path[0] === 'views' ? emitToFilter : emit, require: makeRequire(core.designDocument)});
    part('render');
    core.designFunction = compileAt(core.designDocument, path, program);
    return 'true';
  }
};

function failed(name, reason, end) { return bare(end ? ['error', name, reason, end] : ['error', name, reason]); }

// The protocol's description of something thrown: ["error", name, reason] with a fourth member "fatal" or "crash" when
// the script is of no further use.
function errorResponse(error) {
  var crash = realm.crash(error);
  if (crash) return failed(crash, null, 'crash');
  if (error === null || error === undefined) return failed('internal_error', null, 'fatal');
  if (error[0] == 'fatal') return failed(error[1], error[2], 'fatal');
  if (error[0] == 'error') return failed(error[1], error[2]);
  if (error.name == 'InternalError') return failed(error.name, error.message, 'fatal');
  if (error.error && error.reason) return failed(error.error, error.reason);
  if (error.name) return failed(error.name, error);
  return failed('unnamed_error', error.stack);
}

// '[log, null, error]'. Describing the error may itself throw; then nothing that this script says can be trusted, and
// the answer is not JSON, unless the engine has run out of something.
function failureText(error) {
  try {
    return realm.join(['[', stringify(logged), ',null,', stringify(errorResponse(error)), ']'], '');
  } catch (another) {
    var crash = realm.crash(another);
    return crash ? '[[],null,["error","' + crash + '",null,"crash"]]' : '';
  }
}

// '[log, answer]', or '[log, null, error]', as one text. Commands that are not here are functions of the part `place`.
function dispatch(place, command) {
  var texts = bare([]), answer;
  for (var i = 2; i < arguments.length; i++) texts[i - 2] = arguments[i];
  logged = bare([]);
  realm.mark();
  try {
    answer = apply((place ? part(place) : commands)[command], null, texts);
    return realm.join(['[', stringify(logged), ',', answer === undefined ? 'null' : answer, ']'], '');
  } catch (error) {
    return failureText(error);
  }
}
