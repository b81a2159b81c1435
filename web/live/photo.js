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

  // A longer strip would shrink to a line of a pixel or two: its middle is taken.
  const LONGEST = 8;

  function middle(image, width, height) {
    const [w, h] = [Math.min(width, LONGEST * height), Math.min(height, LONGEST * width)];
    if (w === width && h === height) return image;
    const { element, context } = canvas(w, h);
    context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h, 0, 0, w, h);
    return element;
  }

  // Decoded by the browser, which turns it upright by its EXIF tag; at most `largest` pixels a side.
  // Returns the canvas, the photograph's own width and height, and whether only its middle is there.
  async function open(src, largest) {
    const image = new Image();
    image.src = src;
    await image.decode();
    const { naturalWidth: width, naturalHeight: height } = image;
    if (!width || !height) throw new Error("a picture without a size");
    const part = middle(image, width, height);
    return { canvas: shrink(part, largest), width, height, strip: part !== image };
  }

  // Whether the end of a file is missing.  Browsers show what there is of it, and say nothing.
  async function cutOff(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const text = (from, to) => String.fromCharCode(...bytes.subarray(from, to));
    if (bytes[0] === 0xff && bytes[1] === 0xd8) {
      // JPEG: the mark of the end, after the last mark of a scan; cameras may put more behind it.
      for (let i = bytes.length - 2; i > 1; i--) {
        if (bytes[i] === 0xff && bytes[i + 1] === 0xd9) return false;
        if (bytes[i] === 0xff && bytes[i + 1] === 0xda) return true;
      }
      return true;
    }
    if (text(1, 4) === "PNG") return !text(-16).includes("IEND");
    if (text(0, 4) === "RIFF") return new DataView(bytes.buffer).getUint32(4, true) + 8 > bytes.length;
    return false;
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

  return { open, cutOff, shrink, planar, draw };
})();
