// The real server's processes live in UTC. Where this machine does not, Date is made to.

(function () {
  var Local = Date, prototype = Date.prototype, parseLocal = Date.parse, utc = Date.UTC;
  // A zone may be anywhere after the time of day (`16:29:21 +0100 2013`), its name anywhere at all.
  var zone = /\d:\d[^]*[+-]\d|(?:^|[^a-z])(?:Z|UTC?|GMT|[ECMP][SD]T)(?![a-z])/i, comments = /\([^)]*\)/g;
  var dateOnly = /^\s*[+-]?\d{4,6}(-\d\d(-\d\d)?)?\s*$/;

  var parts = ['FullYear', 'Month', 'Date', 'Hours', 'Minutes', 'Seconds', 'Milliseconds'];
  var localGetters = parts.map(function (part) { return prototype['get' + part]; });  // before they are replaced

  // The instant at which UTC clocks show what local clocks show at `time`.
  function sameClock(time) {
    var date = new Local(time);
    return utc.apply(null, localGetters.map(function (getter) { return getter.call(date); }));
  }

  // The local date whose clock shows what UTC clocks show at `date`.
  function shifted(date) {
    return new Local(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCHours(),
                     date.getUTCMinutes(), date.getUTCSeconds(), date.getUTCMilliseconds());
  }

  function parse(text) {
    text = String(text);
    var time = parseLocal(text);
    if (time !== time || zone.test(text.replace(comments, ' ')) || dateOnly.test(text)) return time;
    var inUTC = parseLocal(text + (/\dT\d/i.test(text) ? 'Z' : ' GMT'));  // also where local clocks skip an hour
    return inUTC === inUTC ? inUTC : sameClock(time);
  }

  function UTCDate(year, month) {
    var time;
    if (!new.target) return new UTCDate().toString();
    if (arguments.length === 0) time = Local.now();
    else if (arguments.length === 1) {
      var value = year instanceof Local ? year.getTime() : typeof year === 'object' && year !== null ? year.valueOf() : year;
      time = typeof value === 'string' ? parse(value) : Number(value);
    } else time = utc.apply(null, arguments);
    return Reflect.construct(Local, [time], new.target);
  }

  function method(name, body) {
    Object.defineProperty(prototype, name, {value: body, writable: true, enumerable: false, configurable: true});
  }

  parts.concat('Day').forEach(function (part) {
    method('get' + part, prototype['getUTC' + part]);
    if (part !== 'Day') method('set' + part, prototype['setUTC' + part]);
  });
  method('getTimezoneOffset', function () { return this.getTime() === this.getTime() ? 0 : NaN; });
  method('getYear', function () { return this.getUTCFullYear() - 1900; });

  ['toString', 'toDateString', 'toTimeString', 'toLocaleString', 'toLocaleDateString', 'toLocaleTimeString'].forEach(
    function (name) {
      var local = prototype[name];
      method(name, function () {
        if (this.getTime() !== this.getTime()) return local.call(this);
        return local.call(shifted(this)).replace(/GMT[+-]\d{4}.*$/, 'GMT+0000');
      });
    });

  UTCDate.prototype = prototype;
  Object.defineProperty(UTCDate, 'name', {value: 'Date', configurable: true});
  Object.defineProperty(UTCDate, 'length', {value: 7, configurable: true});
  UTCDate.now = Local.now;
  UTCDate.UTC = utc;
  UTCDate.parse = parse;
  ['now', 'UTC', 'parse'].forEach(function (name) { Object.defineProperty(UTCDate, name, {enumerable: false}); });
  method('constructor', UTCDate);
  Object.defineProperty(globalThis, 'Date', {value: UTCDate, writable: true, enumerable: false, configurable: true});
})();
