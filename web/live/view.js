// The controls and pictures of the page, and what they show.  Knows nothing of networks.
"use strict";

qrLive.view = (() => {
  const PANES = ["clean", "distorted", "restored", "filtered"];
  const TITLES = { clean: "Original", distorted: "Distorted", restored: "Restored", filtered: "Gaussian filter" };
  const MINUS = "\u2212";

  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

  const escaped = (text) =>
    text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

  const thumbnail = (sample) => `
    <label class="qr-live-thumb" title="${escaped(sample.label)}">
      <input type="radio" name="qr-picture" value="${escaped(sample.id)}">
      <img src="${sample.src}" alt="${escaped(sample.label)}">
    </label>`;

  const pane = (name) => `
    <figure class="qr-live-pane" data-pane="${name}">
      <canvas role="img" aria-label="${TITLES[name]}"></canvas>
      <figcaption>
        <strong>${TITLES[name]}</strong>
        <span class="qr-live-measures"></span>
        <ol class="qr-live-answers" aria-label="What the classifier takes the ${name} picture for"></ol>
      </figcaption>
    </figure>`;

  // The pictures to choose from, and links to those on which the network wins and loses.
  function examples(samples, manifest) {
    const of = (kind) => samples.filter((s) => s.kind === kind).map(thumbnail).join("");
    const link = ({ id, kind }) =>
      `<a href="#picture=${encodeURIComponent(id)}&kind=${kind}">${escaped(samples.find((s) => s.id === id).label)} (${kind})</a>`;
    const list = (outcome) => manifest.outcomes.filter((o) => o.outcome === outcome).map(link).join(", ") || "none of these";
    return `
      <fieldset>
        <legend>Test images of ${manifest.side} pixels, with a classifier</legend>
        <div class="qr-live-thumbs">${of("crop")}</div>
        <p class="qr-live-hint">At level ${manifest.shownLevel}, QRNet helps with: ${list("win")}. It harms: ${list("loss")}.</p>
      </fieldset>
      <fieldset><legend>Photographs</legend><div class="qr-live-thumbs">${of("photo")}</div></fieldset>`;
  }

  function markup({ manifest }) {
    const levels = [1, 2, 3, 4, 5].map((n) => `<button type="button" value="${n}">${n}</button>`);
    const option = (n) =>
      `<option value="${n.key}">${escaped(n.title)} (${megabytes(manifest.payloads[n.key].bytes)})</option>`;
    const sizes = [64, 128, 256, 512].filter((side) => side <= manifest.largest);
    return `
      <div class="qr-live-pictures">
        <div class="qr-live-examples">
          <button type="button" class="qr-live-more">Show examples (${megabytes(manifest.samples)})</button>
        </div>
        <fieldset class="qr-live-own">
          <legend>A photo of your own</legend>
          <input type="file" id="qr-file" accept="image/*" aria-describedby="qr-file-name qr-privacy">
          <label for="qr-file">Choose a photo</label>
          <span id="qr-file-name"></span>
          <p id="qr-privacy">Or drop it here, or paste it. A phone offers its camera, too. It never leaves this browser.</p>
        </fieldset>
      </div>
      <p class="qr-live-message" role="alert" hidden></p>
      <div class="qr-live-work">
        <div class="qr-live-compare">
          <canvas aria-hidden="true"></canvas>
          <canvas class="qr-live-over" aria-hidden="true"></canvas>
          <span class="qr-live-badge qr-live-left" aria-hidden="true">distorted</span>
          <span class="qr-live-badge qr-live-right" aria-hidden="true">restored</span>
          <span class="qr-live-badge qr-live-working" aria-hidden="true">Working …</span>
          <span class="qr-live-line" aria-hidden="true"></span>
          <input type="range" min="0" max="100" value="50" step="1" class="qr-live-wipe"
            aria-label="Before and after: the share of the distorted picture">
        </div>
        <div class="qr-live-controls">
          <fieldset class="qr-live-kinds">
            <legend>Distortion</legend>
            <label><input type="radio" name="qr-kind" value="noise" checked><span>Noise</span></label>
            <label><input type="radio" name="qr-kind" value="blur"><span>Blur</span></label>
            <label><input type="radio" name="qr-kind" value="none"><span>Already bad</span></label>
          </fieldset>
          <div class="qr-live-how-much">
            <label for="qr-level">Strength <output for="qr-level" class="qr-live-strength"></output></label>
            <input type="range" id="qr-level" min="0">
            <div class="qr-live-levels" role="group" aria-label="The paper's five levels">${levels.join("")}</div>
            <p class="qr-live-hint"></p>
          </div>
          <div>
            <label for="qr-network">Network</label>
            <select id="qr-network">${manifest.networks.map(option).join("")}</select>
            <p class="qr-live-hint qr-live-network"></p>
          </div>
          <div class="qr-live-size" hidden>
            <label for="qr-size">Longest side</label>
            <select id="qr-size">${sizes.map((s) => `<option value="${s}">${s} pixels</option>`).join("")}</select>
            <p class="qr-live-hint qr-live-scaled"></p>
          </div>
        </div>
        <div class="qr-live-foot">
          <p class="qr-live-time"></p>
          <div class="qr-live-buttons">
            <button type="button" class="qr-live-again">New noise</button>
            <a class="qr-live-save" download="restored.png" href="#">Save the restored picture</a>
          </div>
        </div>
      </div>
      <div class="qr-live-panes">${PANES.map(pane).join("")}</div>
      <div class="qr-live-buttons">
        <button type="button" class="qr-live-see">What does a classifier see? (${megabytes(manifest.imagenet)})</button>
        <button type="button" class="qr-live-all">Compare all networks</button>
        <button type="button" class="qr-live-verify">Check the record (${megabytes(manifest.verify)})</button>
      </div>
      <div class="qr-live-table" hidden></div>
      <p class="qr-live-verified" role="status" hidden></p>
      <p class="qr-live-hint qr-live-judge"></p>`;
  }

  // How far a download is; once it is there, what came is being started.
  function progress(element, done, total) {
    element.hidden = false;
    const bar = element.querySelector("progress");
    const ready = done >= total - 1;
    if (ready) bar.removeAttribute("value");
    else [bar.max, bar.value] = [total, done];
    element.querySelector("span").textContent = ready
      ? "Starting the network"
      : `${megabytes(done)} of ${megabytes(total)}`;
  }

  function measures(element, { psnr, ssim }) {
    const texts = [
      `PSNR ${psnr >= 100 ? "no difference" : `${psnr.toFixed(1)} dB`}`,
      `SSIM ${ssim === null ? "needs 11 pixels a side" : ssim.toFixed(3)}`,
    ];
    element.innerHTML = texts.map((text) => `<span>${text.replace("-", MINUS)}</span>`).join(" · ");
  }

  // The three likeliest classes; a sign and words say whether the first is `right`, where that is known.
  function answers(list, confidence, classes, right, [yes, no] = ["✓ right", "✗ wrong"]) {
    const order = [...confidence.keys()].sort((a, b) => confidence[b] - confidence[a]).slice(0, 3);
    const verdict =
      right === undefined
        ? ""
        : order[0] === right
          ? `<span class="qr-right">${yes}</span>`
          : `<span class="qr-wrong">${no}</span>`;
    list.innerHTML = order
      .map((k, place) => {
        const share = Math.round(100 * confidence[k]);
        const name = `${escaped(classes[k])} ${place ? "" : verdict}`;
        return `<li style="--share: ${share}%"><span>${name}</span><span>${share} %</span></li>`;
      })
      .join("");
  }

  // Every network and the filter, on one picture: rows of [name, measures, answer or ""].
  function table(element, rows) {
    const answered = rows.some(([, , answer]) => answer);
    const cells = rows.map(([name, { psnr, ssim }, answer]) => {
      const parts = [`${psnr.toFixed(1)} dB`, ssim === null ? "–" : ssim.toFixed(3), ...(answered ? [answer] : [])];
      return `<tr><th scope="row">${escaped(name)}</th>${parts.map((p) => `<td>${escaped(p.replace("-", MINUS))}</td>`).join("")}</tr>`;
    });
    const head = ["", "PSNR", "SSIM", ...(answered ? ["classified as"] : [])];
    element.innerHTML = `<div class="qr-scroll"><table class="qr-table"><thead><tr>${head
      .map((h) => `<th scope="col">${h}</th>`)
      .join("")}</tr></thead><tbody>${cells.join("")}</tbody></table></div>`;
    element.hidden = false;
  }

  return { PANES, TITLES, examples, markup, megabytes, progress, measures, answers, table };
})();
