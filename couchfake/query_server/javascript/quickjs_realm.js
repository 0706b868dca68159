// The engine's own part on QuickJS. Its members, for core.js:
//   define(name, value)      a global of the script          evaluate(text)      a program's value, in the global scope
//   parse, stringify         JSON, plain                     JSON                what scripts see as JSON
//   adopt(value)             makes a parsed value one of the server's realm      freeze(value)   adopts and freezes it
//   isForeignArray(value)    an array of that realm          join(texts, between)    a flat text
//   apply(f, this, list)     a call                          bare(array)             the array, without its prototype
//   isError, isFunction, classOf, hasOwn, hasStack, now
//   crash(error)             'stack' or 'memory' when the error is a limit of the process; null
//   freezeAll()              nothing that functions share can be changed any more (QuickJS only)
//   mark()                   a call, or a document of it, begins: see `crash`
//   place(error)             ' (line 3)' of the function's source, or ''          load(name)      a part of the prelude
// `partTexts` (by name) and PRELUDE_LINE (no function's source is as long) come from prelude.py.

function makeRealm() {
  var global = globalThis, evaluateGlobally = eval;
  var parse = JSON.parse, stringify = JSON.stringify, now = Date.now;
  var isArray = Array.isArray, prototypeOf = Object.getPrototypeOf, defineProperty = Object.defineProperty;
  var classOf = Object.prototype.toString, hasOwn = Object.prototype.hasOwnProperty;
  var arrayJoin = Array.prototype.join, apply = Reflect.apply, setPrototype = Object.setPrototypeOf;
  var slice = String.prototype.slice, indexOf = Array.prototype.indexOf, exec = RegExp.prototype.exec;
  var OwnError = Error, OwnRangeError = RangeError, OwnReferenceError = ReferenceError, OwnInternalError = InternalError;
  var OwnWeakRef = WeakRef, deref = WeakRef.prototype.deref, canary = null;
  var asyncPrototypes = [prototypeOf(async function () {}), prototypeOf(async function* () {})];

  // Messages of the real server's QuickJS, where they differ. The engine calls this for each error that it creates,
  // and scripts cannot reach it once its name is removed from Error (below).
  var ending = ' is not defined';
  Error.prepareStackTrace = function (error, frames) {
    var message = error.message, text = '';
    if (typeof message === 'string') {
      var name = apply(slice, message, [0, -ending.length]);
      if (error instanceof OwnReferenceError && name + ending === message) error.message = "'" + name + "'" + ending;
      else if (message === 'Cannot convert undefined or null to object') error.message = 'cannot convert to object';
    }
    for (var i = 0; i < frames.length; i++) {
      var file = frames[i].getFileName();
      text += '    at ' + (frames[i].getFunctionName() || '<anonymous>') + ' (' + (file === null ? 'native' :
              file + ':' + frames[i].getLineNumber() + ':' + frames[i].getColumnNumber()) + ')\n';
    }
    return text;
  };

  // What the real server's build of QuickJS does not have.
  function remove(object, names) {
    names = names.split(' ');
    for (var i = 0; i < names.length; i++) delete object[names[i]];
  }
  remove(global, 'Promise Proxy ArrayBuffer SharedArrayBuffer DataView Atomics Int8Array Uint8Array Uint8ClampedArray ' +
                 'Int16Array Uint16Array Int32Array Uint32Array BigInt64Array BigUint64Array Float16Array Float32Array ' +
                 'Float64Array WeakRef FinalizationRegistry Iterator DisposableStack AsyncDisposableStack ' +
                 'SuppressedError DOMException queueMicrotask btoa atob performance');
  remove(String.prototype, 'normalize localeCompare');
  remove(Set.prototype, 'isDisjointFrom isSubsetOf isSupersetOf intersection difference symmetricDifference union');
  remove(Map.prototype, 'getOrInsert getOrInsertComputed');
  remove(WeakMap.prototype, 'getOrInsert getOrInsertComputed');
  remove(Error, 'isError captureStackTrace stackTraceLimit prepareStackTrace');
  remove(Array, 'fromAsync');
  remove(RegExp, 'escape');
  remove(Math, 'f16round sumPrecise');
  remove(JSON, 'rawJSON isRawJSON');
  remove(Symbol, 'dispose asyncDispose');

  // Natives walk all of an array's length without looking at the clock. An array that has so many elements takes more
  // memory than a script may have, so only arrays that are mostly holes are refused here.
  var MOST_ELEMENTS = 1 << 24, bindCall = Function.prototype.call, bind = Function.prototype.bind;

  function guard(name, make) {
    var native = Array.prototype[name], guarded = make(apply(bind, bindCall, [native]), native);
    defineProperty(guarded, 'name', {value: name});
    defineProperty(guarded, 'length', {value: native.length});
    defineProperty(Array.prototype, name, {value: guarded, writable: true, enumerable: false, configurable: true});
  }

  function isTooLong(array) {
    if (array !== null && array !== undefined && array.length > MOST_ELEMENTS) throw new OwnRangeError('array too long');
  }

  var guards = (function () {
    'use strict';
    return {
      one: function (call) { return {f(a) { isTooLong(this); return call(this, a); }}.f; },
      two: function (call) { return {f(a, b) { isTooLong(this); return call(this, a, b); }}.f; },
      any: function (call, native) { return {f(...list) { isTooLong(this); return apply(native, this, list); }}.f; }
    };
  })();

  'join sort flat'.split(' ').forEach(function (name) { guard(name, guards.one); });
  'indexOf includes slice forEach map filter every some find findIndex findLast findLastIndex flatMap'.split(' ').forEach(
    function (name) { guard(name, guards.two); });
  'reverse fill lastIndexOf splice copyWithin shift unshift concat reduce reduceRight toString toLocaleString'.split(' ')
    .forEach(function (name) { guard(name, guards.any); });

  // Without memory for the error itself QuickJS throws null, as a script may, or a value that is nothing a script can
  // have. It collects cycles each time that its memory has grown by half, so a small cycle from before the call survives
  // only if the call took little memory.
  function grewSinceMark() { return apply(deref, canary, []) === undefined; }

  function mark() {
    if (canary !== null && !grewSinceMark()) return;
    var cycle = {};
    cycle.self = cycle;
    canary = new OwnWeakRef(cycle);
  }

  var theOtherRealm = null;
  function other() { return theOtherRealm || (theOtherRealm = realm.load('quickjs_foreign')(parse)); }

  var scriptJSON = {};
  defineProperty(scriptJSON, 'parse', {
    value: function parse(text, reviver) { return other().parse(text, reviver); },
    writable: true, configurable: true
  });
  defineProperty(scriptJSON, 'stringify', {value: stringify, writable: true, configurable: true});
  defineProperty(scriptJSON, Symbol.toStringTag, {value: 'JSON', configurable: true});

  // Freeze all that a function can reach without its arguments. What has no name of its own (the prototypes of
  // generators, of iterators, of functions in strict mode) is reached by example.
  function freezeAll() {
    var strict = (function () { 'use strict'; return arguments; })();
    var examples = [
      strict, function () {}, function* () {}, async function () {}, async function* () {}, (function* () {})(),
      (async function* () {})(), [].values(), ''[Symbol.iterator](), new Map().entries(), new Set().entries(),
      ''.matchAll(/x/g)
    ];
    var queue = examples.concat(other().roots(), [global]), done = new Set(queue), freezeOne = Object.freeze;
    function add(value) {
      if ((typeof value === 'object' || typeof value === 'function') && value !== null && !done.has(value)) {
        done.add(value);
        queue.push(value);
      }
    }
    for (var i = 0; i < queue.length; i++) {
      var object = queue[i];
      add(prototypeOf(object));
      Reflect.ownKeys(object).forEach(function (name) {
        var property = Object.getOwnPropertyDescriptor(object, name);
        add(property.value);
        add(property.get);
        add(property.set);
      });
    }
    queue.forEach(function (object) { freezeOne(object); });
  }

  var realm = {
    freezeAll: freezeAll,
    JSON: scriptJSON,
    parse: parse,
    stringify: stringify,
    now: now,
    prepare: other,
    adopt: function (value) { return other().adopt(value); },
    freeze: function (value) { other().freeze(value); },
    isForeignArray: function (value) { return isArray(value) && other().isForeign(value); },
    apply: apply,
    bare: function (array) { return setPrototype(array, null); },
    classOf: function (value) { return apply(classOf, value, []); },
    hasStack: function (error) { return !!error.stack; },
    join: function (texts, between) { return apply(arrayJoin, texts, [between]); },
    hasOwn: function (object, name) { return apply(hasOwn, object, [name]); },
    isError: function (value) {
      return value instanceof OwnError || (theOtherRealm !== null && theOtherRealm.isError(value));
    },
    isFunction: function (value) {
      return typeof value === 'function' && apply(indexOf, asyncPrototypes, [prototypeOf(value)]) < 0;
    },
    define: function (name, value) {
      defineProperty(global, name, {value: value, writable: true, enumerable: true, configurable: true});
    },
    evaluate: function (text) { return evaluateGlobally(text); },
    load: function (name) { return evaluateGlobally(PRELUDE_START + partTexts[name]); },
    mark: mark,
    crash: function (error) {
      if (typeof error === 'unknown' || (error === null && grewSinceMark())) return 'memory';
      if (error instanceof OwnRangeError && error.message === 'Maximum call stack size exceeded') return 'stack';
      if (error instanceof OwnInternalError && error.message === 'out of memory') return 'memory';
      return null;
    },
    place: function (error) {
      var frames = error !== null && error !== undefined && typeof error.stack === 'string' ? error.stack : '';
      var line = /<input>:(\d+)/g, match;
      while ((match = apply(exec, line, [frames])) !== null) if (+match[1] < PRELUDE_LINE) return ' (line ' + match[1] + ')';
      return '';
    }
  };
  return realm;
}
