// Requests to CouchDB's API and to the test kit. The header keeps them out of the request log and away from faults.

const HEADERS = { "X-CouchFake": "inspector", Accept: "application/json" };

export class CouchError extends Error {
  constructor(status, name, reason) {
    super(`${status} ${name}: ${reason}`);
    this.status = status;
    this.reason = reason;
  }
}

/** Send a request. Throw CouchError for an error answer, and Error where the server does not answer. */
export async function send(method, path, body, options = {}) {
  const headers = { ...HEADERS, ...options.headers };
  if (body !== undefined && !options.raw) {
    headers["Content-Type"] = "application/json";
    body = typeof body === "string" ? body : JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, { method, headers, body, signal: options.signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it still running?");
  }
  if (!answer.ok) {
    const refusal = await answer.json().catch(() => ({ error: answer.statusText, reason: "" }));
    throw new CouchError(answer.status, refusal.error, refusal.reason);
  }
  return answer;
}

export const text = async (...request) => (await send(...request)).text();
export const ask = async (...request) => JSON.parse(await text(...request));
export const get = (path, options) => ask("GET", path, undefined, options);
export const post = (path, body = {}) => ask("POST", path, body);

export const kit = {
  get: (path, options) => get("/_couchfake/" + path, options),
  post: (path, body = {}) => post("/_couchfake/" + path, body),
  delete: (path) => ask("DELETE", "/_couchfake/" + path),
};

const escaped = encodeURIComponent;
export const dbPath = (db) => "/" + escaped(db);
/** The path of a document; the slash of `_design/x` and `_local/x` stays. */
export function docPath(db, id) {
  const [, special, rest] = /^(_design\/|_local\/)?(.*)$/s.exec(id);
  return `${dbPath(db)}/${special ?? ""}${escaped(rest)}`;
}
export const query = (parameters) =>
  "?" +
  Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        `${name}=${escaped(typeof value === "string" && name === "rev" ? value : JSON.stringify(value))}`,
    )
    .join("&");

export const dbLink = (db, panel = "") => `#/db/${escaped(db)}${panel && "/" + panel}`;
export const docLink = (db, id, rev) => `#/doc/${escaped(db)}/${escaped(id)}${rev ? "/" + escaped(rev) : ""}`;
