// Pictures to planar floats and back, at sizes that a phone survives.
"use strict";

qrLive.photo = (() => {
  // Phones refuse canvases of more than 16 megapixels.
  const CANVAS = 4096;

  function canvas(width, height) {
    const element = document.createElement("canvas");
    element.width = width;
    element.height = height;
    const context = element.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.fillStyle = "white"; // under what is transparent
    context.fillRect(0, 0, width, height);
    return { element, context };
  }

  // An image or canvas on a canvas, neither side above `largest`.  In steps of a half: browsers look at
  // few pixels when they shrink by more, and a photograph then gets a grain that it had not.
  function shrink(source, largest) {
    let width = source.naturalWidth || source.width;
    let height = source.naturalHeight || source.height;
    const scale = Math.min(1, largest / Math.max(width, height));
    const goal = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
    while (Math.max(width, height) > 2 * Math.max(...goal)) {
      const factor = Math.min(0.5, CANVAS / Math.max(width, height));
      width = Math.max(goal[0], Math.round(width * factor));
      height = Math.max(goal[1], Math.round(height * factor));
      const step = canvas(width, height);
      step.context.drawImage(source, 0, 0, width, height);
      source = step.element;
    }
    const last = canvas(...goal);
    last.context.drawImage(source, 0, 0, ...goal);
    return last.element;
  }

  // Decoded by the browser, which turns it upright by its EXIF tag; at most `largest` pixels a side.
  // Returns the canvas and the photograph's own width and height.
  async function open(src, largest) {
    const image = new Image();
    image.src = src;
    await image.decode();
    if (!image.naturalWidth || !image.naturalHeight) throw new Error("a picture without a size");
    return {
      canvas: shrink(image, largest),
      width: image.naturalWidth,
      height: image.naturalHeight,
    };
  }

  // {data: three planes of floats in [0, 1], width, height}
  function planar(source) {
    const { width, height } = source;
    const { data } = source.getContext("2d").getImageData(0, 0, width, height);
    const count = width * height;
    const planes = new Float32Array(3 * count);
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < 3; c++) planes[c * count + i] = data[4 * i + c] / 255;
    }
    return { data: planes, width, height };
  }

  function draw(target, planes, { width, height }) {
    const count = width * height;
    const image = new ImageData(width, height);
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round(255 * planes[c * count + i]);
      image.data[4 * i + 3] = 255;
    }
    target.width = width;
    target.height = height;
    target.getContext("2d").putImageData(image, 0, 0);
  }

  return { open, shrink, planar, draw };
})();
