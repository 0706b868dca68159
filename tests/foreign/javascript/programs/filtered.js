'use strict';

// Pulls a part of a database, once by each kind of filter, and tells which documents came.

const { PouchDB, tell, memory, run } = require('./common');

run(async (url) => {
  const remote = new PouchDB(url, { skip_setup: true });
  await remote.put({
    _id: '_design/parts',
    filters: {
      by_kind: 'function (doc, req) { return doc.kind === req.query.kind; }',
    },
    views: { small: { map: 'function (doc) { if (doc.n < 2) { emit(doc.n); } }' } },
  });
  await remote.bulkDocs(['a', 'b'].flatMap((kind) => [1, 2, 3].map((n) => ({ _id: `${kind}${n}`, kind, n }))));

  const ways = {
    selector: { selector: { kind: 'b', n: { $gte: 2 } } },
    doc_ids: { doc_ids: ['a1', 'b3', 'nothing'] },
    filter: { filter: 'parts/by_kind', query_params: { kind: 'a' } },
    view: { filter: '_view', view: 'parts/small' },
    here: { filter: (doc) => doc.n === 3 },
  };
  const came = {};
  for (const [name, options] of Object.entries(ways)) {
    const local = memory();
    const first = await local.replicate.from(remote, options);
    const again = await local.replicate.from(remote, options);
    const { rows } = await local.allDocs();
    came[name] = { ids: rows.map((row) => row.id), written: [first.docs_written, again.docs_written] };
  }
  tell(came);
});
