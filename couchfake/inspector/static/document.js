// One document: its JSON in an editor, its attachments, its revision tree.

import { ask, dbLink, docLink, docPath, get, query, send, text } from "./couch.js";
import { button, h, note, pretty, replace, size } from "./dom.js";
import { showTree } from "./tree.js";

export async function show(room, [db, id, rev], signal) {
  const isNew = rev === "new";
  const shownRev = isNew ? undefined : rev;
  const path = docPath(db, id);
  const reload = () => show(room, [db, id], signal);
  const body = h("section", { class: "document" }),
    attachments = h("section"),
    tree = h("section", { class: "tree" });
  replace(
    room,
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Databases"), " / ", h("a", { href: dbLink(db) }, db)),
    h("h1", {}, id),
    body,
    tree,
    attachments,
  );
  let source = `{\n  "_id": ${JSON.stringify(id)}\n}`,
    current = null;
  if (!isNew) {
    try {
      source = pretty(await text("GET", path + query({ rev: shownRev }), undefined, { signal }));
      current = JSON.parse(source);
    } catch (error) {
      if (error.status !== 404) throw error;
      source = "";
    }
  }
  if (source) editor(body, db, id, path, source, current, shownRev, reload);
  else
    replace(body, h("p", { class: "empty" }, "This document is deleted. Click a revision below to see what it was."));
  if (current) showAttachments(attachments, path, current, reload, signal);
  if (!isNew && !id.startsWith("_local/")) {
    await showTree(tree, db, id, {
      rev: current?._rev,
      reload,
      open: (other) => {
        location.hash = docLink(db, id, other);
      },
    });
  }
}

function editor(body, db, id, path, source, current, rev, reload) {
  const area = h(
    "textarea",
    {
      class: "code",
      spellcheck: false,
      "aria-label": "The document as JSON",
      rows: Math.min(28, source.split("\n").length + 1),
    },
    source,
  );
  const state = h("span", { class: "quiet" });
  const saved = async () => {
    let parsed;
    try {
      parsed = JSON.parse(area.value);
    } catch (error) {
      throw new Error(`This is not JSON: ${error.message}`);
    }
    if (parsed._id !== undefined && parsed._id !== id)
      throw new Error("A document's _id cannot be changed. Make a new document instead.");
    const answer = await ask("PUT", path, area.value);
    note(`Saved as ${answer.rev}.`);
    if (location.hash === docLink(db, id)) await reload();
    else location.hash = docLink(db, id);
  };
  area.addEventListener("input", () => {
    try {
      JSON.parse(area.value);
      replace(state, area.value === source ? "" : "changed");
    } catch (error) {
      replace(state, h("span", { class: "warn" }, error.message));
    }
  });
  area.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      save.click();
    }
  });
  const save = button("Save", saved, { class: "first", title: "Ctrl+S" });
  replace(
    body,
    rev &&
      h(
        "p",
        { class: "hint" },
        `This is revision ${rev}. Saving writes upon it. `,
        h("a", { href: docLink(db, id) }, "Show the winner"),
      ),
    area,
    h(
      "div",
      { class: "bar" },
      save,
      current &&
        button(
          "Delete…",
          async () => {
            if (!confirm(`Delete ${id}?`)) return;
            await ask("DELETE", path + query({ rev: current._rev }));
            note("Deleted.");
            location.hash = dbLink(db);
          },
          { class: "danger" },
        ),
      state,
    ),
  );
}

async function showAttachments(section, path, current, reload, signal) {
  const found = Object.entries(current._attachments ?? {});
  const rows = found.map(([name, about]) => {
    const url = `${path}/${encodeURIComponent(name)}${query({ rev: current._rev })}`;
    const picture = h("div", { class: "picture" });
    if (about.content_type.startsWith("image/")) {
      showPicture(picture, url, name, signal).catch((error) => {
        if (error.name !== "AbortError") replace(picture, error.message);
      });
    }
    return h(
      "li",
      {},
      h("a", { href: url, download: name }, name),
      h(
        "span",
        { class: "quiet" },
        ` ${about.content_type}, ${size(about.length)}, revision ${about.revpos}, ${about.digest}`,
      ),
      picture,
    );
  });
  const file = h("input", { type: "file", "aria-label": "File to attach" });
  file.addEventListener("change", async () => {
    try {
      const [chosen] = file.files;
      const type = chosen.type || "application/octet-stream";
      await send("PUT", `${path}/${encodeURIComponent(chosen.name)}${query({ rev: current._rev })}`, chosen, {
        raw: true,
        headers: { "Content-Type": type },
      });
      note(`Attached ${chosen.name}.`);
      await reload();
    } catch (error) {
      note(error.message, true);
    }
  });
  replace(
    section,
    h("h2", {}, "Attachments"),
    rows.length ? h("ul", { class: "attachments" }, rows) : h("p", { class: "quiet" }, "None."),
    h("label", {}, "Attach a file ", file),
  );
}

async function showPicture(place, url, name, signal) {
  const blob = await (await send("GET", url, undefined, { signal })).blob();
  const source = URL.createObjectURL(blob);
  signal.addEventListener("abort", () => URL.revokeObjectURL(source));
  replace(place, h("img", { src: source, alt: name }));
}

/** Revisions of a document by their ids: `get` with a revision. */
export const revision = (db, id, rev) => get(docPath(db, id) + query({ rev }));
