// Test images, distorted and restored, with the classifier's answers.  A sheet holds the tiles of one
// method: one row an image, one column a case.

function render({ model, el }) {
  const state = bind(model);
  const { sheets, methods, labels, cases, classifier, missing, words } = state.get("data");
  const root = h("div", { class: "qx" });
  el.replaceChildren(root);
  if (!sheets.none) return nothing(root, state, missing);
  const says = sentence();
  const row = h("div", { class: "qx-row" });
  const kinds = [...new Set(cases.map((c) => c.distortion))].filter((kind) => kind !== "clean");
  const column = (kind, level) => cases.findIndex((c) => level ? c.distortion === kind && c.level === level : !c.level);
  const levels = [...new Set(cases.map((c) => c.level))].sort();
  const strength = (c) => c.level ? `${c.distortion}, level ${c.level} (σ = ${+c.strength.toFixed(2)})` : "clean";

  /** One tile of a sheet, with its answer where there is one. */
  function tile(method, i, j, title, what) {
    const { src, answers } = sheets[method];
    const image = h("img", { src, alt: `${what}, a test image of ${words[labels[i]]}` });
    image.style.width = `${cases.length * 100}%`;
    image.style.left = `${-100 * j}%`;
    image.style.top = `${-100 * i}%`;
    const { answer, confidence } = answers[i][j];
    const right = answer === labels[i];
    const bar = h("span", { class: "qx-bar" }, h("span"));
    bar.firstChild.style.width = `${confidence * 100}%`;
    return h("figure", { "data-method": method, "data-case": j, class: right ? "qx-right" : "qx-wrong" },
      h("strong", {}, title), h("div", { class: "qx-tile" }, image),
      h("figcaption", {},
        h("span", { class: "qx-answer" }, `${right ? "✓" : "✗"}\u00a0${words[answer]}`), bar, percent(confidence)));
  }

  root.append(h("div", { class: "qx-controls" },
    choice(state, "image", "Test image", labels.map((label, i) => [i, `${i + 1}: ${words[label]}`])),
    radios(state, "distortion", "Distortion", kinds.map((kind) => [kind, kind])),
    radios(state, "level", "Level", levels.map((level) => [level, level ? `${level}` : "clean"])),
    ...(methods.length ? [choice(state, "method", "Restored by", methods.map((m) => [m, sheets[m].name]))] : [])),
  row, says, ...lacking(missing));

  state.watch(["image", "distortion", "level", "method"], () => {
    const [i, method] = [state.get("image"), state.get("method")];
    const j = column(state.get("distortion"), state.get("level"));
    const shown = [tile("none", i, column("clean", 0), "clean", "Clean")];
    if (j < 0) {
      says.textContent = "This level is not on the sheets.";
      return row.replaceChildren(...shown);
    }
    shown.push(tile("none", i, j, cases[j].level ? "distorted" : "not restored", "As the classifier gets it"));
    const told = (m) => {
      const { answer, confidence } = sheets[m].answers[i][j];
      return `${words[answer]} (${percent(confidence)}, ${answer === labels[i] ? "right" : "wrong"})`;
    };
    let text = `${words[labels[i]]}, ${strength(cases[j])}: ${classifier} says ${told("none")}`;
    if (sheets[method]) {
      const { name } = sheets[method];
      shown.push(tile(method, i, j, name, `Restored by ${name}`));
      text += `; restored by ${name}: ${told(method)}`;
    }
    says.textContent = `${text}.`;
    row.replaceChildren(...shown);
  });
  return () => state.end();
}

export default { render };
