// Replication with PouchDB. Run: node --test pouchdb.test.cjs, after
// npm install pouchdb-core pouchdb-adapter-memory pouchdb-adapter-http pouchdb-replication
const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { createInterface } = require("node:readline");
const { after, before, beforeEach, test } = require("node:test");

const PouchDB = require("pouchdb-core")
  .plugin(require("pouchdb-adapter-memory"))
  .plugin(require("pouchdb-adapter-http"))
  .plugin(require("pouchdb-replication"));

let fake, url;

before(async () => {
  fake = spawn("couchfake", ["serve", "--port", "0", "--control"], { stdio: ["ignore", "pipe", "inherit"] });
  [url] = await once(createInterface(fake.stdout), "line"); // its URL, as soon as it answers
});

after(() => fake.kill());

beforeEach(() => fetch(`${url}_couchfake/reset`, { method: "POST", headers: { "X-CouchFake": "1" } }));

test("both sides have everything after a synchronisation", async () => {
  const phone = new PouchDB("phone", { adapter: "memory" });
  const shop = new PouchDB(`${url}shop`);
  await phone.put({ _id: "tea", price: 3 });
  await shop.put({ _id: "coffee", price: 4 });

  await phone.sync(shop);

  assert.deepEqual((await phone.allDocs()).rows.map((row) => row.id), ["coffee", "tea"]);
  assert.deepEqual((await shop.allDocs()).rows.map((row) => row.id), ["coffee", "tea"]);
  await phone.destroy();
});

test("edits on both sides become a conflict", async () => {
  const phone = new PouchDB("phone", { adapter: "memory" });
  const shop = new PouchDB(`${url}shop`);
  const { rev } = await shop.put({ _id: "tea", price: 3 });
  await phone.sync(shop);
  await phone.put({ _id: "tea", _rev: rev, price: 4 });
  await shop.put({ _id: "tea", _rev: rev, price: 5 });

  await phone.sync(shop);

  const [here, there] = await Promise.all([phone, shop].map((db) => db.get("tea", { conflicts: true })));
  assert.equal(here._rev, there._rev);
  assert.equal(there._conflicts.length, 1);
  await phone.destroy();
});
