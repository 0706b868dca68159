'use strict';

// Pushes what a database in memory holds (conflicts, deletions, attachments), and pulls what a third party has added.

const { PouchDB, tell, hear, memory, leaves, run } = require('./common');

run(async (url) => {
  const local = memory();
  const remote = new PouchDB(url, { skip_setup: true });
  const branch = (id, hash, more) => ({
    _id: id, _rev: `2-${hash.repeat(32)}`, _revisions: { start: 2, ids: [hash.repeat(32), '0'.repeat(32)] }, ...more,
  });
  await local.bulkDocs(
    ['a', 'b', 'c'].map((hash) => branch('three', hash, { hash, _deleted: hash === 'b' })),
    { new_edits: false },
  );
  const data = Buffer.alloc(100000, 'abc');
  await local.put({ _id: 'with', _attachments: { large: { content_type: 'application/octet-stream', data } } });
  await local.put({ _id: 'with/slash and ?&ü', n: 1.5 });
  await local.remove(await local.get('with/slash and ?&ü'));
  await local.bulkDocs(Array.from({ length: 250 }, (_, n) => ({ _id: `many-${n}`, n })));
  await local.replicate.to(remote);
  tell(await leaves(local));
  await hear('changed');
  await local.replicate.from(remote);
  tell(await leaves(local));
});
