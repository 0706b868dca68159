// Who may read and who may administer a database.

import { ask, dbPath, get } from "./couch.js";
import { form, h, note, replace } from "./dom.js";

export async function show(body, db) {
  const path = dbPath(db) + "/_security";
  const security = await get(path);
  const field = (kind, list) =>
    h(
      "label",
      {},
      list,
      h("input", { name: `${kind}.${list}`, value: (security[kind]?.[list] ?? []).join(", "), spellcheck: false }),
    );
  replace(
    body,
    h(
      "p",
      { class: "quiet" },
      "Members may read and write documents; without any, everybody may. Admins may also write design documents and change this.",
    ),
    form(
      async (made) => {
        for (const kind of ["admins", "members"]) {
          for (const list of ["names", "roles"]) {
            security[kind] = {
              ...security[kind],
              [list]: made.elements[`${kind}.${list}`].value
                .split(",")
                .map((each) => each.trim())
                .filter(Boolean),
            };
          }
        }
        await ask("PUT", path, security);
        note("Saved.");
      },
      { class: "security" },
      ["admins", "members"].map((kind) =>
        h("fieldset", {}, h("legend", {}, kind), field(kind, "names"), field(kind, "roles")),
      ),
      h("button", { class: "first" }, "Save"),
    ),
  );
}
