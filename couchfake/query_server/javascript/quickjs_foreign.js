// The other realm: prototypes for values that the server hands in. On the real server each function is a context of its
// own and documents come from outside; here there is one realm, and this second set of prototypes.
(function (nativeParse) {
  var OwnError = Error, OwnArray = Array, isPrototypeOf = Object.prototype.isPrototypeOf;
  var isArray = Array.isArray, keys = Object.keys, freezeOne = Object.freeze;
  var setPrototype = Object.setPrototypeOf, prototypeOf = Object.getPrototypeOf;
  var define = Object.defineProperty, describe = Object.getOwnPropertyDescriptor, ownKeys = Reflect.ownKeys, apply = Reflect.apply;

  function copy(from, to) {
    ownKeys(from).forEach(function (name) {
      if (name !== 'constructor') define(to, name, describe(from, name));
    });
    return to;
  }

  function hidden(object, name, value) {
    define(object, name, {value: value, writable: true, enumerable: false, configurable: true});
  }

  var objectPrototype = copy(Object.prototype, Object.create(null));
  var functionPrototype = setPrototype(copy(Function.prototype, function () {}), objectPrototype);

  function foreign(constructor, name, prototype) {
    setPrototype(constructor, functionPrototype);
    hidden(constructor, 'name', name);
    constructor.prototype = prototype;
    hidden(prototype, 'constructor', constructor);
    return constructor;
  }

  foreign(function () { return setPrototype({}, objectPrototype); }, 'Object', objectPrototype);

  var arrayPrototype = copy(Array.prototype, setPrototype([], objectPrototype));
  var ForeignArray = foreign(function (length) {
    return setPrototype(arguments.length === 1 ? new OwnArray(length) : OwnArray.from(arguments), arrayPrototype);
  }, 'Array', arrayPrototype);
  hidden(ForeignArray, 'isArray', isArray);
  define(ForeignArray, Symbol.species, {get: function () { return this; }, configurable: true});

  var errorPrototype = setPrototype(copy(Error.prototype, {}), objectPrototype);
  var errorPrototypes = {};  // by name

  function foreignError(name) {
    if (!errorPrototypes[name]) {
      var prototype = errorPrototypes[name] = setPrototype({}, errorPrototype);
      hidden(prototype, 'name', name);
      hidden(prototype, 'message', '');
      foreign(function (message) { return setPrototype(new OwnError(message), prototype); }, name, prototype);
    }
    return errorPrototypes[name];
  }

  // `method` as a function of the other realm: what it throws belongs there too
  function foreignMethod(method, name) {
    var wrapper = function () {
      try {
        return apply(method, this, arguments);
      } catch (error) {
        throw error instanceof OwnError ? setPrototype(error, foreignError(error.name)) : error;
      }
    };
    hidden(wrapper, 'name', name);
    return wrapper;
  }

  ['push', 'pop', 'shift', 'unshift', 'splice', 'sort', 'reverse', 'fill', 'copyWithin'].forEach(function (name) {
    hidden(arrayPrototype, name, foreignMethod(Array.prototype[name], name));
  });
  ['toReversed', 'toSorted', 'toSpliced', 'with'].forEach(function (name) {
    var method = Array.prototype[name];
    hidden(arrayPrototype, name, function () { return setPrototype(apply(method, this, arguments), arrayPrototype); });
  });
  function adopt(value) {
    var i, member;
    if (isArray(value)) {
      setPrototype(value, arrayPrototype);
      for (i = 0; i < value.length; i++) {
        member = value[i];
        if (typeof member === 'object' && member !== null) adopt(member);
      }
    } else if (typeof value === 'object' && value !== null) {
      setPrototype(value, objectPrototype);
      var names = keys(value);
      for (i = 0; i < names.length; i++) {
        member = value[names[i]];
        if (typeof member === 'object' && member !== null) adopt(member);
      }
    }
    return value;
  }

  // The same, and frozen, in one walk.
  function freeze(value) {
    var i, member;
    if (isArray(value)) {
      setPrototype(value, arrayPrototype);
      for (i = 0; i < value.length; i++) {
        member = value[i];
        if (typeof member === 'object' && member !== null) freeze(member);
      }
    } else if (typeof value === 'object' && value !== null) {
      setPrototype(value, objectPrototype);
      var names = keys(value);
      for (i = 0; i < names.length; i++) {
        member = value[names[i]];
        if (typeof member === 'object' && member !== null) freeze(member);
      }
    }
    freezeOne(value);
  }

  var foreignParse = foreignMethod(nativeParse, 'parse');

  // What values of the other realm lead to, for a walk over all built-ins.
  function roots() {
    var names = 'Error TypeError RangeError SyntaxError ReferenceError EvalError URIError InternalError AggregateError';
    return names.split(' ').map(foreignError).concat([objectPrototype, arrayPrototype, functionPrototype, errorPrototype]);
  }

  return {
    roots: roots,
    adopt: adopt,
    freeze: freeze,
    parse: function (text, reviver) { return adopt(foreignParse(text, reviver)); },
    isForeign: function (value) { return prototypeOf(value) === arrayPrototype; },
    isError: function (value) { return typeof value === 'object' && value !== null && apply(isPrototypeOf, errorPrototype, [value]); }
  };
})
