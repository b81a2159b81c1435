// Brings in what `qrlib.book.try_it` has packed: gzipped bytes, in base64, cut into scripts.  Scripts, because a
// page that was opened from a file may load nothing else.
"use strict";

window.qrLive = (() => {
  const base = new URL(".", document.currentScript.src);
  const waiting = new Map();

  // Called by each part; see qrlib.book.try_it.pack.
  function part(name, number, text) {
    waiting.get(`${name}-${number}`)?.(text);
  }

  function script(file) {
    return new Promise((resolve, reject) => {
      const element = document.createElement("script");
      element.src = new URL(file, base);
      element.onload = () => {
        element.remove();
        resolve();
      };
      element.onerror = () => {
        element.remove();
        reject(new Error(`${file} could not be loaded`));
      };
      document.head.append(element);
    });
  }

  async function bytes(name, number) {
    let text;
    waiting.set(`${name}-${number}`, (given) => (text = given));
    await script(`${name}-${number}.js`);
    waiting.delete(`${name}-${number}`);
    if (text === undefined) throw new Error(`${name}-${number}.js holds something else`);
    const binary = atob(text);
    const content = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) content[i] = binary.charCodeAt(i);
    return content;
  }

  // The content of a payload as an ArrayBuffer; `progress` is told of bytes as they come.
  async function load({ name, parts, bytes: total }, progress) {
    const pieces = [];
    for (let number = 0; number < parts; number++) {
      pieces.push(await bytes(name, number));
      progress(total / parts);
    }
    const stream = new Blob(pieces).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  }

  return { site: new URL("..", base), part, script, load };
})();
