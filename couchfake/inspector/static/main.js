// The shell: which panel the address names, and what happens when it changes.

import { kit } from "./couch.js";
import { h, note, replace } from "./dom.js";

const PANELS = {
  "": () => import("./databases.js"),
  db: () => import("./database.js"),
  doc: () => import("./document.js"),
  requests: () => import("./requests.js"),
  kit: () => import("./kit.js"),
  replication: () => import("./replication.js"),
  users: () => import("./users.js"),
  settings: () => import("./settings.js"),
};
const main = document.getElementById("main");
let leaving = new AbortController();

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [name = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  for (const link of document.querySelectorAll("#nav a")) {
    const own = link.getAttribute("href").slice(2);
    if (own === (name === "db" || name === "doc" ? "" : name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const room = h("div", { class: "panel panel-" + (name || "databases") });
  try {
    const panel = await (PANELS[name] ?? PANELS[""])();
    if (signal.aborted) return;
    replace(main, room);
    await panel.show(room, rest, signal);
    room.dataset.ready = "true";
    document.title = (room.querySelector("h1")?.textContent ?? "") + " – couchfake";
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    replace(main, h("h1", {}, "This cannot be shown"), h("p", { class: "failure", role: "alert" }, error.message));
    if (error.status === 401)
      replace(main, h("h1", {}, "Log in"), h("p", {}, h("a", { href: "/_couchfake/" }, "Log in as a server admin.")));
  }
}

async function showServer() {
  const server = await kit.get("server");
  const who = document.getElementById("who");
  replace(
    who,
    server.name && h("strong", { class: "test" }, server.name),
    h("span", {}, server.user ?? "everybody is admin"),
    h("span", {}, `CouchDB ${server.version}`),
    h("span", {}, server.engine),
    server.user &&
      h(
        "button",
        {
          type: "button",
          class: "plain",
          onclick: async () => {
            await fetch("/_session", { method: "DELETE", headers: { "X-CouchFake": "inspector" } });
            location.reload();
          },
        },
        "Log out",
      ),
  );
  if (server.others.length) {
    who.append(
      h(
        "select",
        {
          "aria-label": "Servers of failed tests",
          onchange: (event) => {
            location.href = event.target.value;
          },
        },
        server.others.map((each) =>
          h("option", { value: each.url + "_couchfake/", selected: each.name === server.name }, each.name),
        ),
      ),
    );
  }
}

addEventListener("hashchange", show);
addEventListener("unhandledrejection", (event) => {
  if (event.reason?.name !== "AbortError") note(String(event.reason?.message ?? event.reason), true);
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
show();
showServer();
