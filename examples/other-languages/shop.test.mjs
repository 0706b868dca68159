// Tests with Node's own test runner. Run: node --test shop.test.mjs
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, beforeEach, test } from "node:test";

let fake, url;

async function ask(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  return { status: answer.status, ...(await answer.json()) };
}

before(async () => {
  fake = spawn("couchfake", ["serve", "--port", "0", "--control"], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface(fake.stdout), "line"); // its URL, as soon as it answers
  url = line;
});

after(() => fake.kill());

beforeEach(() => ask("POST", "_couchfake/reset", {}));

test("a document is stored", async () => {
  await ask("PUT", "shop");
  await ask("PUT", "shop/tea", { price: 3 });
  assert.equal((await ask("GET", "shop/tea")).price, 3);
});

test("every test begins with an empty server", async () => {
  assert.equal((await ask("GET", "shop")).status, 404);
});

test("the server is down for one request", async () => {
  await ask("POST", "_couchfake/faults", { fault: "refuse", status: 503, path: "/shop", times: 1 });
  assert.equal((await ask("PUT", "shop")).status, 503);
  assert.equal((await ask("PUT", "shop")).status, 201);
});
