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
    imagenet: false, // whether photographs are classified, for which the reader has to ask
    size: 256,
    unknown: "", // what the link names and the page does not have, until the reader chooses something
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

  // Begins with the reader's photo, or else with an example.
  async function start(file) {
    const begin = find(".qr-live-begin");
    if (begin.inert) return;
    begin.inert = true;
    say("");
    try {
      await withBar((progress) => engine.start(file ? "photo" : "example", progress));
    } catch (error) {
      begin.inert = false;
      say(`QRNet could not be started here: ${error.message}. The picture above shows what it does.`);
      return;
    }
    find(".qr-live-poster").hidden = begin.hidden = true;
    const stage = find(".qr-live-stage");
    stage.innerHTML = view.markup({ manifest });
    stage.hidden = false;
    listen(stage);
    if (file) {
      await chooseOwn(file);
      if (!state.picture) await showExamples().then(() => chooseSample(qrLive.samples[manifest.first]));
      return;
    }
    await showExamples();
    if (!(await follow())) await chooseSample(qrLive.samples[manifest.first]);
    find('[name="qr-picture"]:checked').focus({ preventScroll: true });
  }

  async function showExamples() {
    await engine.loadExamples();
    find(".qr-live-examples").innerHTML = view.examples(qrLive.samples, manifest);
  }

  // Shows what a link to a picture names: #picture=ID&kind=noise&strength=60&network=KEY.
  async function follow() {
    const named = new URLSearchParams(location.hash.slice(1));
    if (named.get("picture") && !qrLive.samples) {
      await showExamples().catch((error) => say(`${error.message}.`));
      if (!qrLive.samples) return false;
    }
    const unknown = [];
    // What the link says of one thing, if the page has it; what it has not, it says.
    const known = (key, allowed) => {
      const value = named.get(key);
      if (!value || allowed(value)) return value;
      unknown.push(`${key} "${value.slice(0, 40)}"`);
      return null;
    };
    const id = known("picture", (value) => qrLive.samples?.some((s) => s.id === value));
    const kind = known("kind", (value) => ["noise", "blur", "none"].includes(value)) || state.kind;
    const most = manifest.levels[kind]?.[4] ?? Infinity;
    const strength = known("strength", (value) => Number(value) >= 0 && Number(value) <= most);
    const key = known("network", (value) => manifest.networks.some((n) => n.key === value));
    state.unknown = unknown.length
      ? `This page does not have what the link names: ${unknown.join(", ")}. It shows something else in its place.`
      : "";
    if (!id) {
      if (state.unknown) say(state.unknown);
      return false;
    }
    state.kind = kind;
    const usual = manifest.levels[kind]?.[manifest.shownLevel - 1];
    if (kind !== "none") state.strength[kind] = Number(strength || usual);
    state.chosen = Boolean(key);
    if (key) state.network = manifest.networks.find((n) => n.key === key);
    await chooseSample(qrLive.samples.find((s) => s.id === id));
    return true;
  }

  // The address names the example that is shown, for whoever wants to send it on; nothing of one's own photo.
  function nameInAddress() {
    const { picture, kind, network } = state;
    const named = { picture: picture.id, kind, strength: state.strength[kind] ?? "", network: network.key };
    history.replaceState(null, "", picture.id ? `#${new URLSearchParams(named)}` : location.pathname + location.search);
  }

  // ---- What is shown ----

  function say(text) {
    const message = find(".qr-live-stage .qr-live-message") || find(".qr-live-message");
    message.textContent = text;
    message.hidden = !text;
  }

  const sigma = () => {
    const strength = state.strength[state.kind] ?? 0;
    return state.kind === "noise" ? strength : strength * state.network.blurScale;
  };

  function showControls() {
    for (const input of root.querySelectorAll('[name="qr-kind"]')) input.checked = input.value === state.kind;
    find(".qr-live-how-much").hidden = state.kind === "none";
    const levels = manifest.levels[state.kind] ?? manifest.levels.noise;
    const slider = find("#qr-level");
    const strength = state.strength[state.kind] ?? 0;
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
    find(".qr-live-again").hidden = !noise;
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
        : "EfficientNet-Lite0 knows ImageNet's 1000 classes. It says what it takes each picture for. ✓ means: the same " +
          "answer as for the original.";
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
        root.classList.add("qr-live-former"); // what is shown is another's, until `show`
        await round().catch((error) => say(error.message));
      }
      running = false;
    });
  }

  // The classifier for what is shown: that of the examples, or ImageNet's if the reader wants it.
  function judge() {
    if (state.picture.kind === "crop") return "classifier";
    return state.imagenet ? "imagenet" : "";
  }

  const namesOf = (classifier) => (classifier === "imagenet" ? qrLive.imagenet : manifest.classifier.classes);

  async function see() {
    try {
      await qrLive.script("imagenet.js");
    } catch (error) {
      say(`The classifier could not be loaded: ${error.message}. Press the button to try again.`);
      return;
    }
    state.imagenet = true;
    update();
  }

  async function round() {
    const { image, kind, picture, seed } = state;
    const key = state.network.key;
    const question = { kind, sigma: sigma(), seed };
    const classify = judge();
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
      if (classify) await withBar((progress) => engine.open(classify, progress));
    } catch (error) {
      throw new Error(`The network could not be loaded: ${error.message}. Move the slider to try again.`);
    }
    if (again) return; // something else was asked for during the download
    const result = await engine.run({ image, ...question, network: key, classify });
    say(picture.cut ? `The file "${picture.name}" is cut off: its end is missing. This is what there is of it.` : state.unknown);
    show(image, result, picture);
    nameInAddress();
    announce(result.measures);
    qrLive.latest = { ...question, ...result, clean: image.data, width: image.width, height: image.height, network: key };
    root.dispatchEvent(new CustomEvent("qr-live-shown"));
  }

  let announced;

  // Once for each picture the result comes into sight; what it is is said each time.
  function announce({ distorted, restored }) {
    const gain = distorted ? ` PSNR ${distorted.psnr.toFixed(1)} dB before, ${restored.psnr.toFixed(1)} dB after.` : "";
    find(".qr-live-announce").textContent = `The picture is restored.${gain}`;
    if (announced === state.picture) return;
    announced = state.picture;
    if (state.picture.kind === "own") find(".qr-live-work").scrollIntoView({ block: "nearest" });
  }

  // Without a result only the picture itself is shown: an earlier one would stand under a new caption.
  function show(image, result, picture) {
    root.classList.remove("qr-live-former");
    const bad = state.kind === "none"; // nothing was added, and nothing is known of how it should be
    const pictures = { clean: image.data, distorted: bad ? null : result?.distorted, restored: result?.restored };
    pictures.filtered = result?.filtered;
    find(".qr-live-left").textContent = bad ? "as it is" : "distorted";
    find(".qr-live-table").hidden = true;
    find(".qr-live-all").hidden = bad || !result;
    find(".qr-live-see").hidden = state.imagenet || picture.kind === "crop";
    const [under, over] = root.querySelectorAll(".qr-live-compare canvas");
    photo.draw(under, pictures.distorted ?? image.data, image);
    photo.draw(over, pictures.restored ?? image.data, image);
    root.style.setProperty("--ratio", `${image.width} / ${image.height}`);
    root.classList.toggle("qr-live-small", Math.max(image.width, image.height) <= 160);
    root.classList.toggle("qr-live-refused", !result);
    view.PANES.forEach((name) => {
      const pane = find(`[data-pane="${name}"]`);
      pane.hidden = !pictures[name];
      if (pane.hidden) return;
      photo.draw(pane.querySelector("canvas"), pictures[name], image);
      const text = pane.querySelector(".qr-live-measures");
      if (name === "clean") text.textContent = `${image.width} × ${image.height} pixels`;
      else if (result.measures[name]) view.measures(text, result.measures[name]);
      else text.textContent = "";
      if (name === "filtered") pane.querySelector("strong").textContent = `${view.TITLES.filtered}, σ = ${result.filterSigma}`;
      const list = pane.querySelector(".qr-live-answers");
      list.hidden = !result?.answers;
      if (!result?.answers) return;
      const top = (all) => all.indexOf(Math.max(...all));
      // What a photograph shows nobody has said: it is compared with the answer for the original.
      const known = picture.answer ?? (name === "clean" || bad ? undefined : top(result.answers.clean));
      const words = picture.kind === "crop" ? undefined : ["✓ as before", "✗ not as before"];
      view.answers(list, result.answers[name], namesOf(judge()), known, words);
    });
    if (!result) {
      find(".qr-live-time").textContent = "";
      return;
    }
    const { restore, distort, classify } = result.ms;
    const judged = classify === undefined ? "" : `, ${classify.toFixed(0)} ms to classify all`;
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
      find(".qr-live-announce").textContent = "Working on the new picture.";
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

  // Every network on the picture that is shown.
  function compareAll() {
    return busy(async () => {
      const { distorted, filtered, filterSigma, measures, answers: first, kind, sigma: strength, seed } = qrLive.latest;
      const { image, picture } = state;
      const top = (all) => (all ? namesOf(judge())[all.indexOf(Math.max(...all))] : "");
      const rows = [["distorted", measures.distorted, top(first?.distorted)]];
      if (filtered) rows.push([`Gaussian filter, σ = ${filterSigma}`, measures.filtered, top(first?.filtered)]);
      for (const network of manifest.networks) {
        await withBar((progress) => engine.open(network.key, progress));
        const ratio = kind === "blur" ? network.blurScale / state.network.blurScale : 1;
        const question = { image, kind, sigma: strength * ratio, seed, network: network.key, classify: first ? judge() : "" };
        const { measures: found, answers } = await engine.run(question);
        rows.push([network.title, found.restored, top(answers?.restored)]);
      }
      if (distorted === qrLive.latest.distorted && picture === state.picture) view.table(find(".qr-live-table"), rows);
    }).catch((error) => say(`The networks could not be compared: ${error.message}.`));
  }

  // A part of a record's result, computed again.
  function verify() {
    return busy(async () => {
      await qrLive.script("verify.js");
      const { pictures, right, labels, kind, sigma: strength, level, record } = qrLive.verify;
      for (const key of ["classifier", manifest.crops]) await withBar((progress) => engine.open(key, progress));
      let count = 0;
      let alike = 0;
      for (const [i, src] of pictures.entries()) {
        const image = photo.planar((await photo.open(src, manifest.largest)).canvas);
        const question = { image, kind, sigma: strength, seed: 1, network: manifest.crops, classify: "classifier" };
        const { restored } = (await engine.run(question)).answers;
        const correct = restored.indexOf(Math.max(...restored)) === labels[i];
        count += correct;
        alike += correct === right[i];
        find(".qr-live-verified").textContent = `${i + 1} of ${pictures.length} …`;
        find(".qr-live-verified").hidden = false;
      }
      const expected = right.filter(Boolean).length;
      const link = document.createElement("a");
      link.href = new URL(record, qrLive.site);
      link.textContent = "record";
      find(".qr-live-verified").replaceChildren(
        `Under ${kind} of level ${level}, restored by QRNet, this page recognises ${count} of the first ${pictures.length} test images. The `,
        link,
        ` says ${expected}. The answers agree for ${alike} of ${pictures.length} images.`,
      );
    }).catch((error) => say(`The record could not be checked: ${error.message}.`));
  }

  const chooseSample = (picture) =>
    choose(
      () => sample(picture),
      () => say(`${picture.label} could not be shown.`),
    );

  const chooseOwn = (file) =>
    choose(
      () => {
        state.unknown = "";
        return own(file);
      },
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
    const chooses = '[name="qr-picture"], [name="qr-kind"], #qr-level, #qr-network, .qr-live-levels button';
    for (const choice of ["input", "change", "click"]) {
      const forget = ({ target }) => target.closest(chooses) && (state.unknown = "");
      stage.addEventListener(choice, forget, { capture: true });
    }
    stage.addEventListener("change", ({ target }) => {
      if (target.name === "qr-picture") chooseSample(qrLive.samples.find((s) => s.id === target.value));
    });
    on(".qr-live-more", "click", () => showExamples().catch((error) => say(`${error.message}.`)));
    on(".qr-live-all", "click", compareAll);
    on(".qr-live-see", "click", see);
    on(".qr-live-verify", "click", verify);
    addEventListener("hashchange", follow);
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

  const take = (file) => (find(".qr-live-stage").hidden ? start(file) : chooseOwn(file));

  // Photos may be dropped or pasted before the start, too.
  function listenForDrops() {
    document.addEventListener("paste", (event) => {
      const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
      if (file) take(file);
    });
    root.addEventListener("dragover", (event) => {
      event.preventDefault();
      root.classList.add("qr-live-dragged");
    });
    root.addEventListener("dragleave", () => root.classList.remove("qr-live-dragged"));
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      root.classList.remove("qr-live-dragged");
      const [file] = event.dataTransfer.files;
      if (file) take(file);
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
    say(`This browser cannot run QRNet: it has no ${names}. The picture above shows what the network does.`);
  } else {
    find(".qr-live-begin").hidden = false;
    find(".qr-live-cost").textContent =
      `A photo needs ${view.megabytes(engine.cost.photo)} from this book, the examples ${view.megabytes(engine.cost.example)}. ` +
      "Your photo is processed in your browser and never uploaded.";
    const begin = find(".qr-live-start");
    if (location.hash.includes("picture=")) begin.textContent = "Show the picture of this link";
    begin.addEventListener("click", () => start());
    find("#qr-first").addEventListener("change", (event) => {
      if (event.target.files[0]) start(event.target.files[0]);
      event.target.value = "";
    });
    listenForDrops();
  }
})();
