// Map and reduce.
(function (core) {
  var realm = core.realm, stringify = realm.stringify, bare = realm.bare, functions = core.functions, toText = String;

  // Only 'fatal_error', ['fatal', name, reason] and the engine's own failures end the indexing.
  function forgive(error, doc) {
    if (realm.crash(error)) throw error;
    if (error == 'fatal_error') throw ['error', 'map_runtime_error', "function raised 'fatal_error'"];
    if (error[0] == 'fatal') throw error;
    if (error.name == 'InternalError') throw ['fatal', error.name, error.message];
    var message = 'function raised exception ' + toText(error) + realm.place(error);
    if (doc) message += ' with doc._id ' + doc._id;
    core.note('error', message);
  }

  // The keys and values that documents emit, from document number `from` on, until `slice` milliseconds have passed:
  // '[number of the next document, [[key, value, key, value, ...] of a document, ...]]'
  function mapDocs(docsText, from, slice, foreign) {
    var docs = realm.parse(docsText), until = realm.now() + +slice, rows = bare([]), i = +from;
    var emitted = core.emitted;
    while (i < docs.length) {
      var doc = docs[i];
      if (foreign === 'foreign') realm.freeze(doc);
      emitted.length = 0;
      realm.mark();
      try {
        functions[0](doc);
      } catch (error) {
        forgive(error, doc);
        emitted.length = 0;
      }
      rows[rows.length] = stringify(emitted);
      i++;
      if (realm.now() > until) break;
    }
    return '[' + i + ',[' + realm.join(rows, ',') + ']]';
  }

  function same(value) { return value; }

  function reduction(keys, values, again) {
    try {
      return functions[0](keys, values, again);
    } catch (error) {
      forgive(error);
      return null;
    }
  }

  // `callsText`: a list of lists of [[key, id], value]; the answer: the JSON text of each result in a list of its own.
  function reduce(callsText, foreign) {
    var calls = realm.parse(callsText), results = bare([]), adopt = foreign === 'foreign' ? realm.adopt : same;
    for (var i = 0; i < calls.length; i++) {
      var rows = calls[i], keys = [], values = [];
      for (var j = 0; j < rows.length; j++) {
        keys[j] = rows[j][0];
        values[j] = rows[j][1];
      }
      results[i] = stringify(bare([reduction(adopt(keys), adopt(values), false)]));
    }
    return stringify(results);
  }

  function rereduce(callsText, foreign) {
    var calls = realm.parse(callsText), results = bare([]), adopt = foreign === 'foreign' ? realm.adopt : same;
    for (var i = 0; i < calls.length; i++) results[i] = stringify(bare([reduction(null, adopt(calls[i]), true)]));
    return stringify(results);
  }

  return {map_docs: mapDocs, reduce: reduce, rereduce: rereduce};
})
