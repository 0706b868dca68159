// The configuration: changed settings first, each with its meaning.

import { ask, kit } from "./couch.js";
import { form, h, note, replace, table } from "./dom.js";

export async function show(room, _, signal) {
  const all = await kit.get("configuration", { signal });
  const filter = h("input", { type: "search", placeholder: "Filter settings", "aria-label": "Filter settings" });
  const list = h("div");
  const draw = () => {
    const wanted = filter.value.toLowerCase();
    const shown = all.filter((each) =>
      `${each.section} ${each.key} ${each.description}`.toLowerCase().includes(wanted),
    );
    const changed = shown.filter((each) => each.changed),
      others = shown.filter((each) => !each.changed);
    replace(
      list,
      h("h2", {}, `Changed (${changed.length})`),
      changed.length ? rows(changed) : h("p", { class: "quiet" }, "Nothing differs from the defaults."),
      h("h2", {}, "Defaults"),
      rows(others),
    );
  };
  filter.addEventListener("input", draw);
  replace(room, h("h1", {}, "Settings"), h("div", { class: "bar" }, filter), list);
  draw();
  function rows(shown) {
    return table(
      ["Setting", "Value", "Meaning"],
      shown.map((each) => [
        h("span", {}, h("span", { class: "quiet" }, `[${each.section}] `), h("b", {}, each.key)),
        value(each),
        meaning(each),
      ]),
      { class: "wide settings" },
    );
  }
  function value(each) {
    const input = h("input", {
      name: "value",
      value: each.value ?? "",
      placeholder: each.default ?? "",
      "aria-label": `${each.section} ${each.key}`,
      spellcheck: false,
    });
    return form(
      async () => {
        await ask(
          "PUT",
          `/_node/_local/_config/${encodeURIComponent(each.section)}/${encodeURIComponent(each.key)}`,
          JSON.stringify(input.value),
        );
        note(`[${each.section}] ${each.key} is set.`);
        await show(room, _, signal);
      },
      { class: "bar" },
      input,
      h("button", { class: "plain" }, "Set"),
    );
  }
}

const meaning = (each) => [
  h(
    "span",
    {},
    each.description.split("`").map((part, n) => (n % 2 ? h("code", {}, part) : part)),
  ),
  each.changed && each.default !== null && h("span", { class: "quiet" }, ` Default: ${each.default || "empty"}.`),
];
