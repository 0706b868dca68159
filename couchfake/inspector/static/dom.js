// Elements without markup: every text goes through textContent, so nothing that a document holds is ever parsed.

/** Make an element: properties, `on…` listeners, `data-…`/`aria-…` attributes, then children (nodes or texts). */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && !name.includes("-") && name !== "list" && name !== "form") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  return element;
}

export function replace(element, ...children) {
  element.replaceChildren(
    ...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false),
  );
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Show a short message; errors stay until they are dismissed. */
export function note(text, isError = false) {
  const shown = h(
    "div",
    { class: isError ? "note error" : "note", role: isError ? "alert" : undefined },
    h("span", {}, text),
    h("button", { type: "button", title: "Dismiss", "aria-label": "Dismiss", onclick: () => shown.remove() }, "×"),
  );
  document.getElementById("notes").append(shown);
  if (!isError) setTimeout(() => shown.remove(), 4000);
}

/** Show an error, unless the work was aborted because another panel or page was opened. */
export function noteError(error) {
  if (error.name !== "AbortError") note(error.message, true);
}

/** A button whose work may fail: the failure is shown, and it cannot be pressed twice meanwhile. */
export function button(label, work, properties = {}) {
  const made = h(
    "button",
    {
      type: "button",
      ...properties,
      onclick: async () => {
        made.disabled = true;
        try {
          await work();
        } catch (error) {
          noteError(error);
        } finally {
          made.disabled = false;
        }
      },
    },
    label,
  );
  return made;
}

/** A form whose submission may fail. */
export function form(work, properties, ...children) {
  return h(
    "form",
    {
      ...properties,
      onsubmit: async (event) => {
        event.preventDefault();
        try {
          await work(event.target);
        } catch (error) {
          noteError(error);
        }
      },
    },
    ...children,
  );
}

/** A table: heads are texts or nodes; each row is a list of cells or a finished `tr`. */
export function table(heads, rows, properties = {}) {
  const lines = rows.map((row) =>
    row instanceof Node
      ? row
      : h(
          "tr",
          {},
          row.map((cell) => (cell instanceof HTMLTableCellElement ? cell : h("td", {}, cell))),
        ),
  );
  const kind = (column) => (lines[0]?.cells[column]?.classList.contains("number") ? "number" : undefined);
  return h(
    "div",
    { class: "scroll" },
    h(
      "table",
      properties,
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((head, column) => h("th", { scope: "col", class: kind(column) }, head)),
        ),
      ),
      h("tbody", {}, lines),
    ),
  );
}

export const number = (value) =>
  h("td", { class: "number" }, value === undefined || value === null ? "" : value.toLocaleString("en"));

export function size(bytes) {
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (bytes < 1000 || unit === "GB") return `${unit === "B" ? bytes : bytes.toFixed(1)} ${unit}`;
    bytes /= 1000;
  }
}

export const time = (seconds) => new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 23);

/** JSON with its parts coloured, as text nodes and spans. */
export function json(value) {
  const text = typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "");
  const parts = [];
  let place = 0;
  for (const found of text.matchAll(
    /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g,
  )) {
    if (found.index > place) parts.push(text.slice(place, found.index));
    const kind = found[1] ? (found[2] ? "key" : "text") : found[3] ? "word" : "digits";
    parts.push(h("span", { class: "json-" + kind }, found[1] ?? found[0]), found[2] ?? "");
    place = found.index + found[0].length;
  }
  return h("pre", { class: "json", tabindex: 0 }, parts, text.slice(place));
}

/** JSON text of the server, made readable; digits stay as they were sent. */
export function pretty(text) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[^\s",:[\]{}]+|[,:[\]{}]/g) ?? [];
  let out = "",
    indent = 0;
  const line = () => "\n" + "  ".repeat(indent);
  for (let place = 0; place < tokens.length; place++) {
    const token = tokens[place],
      following = tokens[place + 1];
    if ((token === "{" || token === "[") && (following === "}" || following === "]")) {
      out += token + following;
      place++;
    } else if (token === "{" || token === "[") {
      indent++;
      out += token + line();
    } else if (token === "}" || token === "]") {
      indent--;
      out += line() + token;
    } else out += token === "," ? "," + line() : token === ":" ? ": " : token;
  }
  return out;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    note("Copied.");
  } catch {
    const area = h("textarea", { class: "copied", rows: 8, readOnly: true }, text);
    const dialog = h(
      "dialog",
      {},
      h("p", {}, "Copy this text:"),
      area,
      h("button", { onclick: () => dialog.remove() }, "Close"),
    );
    document.body.append(dialog);
    dialog.showModal();
    area.select();
  }
}

export function download(name, text, type = "application/json") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
