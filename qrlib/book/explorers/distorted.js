// Type x level x photograph, with the clean one beside it.

function render({ model, el }) {
  const state = bind(model);
  const { images, kinds } = state.get("data");
  const says = sentence();
  const clean = h("img", { class: "qx-image" });
  const distorted = h("img", { class: "qx-image", "data-name": "distorted" });
  const under = h("figcaption");
  const most = Math.max(...kinds.map((kind) => kind.sigmas.length));

  el.replaceChildren(h("div", { class: "qx" },
    h("div", { class: "qx-controls" },
      choice(state, "image", "Photograph", images.map((image, i) => [i, image.name])),
      radios(state, "kind", "Distortion", kinds.map((kind) => [kind.key, kind.name])),
      slider(state, "level", "Level", 0, most, (level) => level ? `${level} of ${most}` : "0, clean"),
      player(state, "level", 0, most, says)),
    h("div", { class: "qx-pair" },
      h("figure", {}, clean, h("figcaption", {}, "clean")),
      h("figure", {}, distorted, under)),
    says));

  state.watch(["image", "kind", "level"], () => {
    const image = images[state.get("image")];
    const [key, level] = [state.get("kind"), state.get("level")];
    const kind = kinds.find((one) => one.key === key);
    clean.src = image.clean;
    clean.alt = `${image.alt}, clean`;
    if (!level) {
      distorted.src = image.clean;
      distorted.alt = clean.alt;
      under.textContent = "clean";
      says.textContent = "Level 0 is the photograph as it is.";
      return;
    }
    const strength = `σ = ${kind.sigmas[level - 1]} ${kind.unit}`;
    distorted.src = image[key].shown[level - 1];
    distorted.alt = `${image.alt}, with ${kind.title} of level ${level}`;
    under.textContent = strength;
    says.textContent = `${kind.title}, level ${level}, ${strength}: ` +
      `PSNR ${image[key].psnr[level - 1].toFixed(2)} dB, SSIM ${image[key].ssim[level - 1].toFixed(3)}.`;
  });
  return () => state.end();
}

export default { render };
