// A database's documents in the order of their ids, a page at a time.

import { dbPath, docLink, get, query } from "./couch.js";
import { button, form, h, noteError, replace, table } from "./dom.js";

const PAGE = 50;
const CELL = 60; // characters of a value that a row shows
const END = "\ufff0";

export async function show(body, db, _, signal) {
  const list = h("div");
  const prefix = h("input", {
    type: "search",
    placeholder: "Ids that begin with…",
    "aria-label": "Ids that begin with",
  });
  const create = form(
    (made) => {
      location.hash = docLink(db, made.elements.id.value) + "/new";
    },
    { class: "bar" },
    h("input", { name: "id", placeholder: "New document's id", "aria-label": "Id of a new document", required: true }),
    h("button", {}, "New document"),
  );
  replace(body, h("div", { class: "bar" }, prefix, h("span", { class: "grow" }), create), list);
  let running = new AbortController();
  signal.addEventListener("abort", () => running.abort());
  const draw = (page) => {
    running.abort();
    running = new AbortController();
    return load(list, db, prefix.value, page, draw, running.signal);
  };
  const search = async () => {
    try {
      await draw({});
    } catch (error) {
      noteError(error);
    }
  };
  prefix.addEventListener("input", search);
  await draw({});
}

/** `page`: `from` an id on, or backwards `before` one; without either, the first page. */
async function load(list, db, prefix, page, draw, signal) {
  const backwards = page.before !== undefined;
  const lower = page.from ?? (prefix || undefined);
  const range = backwards
    ? { start_key: page.before, end_key: prefix || undefined, descending: true, skip: 1 }
    : { start_key: lower, end_key: prefix ? prefix + END : undefined };
  const found = await get(`${dbPath(db)}/_all_docs${query({ ...range, include_docs: true, limit: PAGE + 1 })}`, {
    signal,
  });
  const extra = found.rows.length > PAGE ? found.rows.pop() : null;
  if (backwards) found.rows.reverse();
  const rows = found.rows;
  const first = rows[0]?.id,
    next = backwards ? page.before : extra?.id;
  const hasBefore = backwards ? extra !== null : page.from !== undefined;
  replace(
    list,
    rows.length
      ? documentTable(
          db,
          rows.map((row) => row.doc),
        )
      : h("p", { class: "empty" }, prefix ? "No id begins with this." : "The database holds no document."),
    h(
      "div",
      { class: "bar" },
      button("← Before", () => draw({ before: first }), { disabled: !hasBefore }),
      button("Next →", () => draw({ from: next }), { disabled: next === undefined }),
      h("span", { class: "quiet" }, `${found.total_rows.toLocaleString("en")} documents in all`),
    ),
  );
}

/** A table with a column for each member that many of the documents have. */
export function documentTable(db, documents) {
  const counts = new Map();
  for (const each of documents)
    for (const name of Object.keys(each)) if (!name.startsWith("_")) counts.set(name, (counts.get(name) ?? 0) + 1);
  const columns = [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 6)
    .map(([name]) => name);
  return table(
    ["Id", "Revision", ...columns, ""],
    documents.map((each) => [
      h("a", { href: docLink(db, each._id) }, each._id),
      h("code", { title: each._rev }, short(each._rev ?? "")),
      ...columns.map((name) => h("span", { class: "cell" }, shown(each[name]))),
      h("span", { class: "quiet" }, each._attachments ? `${Object.keys(each._attachments).length} attached` : ""),
    ]),
    { class: "wide documents" },
  );
}

export const short = (rev) => rev.replace(/-(.{6}).*/, "-$1");

function shown(value) {
  if (value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > CELL ? text.slice(0, CELL) + "…" : text;
}
