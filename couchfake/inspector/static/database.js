// One database: documents, queries, design documents, changes, conflicts, security.

import { ask, dbLink, dbPath, docLink, get, kit } from "./couch.js";
import { button, h, replace } from "./dom.js";

const TABS = {
  "": ["Documents", () => import("./documents.js")],
  query: ["Query", () => import("./query.js")],
  design: ["Design documents", () => import("./design.js")],
  changes: ["Changes", () => import("./changes.js")],
  conflicts: ["Conflicts", () => ({ show: conflicts })],
  security: ["Security", () => import("./security.js")],
};

export async function show(room, [db, tab = "", ...rest], signal) {
  const body = h("section");
  replace(
    room,
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Databases")),
    h("h1", {}, db),
    h(
      "nav",
      { class: "tabs", "aria-label": "Parts of the database" },
      Object.entries(TABS).map(([key, [label]]) =>
        h("a", { href: dbLink(db, key), "aria-current": key === tab ? "page" : undefined }, label),
      ),
      button(
        "Delete database…",
        async () => {
          if (!confirm(`Delete the database ${db} with all its documents?`)) return;
          await ask("DELETE", dbPath(db));
          location.hash = "#/";
        },
        { class: "danger" },
      ),
    ),
    body,
  );
  await get(dbPath(db), { signal });
  if (!TABS[tab]) {
    const id = [tab, ...rest].join("/");
    replace(
      body,
      h("p", { class: "empty" }, `A database has no part “${tab}”. `, h("a", { href: docLink(db, id) }, `The document ${id}`)),
    );
    return;
  }
  await (await TABS[tab][1]()).show(body, db, rest, signal);
}

async function conflicts(body, db) {
  const found = await kit.get(`conflicts/${encodeURIComponent(db)}`);
  replace(
    body,
    found.total
      ? [
          h(
            "p",
            {},
            `${found.total.toLocaleString("en")} documents are in conflict${found.total > found.ids.length ? "; these are the first" : ""}:`,
          ),
          h(
            "ul",
            { class: "plain" },
            found.ids.map((id) => h("li", {}, h("a", { href: docLink(db, id) }, id))),
          ),
        ]
      : h("p", { class: "empty" }, "No document is in conflict."),
  );
}
