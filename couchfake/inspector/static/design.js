// Design documents: their functions with line numbers, the state of the index, and map functions tried out.

import { ask, dbLink, dbPath, docLink, docPath, get, kit, query } from "./couch.js";
import { button, h, json, note, replace, size, table } from "./dom.js";

export async function show(body, db, [name], signal) {
  const { rows } = await get(`${dbPath(db)}/_design_docs?include_docs=true`, { signal });
  const chosen = rows.find((row) => row.id === "_design/" + name)?.doc ?? rows[0]?.doc;
  if (!chosen)
    return replace(
      body,
      h("p", { class: "empty" }, "There is no design document. "),
      h("a", { href: docLink(db, "_design/new") + "/new" }, "Write one"),
    );
  const inside = h("div");
  replace(
    body,
    h(
      "nav",
      { class: "tabs small", "aria-label": "Design documents" },
      rows.map((row) =>
        h(
          "a",
          {
            href: dbLink(db, "design/" + encodeURIComponent(row.id.slice(8))),
            "aria-current": row.id === chosen._id ? "page" : undefined,
          },
          row.id.slice(8),
        ),
      ),
    ),
    inside,
  );
  await showDesign(inside, db, chosen);
}

async function showDesign(inside, db, ddoc) {
  const path = docPath(db, ddoc._id);
  const sample =
    (await get(`${dbPath(db)}/_all_docs${query({ limit: 20 })}`)).rows
      .map((row) => row.id)
      .find((id) => !id.startsWith("_design/")) ?? "";
  const state = h("div"),
    list = h("datalist", { id: "documents-to-try" });
  replace(
    inside,
    h(
      "p",
      {},
      h("a", { href: docLink(db, ddoc._id) }, "The whole document"),
      h("span", { class: "quiet" }, ` ${ddoc.language ?? "javascript"}, ${ddoc._rev}`),
    ),
    state,
    list,
  );
  if (ddoc.language === "query") return inside.append(json(ddoc.views ?? {}));
  for (const [path_, source] of functions(ddoc)) inside.append(functionCard(db, ddoc, path_, source, sample));
  if (Object.keys(ddoc.views ?? {}).length) {
    const draw = async () => {
      const { view_index: index } = await get(path + "/_info");
      replace(
        state,
        h(
          "dl",
          { class: "facts" },
          h("dt", {}, "Index"),
          h("dd", {}, index.updater_running ? "being built" : `up to sequence ${index.update_seq}`),
          h("dt", {}, "Size"),
          h("dd", {}, size(index.sizes.active)),
          h("dt", {}, "Waiting clients"),
          h("dd", {}, index.waiting_clients),
          h("dt", {}, "Signature"),
          h("dd", {}, h("code", {}, index.signature)),
        ),
        h("div", { class: "bar" }, button("Look again", draw)),
      );
    };
    await draw();
  }
}

/** The functions of a design document: the path of members that leads to each, and its source. */
function* functions(ddoc) {
  for (const [view, made] of Object.entries(ddoc.views ?? {})) {
    if (view === "lib") continue;
    for (const kind of ["map", "reduce"])
      if (typeof made?.[kind] === "string") yield [["views", view, kind], made[kind]];
  }
  for (const kind of ["filters", "updates", "shows", "lists"]) {
    for (const [name, source] of Object.entries(ddoc[kind] ?? {}))
      if (typeof source === "string") yield [[kind, name], source];
  }
  if (typeof ddoc.validate_doc_update === "string") yield [["validate_doc_update"], ddoc.validate_doc_update];
}

/** A text area with line numbers; `mark(line)` marks one of them. */
export function codeEditor(source, label) {
  const gutter = h("div", { class: "gutter", "aria-hidden": "true" });
  const area = h("textarea", { class: "code", spellcheck: false, wrap: "off", "aria-label": label }, source);
  let marked = null;
  const draw = () => {
    const count = area.value.split("\n").length;
    area.rows = count;
    replace(
      gutter,
      Array.from({ length: count }, (_, line) => h("div", { class: line + 1 === marked ? "marked" : "" }, line + 1)),
    );
  };
  area.addEventListener("input", draw);
  draw();
  return {
    area,
    element: h("div", { class: "lines" }, gutter, area),
    mark(line) {
      marked = line;
      draw();
    },
  };
}

function functionCard(db, ddoc, path, source, sample) {
  const label = path.join(" / ");
  const code = codeEditor(source, label);
  const outcome = h("div", { class: "outcome", role: "status" });
  const docid = h("input", {
    value: sample,
    placeholder: "Document",
    "aria-label": "Document to try",
    spellcheck: false,
  });
  const attempt = async () => {
    const found = await kit.post("try_map", { db, docid: docid.value, map: code.area.value, lib: ddoc.views?.lib });
    code.mark(found.line);
    replace(
      outcome,
      found.error && h("p", { class: "failure" }, found.line ? `Line ${found.line}: ` : "", found.error),
      found.log.length > 0 &&
        h(
          "ol",
          { class: "logs" },
          found.log.map((line) => h("li", {}, line)),
        ),
      found.rows.length
        ? table(
            ["Key", "Value"],
            found.rows.map((row) => [h("code", {}, JSON.stringify(row.key)), h("code", {}, JSON.stringify(row.value))]),
          )
        : !found.error && h("p", { class: "quiet" }, "It emits nothing for this document."),
    );
  };
  const save = async () => {
    let place = ddoc;
    for (const part of path.slice(0, -1)) place = place[part];
    place[path.at(-1)] = code.area.value;
    ddoc._rev = (await ask("PUT", docPath(db, ddoc._id), ddoc)).rev;
    note(`Saved as ${ddoc._rev}.`);
  };
  const isMap = path[0] === "views" && path[2] === "map";
  return h(
    "section",
    { class: "card function" },
    h("h3", {}, label),
    code.element,
    h(
      "div",
      { class: "bar" },
      isMap && docid,
      isMap && button("Try on this document", attempt),
      button("Save", save, { class: "first" }),
      isMap &&
        h(
          "a",
          {
            href: `${docPath(db, ddoc._id)}/_view/${encodeURIComponent(path[1])}?limit=100${ddoc.views[path[1]].reduce ? "&reduce=false" : ""}`,
            target: "_blank",
            rel: "noopener",
          },
          "The view's rows",
        ),
    ),
    outcome,
  );
}
