// Requests as they happen, what design functions logged, and open feeds.

import { asCurl, asRecording, asTest, isStreamed } from "./copies.js";
import { kit } from "./couch.js";
import { button, copy, download, h, json, note, pretty, replace, time } from "./dom.js";

const INTERVAL = 1000; // milliseconds between two looks
const SAMPLE = 100; // requests that one look shows
const ROWS = 500; // rows that stay in the table

export async function show(room, _, signal) {
  const state = { since: null, rows: [], missed: 0, paused: false };
  const body = h("tbody"),
    detail = h("aside", { class: "detail", hidden: true, "aria-label": "The chosen request" });
  const count = h("span", { class: "quiet", role: "status" });
  const search = h("input", {
    type: "search",
    placeholder: "Filter: path, user, test, error",
    "aria-label": "Filter requests",
  });
  const status = h(
    "select",
    { "aria-label": "Status" },
    ["any status", "2xx", "3xx", "4xx", "5xx", "no answer"].map((each) => h("option", {}, each)),
  );
  const method = h(
    "select",
    { "aria-label": "Method" },
    ["any method", "GET", "HEAD", "PUT", "POST", "DELETE", "COPY"].map((each) => h("option", {}, each)),
  );
  const isShown = (each) => matches(each, search.value.toLowerCase(), status.value, method.value);
  const draw = () =>
    replace(
      body,
      state.rows.filter(isShown).map((each) => row(each, body, detail)),
    );
  for (const each of [search, status, method]) each.addEventListener("input", draw);
  const pause = button("Pause", () => {
    state.paused = !state.paused;
    pause.textContent = state.paused ? "Go on" : "Pause";
  });
  const logs = h("ol", { class: "logs" }),
    feeds = h("ul", { class: "plain" });
  replace(
    room,
    h("h1", {}, "Requests"),
    h(
      "div",
      { class: "bar" },
      search,
      method,
      status,
      pause,
      button("Clear", async () => {
        await kit.delete("requests");
        state.rows = [];
        state.missed = 0;
        draw();
      }),
      button("Recording of these", () => record(state.rows.filter(isShown)), {
        title: "The shown requests as a recording that couchfake replay plays",
      }),
      count,
    ),
    h(
      "div",
      { class: "split" },
      h(
        "div",
        { class: "scroll tall" },
        h(
          "table",
          { class: "wide requests" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["Time", "Method", "Path", "Status", "ms", "User"].map((each) =>
                h("th", { scope: "col", class: each === "Status" || each === "ms" ? "number" : undefined }, each),
              ),
            ),
          ),
          body,
        ),
      ),
      detail,
    ),
    h("h2", {}, "Log of design functions"),
    logs,
    h("h2", {}, "Open feeds"),
    feeds,
  );
  const look = async () => {
    if (state.paused) return;
    const [added, lines, open] = await Promise.all([poll(state), kit.get("logs"), kit.get("feeds")]);
    for (const each of added) if (isShown(each)) body.prepend(row(each, body, detail));
    while (body.rows.length > ROWS) body.lastChild.remove();
    replace(
      count,
      state.missed
        ? h(
            "span",
            { class: "warn" },
            `A sample: ${state.missed.toLocaleString("en")} of ${state.since.toLocaleString("en")} requests are not shown, they come too fast.`,
          )
        : `${state.since.toLocaleString("en")} requests`,
    );
    replace(
      logs,
      lines.length
        ? lines
            .slice(-50)
            .reverse()
            .map((line) => h("li", { class: line.level }, line.message))
        : h("li", { class: "quiet" }, "None."),
    );
    replace(
      feeds,
      open.length ? open.map((url) => h("li", {}, h("code", {}, url))) : h("li", { class: "quiet" }, "None."),
    );
  };
  await look();
  repeat(look, signal);
}

/** Call `look` at an interval until another panel is opened. The first of several failures is shown. */
export function repeat(look, signal, interval = INTERVAL) {
  let failing = false;
  const again = async () => {
    if (signal.aborted) return;
    try {
      await look();
      failing = false;
    } catch (error) {
      if (!failing && !signal.aborted) note(error.message, true);
      failing = true;
    }
    if (!signal.aborted) setTimeout(again, interval);
  };
  setTimeout(again, interval);
}

