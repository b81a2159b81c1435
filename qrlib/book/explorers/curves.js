// Lines with a cursor, and a table that is legend, switches and values in one.

const SIDEWAYS = 12; // pixels, more than a finger slips

function render({ model, el }) {
  const state = bind(model);
  const { views, cursor, missing } = state.get("data");
  const root = h("div", { class: "qx" });
  el.replaceChildren(root);
  if (!views.length) return nothing(root, state, missing);
  const says = sentence();
  const charts = h("div", { class: "qx-panels" });
  const table = h("table", { class: "qx-legend" });
  const view = () => views.find((one) => one.key === state.get("view")) ?? views[0];
  const most = () => view().panels[0].xs.length - 1;
  const kept = () => Math.min(state.get("at"), most());
  let hovered; // what a mouse points at, shown as long as it does
  const at = () => hovered ?? kept();
  const on = (one) => state.get("shown").includes(one.key);
  const line = slider(state, "at", cursor, 0, most(), () => view().panels[0].steps[kept()]);
  const all = (yes) => () => {
    const here = view().series.map((one) => one.key);
    const others = state.get("shown").filter((key) => !here.includes(key));
    state.set("shown", yes ? [...others, ...here] : others);
  };

  root.append(h("div", { class: "qx-controls" },
    ...(views.length > 1 ? [choice(state, "view", "Show", views.map((one) => [one.key, one.name]))] : []),
    line,
    h("span", { class: "qx-buttons" },
      h("button", { type: "button", class: "qx-button", click: all(true) }, "All on"),
      h("button", { type: "button", class: "qx-button", click: all(false) }, "All off"))),
  charts, h("div", { class: "qx-scroll" }, table), says, ...lacking(missing));

  /** The rows of the table stay while values in them change: a checkbox keeps the focus. */
  const cells = new Map();
  state.watch(["view"], () => {
    const { panels, series, extra } = view();
    cells.clear();
    line.range(0, most());
    const heads = panels.map(() => h("th", { scope: "col" }));
    cells.set("heads", heads);
    const rows = series.map((one) => {
      const box = h("input", {
        type: "checkbox", "data-series": one.key,
        change: () => state.set("shown", box.checked ? [...state.get("shown"), one.key]
          : state.get("shown").filter((key) => key !== one.key)),
      });
      const values = panels.map(() => h("td"));
      cells.set(one.key, { box, values });
      return h("tr", {},
        h("th", { scope: "row" }, h("label", {}, box, swatch(one.look), h("span", {}, one.name))),
        ...values, ...(extra ? [h("td", {}, one.extra)] : []));
    });
    table.replaceChildren(
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, view().rows), ...heads,
        ...(extra ? [h("th", { scope: "col" }, extra)] : []))),
      h("tbody", {}, ...rows));
  });

  const update = () => {
    const now = view();
    const i = at();
    const shown = now.series.filter(on);
    const width = root.clientWidth || 640;
    const columns = now.panels.length > 1 && width > 560 ? now.panels.length : 1;
    const each = Math.floor((width - (columns - 1) * 8) / columns);
    charts.replaceChildren(...now.panels.map((panel) => draw(panel, now, shown, i, each,
      `${now.ylabel}, ${panel.title}, by ${panel.xlabel}; ${shown.length} lines. The values are in the table below.`)));
    now.panels.forEach((panel, k) => { cells.get("heads")[k].textContent = panel.heads[i]; });
    for (const one of now.series) {
      const { box, values } = cells.get(one.key);
      box.checked = on(one);
      now.panels.forEach((panel, k) => { values[k].textContent = one.lines[panel.key]?.texts[i] ?? "–"; });
    }
    says.textContent = now.panels.map((panel) => best(now, panel, shown, i)).join(" ");
  };
  state.watch(["view", "at"], () => { hovered = undefined; });
  state.watch(["view", "shown", "at"], update);

  // A mouse shows, and a click keeps; so does a finger that taps or draws sideways, but none that scrolls.
  let from = 0; // where a finger began
  const pointed = ({ clientX, clientY }) =>
    charts.getRootNode().elementFromPoint(clientX, clientY)?.closest(".qx-chart")?.indexAt(clientX);
  const hover = (i) => {
    if (i === hovered) return;
    hovered = i;
    update();
  };
  const keep = (event) => {
    const i = pointed(event);
    if (i !== undefined) state.set("at", i);
  };
  // The charts are drawn anew at each step, and what a finger began on is gone: their box hears of it.
  charts.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    from = event.clientX;
    charts.setPointerCapture(event.pointerId);
  });
  charts.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") hover(pointed(event));
    else if (Math.abs(event.clientX - from) > SIDEWAYS) keep(event);
  });
  charts.addEventListener("pointerleave", () => hover(undefined));
  charts.addEventListener("click", keep);
  let known = 0;
  const observer = new ResizeObserver(() => {
    if (root.clientWidth !== known) {
      known = root.clientWidth;
      update();
    }
  });
  observer.observe(root);
  return () => { observer.disconnect(); state.end(); };
}

/** Which of the lines is best where the cursor stands. */
function best(view, panel, shown, i) {
  const there = shown.filter((one) => one.lines[panel.key]?.values[i] != null);
  const head = panel.heads[i][0].toUpperCase() + panel.heads[i].slice(1);
  if (!there.length) return `${head}: no line here.`;
  const value = (one) => one.lines[panel.key].values[i];
  const sign = view.best === "highest" ? 1 : -1;
  const winner = there.reduce((a, b) => (sign * value(b) > sign * value(a) ? b : a));
  const among = shown.length < view.series.length ? " of those shown" : "";
  return `${head}: ${view.best}${among} is ${winner.name} with ${value(winner).toFixed(view.digits)}.`;
}

export default { render };
