'use strict';

// What nano offers, a part at a time, against a server with an administrator.

const { once } = require('node:events');
const { Readable } = require('node:stream');
const { buffer, text } = require('node:stream/consumers');
const Nano = require('nano');
const { tell, sleep, run } = require('./common');

const refusal = (error) => [error.statusCode, error.error, error.reason];

const parts = {
  async session({ origin, username, password }) {
    const couch = Nano({ url: origin });
    const before = await couch.db.create('alice').catch(refusal);
    await couch.auth(username, password);
    const { userCtx } = await couch.session();
    await couch.db.create('alice');
    const twice = await couch.db.create('alice').catch(refusal);
    const list = await couch.db.list();
    await couch.db.destroy('alice');
    const gone = await couch.use('alice').info().catch(refusal);
    return { before, userCtx, twice, list, gone };
  },

  async documents({ href }) {
    const alice = await created(href, 'alice');
    const { rev } = await alice.insert({ happy: true }, 'rabbit');
    const conflict = await alice.insert({ happy: false }, 'rabbit').catch(refusal);
    const { etag } = await alice.head('rabbit');
    await alice.insert({ _id: 'rabbit', _rev: rev, happy: 'very' });
    const bulk = await alice.bulk({ docs: [{ _id: 'a', n: 1 }, { _id: 'b', n: 2 }, { _id: 'rabbit' }] });
    const { rows } = await alice.fetch({ keys: ['a', 'nothing'] });
    const history = (await alice.get('rabbit', { revs_info: true }))._revs_info.map((each) => each.status);
    const a = await alice.get('a');
    const { ok } = await alice.destroy('a', a._rev);
    return {
      conflict, etag: etag === `"${rev}"`, history, destroyed: ok,
      bulk: bulk.map((row) => row.error || 'ok'),
      fetched: rows.map((row) => row.doc?.n || row.error),
    };
  },

  async attachments({ href }) {
    const alice = await created(href, 'alice');
    const bytes = Buffer.alloc(300000, 'rabbit');
    const { rev } = await alice.attachment.insert('pictured', 'one.bin', bytes, 'application/octet-stream');
    const stream = Readable.from(Array.from({ length: 5 }, () => bytes.subarray(0, 70000)));
    await alice.attachment.insert('pictured', 'two.txt', stream, 'text/plain', { rev });
    const one = await alice.attachment.get('pictured', 'one.bin');
    const two = await buffer(await alice.attachment.getAsStream('pictured', 'two.txt'));
    const attached = [
      { name: 'x.txt', data: 'some text', content_type: 'text/plain' },
      { name: 'y', data: bytes, content_type: 'a/b' },
    ];
    await alice.multipart.insert({ many: true }, attached, 'parts');
    const { _attachments: stubs } = await alice.get('parts');
    const whole = await alice.multipart.get('parts');
    return {
      one: one.equals(bytes), two: two.length, whole: whole.includes(bytes),
      lengths: Object.fromEntries(Object.entries(stubs).map(([name, stub]) => [name, stub.length])),
    };
  },

  async queries({ href }) {
    const alice = await created(href, 'alice');
    await alice.bulk({ docs: [{ _id: 'a', n: 1 }, { _id: 'b', n: 2 }] });
    await alice.insert({
      views: { by_n: { map: 'function (doc) { emit(doc.n, 1); }', reduce: '_sum' } },
      shows: { hello: 'function (doc, req) { return "hello " + doc.n; }' },
      lists: {
        plain: 'function (head, req) { provides("text", function () { var row; while (row = getRow()) send(row.id); }); }',
      },
      updates: { bump: 'function (doc, req) { doc.n += JSON.parse(req.body).by; return [doc, "bumped"]; }' },
    }, '_design/numbers');
    const { rows } = await alice.view('numbers', 'by_n', { startkey: 1, reduce: false });
    const grouped = await alice.view('numbers', 'by_n', { keys: [1, 2], group: true });
    const show = await alice.show('numbers', 'hello', 'a');
    const list = await alice.viewWithList('numbers', 'by_n', 'plain', { reduce: false, format: 'text' });
    const update = await alice.atomic('numbers', 'bump', 'a', { by: 10 });
    const streamed = JSON.parse(await text(alice.viewAsStream('numbers', 'by_n', { reduce: false }))).total_rows;
    await alice.createIndex({ index: { fields: ['n'] }, name: 'n' });
    const { docs } = await alice.find({ selector: { n: { $gt: 1 } }, sort: ['n'], fields: ['_id', 'n'] });
    return { view: rows.map((row) => row.id), grouped: grouped.rows, show, list, update, streamed, docs };
  },

  async changes({ href }) {
    const alice = await created(href, 'alice');
    await alice.bulk({ docs: Array.from({ length: 10 }, (_, n) => ({ _id: `doc${n}` })) });
    const seen = [];
    const reader = alice.changesReader.start({ since: '0', batchSize: 4, timeout: 5000 });
    reader.on('change', (change) => seen.push(change.id));
    await once(reader, 'seq');
    await alice.insert({}, 'late');
    while (!seen.includes('late')) {
      await sleep(20);
    }
    alice.changesReader.stop();
    return seen.sort();
  },

  async partitions({ href }) {
    const parted = await created(href, 'parted', { partitioned: true });
    await parted.bulk({ docs: [{ _id: 'x:1', n: 1 }, { _id: 'x:2', n: 2 }, { _id: 'y:1', n: 3 }] });
    const { doc_count: count } = await parted.partitionInfo('x');
    const { rows } = await parted.partitionedList('x');
    const { docs } = await parted.partitionedFind('x', { selector: { n: { $gt: 1 } } });
    return { count, listed: rows.map((row) => row.id), found: docs.map((doc) => doc._id) };
  },

  async replication({ href }) {
    const couch = Nano(href);
    const alice = await created(href, 'alice');
    await alice.bulk({ docs: [{ _id: 'a' }, { _id: 'b' }] });
    const { ok } = await couch.db.replicate(`${href}alice`, `${href}once`, { create_target: true });
    const { id } = await couch.db.replication.enable(`${href}alice`, `${href}kept`, { create_target: true });
    let state;
    while ((state = (await couch.db.replication.query(id))._replication_state) !== 'completed') {
      await sleep(20);
    }
    const counts = [(await couch.db.get('once')).doc_count, (await couch.db.get('kept')).doc_count];
    return { ok, state, counts };
  },
};

async function created(url, name, options) {
  const couch = Nano(url);
  await couch.db.create(name, options);
  return couch.use(name);
}

run(async (url, part) => tell(await parts[part](new URL(url))));
