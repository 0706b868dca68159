// The users of _users, and who is a server admin.

import { ask, docLink, docPath, get, kit } from "./couch.js";
import { button, form, h, note, replace, table } from "./dom.js";

const PREFIX = "org.couchdb.user:";

export async function show(room, _, signal) {
  const [found, settings] = await Promise.all([
    get(`/_users/_all_docs?include_docs=true&limit=200&start_key="${PREFIX}"&end_key="${PREFIX}\ufff0"`, { signal }),
    kit.get("configuration", { signal }),
  ]);
  const admins = settings.filter((each) => each.section === "admins" && each.value !== null).map((each) => each.key);
  const reload = () => show(room, _, signal);
  const create = form(
    async (made) => {
      const { name, password, roles } = made.elements;
      await ask("PUT", docPath("_users", PREFIX + name.value), {
        name: name.value,
        password: password.value,
        roles: roles.value.split(/[\s,]+/).filter(Boolean),
        type: "user",
      });
      note(`The user ${name.value} is there.`);
      await reload();
    },
    { class: "bar" },
    h("input", { name: "name", placeholder: "Name", "aria-label": "Name", required: true }),
    h("input", {
      name: "password",
      type: "password",
      placeholder: "Password",
      "aria-label": "Password",
      autocomplete: "new-password",
      required: true,
    }),
    h("input", { name: "roles", placeholder: "Roles", "aria-label": "Roles" }),
    h("button", {}, "Create"),
  );
  replace(
    room,
    h("h1", {}, "Users"),
    h(
      "p",
      {},
      admins.length
        ? ["Server admins: ", admins.map((each) => [h("strong", {}, each), " "])]
        : "There is no server admin: everybody may do everything.",
    ),
    create,
    found.rows.length
      ? table(
          ["Name", "Roles", "Password scheme", ""],
          found.rows.map(({ doc }) => [
            h("a", { href: docLink("_users", doc._id) }, doc.name),
            (doc.roles ?? []).join(", "),
            `${doc.password_scheme ?? "none"}${doc.iterations ? `, ${doc.iterations} rounds` : ""}`,
            button(
              "Delete…",
              async () => {
                if (!confirm(`Delete the user ${doc.name}?`)) return;
                await ask("DELETE", `${docPath("_users", doc._id)}?rev=${doc._rev}`);
                await reload();
              },
              { class: "danger" },
            ),
          ]),
          { class: "wide" },
        )
      : h("p", { class: "empty" }, "There is no user."),
  );
}
