'use strict';

// Pushes documents of which the server refuses one.

const { PouchDB, tell, memory, run } = require('./common');

run(async (url) => {
  const remote = new PouchDB(url, { skip_setup: true });
  await remote.put({
    _id: '_design/guard',
    validate_doc_update: "function (doc) { if (doc.bad) { throw {forbidden: 'no bad ones'}; } }",
  });
  const local = memory();
  await local.bulkDocs([{ _id: 'a' }, { _id: 'b', bad: true }, { _id: 'c' }]);
  const denied = [];
  const result = await local.replicate.to(remote).on('denied', (error) => denied.push(error));
  const { rows } = await remote.allDocs();
  tell({
    denied: denied.map(({ id, name, message }) => ({ id, name, message })),
    failures: result.doc_write_failures,
    ids: rows.map((row) => row.id),
  });
});
