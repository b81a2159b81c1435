// What happens when: start, choose, drag, drop.
"use strict";

(() => {
  const { engine, manifest, photo, view } = qrLive;
  const root = document.getElementById("qr-live");
  const find = (selector) => root.querySelector(selector);

  const state = {
    picture: null, // {kind, canvas, width, height}, of a sample also id, label, answer
    image: null, // planar, at the size worked at
    kind: "noise",
    strength: {
      noise: manifest.levels.noise[manifest.shownLevel - 1],
      blur: manifest.levels.blur[manifest.shownLevel - 1],
    },
    seed: 1,
    network: null,
    chosen: false, // whether the reader has chosen the network
    size: 256,
  };

  // Does something that tells how far it is.
  async function withBar(job) {
    const bar = find(".qr-live-progress");
    try {
      return await job((done, total) => view.progress(bar, done, total));
    } finally {
      bar.hidden = true;
    }
  }

  // Begins with a photo that was dropped, or else with a sample.
  async function start(dropped) {
    const button = find(".qr-live-start");
    if (button.disabled) return;
    button.disabled = true;
    say("");
    try {
      await withBar(engine.start);
    } catch (error) {
      button.disabled = false;
      say(`QRNet could not be started here: ${error.message}. The picture above shows what it does.`);
      return;
    }
    find(".qr-live-poster").hidden = find(".qr-live-begin").hidden = true;
    const stage = find(".qr-live-stage");
    stage.innerHTML = view.markup({ samples: qrLive.samples, manifest });
    stage.hidden = false;
    listen(stage);
    await chooseSample(qrLive.samples[manifest.first]);
    find('[name="qr-picture"]:checked').focus({ preventScroll: true });
    if (dropped) await chooseOwn(dropped);
  }

  // ---- What is shown ----

  function say(text) {
    const message = find(".qr-live-stage .qr-live-message") || find(".qr-live-message");
    message.textContent = text;
    message.hidden = !text;
  }

  const sigma = () => {
    const strength = state.strength[state.kind];
    return state.kind === "noise" ? strength : strength * state.network.blurScale;
  };

  function showControls() {
    const levels = manifest.levels[state.kind];
    const slider = find("#qr-level");
    const strength = state.strength[state.kind];
    const noise = state.kind === "noise";
    slider.max = levels[4];
    slider.step = noise ? 1 : 0.1;
    slider.value = strength;
    const level = levels.indexOf(strength) + 1;
    const text = `σ = ${strength}${noise ? " of 255" : ""}${level ? `, level ${level} of 5` : ""}`;
    find(".qr-live-strength").textContent = strength ? text : "none";
    slider.setAttribute("aria-valuetext", strength ? text : "none");
    for (const button of root.querySelectorAll(".qr-live-levels button")) {
      button.setAttribute("aria-pressed", String(Number(button.value) === level));
    }
    const { side, record } = state.network;
    find(".qr-live-levels + .qr-live-hint").textContent = noise
      ? "Added to each of the three colours, then clipped."
      : `For pictures of 224 pixels. This network learned on ${side}, where the same share of the picture is ` +
        `${(strength * state.network.blurScale).toFixed(2)} pixels: ${strength} × ${side}/224.`;
    find("#qr-network").value = state.network.key;
    const link = document.createElement("a");
    link.href = new URL(record, qrLive.site);
    link.textContent = "record of its training";
    find(".qr-live-network").replaceChildren(`Trained on ${state.network.label} (`, link, ").");
    find(".qr-live-again").disabled = !noise;
    find("#qr-size").value = state.size;
    find(".qr-live-size").hidden = state.picture.kind === "crop";
    const { width, height, canvas, name } = state.picture;
    find("#qr-file-name").textContent = name ?? ""; // of a sample there is none
    const scaled = state.image.width < width ? `, scaled down from ${width} × ${height}` : "";
    const part = state.picture.strip ? " Of so long a strip this is the middle." : "";
    find(".qr-live-scaled").textContent =
      `Worked on at ${state.image.width} × ${state.image.height} pixels${scaled}.${part}`;
    for (const option of find("#qr-size").options) {
      // A size that would change nothing.
      const most = Math.max(canvas.width, canvas.height);
      option.disabled = Number(option.value) >= 2 * most && Number(option.value) > 64;
    }
    const known = manifest.classifier.classes;
    find(".qr-live-judge").textContent =
      state.picture.kind === "crop"
        ? `This is a test image of the class "${known[state.picture.answer]}". The classifier knows ${known.length} ` +
          "classes, and learned them from clean images."
        : `No classifier here knows such pictures: the one in the page tells ${known.length} classes of Caltech101 ` +
          "apart. Choose a test image above to see answers.";
  }

  let jobs = 0;

  // The page is busy while any job is under way.
  async function busy(job) {
    jobs += 1;
    root.setAttribute("aria-busy", "true");
    try {
      await job();
    } finally {
      jobs -= 1;
      if (!jobs) root.removeAttribute("aria-busy");
    }
  }

  let running = false;
  let again = false;

  // Brings the pictures up to date; calls while it works are answered by one more round.
  function update() {
    showControls();
    again = true;
    if (running) return;
    running = true;
    busy(async () => {
      while (again) {
        again = false;
        await round().catch((error) => say(error.message));
      }
      running = false;
    });
  }

  async function round() {
    const { image, kind, picture, seed } = state;
    const key = state.network.key;
    const question = { kind, sigma: sigma(), seed };
    const classify = picture.kind === "crop";
    const need = kind === "blur" ? await engine.smallest(question.sigma) : 1;
    if (Math.min(image.width, image.height) < need) {
      show(image, null, picture);
      throw new Error(
        `This picture of ${image.width} × ${image.height} pixels is too small for that blur, ` +
          `which needs ${need} × ${need}: choose less of it, noise, or another picture.`,
      );
    }
    try {
      await withBar((progress) => engine.open(key, progress));
    } catch (error) {
      throw new Error(`The network could not be loaded: ${error.message}. Move the slider to try again.`);
    }
    if (again) return; // something else was asked for during the download
    const result = await engine.run({ image, ...question, network: key, classify });
    say(picture.cut ? `The file "${picture.name}" is cut off: its end is missing. This is what there is of it.` : "");
    show(image, result, picture);
    qrLive.latest = { ...question, ...result, clean: image.data, width: image.width, height: image.height, network: key };
    root.dispatchEvent(new CustomEvent("qr-live-shown"));
  }

  // Without a result only the picture itself is shown: an earlier one would stand under a new caption.
  function show(image, result, picture) {
    const pictures = { clean: image.data, distorted: result?.distorted, restored: result?.restored };
    const [under, over] = root.querySelectorAll(".qr-live-compare canvas");
    photo.draw(under, pictures.distorted ?? image.data, image);
    photo.draw(over, pictures.restored ?? image.data, image);
    root.style.setProperty("--ratio", `${image.width} / ${image.height}`);
    root.classList.toggle("qr-live-small", Math.max(image.width, image.height) <= 160);
    root.classList.toggle("qr-live-refused", !result);
    view.PANES.forEach((name, i) => {
      const pane = find(`[data-pane="${name}"]`);
      pane.hidden = !pictures[name];
      if (pane.hidden) return;
      photo.draw(pane.querySelector("canvas"), pictures[name], image);
      const text = pane.querySelector(".qr-live-measures");
      if (name === "clean") text.textContent = `${image.width} × ${image.height} pixels`;
      else view.measures(text, result.measures[name]);
      const list = pane.querySelector(".qr-live-answers");
      list.hidden = !result?.answers;
      if (result?.answers) {
        view.answers(list, result.answers[i], manifest.classifier.classes, picture.answer);
      }
    });
    if (!result) {
      find(".qr-live-time").textContent = "";
      return;
    }
    const { restore, distort, classify } = result.ms;
    const judged = classify === undefined ? "" : `, ${classify.toFixed(0)} ms to classify all three`;
    find(".qr-live-time").textContent =
      `${restore.toFixed(0)} ms to restore, ${distort.toFixed(0)} ms to distort${judged}.`;
  }

  // ---- What the reader does ----

  let choices = 0;

  // Shows what `open` brings, unless something else has been chosen by then.
  function choose(open, failed) {
    const mine = ++choices;
    return busy(async () => {
      let picture;
      try {
        picture = await open();
      } catch {
        if (mine === choices) failed();
        return;
      }
      if (mine !== choices) return;
      state.picture = picture;
      // The crops' classifier belongs to the crops' network; for photographs the first is the best.
      if (!state.chosen) {
        const key = picture.kind === "crop" ? manifest.crops : manifest.networks[0].key;
        state.network = manifest.networks.find((n) => n.key === key);
      }
      const id = picture.id || "";
      for (const input of root.querySelectorAll('[name="qr-picture"]')) input.checked = input.value === id;
      resize();
      update();
    });
  }

  async function sample(picture) {
    if (!picture.canvas) Object.assign(picture, await photo.open(picture.src, manifest.largest));
    return picture;
  }

  async function own(file) {
    const url = URL.createObjectURL(file);
    try {
      const opened = await photo.open(url, manifest.largest);
      return { kind: "own", name: file.name, cut: await photo.cutOff(file), ...opened };
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  const chooseSample = (picture) =>
    choose(
      () => sample(picture),
      () => say(`${picture.label} could not be shown.`),
    );

  const chooseOwn = (file) =>
    choose(
      () => own(file),
      () =>
        say(
          `This browser cannot read "${file.name}" as a picture (${file.type || "of a type it does not know"}). ` +
            "JPEG, PNG and WebP work everywhere.",
        ),
    );

  function resize() {
    const { kind, canvas } = state.picture;
    state.image = photo.planar(kind === "crop" ? canvas : photo.shrink(canvas, state.size));
  }

  function listen(stage) {
    const on = (selector, event, action) => find(selector).addEventListener(event, action);
    const pictures = stage.querySelectorAll('[name="qr-picture"]');
    for (const input of pictures) {
      input.addEventListener("change", () => chooseSample(qrLive.samples.find((s) => s.id === input.value)));
    }
    for (const input of stage.querySelectorAll('[name="qr-kind"]')) {
      input.addEventListener("change", () => {
        state.kind = input.value;
        update();
      });
    }
    on("#qr-level", "input", (event) => {
      state.strength[state.kind] = Number(event.target.value);
      update();
    });
    on(".qr-live-levels", "click", (event) => {
      if (!event.target.value) return;
      state.strength[state.kind] = manifest.levels[state.kind][event.target.value - 1];
      update();
    });
    on("#qr-network", "change", (event) => {
      state.network = manifest.networks.find((n) => n.key === event.target.value);
      state.chosen = true;
      update();
    });
    on("#qr-size", "change", (event) => {
      state.size = Number(event.target.value);
      resize();
      update();
    });
    on(".qr-live-again", "click", () => {
      state.seed += 1;
      update();
    });
    on(".qr-live-wipe", "input", (event) => root.style.setProperty("--cut", `${event.target.value}%`));
    on(".qr-live-save", "click", (event) => {
      event.currentTarget.href = find('[data-pane="restored"] canvas').toDataURL("image/png");
    });
    on("#qr-file", "change", (event) => {
      if (event.target.files[0]) chooseOwn(event.target.files[0]);
      event.target.value = ""; // so that the same file can be chosen again
    });
  }

  // Photos may be dropped before the start, too.
  function listenForDrops() {
    root.addEventListener("dragover", (event) => {
      event.preventDefault();
      root.classList.add("qr-live-dragged");
    });
    root.addEventListener("dragleave", () => root.classList.remove("qr-live-dragged"));
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      root.classList.remove("qr-live-dragged");
      const [file] = event.dataTransfer.files;
      if (!file) return;
      if (find(".qr-live-stage").hidden) start(file);
      else chooseOwn(file);
    });
  }

  // ---- Before anything is loaded ----

  const missing = [
    ["WebAssembly", "WebAssembly"],
    ["Worker", "web workers"],
    ["DecompressionStream", "decompression"],
  ].filter(([name]) => typeof window[name] === "undefined");
  if (missing.length) {
    const names = missing.map(([, name]) => name).join(", ");
    say(`This browser cannot run QRNet: it lacks ${names}. The picture above shows what the network does.`);
  } else {
    find(".qr-live-begin").hidden = false;
    find(".qr-live-cost").textContent =
      `Loads ${view.megabytes(engine.cost)} from this book, once. ` +
      "What you drop in is worked on by your own browser and goes nowhere.";
    find(".qr-live-start").addEventListener("click", () => start());
    listenForDrops();
  }
})();
