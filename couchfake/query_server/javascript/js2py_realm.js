// The engine's own part on js2py (see quickjs_realm.js for what it brings). `host` has functions in Python.
// There is only one realm, and js2py's own ES5.

function makeRealm(host) {
  var classOf = Object.prototype.toString, hasOwn = Object.prototype.hasOwnProperty, apply = host.apply;
  var arrayJoin = Array.prototype.join, now = Date.now;

  return {
    JSON: JSON,
    parse: JSON.parse,
    stringify: JSON.stringify,
    now: function () { return now(); },
    adopt: function (value) { return value; },
    freeze: host.freeze,
    isForeignArray: function (value) { return false; },
    classOf: function (value) { return apply(classOf, value, []); },
    apply: apply,
    bare: function (array) { return array; },
    hasOwn: function (object, name) { return apply(hasOwn, object, [name]); },
    hasStack: function (error) { return apply(classOf, error, []) === '[object Error]'; },
    isError: function (value) { return apply(classOf, value, []) === '[object Error]'; },
    isFunction: function (value) { return typeof value === 'function'; },
    join: function (texts, between) { return apply(arrayJoin, texts, [between]); },
    define: host.define,
    evaluate: host.evaluate,
    load: host.load,
    mark: function () {},
    crash: host.crash,
    place: function (error) { return ''; }
  };
}
