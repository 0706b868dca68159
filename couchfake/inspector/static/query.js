// Mango queries, with what serves them and what would.

import { dbPath, kit, post } from "./couch.js";
import { button, form, h, json, note, replace } from "./dom.js";
import { documentTable } from "./documents.js";

const LIMIT = 50;

export async function show(body, db) {
  const selector = h(
    "textarea",
    { name: "selector", rows: 5, spellcheck: false, "aria-label": "Selector" },
    '{\n  "price": {"$gt": 2}\n}',
  );
  const sort = h("input", {
    name: "sort",
    placeholder: 'Sort, such as ["price"]',
    "aria-label": "Sort",
    spellcheck: false,
  });
  const outcome = h("div", { class: "outcome" });
  replace(
    body,
    form(
      () => run(db, outcome, read(selector.value, sort.value)),
      { class: "query" },
      h("label", {}, "Selector", selector),
      h(
        "div",
        { class: "bar" },
        sort,
        h("button", { class: "first" }, "Find"),
        h("span", { class: "quiet" }, `the first ${LIMIT} documents`),
      ),
    ),
    outcome,
  );
}

function read(selector, sort) {
  const made = { selector: parsed("selector", selector) };
  if (sort.trim()) made.sort = parsed("sort", sort);
  return made;
}

function parsed(what, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The ${what} is not JSON: ${error.message}`);
  }
}

async function run(db, outcome, query) {
  const { explain, suggestion } = await kit.post(`explain/${encodeURIComponent(db)}`, query);
  const started = performance.now();
  const found = await post(`${dbPath(db)}/_find`, { ...query, limit: LIMIT, execution_stats: true });
  const stats = found.execution_stats;
  const special = explain.index.type === "special";
  replace(
    outcome,
    h(
      "dl",
      { class: "facts" },
      h("dt", {}, "Index"),
      h(
        "dd",
        { class: special ? "warn" : "" },
        special ? "none: every document is read" : `${explain.index.ddoc ?? ""} ${explain.index.name}`,
      ),
      h("dt", {}, "Keys examined"),
      h("dd", {}, stats.total_keys_examined.toLocaleString("en")),
      h("dt", {}, "Documents examined"),
      h("dd", {}, stats.total_docs_examined.toLocaleString("en")),
      h("dt", {}, "Results"),
      h("dd", {}, stats.results_returned.toLocaleString("en")),
      h("dt", {}, "Time"),
      h(
        "dd",
        {},
        `${stats.execution_time_ms.toFixed(1)} ms in the server, ${(performance.now() - started).toFixed(0)} ms here`,
      ),
    ),
    suggestion &&
      h(
        "div",
        { class: "hint" },
        h("p", {}, "This index would serve it:"),
        h("pre", {}, `POST ${dbPath(db)}/_index\n${JSON.stringify(suggestion)}`),
        button(
          "Create this index",
          async () => {
            await post(`${dbPath(db)}/_index`, suggestion);
            note("The index is there.");
            await run(db, outcome, query);
          },
          { class: "first" },
        ),
      ),
    found.docs.length ? documentTable(db, found.docs) : h("p", { class: "empty" }, "No document matches."),
    h("details", {}, h("summary", {}, "The whole _explain"), json(explain)),
  );
}
