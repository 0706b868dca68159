// The engine's own part on js2py (see quickjs_realm.js for what it brings). Its worker gives `host`: functions in Python.
// There is one realm only, and what js2py makes of ES5 is what there is.

function makeRealm(host) {
  var classOf = Object.prototype.toString, hasOwn = Object.prototype.hasOwnProperty;
  var arrayJoin = Array.prototype.join, now = Date.now;

  return {
    JSON: JSON,
    parse: JSON.parse,
    stringify: JSON.stringify,
    now: function () { return now(); },
    adopt: function (value) { return value; },
    freeze: host.freeze,
    isForeignArray: function (value) { return false; },
    classOf: function (value) { return classOf.call(value); },
    apply: host.apply,
    bare: function (array) { return array; },
    hasOwn: function (object, name) { return hasOwn.call(object, name); },
    hasStack: function (error) { return classOf.call(error) === '[object Error]'; },
    isError: function (value) { return classOf.call(value) === '[object Error]'; },
    isFunction: function (value) { return typeof value === 'function'; },
    join: function (texts, between) { return arrayJoin.call(texts, between); },
    define: host.define,
    evaluate: host.evaluate,
    load: host.load,
    crash: host.crash,
    place: function (error) { return ''; }
  };
}
