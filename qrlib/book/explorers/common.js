// Shared by all explorers: elements, controls bound to a model, the sentence under the picture.

let numbered = 0;

/** An HTML element: h("label", {class: "name"}, "text", child). */
function h(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function s(tag, attributes = {}, ...children) {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function dress(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** What one view needs of its model: read, write, watch, and stop watching when it goes. */
function bind(model) {
  const watched = [];
  return {
    get: (name) => model.get(name),
    set(name, value) {
      model.set(name, value);
      model.save_changes(); // a kernel, where there is one, hears of it
    },
    watch(names, act) {
      for (const name of names) {
        model.on(`change:${name}`, act);
        watched.push([`change:${name}`, act]);
      }
      act();
    },
    end() {
      for (const [event, act] of watched) model.off(event, act);
    },
  };
}

/** A labelled select; options are pairs of value and text. */
function choice(state, name, label, options) {
  const items = options.map(([value, text]) => h("option", { value }, text));
  const select = h("select", {
    "data-name": name,
    change: () => state.set(name, options[select.selectedIndex][0]),
  }, ...items);
  state.watch([name], () => {
    select.selectedIndex = options.findIndex(([value]) => value === state.get(name));
  });
  return h("label", { class: "qx-control" }, h("span", {}, label), select);
}

/** Radio buttons under a legend; options are pairs of value and text. */
function radios(state, name, legend, options) {
  const group = `qx-${name}-${++numbered}`;
  const inputs = options.map(([value]) =>
    h("input", { type: "radio", name: group, value, "data-name": name, change: () => state.set(name, value) }));
  state.watch([name], () => {
    options.forEach(([value], i) => { inputs[i].checked = value === state.get(name); });
  });
  const labels = options.map(([, text], i) => h("label", {}, inputs[i], ` ${text}`));
  return h("fieldset", { class: "qx-control" }, h("legend", {}, legend), h("div", {}, ...labels));
}

/** A labelled slider over whole numbers; `text` says a value in words. */
function slider(state, name, label, min, max, text) {
  const input = h("input", {
    type: "range", min, max, step: 1, "data-name": name,
    input: () => state.set(name, Number(input.value)),
  });
  const shown = h("span", { class: "qx-value" });
  const draw = () => {
    input.value = state.get(name); // no further than its end
    shown.textContent = text(state.get(name));
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  state.watch([name], draw);
  const row = h("label", { class: "qx-control qx-slider" }, h("span", {}, label, " ", shown), input);
  row.range = (least, most) => {
    input.min = least;
    input.max = most;
    draw();
  };
  return row;
}

/** A sentence that screen readers read when it changes. */
function sentence() {
  return h("p", { class: "qx-says", "aria-live": "polite" });
}

/**
 * A button that walks a number from `min` to `max` once; it begins again at the end.
 * Readers who asked their system for less motion get one step at a press instead.
 */
function player(state, name, min, max, says, pause = 900) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = still.matches ? "Next" : "▶ Play";
    says.setAttribute("aria-live", "polite");
  };
  let walked;
  const step = () => {
    const now = state.get(name);
    walked = now < max ? now + 1 : min;
    state.set(name, walked);
    return state.get(name) < max && button.isConnected;
  };
  const press = () => {
    if (timer) return stop();
    if (still.matches) return void step();
    button.textContent = "⏸ Pause";
    says.setAttribute("aria-live", "off"); // not a sentence a second
    step();
    timer = setInterval(() => { if (!step()) stop(); }, pause);
  };
  const button = h("button", { type: "button", class: "qx-button qx-play", click: press });
  stop();
  // Whoever moves the slider meanwhile has it.
  state.watch([name], () => { if (timer && state.get(name) !== walked) stop(); });
  still.addEventListener("change", stop);
  return button;
}

/** What stands in place of an explorer whose records lack everything. */
function nothing(root, state, missing) {
  root.append(h("p", { class: "qx-missing" }, `Nothing to explore: these records lack ${missing.join("; ")}.`));
  return () => state.end();
}

/** What the records lack, said where the reader looks for it. */
function lacking(missing) {
  return missing.length ? [h("p", { class: "qx-missing" }, `Not among these records: ${missing.join("; ")}.`)] : [];
}

const percent = (share) => `${Math.round(share * 100)} %`;
