// One panel of lines, drawn at the width it has, so that letters keep their size on a phone.

const MARKERS = {
  o: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
  s: "M-3.6-3.6h7.2v7.2h-7.2z",
  "^": "M0-4.6L4.4 3.4H-4.4z",
  v: "M0 4.6L4.4-3.4H-4.4z",
  D: "M0-4.8L4.8 0L0 4.8L-4.8 0z",
  X: "M-4.2-2.2L-2.2-4.2L0-2L2.2-4.2L4.2-2.2L2 0L4.2 2.2L2.2 4.2L0 2L-2.2 4.2L-4.2 2.2L-2 0z",
  "<": "M-4.6 0L3.4-4.4V4.4z",
  ">": "M4.6 0L-3.4-4.4V4.4z",
  d: "M0-5.4L3 0L0 5.4L-3 0z",
  h: "M0-4.8L4.2-2.4V2.4L0 4.8L-4.2 2.4V-2.4z",
  "*": "M0-5.6L1.4-1.9L5.3-1.7L2.3 .7L3.3 4.5L0 2.4L-3.3 4.5L-2.3 .7L-5.3-1.7L-1.4-1.9z",
  P: "M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
};
const EDGE = { right: 14, top: 26, bottom: 42 };
const LETTER = 7; // pixels, the widest digit of a tick

/** Round numbers from `low` to `high`, about `count` of them. */
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => +((first + i) * step).toPrecision(12));
}

/** Numbers of an axis as text, all with as many decimals as one of them needs. */
function decimals(values) {
  const digits = Math.max(0, ...values.map((value) => (`${value}`.split(".")[1] ?? "").length));
  return values.map((value) => value.toFixed(digits));
}

/** A group in the colour of a series, light page or dark. */
function coloured(look, attributes, ...children) {
  const group = s("g", { class: "qx-series", ...attributes }, ...children);
  group.style.setProperty("--light", look.color);
  group.style.setProperty("--dark", look.dark);
  return group;
}

function marker(look, x, y, scale = 1, attributes = {}) {
  return s("path", { d: MARKERS[look.marker], transform: `translate(${x} ${y}) scale(${scale})`, ...attributes });
}

/** What stands for a series in a legend. */
function swatch(look) {
  return s("svg", { width: 34, height: 14, class: "qx-swatch", "aria-hidden": "true" },
    coloured(look, {}, s("path", { d: "M1 7H33", class: "qx-line", "stroke-dasharray": look.dash }), marker(look, 17, 7)));
}

