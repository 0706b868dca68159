// All databases, with what they hold.

import { ask, dbLink, dbPath, get, kit, post, query } from "./couch.js";
import { button, form, h, number, replace, size, table } from "./dom.js";

const AT_ONCE = 100; // _dbs_info takes so many names
const COUNTED = 20000; // conflicts of larger databases are counted on request: that reads every document's tree

export async function show(room, _, signal) {
  const list = h("div");
  const create = form(
    async (made) => {
      const name = made.elements.name.value.trim();
      await ask("PUT", dbPath(name));
      location.hash = dbLink(name);
    },
    { class: "bar" },
    h("input", { name: "name", placeholder: "New database", "aria-label": "Name of a new database", required: true }),
    h("button", {}, "Create"),
  );
  const filter = h("input", { type: "search", placeholder: "Filter by name", "aria-label": "Filter by name" });
  replace(
    room,
    h("h1", {}, "Databases"),
    h("div", { class: "bar" }, filter, h("span", { class: "grow" }), create),
    list,
  );
  const draw = () => load(list, filter.value.trim(), "", signal);
  filter.addEventListener("input", draw);
  await draw();
}

async function load(list, prefix, start, signal) {
  const range = prefix
    ? { start_key: prefix > start ? prefix : start, end_key: prefix + "\ufff0" }
    : start
      ? { start_key: start }
      : {};
  const names = await get("/_all_dbs" + query({ ...range, limit: AT_ONCE + 1 }), { signal });
  const more = names.length > AT_ONCE ? names.pop() : null;
  const infos = names.length ? await post("/_dbs_info", { keys: names }) : [];
  const rows = infos.filter((each) => each.info).map(row);
  replace(
    list,
    rows.length
      ? table(["Name", "Documents", "Deleted", "Conflicts", "Size", "Update sequence"], rows, { class: "wide" })
      : h(
          "p",
          { class: "empty" },
          prefix
            ? "No database has such a name."
            : "There is no database yet. Create one above, or let your application do it.",
        ),
    more && button("Next databases", () => load(list, prefix, more, signal)),
  );
}

function row({ key, info }) {
  const conflicts = h("td", { class: "number" });
  const count = async () => {
    const found = await kit.get(`conflicts/${encodeURIComponent(key)}`);
    replace(conflicts, found.total ? h("a", { class: "warn", href: dbLink(key, "conflicts") }, found.total) : "0");
  };
  if (info.doc_count <= COUNTED) count().catch(() => replace(conflicts, "?"));
  else conflicts.append(button("Count", count, { class: "plain" }));
  return h(
    "tr",
    {},
    h("td", {}, h("a", { href: dbLink(key) }, key)),
    number(info.doc_count),
    number(info.doc_del_count),
    conflicts,
    h("td", { class: "number" }, size(info.sizes.active)),
    h("td", { class: "number", title: info.update_seq }, info.update_seq.split("-")[0]),
  );
}
