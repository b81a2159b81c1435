// The distortions and measures of qrlib, on planar float images: {data: Float32Array of 3 * height * width
// in [0, 1], height, width}.  tests/browser/test_live.py compares them with qrlib's.
"use strict";

const pixels = (() => {
  const PLANES = 3;

  // Python's round(): halves go to the even neighbour.
  function round(x) {
    const low = Math.floor(x);
    if (x - low !== 0.5) return Math.round(x);
    return low % 2 === 0 ? low : low + 1;
  }

  // qrlib.distortions.gaussian_kernel: 4 * sigma - 1 pixels wide, so cut off below two sigma.
  function kernel(sigma) {
    const radius = Math.max(1, round(2 * sigma - 1));
    const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
      Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)),
    );
    const sum = weights.reduce((a, b) => a + b);
    return weights.map((w) => w / sum);
  }

  // One pass of a separable filter along lines of `length` pixels that lie `step` apart; the border
  // mirrors without repeating the edge pixel.
  function filterLines(source, weights, length, step, starts) {
    const radius = (weights.length - 1) / 2;
    const target = new Float32Array(source.length);
    const line = new Float64Array(length + 2 * radius);
    for (const start of starts) {
      for (let i = -radius; i < length + radius; i++) {
        let j = Math.abs(i);
        if (j >= length) j = 2 * (length - 1) - j;
        line[i + radius] = source[start + j * step];
      }
      for (let i = 0; i < length; i++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * line[i + k];
        target[start + i * step] = sum;
      }
    }
    return target;
  }

  function* rowStarts({ height, width }) {
    for (let row = 0; row < PLANES * height; row++) yield row * width;
  }

  function* columnStarts({ height, width }) {
    for (let plane = 0; plane < PLANES; plane++) {
      for (let x = 0; x < width; x++) yield plane * height * width + x;
    }
  }

  // How many pixels a side must have to be mirrored around for this blur.
  function smallest(sigma) {
    return sigma > 0 ? (kernel(sigma).length + 1) / 2 : 1;
  }

  function blur(image, sigma) {
    if (sigma === 0) return image.data.slice();
    const weights = kernel(sigma);
    const { height, width } = image;
    const columns = filterLines(image.data, weights, height, width, columnStarts(image));
    return filterLines(columns, weights, width, 1, rowStarts(image)).map(clip);
  }

  function clip(x) {
    return x < 0 ? 0 : x > 1 ? 1 : x;
  }

  // Uniform numbers in [0, 1) from a seed: sfc32 (PractRand), warmed up.
  function uniform(seed) {
    let a = 0x9e3779b9, b = 0x243f6a88, c = 0xb7e15162, counter = seed | 0;
    const next = () => {
      const t = (((a + b) | 0) + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = ((c << 21) | (c >>> 11)) + t | 0;
      return (t >>> 0) / 4294967296;
    };
    for (let i = 0; i < 16; i++) next();
    return next;
  }

  // `count` normal numbers (Box-Muller); the same seed gives the same ones.
  function normal(count, seed) {
    const next = uniform(seed);
    const values = new Float32Array(count);
    for (let i = 0; i < count; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(1 - next()));
      const angle = 2 * Math.PI * next();
      values[i] = radius * Math.cos(angle);
      if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
    }
    return values;
  }

  // The last ones are kept: dragging the strength asks for the same again and again.
  let kept = { seed: null, values: [] };

  // sigma on the 0..255 scale, clipped as qrlib.distortions.gaussian_noise does.
  function noise(image, sigma, seed) {
    const count = image.data.length;
    if (kept.seed !== seed || kept.values.length !== count) kept = { seed, values: normal(count, seed) };
    const { values } = kept;
    return image.data.map((x, i) => clip(x + (sigma / 255) * values[i]));
  }

  // Of some strengths of a Gaussian filter the one that comes nearest to the clean image; none at all is one.
  function bestFilter(clean, distorted) {
    const candidates = [0, 0.6, 0.8, 1, 1.4, 2, 2.8, 4].map((sigma) => {
      const data = blur({ ...clean, data: distorted }, Math.min(clean.height, clean.width) < smallest(sigma) ? 0 : sigma);
      return { sigma, data, psnr: psnr(data, clean.data) };
    });
    return candidates.reduce((best, each) => (each.psnr > best.psnr ? each : best));
  }

  // dB; identical images count as 100, as in qrlib.metrics.
  function psnr(a, b) {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
    return Math.min(100, -10 * Math.log10(sum / a.length));
  }

  const WINDOW = Float64Array.from({ length: 11 }, (_, i) => Math.exp(-((i - 5) ** 2) / 4.5));
  const MASS = WINDOW.reduce((a, b) => a + b);
  const SSIM = WINDOW.map((w) => w / MASS);

  // SSIM of Wang et al. 2004 where the window lies inside, the mean over planes, as qrlib.metrics;
  // null for images smaller than the window.
  function ssim(a, b, { height, width }) {
    if (Math.min(height, width) < SSIM.length) return null;
    const shape = { height, width };
    const mean = (values) =>
      filterLines(
        filterLines(values, SSIM, height, width, columnStarts(shape)),
        SSIM, width, 1, rowStarts(shape),
      );
    const [ma, mb] = [mean(a), mean(b)];
    const [aa, bb] = [mean(a.map((x) => x * x)), mean(b.map((x) => x * x))];
    const ab = mean(a.map((x, i) => x * b[i]));
    const [c1, c2] = [0.01 ** 2, 0.03 ** 2];
    let sum = 0;
    let count = 0;
    for (let plane = 0; plane < PLANES; plane++) {
      for (let y = 5; y < height - 5; y++) {
        for (let x = 5; x < width - 5; x++) {
          const i = (plane * height + y) * width + x;
          const [p, q] = [ma[i], mb[i]];
          const top = (2 * p * q + c1) * (2 * (ab[i] - p * q) + c2);
          const bottom = (p * p + q * q + c1) * (aa[i] - p * p + (bb[i] - q * q) + c2);
          sum += top / bottom;
          count++;
        }
      }
    }
    return sum / count;
  }

  return { blur, noise, bestFilter, psnr, ssim, smallest };
})();
