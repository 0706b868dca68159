// Replications as a graph between databases, with their progress.

import { get } from "./couch.js";
import { h, number, replace, svg, table } from "./dom.js";
import { repeat } from "./requests.js";

const WIDTH = 760,
  BOX = 190,
  STEP = 74;
const COLOURS = {
  running: "good",
  completed: "good",
  crashing: "bad",
  failed: "bad",
  error: "bad",
  pending: "wait",
  initializing: "wait",
};

export async function show(room, _, signal) {
  const graph = h("div", { class: "scroll" }),
    list = h("div"),
    history = h("div");
  replace(
    room,
    h("h1", {}, "Replication"),
    graph,
    h("h2", {}, "Replications"),
    list,
    h("h2", {}, "Jobs of the scheduler"),
    history,
  );
  const look = async () => {
    const [docs, jobs, tasks] = await Promise.all([
      get("/_scheduler/docs?limit=100", { signal }),
      get("/_scheduler/jobs?limit=100", { signal }),
      get("/_active_tasks", { signal }),
    ]);
    const all = replications(
      docs.docs,
      jobs.jobs,
      tasks.filter((task) => task.type === "replication"),
    );
    replace(
      graph,
      all.length
        ? picture(all)
        : h("p", { class: "empty" }, "No replication. Write a document into _replicator, or POST to /_replicate."),
    );
    replace(
      list,
      table(
        ["Id", "From", "To", "State", "Written", "Pending", "Failures"],
        all.map((each) => [
          each.id,
          each.source,
          each.target,
          h("span", { class: "badge " + (COLOURS[each.state] ?? "") }, each.state),
          number(each.written),
          number(each.pending),
          number(each.failures),
        ]),
        { class: "wide" },
      ),
    );
    replace(
      history,
      jobs.jobs.map((job) =>
        h(
          "details",
          {},
          h("summary", {}, job.doc_id ?? job.id, h("span", { class: "quiet" }, ` since ${job.start_time}`)),
          h(
            "ol",
            { class: "logs" },
            job.history.map((line) =>
              h("li", {}, `${line.timestamp} ${line.type}${line.reason ? ": " + line.reason : ""}`),
            ),
          ),
        ),
      ),
    );
  };
  await look();
  repeat(look, signal, 2000);
}

/** One list from the documents, the jobs and the running tasks: those without a document come from the jobs. */
function replications(docs, jobs, tasks) {
  const found = new Map();
  for (const each of docs)
    found.set(each.id ?? each.doc_id, {
      id: each.doc_id,
      source: each.source,
      target: each.target,
      state: each.state ?? "unknown",
      info: each.info,
      failures: each.error_count,
    });
  for (const job of jobs) {
    if (!found.has(job.id))
      found.set(job.id, {
        id: job.doc_id ?? job.id,
        source: job.source,
        target: job.target,
        state: job.history[0]?.type === "crashed" ? "crashing" : "running",
        info: job.info,
      });
  }
  for (const task of tasks) {
    const known = found.get(task.replication_id);
    if (known) Object.assign(known, { info: task });
    else
      found.set(task.replication_id, {
        id: task.doc_id ?? task.replication_id,
        source: task.source,
        target: task.target,
        state: "running",
        info: task,
      });
  }
  return [...found.values()].map((each) => ({
    ...each,
    source: named(each.source),
    target: named(each.target),
    written: each.info?.docs_written,
    pending: each.info?.changes_pending,
  }));
}

function named(url) {
  try {
    const made = new URL(url);
    const path = decodeURIComponent(made.pathname.replace(/^\/|\/$/g, ""));
    return made.host === location.host || made.host.startsWith("couchfake.") ? path : `${made.host}/${path}`;
  } catch {
    return url ?? "?";
  }
}

function picture(all) {
  const places = new Map();
  const place = (name, column) => {
    if (!places.has(name)) {
      const taken = [...places.values()].filter((each) => each.column === column).length;
      places.set(name, { column, x: column ? WIDTH - BOX - 10 : 10, y: 16 + taken * STEP });
    }
    return places.get(name);
  };
  const lines = all.map((each) => edge(each, place(each.source, 0), place(each.target, 1)));
  const boxes = [...places].map(([name, { x, y }]) =>
    svg(
      "g",
      {},
      svg("title", {}, name),
      svg("rect", { class: "box", x, y, width: BOX, height: 36, rx: 6 }),
      svg(
        "text",
        { x: x + BOX / 2, y: y + 23, "text-anchor": "middle" },
        name.length > 24 ? name.slice(0, 23) + "…" : name,
      ),
    ),
  );
  const height = Math.max(...[...places.values()].map((each) => each.y)) + STEP;
  const head = svg(
    "marker",
    { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" },
    svg("path", { class: "head", d: "M0 0L8 4L0 8z" }),
  );
  return svg(
    "svg",
    {
      class: "graph",
      width: WIDTH,
      height,
      viewBox: `0 0 ${WIDTH} ${height}`,
      role: "img",
      "aria-label": "Replications between databases",
    },
    svg("defs", {}, head),
    ...lines,
    ...boxes,
  );
}

function edge(each, from, to) {
  const same = from.column === to.column;
  const side = from.column ? 0 : BOX,
    x1 = from.x + side,
    x2 = to.x + (same ? side : to.column ? 0 : BOX),
    back = from.column === 1 && !same;
  const shift = same ? 0 : back ? 9 : -9,
    y1 = from.y + 18 + shift,
    y2 = to.y + 18 + shift;
  const bend = same ? (from.column ? -110 : 110) : 0,
    middle = (x1 + x2) / 2 + bend;
  const progress = `${each.state}, ${(each.written ?? 0).toLocaleString("en")} written${each.pending ? `, ${each.pending.toLocaleString("en")} pending` : ""}`;
  return svg(
    "g",
    { class: "edge " + (COLOURS[each.state] ?? "") },
    svg("title", {}, `${each.source} to ${each.target}: ${progress}`),
    svg("path", { d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`, "marker-end": "url(#head)" }),
    svg(
      "text",
      { x: same ? middle - bend / 4 : middle, y: (y1 + y2) / 2 + (back ? 15 : -6), "text-anchor": "middle" },
      progress,
    ),
  );
}
