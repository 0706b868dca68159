// A database's changes, as they come.

import { dbPath, docLink, get } from "./couch.js";
import { h, replace } from "./dom.js";
import { short } from "./documents.js";

const KEPT = 200;
const WAIT = 20000; // milliseconds of one longpoll

export async function show(body, db, _, signal) {
  const rows = h("tbody"),
    status = h("p", { class: "quiet", role: "status" }, "Waiting for changes…");
  replace(
    body,
    status,
    h(
      "div",
      { class: "scroll" },
      h(
        "table",
        { class: "wide" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Sequence", "Document", "Leaves", ""].map((each) => h("th", { scope: "col" }, each)),
          ),
        ),
        rows,
      ),
    ),
  );
  const past = await get(`${dbPath(db)}/_changes?descending=true&limit=50&style=all_docs`, { signal });
  rows.append(...past.results.map((each) => row(db, each)));
  follow(db, past.results[0]?.seq ?? "0", rows, signal).catch((error) => {
    if (error.name !== "AbortError") replace(status, error.message);
  });
}

async function follow(db, since, rows, signal) {
  while (!signal.aborted) {
    const found = await get(
      `${dbPath(db)}/_changes?feed=longpoll&style=all_docs&timeout=${WAIT}&limit=${KEPT}&since=${encodeURIComponent(since)}`,
      { signal },
    );
    since = found.last_seq;
    for (const each of found.results) {
      const made = row(db, each);
      made.classList.add("arrived");
      rows.prepend(made);
    }
    while (rows.rows.length > KEPT) rows.lastChild.remove();
  }
}

function row(db, each) {
  return h(
    "tr",
    {},
    h("td", { class: "number", title: each.seq }, each.seq.split("-")[0]),
    h("td", {}, h("a", { href: docLink(db, each.id) }, each.id)),
    h(
      "td",
      {},
      each.changes.map(({ rev }) => h("code", { class: "leaf", title: rev }, short(rev))),
    ),
    h(
      "td",
      {},
      each.deleted
        ? h("span", { class: "badge deleted" }, "deleted")
        : each.changes.length > 1
          ? h("span", { class: "badge stored" }, "several leaves")
          : "",
    ),
  );
}
