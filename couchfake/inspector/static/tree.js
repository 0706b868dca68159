// A document's revision tree as a picture, two revisions side by side, and conflicts resolved.

import { dbPath, docPath, kit, post, query, send, text } from "./couch.js";
import { button, h, note, pretty, replace, time } from "./dom.js";
import { short } from "./documents.js";

const STATES = {
  winner: "winner",
  conflict: "conflict",
  deleted: "deleted",
  stored: "earlier, body still there",
  missing: "body is gone",
};

export async function showTree(section, db, id, { rev, reload, open }) {
  const names = [db, id].map(encodeURIComponent).join("/");
  const [tree, origins, picture] = await Promise.all([
    kit.get(`trees/${names}`),
    kit.get(`origins/${names}`),
    send("GET", `/_couchfake/trees/${names}`, undefined, { headers: { Accept: "image/svg+xml" } }).then((answer) =>
      answer.text(),
    ),
  ]);
  const conflicts = tree.revisions.filter((each) => each.state === "conflict");
  const detail = h("div", { class: "revisions" });
  const chosen = [];
  const drawing = document.importNode(new DOMParser().parseFromString(picture, "image/svg+xml").documentElement, true);
  const nodes = new Map([...drawing.querySelectorAll("[data-rev]")].map((node) => [node.dataset.rev, node]));
  const choose = async (found, both) => {
    if (both && chosen.length) chosen.splice(1, 2, found);
    else chosen.splice(0, 2, found);
    for (const [name, node] of nodes)
      node.classList.toggle(
        "chosen",
        chosen.some((each) => each.rev === name),
      );
    await (chosen.length === 2
      ? showDifference(detail, db, id, chosen)
      : showRevision(detail, db, id, found, {
          conflicts,
          tree,
          origins,
          reload,
          open,
          compare: (other) =>
            choose(
              tree.revisions.find((each) => each.rev === other),
              true,
            ).catch((error) => note(error.message, true)),
        }));
  };
  for (const found of tree.revisions) {
    const node = nodes.get(found.rev);
    node.setAttribute("tabindex", "0");
    node.setAttribute("role", "button");
    node.setAttribute("aria-label", `${found.rev}, ${STATES[found.state]}`);
    const act = (event) =>
      choose(found, event.shiftKey || event.ctrlKey || event.metaKey).catch((error) => note(error.message, true));
    node.addEventListener("click", act);
    node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        act(event);
      }
    });
    if (found.rev === rev) node.classList.add("shown");
  }
  replace(
    section,
    h("h2", {}, "Revisions"),
    h("p", { class: "quiet" }, "Click a revision to see it; click another with Shift or Ctrl to compare the two."),
    conflicts.length > 0 &&
      h("p", { class: "warn" }, `In conflict: ${conflicts.length + 1} live branches. Choose the one to keep.`),
    h("div", { class: "scroll picture-of-tree" }, drawing),
    detail,
  );
}

async function showRevision(detail, db, id, found, { conflicts, tree, origins, reload, open, compare }) {
  const origin = origins[found.rev];
  const isLive = found.state === "winner" || found.state === "conflict";
  const losers = tree.revisions.filter(
    (each) => (each.state === "winner" || each.state === "conflict") && each.rev !== found.rev,
  );
  replace(
    detail,
    h("h3", {}, h("code", {}, found.rev), " ", h("span", { class: "badge " + found.state }, STATES[found.state])),
    h(
      "p",
      { class: "quiet" },
      origin
        ? `Written by ${origin.by === "replication" ? "replication" : "an edit"} at ${time(origin.at)}${origin.user ? ` as ${origin.user}` : ""}.`
        : "The request log does not show who wrote it.",
    ),
    h(
      "div",
      { class: "bar" },
      isLive &&
        conflicts.length > 0 &&
        button(
          "Keep this one, delete the others",
          async () => {
            await post(`${dbPath(db)}/_bulk_docs`, {
              docs: losers.map((each) => ({ _id: id, _rev: each.rev, _deleted: true })),
            });
            note(`Resolved: ${found.rev} is the only live revision.`);
            await reload();
          },
          { class: "first" },
        ),
      isLive && button("Edit this revision", () => open(found.rev)),
      tree.revisions.length > 1 &&
        h(
          "select",
          { "aria-label": "Compare with", onchange: (event) => compare(event.target.value) },
          h("option", { value: "" }, "Compare with…"),
          tree.revisions
            .filter((each) => each !== found)
            .map((each) => h("option", { value: each.rev }, `${short(each.rev)} ${STATES[each.state]}`)),
        ),
    ),
    h("pre", { class: "json" }, await bodyOf(db, id, found)),
  );
}

async function bodyOf(db, id, found) {
  if (found.state === "missing") return "The body is gone: only leaves keep theirs after compaction.";
  return pretty(await text("GET", docPath(db, id) + query({ rev: found.rev })));
}

async function showDifference(detail, db, id, [one, other]) {
  const [before, after] = await Promise.all([bodyOf(db, id, one), bodyOf(db, id, other)]);
  replace(
    detail,
    h("h3", {}, "From ", h("code", {}, short(one.rev)), " to ", h("code", {}, short(other.rev))),
    h(
      "pre",
      { class: "diff" },
      differences(before.split("\n"), after.split("\n")).map(([kind, line]) =>
        h("span", { class: { "-": "gone", "+": "new" }[kind] ?? "same" }, `${kind} ${line}\n`),
      ),
    ),
  );
}

const MOST_LINES = 2000; // longer texts are compared without looking for the best match

/** Lines of two texts with "-", "+" or " ": the longest common subsequence stays. */
export function differences(before, after) {
  if (before.length > MOST_LINES || after.length > MOST_LINES)
    return [...before.map((line) => ["-", line]), ...after.map((line) => ["+", line])];
  const width = after.length + 1;
  const common = new Uint16Array((before.length + 1) * width);
  for (let a = before.length - 1; a >= 0; a--) {
    for (let b = after.length - 1; b >= 0; b--) {
      common[a * width + b] =
        before[a] === after[b]
          ? common[(a + 1) * width + b + 1] + 1
          : Math.max(common[(a + 1) * width + b], common[a * width + b + 1]);
    }
  }
  const lines = [];
  let a = 0,
    b = 0;
  while (a < before.length || b < after.length) {
    if (a < before.length && b < after.length && before[a] === after[b]) {
      lines.push([" ", before[a]]);
      a++;
      b++;
    } else if (b === after.length || (a < before.length && common[(a + 1) * width + b] >= common[a * width + b + 1]))
      lines.push(["-", before[a++]]);
    else lines.push(["+", after[b++]]);
  }
  return lines;
}
