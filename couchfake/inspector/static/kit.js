// The test kit: faults, the clock, snapshots, conflicts, seeds and a dump.

import { kit } from "./couch.js";
import { button, form, h, note, replace, table, time } from "./dom.js";
import { repeat } from "./requests.js";

const NUMBERS = new Set([
  "status",
  "seconds",
  "rows",
  "row",
  "documents",
  "nth",
  "times",
  "share",
  "seed",
  "retry_after",
]);

export async function show(room, _, signal) {
  const faults = h("div"),
    clock = h("div"),
    snapshots = h("div");
  const { kinds, conditions } = await kit.get("fault_kinds", { signal });
  replace(
    room,
    h("h1", {}, "Test kit"),
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Faults"),
      faultForm(kinds, conditions, () => drawFaults(faults)),
      faults,
    ),
    h(
      "div",
      { class: "cards" },
      h("section", { class: "card" }, h("h2", {}, "Clock"), clock),
      h("section", { class: "card" }, h("h2", {}, "Snapshots"), snapshots),
      h("section", { class: "card" }, h("h2", {}, "Documents"), documents()),
    ),
  );
  await Promise.all([drawFaults(faults), drawClock(clock), drawSnapshots(snapshots)]);
  repeat(() => Promise.all([drawFaults(faults), drawTime(clock)]), signal, 2000);
}

function faultForm(kinds, conditions, drawn) {
  const described = h("p", { class: "quiet" }),
    fields = h("div", { class: "fields" });
  const select = h(
    "select",
    { name: "fault", "aria-label": "Fault" },
    kinds.map((kind) => h("option", {}, kind.name)),
  );
  const field = (name, required, placeholder = "") =>
    h("label", {}, name, h("input", { name, required, placeholder, spellcheck: false }));
  const choose = () => {
    const kind = kinds.find((each) => each.name === select.value);
    replace(described, kind.description);
    replace(
      fields,
      kind.arguments.map((each) => field(each.name, each.required)),
      h(
        "details",
        {},
        h("summary", {}, "Only for some requests"),
        h(
          "div",
          { class: "fields" },
          conditions.map((name) => field(name, false, name === "path" ? "/shop/**" : "")),
        ),
      ),
    );
  };
  select.addEventListener("input", choose);
  choose();
  return form(
    async (made) => {
      const body = {};
      for (const [name, value] of new FormData(made))
        if (value !== "" && body[name] === undefined) body[name] = argument(name, value);
      await kit.post("faults", body);
      await drawn();
    },
    { class: "fault" },
    h("div", { class: "bar" }, select, h("button", { class: "first" }, "Switch on")),
    described,
    fields,
  );
}

function argument(name, text) {
  if (NUMBERS.has(name)) {
    if (!Number.isFinite(Number(text))) throw new Error(`${name} must be a number`);
    return Number(text);
  }
  if (name === "document" && text.trim().startsWith("{")) return JSON.parse(text);
  return text;
}

async function drawFaults(place) {
  const on = await kit.get("faults");
  replace(
    place,
    on.length
      ? table(
          ["Fault", "Requests met", ""],
          on.map((each) => [
            h("span", {}, h("code", {}, each.text), each.test && h("span", { class: "quiet" }, " " + each.test)),
            h("td", { class: "number" }, each.hits),
            each.id
              ? button("Switch off", async () => {
                  await kit.delete("faults/" + each.id);
                  await drawFaults(place);
                })
              : "",
          ]),
        )
      : h("p", { class: "empty" }, "No fault is on."),
  );
}

async function drawClock(place) {
  const change = (body) => async () => {
    await kit.post("clock", body);
    await drawClock(place);
  };
  const clock = await kit.get("clock");
  replace(
    place,
    h("p", { class: "clock" }, time(clock.now)),
    h("p", { class: "quiet" }, clock.frozen ? "Frozen." : "Running.", clock.skips_waits ? " Waits are skipped." : ""),
    h(
      "div",
      { class: "bar" },
      clock.frozen ? button("Resume", change({ resume: true })) : button("Freeze", change({ freeze: true })),
      button(clock.skips_waits ? "Do not skip waits" : "Skip waits", change({ skip_waits: !clock.skips_waits })),
      button("Reset", change({ reset: true })),
    ),
    form(
      (made) => change({ advance: Number(made.elements.seconds.value) })(),
      { class: "bar" },
      h("input", { name: "seconds", type: "number", min: 0, step: "any", value: "3600", "aria-label": "Seconds" }),
      h("button", {}, "Advance by seconds"),
    ),
  );
}

async function drawTime(place) {
  const shown = place.querySelector(".clock");
  if (shown) replace(shown, time((await kit.get("clock")).now));
}

async function drawSnapshots(place) {
  const draw = () => drawSnapshots(place);
  const all = await kit.get("snapshots");
  replace(
    place,
    all.length
      ? h(
          "ul",
          { class: "plain" },
          all.map((id) =>
            h(
              "li",
              { class: "bar" },
              h("code", {}, id),
              button("Restore", async () => {
                await kit.post(`snapshots/${id}/restore`);
                note(`The server is as it was at ${id}.`);
                await draw();
              }),
              button("Forget", async () => {
                await kit.delete("snapshots/" + id);
                await draw();
              }),
            ),
          ),
        )
      : h("p", { class: "empty" }, "No snapshot."),
    h(
      "div",
      { class: "bar" },
      button(
        "Take a snapshot",
        async () => {
          await kit.post("snapshots");
          await draw();
        },
        { class: "first" },
      ),
      button(
        "Reset the server…",
        async () => {
          if (!confirm("Go back to the start? All databases are emptied; only the seed is loaded again.")) return;
          await kit.post("reset");
          note("The server is as it was at the start.");
          await draw();
        },
        { class: "danger" },
      ),
    ),
  );
}

function documents() {
  const file = h("input", { type: "file", accept: ".json", "aria-label": "Documents to load" });
  file.addEventListener("change", async () => {
    try {
      const loaded = await kit.post("load", await file.files[0].text());
      note(`${loaded.documents} documents loaded.`);
    } catch (error) {
      note(error.message, true);
    }
    file.value = "";
  });
  const make = form(
    async (made) => {
      const { db, docid } = made.elements;
      const tree = await kit.post("conflicts", {
        db: db.value,
        docid: docid.value,
        bodies: [{ branch: 1 }, { branch: 2 }],
        base: {},
      });
      note(`${docid.value} is in conflict: ${tree.winner} won.`);
    },
    { class: "bar" },
    h("input", { name: "db", placeholder: "Database", "aria-label": "Database", required: true }),
    h("input", { name: "docid", placeholder: "Document", "aria-label": "Document", required: true }),
    h("button", {}, "Make a conflict"),
  );
  return [
    h(
      "p",
      {},
      h("a", { class: "button", href: "dump", download: "couchfake-dump.zip" }, "Download a dump"),
      h("span", { class: "quiet" }, " for serve --seed, once unpacked"),
    ),
    h("label", {}, "Load documents ", file),
    h("p", { class: "quiet" }, 'A JSON file: {"database": [documents]}'),
    make,
  ];
}
