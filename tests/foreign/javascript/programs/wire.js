'use strict';

// What HTTP clients do that a server has to bear, with Node's own client and sockets.

const http = require('node:http');
const net = require('node:net');
const zlib = require('node:zlib');
const { once } = require('node:events');
const { Readable } = require('node:stream');
const { json, text } = require('node:stream/consumers');
const { tell, until, run } = require('./common');

const JSON_TYPE = { 'Content-Type': 'application/json' };

// Sends a request whose body is written by ``send`` and gives [status, parsed body, headers].
async function ask(url, options, send = (request) => request.end()) {
  const request = http.request(url, options);
  send(request);
  const [response] = await once(request, 'response');
  return [response.statusCode, await json(response), response.headers];
}

const parts = {
  async reused(url) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set();
    const statuses = [];
    const write = (n) => (request) => {
      request.on('socket', (socket) => socket.once('ready', () => ports.add(socket.localPort)));
      request.end(JSON.stringify({ n }));
    };
    for (let n = 0; n < 20; n += 1) {
      const [status] = await ask(`${url}/doc${n}`, { method: 'PUT', agent, headers: JSON_TYPE }, write(n));
      statuses.push(status);
    }
    const [missing] = await ask(`${url}/nothing`, { agent });
    agent.destroy();
    return { sockets: ports.size, statuses: [...new Set(statuses)], missing };
  },

  async continued(url) {
    const body = JSON.stringify({ large: 'x'.repeat(200000) });
    const headers = { ...JSON_TYPE, Expect: '100-continue', 'Content-Length': body.length };
    let asked = 0;
    const wait = (request) => {
      request.flushHeaders();
      request.on('continue', () => { asked += 1; request.end(body); });
    };
    const [status] = await ask(`${url}/waiting`, { method: 'PUT', headers }, wait);
    return { asked, status, length: (await ask(`${url}/waiting`))[1].large.length };
  },

  async gzipped(url) {
    const body = zlib.gzipSync(JSON.stringify({ docs: [{ _id: 'a' }, { _id: 'b' }] }));
    const headers = { ...JSON_TYPE, 'Content-Encoding': 'gzip' };
    const [status, rows] = await ask(`${url}/_bulk_docs`, { method: 'POST', headers }, (request) => request.end(body));
    return { status, ids: rows.map((row) => row.id) };
  },

  async chunked(url) {
    const pieces = Array.from({ length: 50 }, (_, n) => `piece ${n};`.repeat(100));
    const headers = { 'Content-Type': 'application/octet-stream' };
    const pipe = (request) => Readable.from(pieces).pipe(request);
    const [status] = await ask(`${url}/doc/attached`, { method: 'PUT', headers }, pipe);
    const answer = await fetch(`${url}/doc/attached`);
    const body = Readable.toWeb(Readable.from([Buffer.from('{"from":'), Buffer.from('"fetch"}')]));
    const put = await fetch(`${url}/fetched`, { method: 'PUT', headers: JSON_TYPE, body, duplex: 'half' });
    return { status, same: (await answer.text()) === pieces.join(''), put: put.status };
  },

  async closed(url) {
    const [status, , headers] = await ask(url, { headers: { Connection: 'close' }, agent: false });
    const { port, pathname } = new URL(url);
    const socket = net.connect(port, '127.0.0.1');
    socket.end(`GET ${pathname} HTTP/1.0\r\n\r\n`); // half closed before its answer
    const old = await text(socket);
    return { status, connection: headers.connection, old: old.split('\r\n')[0], body: old.includes('"db_name"') };
  },

  async pipelined(url) {
    const { port, pathname } = new URL(url);
    const socket = net.connect(port, '127.0.0.1');
    const one = `GET ${pathname} HTTP/1.1\r\nHost: x\r\n`;
    socket.write(`${one}\r\n`.repeat(9) + `${one}Connection: close\r\n\r\n`);
    return (await text(socket)).match(/HTTP\/1.1 200 OK/g).length;
  },

  async crowded(url) {
    const agent = new http.Agent({ keepAlive: true });
    const write = (n) => ask(`${url}/doc${n}`, { method: 'PUT', agent, headers: JSON_TYPE }, (request) => request.end('{}'));
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => write(n)));
    agent.destroy();
    const [, { doc_count: count }] = await ask(url);
    return { statuses: [...new Set(answers.map(([status]) => status))], count };
  },

  async aborted(url) {
    const waiting = Array.from({ length: 20 }, (_, n) => {
      const feed = n % 2 ? 'longpoll' : 'continuous&heartbeat=50';
      return http.get(`${url}/_changes?since=now&feed=${feed}`).on('error', () => {});
    });
    await Promise.all(waiting.map((request) => once(request, 'response')));
    const halves = Array.from({ length: 10 }, () => {
      const request = http.request(`${url}/half`, { method: 'PUT', headers: { ...JSON_TYPE, 'Content-Length': 1000 } });
      request.on('error', () => {}).write('{"half":');
      return request;
    });
    await Promise.all(halves.map((request) => once(request, 'socket')));
    [...waiting, ...halves].forEach((request) => request.destroy());
    const [status] = await ask(`${url}/after`, { method: 'PUT', headers: JSON_TYPE }, (request) => request.end('{}'));
    return { status, half: (await ask(`${url}/half`))[0] };
  },

  async followed(url) {
    const lines = [];
    const aborter = new AbortController();
    const answer = await fetch(`${url}/_changes?feed=continuous&heartbeat=20`, { signal: aborter.signal });
    const read = (async () => {
      for await (const bytes of answer.body) {
        lines.push(Buffer.from(bytes).toString());
      }
    })().catch((error) => error.name);
    await until(() => lines.join('').includes('\n\n')); // heartbeats
    await ask(`${url}/new`, { method: 'PUT', headers: JSON_TYPE }, (request) => request.end('{}'));
    await until(() => lines.join('').includes('"id":"new"'));
    aborter.abort();
    return read;
  },
};

run(async (url, part) => tell(await parts[part](url)));
