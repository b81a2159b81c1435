// The printed numbers and ours as a table whose second column is a chart; seeds are small dots.

function render({ model, el }) {
  const state = bind(model);
  const { settings, tables, missing } = state.get("data");
  const root = h("div", { class: "qx" });
  el.replaceChildren(root);
  if (!settings.length) return nothing(root, state, missing);
  const says = sentence();
  const table = h("table", { class: "qx-printed" });
  const key = h("p", { class: "qx-key" });
  const seeds = h("input", {
    type: "checkbox", "data-name": "seeds", change: () => state.set("seeds", seeds.checked),
  });
  root.append(
    h("div", { class: "qx-controls" },
      ...(settings.length > 1 ? [choice(state, "setting", "Setting", settings.map((one) => [one.key, one.name]))] : []),
      choice(state, "table", "Table", tables),
      h("label", { class: "qx-control qx-check" }, seeds, " each seed")),
    h("div", { class: "qx-scroll" }, table), key, says, ...lacking(missing));

  state.watch(["setting", "table", "seeds"], () => {
    const setting = settings.find((one) => one.key === state.get("setting")) ?? settings[0];
    const shown = setting.tables[state.get("table")];
    seeds.checked = state.get("seeds");
    if (!shown) {
      table.replaceChildren();
      key.replaceChildren();
      says.textContent = `${tables.find(([name]) => name === state.get("table"))[1]} is not among the records of this setting.`;
      return;
    }
    seeds.disabled = !shown.groups.some((group) => group.cells.some((cell) => cell.values.length > 1));
    table.replaceChildren(
      h("caption", {}, setting.label),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "method"), h("th", { scope: "col" }, "accuracy"),
        h("th", { scope: "col" }, "paper"), h("th", { scope: "col" }, "ours"))),
      ...shown.groups.map((group) => h("tbody", {},
        h("tr", { class: "qx-group" }, h("th", { scope: "rowgroup", colspan: 4 }, group.name)),
        ...group.cells.map((cell) => line(group, cell)))),
      h("tbody", { "aria-hidden": "true" }, h("tr", {}, h("td"), h("td", { class: "qx-dots" }, scale()), h("td"), h("td"))));
    key.replaceChildren(mark("qx-paper"), ` ${setting.paper}   `, mark("qx-ours"), " ours");
    if (!seeds.disabled && state.get("seeds")) key.append("   ", mark("qx-seed"), " one seed");
    says.textContent = shown.finding;
  });

  /** A row; pointed at, tapped or focused, it says its numbers in full. */
  function line(group, cell) {
    const tell = () => { says.textContent = cell.says; };
    return h("tr", { tabindex: 0, "data-row": group.key, "data-series": cell.key, focus: tell, pointerenter: tell, click: tell },
      h("th", { scope: "row" }, cell.name), h("td", { class: "qx-dots" }, dots(cell, state.get("seeds"))),
      h("td", {}, cell.paper.toFixed(3)), h("td", {}, cell.text));
  }
  return () => state.end();
}

const TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1];
const at = (share) => `${(3 + 94 * share).toFixed(2)}%`; // room for half a dot at either end

/** Paper above, ours below: numbers that agree would hide one another on one height. */
function dots(cell, seeds) {
  const shown = seeds && cell.values.length > 1 ? cell.values : [];
  return s("svg", { width: "100%", height: 28, "aria-hidden": "true" },
    ...TICKS.map((v) => s("line", { x1: at(v), x2: at(v), y1: 0, y2: "100%", class: "qx-grid" })),
    coloured(cell.look, {},
      ...shown.map((v) => s("circle", { cx: at(v), cy: 19, r: 3, class: "qx-seed", "data-value": v })),
      s("circle", { cx: at(cell.ours), cy: 19, r: 5, class: "qx-ours", "data-value": cell.ours })),
    s("svg", { x: at(cell.paper), y: 8, overflow: "visible" }, // a path has no percentages
      s("path", { d: "M0-5.5L5.5 0L0 5.5L-5.5 0z", class: "qx-paper", "data-value": cell.paper })));
}

function scale() {
  return s("svg", { width: "100%", height: 16, "aria-hidden": "true" },
    ...TICKS.map((v) => s("text", { x: at(v), y: 12, class: "qx-tick" }, `${v}`)));
}

/** What stands for a kind of dot in the key. */
function mark(name) {
  const inside = name === "qx-paper" ? s("path", { d: "M7 1.5L12.5 7L7 12.5L1.5 7z", class: name })
    : s("circle", { cx: 7, cy: 7, r: name === "qx-seed" ? 3 : 5, class: name });
  return s("svg", { width: 14, height: 14, class: "qx-swatch", "aria-hidden": "true" }, inside);
}

export default { render };