async function poll(state) {
  const found = await kit.get(`requests?brief=true&limit=${SAMPLE}&since=${state.since ?? 0}`);
  const first = state.since ?? found.total - found.skipped - found.requests.length;
  state.missed += Math.max(0, found.total - first - found.requests.length);
  state.since = found.total;
  state.rows = [...found.requests.slice().reverse(), ...state.rows].slice(0, ROWS);
  return found.requests;
}

function matches(each, text, status, method) {
  if (method !== "any method" && each.method !== method) return false;
  if (
    status === "no answer"
      ? each.status !== 0
      : status !== "any status" && Math.floor(each.status / 100) !== Number(status[0])
  )
    return false;
  return (
    !text ||
    `${each.url} ${each.user ?? ""} ${each.test ?? ""} ${each.error ?? ""} ${each.status}`.toLowerCase().includes(text)
  );
}

function row(each, body, detail) {
  const open = async () => {
    for (const other of body.rows) other.removeAttribute("aria-selected");
    made.setAttribute("aria-selected", "true");
    await showDetail(detail, each.number);
  };
  const made = h(
    "tr",
    {
      tabindex: 0,
      onclick: open,
      onkeydown: (event) => {
        if (event.key === "Enter") open();
      },
    },
    h("td", {}, time(each.at).slice(11)),
    h("td", {}, h("b", { class: "method " + each.method }, each.method)),
    h("td", { class: "path" }, each.url, each.error && h("span", { class: "quiet" }, " " + each.error)),
    h(
      "td",
      { class: "number" },
      h("span", { class: "status s" + Math.floor(each.status / 100) }, each.status || "none"),
    ),
    h("td", { class: "number" }, (each.seconds * 1000).toFixed(1)),
    h("td", {}, each.user ?? ""),
  );
  return made;
}

const whole = (number) => kit.get(`requests/${number}`);

async function showDetail(detail, number) {
  const found = await whole(number);
  detail.hidden = false;
  replace(
    detail,
    h(
      "div",
      { class: "bar" },
      h("h2", {}, `${found.method} ${found.url}`),
      h(
        "button",
        {
          type: "button",
          class: "plain",
          "aria-label": "Close",
          onclick: () => {
            detail.hidden = true;
          },
        },
        "×",
      ),
    ),
    h(
      "p",
      {},
      h("span", { class: "status s" + Math.floor(found.status / 100) }, found.status || "no answer"),
      ` in ${(found.seconds * 1000).toFixed(1)} ms`,
      found.user && ` for ${found.user}`,
      found.test && h("span", { class: "quiet" }, ` in ${found.test}`),
    ),
    h(
      "div",
      { class: "bar" },
      button("Copy as curl", () => copy(asCurl(found, location.origin))),
      button("Copy as Python test", () => copy(asTest(found))),
      button("Copy as recording", () => copy(asRecording([found]))),
    ),
    part("Request headers", headers(found.headers)),
    found.body && part("Request body", content(found.body), true),
    part("Answer headers", headers(found.answer_headers)),
    part(
      "Answer",
      found.answer
        ? content(found.answer)
        : h("p", { class: "quiet" }, "No body, or one that was sent piece by piece."),
      true,
    ),
  );
}

const part = (title, inside, open = false) => h("details", { open }, h("summary", {}, title), inside);
const headers = (all) =>
  h(
    "dl",
    { class: "facts" },
    Object.entries(all).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );

function content(text) {
  try {
    JSON.parse(text);
    return json(pretty(text));
  } catch {
    return h("pre", {}, text);
  }
}

async function record(rows) {
  const found = [];
  for (const each of rows.slice().reverse()) found.push(await whole(each.number));
  const streamed = found.filter(isStreamed).length;
  if (streamed)
    note(
      `${streamed} requests are left out: their answers were sent piece by piece, and the log does not keep those.`,
      true,
    );
  download("recording.json", asRecording(found));
}
