'use strict';

// A live synchronisation while both sides are written: new documents, updates, deletions, attachments, design
// documents, and conflicts that each side makes before it hears of the other. Stops in the middle for its test.

const { PouchDB, tell, hear, until, memory, leaves, run } = require('./common');
const { isDeepStrictEqual } = require('node:util');

async function write(db, side) {
  await db.bulkDocs(Array.from({ length: 20 }, (_, n) => ({ _id: `${side}-${n}`, side, n })));
  const first = await db.get(`${side}-0`);
  await db.put({ ...first, changed: true });
  await db.remove(await db.get(`${side}-1`));
  await db.put({ _id: `_design/${side}`, views: { all: { map: 'function (doc) { emit(doc.side); }' } } });
  await db.put({
    _id: `${side}-attached`,
    _attachments: {
      'a text.txt': { content_type: 'text/plain', data: Buffer.from(`text of ${side} `.repeat(50)) },
      'bytes/ünï': { content_type: 'image/png', data: Buffer.from([0, 1, 2, 254, 255]) },
    },
  });
  const { rev } = await db.get(`${side}-2`).then((doc) => db.put({ ...doc, more: 1 }));
  await db.putAttachment(`${side}-2`, 'later', rev, Buffer.from('later'), 'text/plain');
}

async function conflict(db, side) {
  const branch = (start, ids, more) => ({ ...more, side, _rev: `${start}-${ids[0]}`, _revisions: { start, ids } });
  const mark = side === 'local' ? 'a' : 'b';
  await db.bulkDocs([
    { _id: 'both live', ...branch(2, [mark.repeat(32), '0'.repeat(32)]) },
    { _id: 'one deleted', ...branch(2, [mark.repeat(32), '0'.repeat(32)], side === 'local' ? { _deleted: true } : {}) },
    { _id: 'both deleted', ...branch(2, [mark.repeat(32), '0'.repeat(32)], { _deleted: true }) },
    { _id: 'longer', ...branch(side === 'local' ? 3 : 2, [mark.repeat(32), 'f'.repeat(32)]) },
    { _id: 'no common root', ...branch(1, [mark.repeat(32)]) },
  ], { new_edits: false });
}

run(async (url) => {
  const local = memory();
  const remote = new PouchDB(url, { skip_setup: true });
  const same = async () => isDeepStrictEqual(await leaves(local), await leaves(remote));
  await Promise.all([conflict(local, 'local'), conflict(remote, 'remote')]);

  const seen = {};
  const sync = local.sync(remote, { live: true, retry: true, back_off_function: () => 50 });
  for (const event of ['active', 'paused', 'change', 'denied', 'error', 'complete']) {
    sync.on(event, () => { seen[event] = (seen[event] || 0) + 1; });
  }
  await Promise.all([write(local, 'local'), write(remote, 'remote')]);
  await until(same);
  tell({ synced: await leaves(local) });

  await hear('cut');
  await until(() => local.get('local-3').then((doc) => local.put({ ...doc, offline: true })));
  await local.put({ _id: 'written while the server was away' });
  tell({ written: true });
  await hear('back');
  await until(() => remote.get('remote-3').then((doc) => remote.put({ ...doc, again: true })).catch(() => false));
  await until(async () => (await local.get('remote-3')).again);
  await until(same);

  // Resolving a conflict on one side resolves it on the other.
  const winner = await local.get('both live', { conflicts: true });
  await local.remove('both live', winner._conflicts[0]);
  await until(async () => !(await remote.get('both live', { conflicts: true }))._conflicts);

  const done = new Promise((resolve) => { sync.on('complete', resolve); });
  sync.cancel();
  const info = await done;
  tell({ leaves: await leaves(local), events: Object.keys(seen).sort(), push: info.push.ok, pull: info.pull.ok });
});
