// Distorts, restores and classifies, apart from the page so that its sliders never wait.
// Each message is {id, do, ...}; each answer {id, result} or {id, error}.
"use strict";

let ort;
const sessions = new Map();

const tasks = {
  // The runtime's module and its WebAssembly, as bytes.
  async start({ code, wasm }) {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    ort = await import(url);
    URL.revokeObjectURL(url);
    // Several threads would need headers that a static host does not send.
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmBinary = wasm;
  },

  async open({ key, model }) {
    if (sessions.has(key)) return;
    sessions.set(key, await ort.InferenceSession.create(new Uint8Array(model)));
  },

  // image: {data, height, width}; kind "noise", "blur" or "none" (the picture is bad already, and nothing
  // is known to compare with); sigma of 255, or in pixels.
  // classify: "classifier" of the examples, "imagenet", or nothing.
  async run({ image, kind, sigma, seed, network, classify }) {
    const { height, width } = image;
    const begun = performance.now();
    const distort = { noise: () => pixels.noise(image, sigma, seed), blur: () => pixels.blur(image, sigma) };
    const distorted = distort[kind]?.() ?? image.data.slice();
    const ready = performance.now();
    const dims = [1, 3, height, width];
    const restored = await run(network, "images", distorted, dims, "restored");
    const done = performance.now();
    const measures = (data) => ({ psnr: pixels.psnr(data, image.data), ssim: pixels.ssim(data, image.data, image) });
    const result = {
      distorted,
      restored,
      measures: kind === "none" ? {} : { distorted: measures(distorted), restored: measures(restored) },
      ms: { distort: ready - begun, restore: done - ready },
    };
    const seen = { clean: image.data, distorted, restored };
    if (kind === "noise") {
      const best = pixels.bestFilter(image, distorted);
      Object.assign(result, { filtered: best.data, filterSigma: best.sigma });
      result.measures.filtered = measures(best.data);
      seen.filtered = best.data;
    }
    if (classify === "imagenet") {
      const from = performance.now();
      result.answers = {};
      for (const [name, data] of Object.entries(seen)) {
        result.answers[name] = Array.from(await run(classify, "images", data, dims, "confidence"));
      }
      result.ms.classify = performance.now() - from;
    } else if (classify) {
      const from = performance.now();
      const names = Object.keys(seen);
      const together = new Float32Array(names.length * distorted.length);
      names.forEach((name, i) => together.set(seen[name], i * distorted.length));
      const all = await run("classifier", "images", together, [names.length, 3, height, width], "confidence");
      const k = all.length / names.length;
      result.answers = Object.fromEntries(
        names.map((name, i) => [name, Array.from(all.slice(i * k, (i + 1) * k))]),
      );
      result.ms.classify = performance.now() - from;
    }
    return result;
  },

  async smallest({ sigma }) {
    return pixels.smallest(sigma);
  },
};

async function run(key, input, data, dims, output) {
  const results = await sessions.get(key).run({ [input]: new ort.Tensor("float32", data, dims) });
  return results[output].data;
}

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ id: data.id, result: await tasks[data.do](data) });
  } catch (error) {
    self.postMessage({ id: data.id, error: String(error.message || error) });
  }
};
