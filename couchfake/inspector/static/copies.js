// A request of the log as a curl command, as a Python test, and as a recording that `couchfake replay` plays.

const QUIET = new Set([
  "Host",
  "Content-Length",
  "Connection",
  "Accept-Encoding",
  "User-Agent",
  "Origin",
  "Referer",
  "Accept-Language",
  "Cookie",
  "Authorization",
]);
const KEPT = ["Content-Type", "Location", "Cache-Control"]; // headers of answers that a recording compares

const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const sent = (found) => Object.entries(found.headers).filter(([name]) => !QUIET.has(name) && !name.startsWith("Sec-"));

export function asCurl(found, origin) {
  const parts = ["curl", ...(found.method === "HEAD" ? ["--head"] : ["-X", found.method]), quoted(origin + found.url)];
  for (const [name, value] of sent(found))
    if (name !== "Accept" || value !== "*/*") parts.push("-H", quoted(`${name}: ${value}`));
  if (found.headers.Authorization || found.headers.Cookie) parts.push("-u", quoted("NAME:PASSWORD"));
  if (found.body) parts.push("--data-binary", quoted(found.body));
  return parts.join(" ");
}

const WORDS = { true: "True", false: "False", null: "None" };

/** JSON text as Python writes the same value. Numbers stay as they are written: `1.0`, and integers of any length. */
export function python(text) {
  return text.replace(/"(?:[^"\\]|\\.)*"|[^\s",:[\]{}]+|[,:]|\s+/g, (token) => {
    if (token[0] === '"') return JSON.stringify(JSON.parse(token));
    if (token.trim() === "") return "";
    return WORDS[token] ?? (token === "," ? ", " : token === ":" ? ": " : token);
  });
}

const literal = (value) => python(JSON.stringify(value));

export function asTest(found) {
  const body = parsed(found.body),
    answer = parsed(found.answer);
  const name = `${found.method} ${found.url.split("?")[0]}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/_$/, "");
  const call = [literal(found.method), `couch_url.rstrip("/") + ${literal(found.url)}`];
  if (body !== undefined) call.push(`json=${python(found.body)}`);
  else if (found.body) call.push(`data=${literal(found.body)}.encode()`);
  const kept = sent(found).filter(([each]) => each !== "Accept" && !(body !== undefined && each === "Content-Type"));
  if (kept.length) call.push(`headers=${literal(Object.fromEntries(kept))}`);
  const lines = [
    "import requests",
    "",
    "",
    `def test_${name}(couch_url: str) -> None:`,
    `    answer = requests.request(${call.join(", ")}, timeout=10)`,
    `    assert answer.status_code == ${found.status}`,
  ];
  if (answer !== undefined) lines.push(`    assert answer.json() == ${python(found.answer)}`);
  return lines.join("\n") + "\n";
}

/** Whether an answer was sent piece by piece; the log does not keep those, so a recording cannot hold them. */
export const isStreamed = (found) =>
  !found.answer &&
  !("Content-Length" in found.answer_headers) &&
  found.method !== "HEAD" &&
  ![0, 204, 304].includes(found.status);

export function asRecording(requests) {
  const texts = []; // JSON of bodies, put in as it was sent: parsing would round long integers
  const raw = (text) => {
    texts.push(text.trim());
    return `\u0000${texts.length - 1}`;
  };
  const all = requests.filter((each) => !isStreamed(each));
  const databases = [
    ...new Set(
      all
        .filter(
          (each) => each.method === "PUT" && each.database && !each.document && /^\/[^/]+\/?(\?|$)/.test(each.url),
        )
        .map((each) => each.database),
    ),
  ];
  const recording = {
    area: "inspector",
    recorded_from: "couchfake",
    scenarios: [
      {
        name: "copied_from_the_inspector",
        doc: "Requests of a server's log.",
        databases,
        steps: all.map((each) => step(each, raw)),
      },
    ],
  };
  return JSON.stringify(recording, null, 1).replace(/"\\u0000(\d+)"/g, (_, place) => texts[place]);
}

function step(found, raw) {
  const body = parsed(found.body),
    answer = parsed(found.answer);
  const request = { method: found.method, path: found.url };
  const headers = Object.fromEntries(
    sent(found).filter(([name, value]) => value !== "*/*" && !(body !== undefined && name === "Content-Type")),
  );
  if (Object.keys(headers).length) request.headers = headers;
  if (body !== undefined) request.json = raw(found.body);
  else if (found.body) request.body = found.body;
  const response = {
    status: found.status,
    headers: Object.fromEntries(
      KEPT.filter((name) => name in found.answer_headers).map((name) => [
        name,
        recorded(name, found.answer_headers[name]),
      ]),
    ),
  };
  if (answer !== undefined) Object.assign(response, { kind: "json", body: raw(found.answer) });
  else if (found.answer) Object.assign(response, { kind: "text", body: found.answer });
  else response.kind = "none";
  return { request, response };
}

/** A header without the server's own address. */
const recorded = (name, value) => (name === "Location" ? value.replace(/^https?:\/\/[^/]*/, "") : value);