/** A path through the points that are there, broken where one lacks. */
function path(xs, ys, x, y) {
  let pen = "M";
  return ys.map((value, i) => {
    if (value == null) return (pen = "M", "");
    const piece = `${pen}${x(xs[i]).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
    return piece;
  }).join("");
}

/**
 * Draw a panel.
 *
 * panel: {key, title, xlabel, xs, labels}; series: [{key, look, lines: {panel: {mean, errors, seeds, kept}}}];
 * view: {ylabel, ylim, seeds: "dots" or "lines", level: {panel: {value, text}}}; at: index of the cursor.
 * The chart has a method `indexAt`: of a place on the screen, in pixels from its left, the nearest index.
 */
function draw(panel, view, series, at, width, label) {
  const height = Math.round(Math.min(330, Math.max(230, width * 0.72)));
  const here = series.filter((one) => one.lines[panel.key]);
  const band = ({ mean, errors }) => mean.flatMap((v, i) => (v == null || errors[i] == null ? [] : [[panel.xs[i], v - errors[i], v + errors[i]]]));
  const values = here.flatMap(({ lines: { [panel.key]: line } }) =>
    [...line.mean, ...line.seeds.flat(), ...band(line).flatMap(([, ...ends]) => ends)]).filter((v) => v != null);
  const [low, high] = view.ylim ?? spread(values);
  const ys = ticks(low, high, 5);
  const texts = decimals(ys);
  // Beside the longest of them there is room for the axis' name, turned upright.
  const left = 32 + LETTER * Math.max(...texts.map((text) => text.length));
  const [first, last] = [panel.xs[0], panel.xs.at(-1)];
  const x = (value) => left + 8 + (last > first ? (value - first) / (last - first) : 0.5) * (width - left - EDGE.right - 16);
  const y = (value) => EDGE.top + (1 - (value - low) / (high - low)) * (height - EDGE.top - EDGE.bottom);
  const right = width - EDGE.right;
  const bottom = height - EDGE.bottom;
  const svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "qx-chart", role: "img", "aria-label": label, "data-panel": panel.key });
  svg.append(s("text", { x: (left + right) / 2, y: 16, class: "qx-title" }, panel.title));
  ys.forEach((value, i) => {
    svg.append(s("path", { d: `M${left} ${y(value)}H${right}`, class: "qx-grid" }),
      s("text", { x: left - 7, y: y(value) + 4, class: "qx-tick qx-end" }, texts[i]));
  });
  const every = Math.ceil(panel.xs.length / Math.max(2, Math.floor((right - left) / 34)));
  panel.xs.forEach((value, i) => {
    if (i % every) return;
    svg.append(s("path", { d: `M${x(value)} ${EDGE.top}V${bottom + 4}`, class: "qx-grid" }),
      s("text", { x: x(value), y: bottom + 18, class: "qx-tick" }, panel.labels[i]));
  });
  svg.append(
    s("path", { d: `M${left} ${EDGE.top}V${bottom}H${right}`, class: "qx-axis" }),
    s("text", { x: (left + right) / 2, y: height - 6, class: "qx-label" }, panel.xlabel),
    s("text", { transform: `translate(13 ${(EDGE.top + bottom) / 2}) rotate(-90)`, class: "qx-label" }, view.ylabel),
    s("path", { d: `M${x(panel.xs[at])} ${EDGE.top}V${bottom}`, class: "qx-cursor" }));
  const level = view.level?.[panel.key];
  if (level) {
    svg.append(s("path", { d: `M${left} ${y(level.value)}H${right}`, class: "qx-level" }),
      s("text", { x: right, y: y(level.value) - 5, class: "qx-tick qx-end" }, level.text));
  }
  for (const { key, look, lines } of here) {
    const { mean, seeds, kept } = lines[panel.key];
    const group = coloured(look, { "data-series": key });
    const around = band(lines[panel.key]);
    const edge = [...around.map(([at, low]) => [at, low]), ...[...around].reverse().map(([at, , high]) => [at, high])];
    if (edge.length) group.append(s("path", { d: `M${edge.map(([at, v]) => `${x(at).toFixed(1)} ${y(v).toFixed(1)}`).join("L")}Z`, class: "qx-band" }));
    if (seeds.length > 1) {
      for (const one of seeds) {
        if (view.seeds === "lines") group.append(s("path", { d: path(panel.xs, one, x, y), class: "qx-seed-line" }));
        else one.forEach((v, i) => v != null && group.append(s("circle", { cx: x(panel.xs[i]), cy: y(v), r: 3, class: "qx-seed" })));
      }
    }
    group.append(s("path", { d: path(panel.xs, mean, x, y), class: "qx-line", "stroke-dasharray": look.dash }));
    mean.forEach((v, i) => {
      if (v == null) return;
      if (panel.xs.length <= 12 || i === at) group.append(marker(look, x(panel.xs[i]), y(v), i === at ? 1.5 : 1));
    });
    (kept ?? []).forEach((i, seed) => {
      if (seeds[seed]?.[i] != null) group.append(s("circle", { cx: x(panel.xs[i]), cy: y(seeds[seed][i]), r: 8, class: "qx-kept" }));
    });
    svg.append(group);
  }
  svg.indexAt = (clientX) => {
    const at = clientX - svg.getBoundingClientRect().left;
    const far = panel.xs.map((value) => Math.abs(x(value) - at));
    return far.indexOf(Math.min(...far));
  };
  return svg;
}

/** An axis that holds all values with some air, from 0 where they come near it. */
function spread(values) {
  if (!values.length) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const air = (high - low || Math.abs(high) || 1) * 0.1;
  return [low >= 0 && low - air < high * 0.25 ? 0 : low - air, high + air];
}
