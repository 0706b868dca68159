'use strict';

// PouchDB's HTTP adapter, a part at a time: a database of the server's under PouchDB's own methods.

const { PouchDB, tell, until, run } = require('./common');

const refusal = (error) => [error.status, error.name, error.message];

const parts = {
  async documents(db) {
    const { rev } = await db.put({ _id: 'dir/a b?&ü+', n: 1 });
    const conflict = await db.put({ _id: 'dir/a b?&ü+', n: 2 }).catch(refusal);
    const missing = await db.get('nothing').catch(refusal);
    await db.bulkDocs([{ _id: 'x', _rev: '2-b', n: 1 }, { _id: 'x', _rev: '2-c', n: 2 }], { new_edits: false });
    const { results } = await db.bulkGet({ docs: [{ id: 'x', rev: '2-b' }, { id: 'nothing' }, { id: 'dir/a b?&ü+' }] });
    const x = await db.get('x', { conflicts: true });
    const page = await db.allDocs({ include_docs: true, descending: true, limit: 1 });
    const keys = await db.allDocs({ keys: ['x', 'nothing'] });
    return {
      rev: rev.startsWith('1-'), conflict, missing, x: [x._rev, x._conflicts],
      got: results.map(({ docs }) => docs.map(({ ok, error }) => (ok ? ok.n : error.reason))),
      page: page.rows.map((row) => row.doc._id), keys: keys.rows.map((row) => row.id || row.error),
      diff: await db.revsDiff({ x: ['2-b', '3-d'] }),
    };
  },

  async attachments(db) {
    const bytes = Buffer.from(Array.from({ length: 5000 }, (_, n) => n % 256));
    const first = await db.putAttachment('doc', 'dir/ä.bin', bytes, 'application/octet-stream');
    const inline = await db.get('doc');
    inline._attachments.text = { content_type: 'text/plain', data: Buffer.from('text').toString('base64') };
    await db.put(inline);
    const both = await db.get('doc', { attachments: true, binary: true });
    const { rev } = await db.removeAttachment('doc', 'text', both._rev);
    return {
      same: (await db.getAttachment('doc', 'dir/ä.bin')).equals(bytes),
      before: (await db.getAttachment('doc', 'dir/ä.bin', { rev: first.rev })).length,
      text: both._attachments.text.data.toString(), left: Object.keys((await db.get('doc', { rev }))._attachments),
    };
  },

  async queries(db) {
    await db.bulkDocs(['a', 'b', 'c'].map((name, n) => ({ _id: name, n, tags: [name, 'all'] })));
    await db.put({
      _id: '_design/tags',
      views: { by_tag: { map: 'function (doc) { doc.tags.forEach(function (tag) { emit(tag, doc.n); }); }', reduce: '_sum' } },
    });
    const grouped = await db.query('tags/by_tag', { group: true });
    const rows = await db.query('tags/by_tag', { key: 'all', reduce: false, include_docs: true });
    await db.createIndex({ index: { fields: ['n'] } });
    const found = await db.find({ selector: { n: { $gte: 1 } }, sort: [{ n: 'desc' }], fields: ['_id'] });
    const { index } = await db.explain({ selector: { n: { $gte: 1 } } });
    return {
      grouped: grouped.rows.map((row) => [row.key, row.value]), rows: rows.rows.map((row) => row.doc._id),
      found: found.docs.map((doc) => doc._id), index: index.type, absent: await db.query('tags/none').catch(refusal),
    };
  },

  async changes(db) {
    const seen = [];
    const feed = db.changes({ live: true, include_docs: true, heartbeat: 1000, filter: (doc) => doc.n !== 1 });
    feed.on('change', (change) => seen.push(change.id));
    const complete = new Promise((resolve) => { feed.on('complete', resolve); });
    for (let n = 0; n < 3; n += 1) {
      await db.put({ _id: `doc${n}`, n });
    }
    await until(() => seen.includes('doc2'));
    feed.cancel();
    const { status } = await complete;
    const { results } = await db.changes({ limit: 2, style: 'all_docs' });
    return { seen, status, limited: results.length };
  },

  async removed(db) {
    const { rev } = await db.put({ _id: 'doc' });
    await db.compact();
    const { update_seq: seq, ...info } = await db.info();
    await db.remove('doc', rev);
    return { seq: typeof seq, adapter: info.adapter, count: info.doc_count, gone: await db.get('doc').catch(refusal) };
  },
};

run(async (url, part) => tell(await parts[part](new PouchDB(url))));
