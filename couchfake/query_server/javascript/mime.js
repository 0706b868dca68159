// Content negotiation of shows and lists: provides(type, function) and registerType(type, mime, ...).
(function () {
  var mimesByType = {}, typesByMime = {};
  var provided = [];          // [type, function] in the order of the provides() calls
  var providesUsed = false;
  var responseType = null;    // the Content-Type that was negotiated

  function registerType(type) {
    var mimes = [];
    for (var i = 1; i < arguments.length; i++) mimes[mimes.length] = arguments[i];
    mimesByType[type] = mimes;
    for (i = 0; i < mimes.length; i++) typesByMime[mimes[i]] = type;
  }

  registerType('all', '*/*');
  registerType('text', 'text/plain; charset=utf-8', 'txt');
  registerType('html', 'text/html; charset=utf-8');
  registerType('xhtml', 'application/xhtml+xml', 'xhtml');
  registerType('xml', 'application/xml', 'text/xml', 'application/x-xml');
  registerType('js', 'text/javascript', 'application/javascript', 'application/x-javascript');
  registerType('css', 'text/css');
  registerType('ics', 'text/calendar');
  registerType('csv', 'text/csv');
  registerType('rss', 'application/rss+xml');
  registerType('atom', 'application/atom+xml');
  registerType('yaml', 'application/x-yaml', 'text/yaml');
  registerType('multipart_form', 'multipart/form-data');
  registerType('url_encoded_form', 'application/x-www-form-urlencoded');
  registerType('json', 'application/json', 'text/x-json');

  function provides(type, run) {
    providesUsed = true;
    provided[provided.length] = [type, run];
  }

  function forgetProvided() {
    providesUsed = false;
    provided = [];
    responseType = null;
  }

  // {type, subtype, parameters, q} of a media type or range
  function mediaRange(text) {
    var parts = text.split(';'), parameters = {}, i, pair;
    for (i = 1; i < parts.length; i++) {
      pair = parts[i].split('=');
      if (pair.length === 2) parameters[pair[0].trim()] = pair[1].trim();
    }
    var name = parts[0].trim();
    var names = (name === '*' ? '*/*' : name).split('/');
    var q = parseFloat(parameters.q);
    return {type: names[0], subtype: names[1], parameters: parameters, q: q >= 0 && q <= 1 ? q : 1};
  }

  // How well a type fits the best of the ranges: [fitness, that range's q]; [-1, 0] when none does.
  function fitness(mime, ranges) {
    var wanted = mediaRange(mime), best = [-1, 0];
    for (var i = 0; i < ranges.length; i++) {
      var range = ranges[i];
      var typeFits = range.type === wanted.type || range.type === '*' || wanted.type === '*';
      var subtypeFits = range.subtype === wanted.subtype || range.subtype === '*' || wanted.subtype === '*';
      if (typeFits && subtypeFits) {
        var score = (range.type === wanted.type ? 100 : 0) + (range.subtype === wanted.subtype ? 10 : 0);
        for (var name in wanted.parameters) {
          if (name !== 'q' && wanted.parameters[name] === range.parameters[name]) score++;
        }
        if (score > best[0]) best = [score, range.q];
      }
    }
    return best;
  }

  // The supported type that fits an Accept header best. The real server orders the candidates as texts
  // ("fitness,q,position,type"), the last one wins, and a type that nothing matched can win with q 0: then it is ''.
  function bestMatch(supported, accept) {
    var ranges = accept.split(','), candidates = [], i;
    for (i = 0; i < ranges.length; i++) ranges[i] = mediaRange(ranges[i]);
    for (i = 0; i < supported.length; i++) {
      var fit = fitness(supported[i], ranges);
      candidates[i] = {text: fit.join(',') + ',' + i + ',' + supported[i], q: fit[1], mime: supported[i]};
    }
    candidates.sort(function (a, b) { return a.text < b.text ? -1 : a.text > b.text ? 1 : 0; });
    var best = candidates[candidates.length - 1];
    return best.q ? best.mime : '';
  }

  function negotiate(req) {
    var accept = req.headers.Accept;
    if (req.query && req.query.format) {
      responseType = mimesByType[req.query.format][0];
      return req.query.format;
    }
    if (accept) {
      provided.reverse();  // later ones come first, here and in the message below
      var supported = [];
      for (var i = 0; i < provided.length; i++) supported = supported.concat(mimesByType[provided[i][0]] || []);
      responseType = bestMatch(supported, accept);
      return typesByMime[responseType];
    }
    responseType = mimesByType[provided[0][0]][0];
    return provided[0][0];
  }

  // Run the provided function that the request asks for.
  function runProvided(req, ddoc) {
    var type = negotiate(req), i;
    if (type) {
      for (i = 0; i < provided.length; i++) if (provided[i][0] == type) return provided[i][1].call(ddoc);
    }
    var known = [];
    for (i = 0; i < provided.length; i++) known[i] = mimesByType[provided[i][0]].join(', ') || provided[i][0];
    throw ['error', 'not_acceptable',
           'Content-Type ' + (req.headers.Accept || type) + ' not supported, try one of: ' + known.join(', ')];
  }

  return {
    provides: provides,
    registerType: registerType,
    forget: forgetProvided,
    wasUsed: function () { return providesUsed; },
    run: runProvided,
    chosen: function () { return responseType; }
  };
})
