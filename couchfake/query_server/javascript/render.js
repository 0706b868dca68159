// Shows, lists, updates, rewrites, validation and filters; the answers are those of the query server protocol.
(function (core) {
  var realm = core.realm, stringify = realm.stringify, bare = realm.bare, apply = realm.apply, toText = String;
  var mime = core.part('mime');

  var chunks = bare([]), head = {}, headIsNew = false;
  var listRows = [], nextRow = 0, startSent = false, listEnded = false;
  var listEvents = bare([]);  // JSON texts of ["start", chunks, head], ["chunks", chunks(, head)] and ["end", chunks(, head)]

  function start(response) {
    head = response || {};
    headIsNew = true;
  }

  function send(chunk) { chunks[chunks.length] = chunk.toString(); }

  function forgetList() {
    chunks = bare([]);
    head = {};
    headIsNew = false;
    startSent = listEnded = false;
  }

  function withType(response, type) {
    response.headers = response.headers || {};
    if (type) response.headers['Content-Type'] = response.headers['Content-Type'] || type;
    return response;
  }

  function report(event) { listEvents[listEvents.length] = stringify(bare(event)); }

  function sendStart() {
    report(['start', chunks, withType(head, mime.chosen())]);
    chunks = bare([]);
    head = {};
    headIsNew = false;
  }

  function sendChunks(label) {
    report(headIsNew ? [label, chunks, head] : [label, chunks]);
    headIsNew = false;
    chunks = bare([]);
  }

  function getRow() {
    if (listEnded) return null;
    if (!startSent) {
      startSent = true;
      sendStart();
    } else {
      sendChunks('chunks');
    }
    if (nextRow >= listRows.length) {
      listEnded = true;
      return null;
    }
    return listRows[nextRow++];
  }

  function wrapped(response) { return typeof response === 'string' ? {body: response} : response; }

  // Only arrays of the server's own realm (parts of a request, say) count as arrays here.
  function isResponse(value) {
    var type = typeof value;
    return type === 'string' || (type === 'object' && value !== null && !realm.isForeignArray(value));
  }

  function raise(error, name) {
    if (realm.crash(error)) throw error;
    if ((error.error && error.reason) || error[0] == 'error' || error[0] == 'fatal') throw error;
    core.note('error', 'function raised error: ' + toText(error) + realm.place(error));
    throw ['error', name, 'function raised error: ' + toText(error) + ' \nstacktrace: ' + error.stack];
  }

  function show(run, ddoc, args) {
    try {
      forgetList();
      mime.forget();
      var response = wrapped(apply(run, ddoc, args) || {});
      if (chunks.length) {
        response.headers = response.headers || {};
        for (var name in head) response.headers[name] = head[name];
        response.body = realm.join(chunks, '') + (response.body || '');
        forgetList();
      }
      if (mime.wasUsed()) {
        var more = wrapped(mime.run(args[1], ddoc) || {});
        response.body = (response.body || '') + realm.join(chunks, '') + (more.body || '');
        response = withType(response, mime.chosen());
        forgetList();
      }
      if (!isResponse(response)) throw ['error', 'render_error', 'undefined response from show function'];
      return bare(['resp', wrapped(response)]);
    } catch (error) {
      // if the path names a document that does not exist, every error becomes this one
      if (args[0] === null && args[1].path.length > 5) throw ['error', 'not_found', 'document not found'];
      raise(error, 'render_error');
    }
  }

  function update(run, ddoc, args) {
    try {
      if (args[1].method == 'GET') throw ['error', 'method_not_allowed', 'Update functions do not allow GET'];
      var result = apply(run, ddoc, args);
      var doc = result[0], response = result[1];
      if (!isResponse(response)) throw ['error', 'render_error', 'undefined response from update function'];
      return bare(['up', doc, wrapped(response)]);
    } catch (error) {
      raise(error, 'render_error');
    }
  }

  function rewrite(run, ddoc, args) {
    try {
      var result = apply(run, ddoc, args);
      if (!result) return bare(['no_dispatch_rule']);
      return bare(['ok', typeof result === 'string' ? {path: result} : result]);
    } catch (error) {
      raise(error, 'rewrite_error');
    }
  }

  // The events up to the end, the error that ended them if there was one, and whether all rows had been read.
  function list(run, ddoc, listHead, req, rows) {
    listEvents = bare([]);
    listRows = rows;
    nextRow = 0;
    var failure = null;
    try {
      mime.forget();
      forgetList();
      try {
        var tail = apply(run, ddoc, [listHead, req]);
        if (mime.wasUsed()) tail = mime.run(req, ddoc);
        if (!startSent) getRow();
        if (typeof tail !== 'undefined') chunks[chunks.length] = tail;
        sendChunks('end');
      } catch (error) {
        raise(error, 'render_error');
      }
    } catch (error) {
      if (realm.crash(error)) throw error;
      failure = core.errorResponse(error);
    }
    listRows = [];
    return '{"events":[' + realm.join(listEvents, ',') + '],"failure":' + stringify(failure) +
           ',"ended":' + listEnded + '}';
  }

  // A refusal is an object with one member, forbidden or unauthorized. Only real errors have a stack.
  function validate(run, ddoc, args) {
    try {
      apply(run, ddoc, args);
      return 1;
    } catch (error) {
      if (realm.crash(error)) throw error;
      if (error.name && realm.hasStack(error)) {
        core.note('error', 'function raised error: ' + toText(error) + realm.place(error));
        throw error;
      }
      return error;
    }
  }

  function filterDocs(run, ddoc, docs, req) {
    var passes = bare([]);
    for (var i = 0; i < docs.length; i++) passes[i] = !!apply(run, ddoc, [docs[i], req]);
    return passes;
  }

  function filterByView(run, docs) {
    var passes = bare([]);
    for (var i = 0; i < docs.length; i++) {
      core.sawEmit = false;
      run(docs[i]);
      passes[i] = core.sawEmit;
    }
    return passes;
  }

  // -- commands -------------------------------------------------------------------------------------------------------

  function adopted(text) { return realm.adopt(realm.parse(text)); }

  // `args`: a JSON text of the function's arguments
  function command(run) {
    return function (args) { return stringify(run(core.designFunction, core.designDocument, adopted(args))); };
  }

  // Validation functions that are pure, by their programs. They keep nothing, so many can share a script.
  var MOST_PURE = 4096, pure = {}, pureCount = 0;

  function pureFunction(source, program) {
    if (!realm.hasOwn(pure, program)) {
      if (pureCount++ === MOST_PURE) {
        pure = {};
        pureCount = 1;
      }
      pure[program] = core.compile(source, program);
    }
    return pure[program];
  }

  return {
    start: start,
    send: send,
    validate_pure: function (source, program, args) {
      return stringify(validate(pureFunction(source, program), null, adopted(args)));
    },
    getRow: getRow,
    validate: command(validate),
    show: command(show),
    update: command(update),
    rewrite: command(rewrite),
    filter: command(function (run, ddoc, args) { return filterDocs(run, ddoc, args[0], args[1]); }),
    filter_view: command(function (run, ddoc, args) { return filterByView(run, args[0]); }),
    list: function (args) {
      var given = adopted(args);
      return list(core.designFunction, core.designDocument, given[0], given[1], given[2]);
    }
  };
})
