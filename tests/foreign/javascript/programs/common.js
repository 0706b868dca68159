'use strict';

// What the programs share. A program talks with its test in lines: JSON objects on its standard output (tell), words
// on its standard input (hear). It ends by itself, or with status 2 once it has taken too long.

const readline = require('node:readline');
const { setTimeout: sleep } = require('node:timers/promises');

const PouchDB = require('pouchdb-core')
  .plugin(require('pouchdb-adapter-http'))
  .plugin(require('pouchdb-adapter-memory'))
  .plugin(require('pouchdb-replication'))
  .plugin(require('pouchdb-mapreduce'))
  .plugin(require('pouchdb-find'));

const LONGEST = 60000;

setTimeout(() => {
  console.error('the program took too long');
  process.exit(2);
}, LONGEST).unref();

function tell(message) {
  process.stdout.write(JSON.stringify(message) + '\n');
}

let words = null;

async function hear(expected) {
  words = words || readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const { value } = await words.next();
  if (value !== expected) {
    throw new Error(`heard ${value}, not ${expected}`);
  }
}

async function until(condition) {
  while (!(await condition())) {
    await sleep(30);
  }
}

let databases = 0;

function memory() {
  databases += 1;
  return new PouchDB(`memory${databases}`, { adapter: 'memory' });
}

// Each document's winner and all its leaves with their histories and attachments, deleted ones too.
async function leaves(db) {
  const found = {};
  const { results } = await db.changes({ style: 'all_docs', include_docs: true });
  for (const { id, doc } of results) {
    const answers = await db.get(id, { open_revs: 'all', revs: true, attachments: true });
    const revisions = {};
    for (const { ok } of answers) {
      revisions[ok._rev] = plain(ok);
    }
    found[id] = { winner: doc._rev, leaves: revisions };
  }
  return found;
}

// Digests are of what is stored, which CouchDB compresses, so contents are compared instead.
function plain(doc) {
  const attachments = {};
  for (const [name, { content_type: type, data }] of Object.entries(doc._attachments || {})) {
    attachments[name] = { content_type: type, data };
  }
  return { ...doc, _attachments: attachments };
}

function run(program) {
  program(...process.argv.slice(2)).then(
    () => process.stdout.write('', () => process.exit(0)), // whatever timers and sockets remain
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}

module.exports = { PouchDB, tell, hear, until, sleep, memory, leaves, run };
