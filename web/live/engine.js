// Downloads networks and has them run by a worker, so that the page's sliders never wait.
"use strict";

qrLive.engine = (() => {
  const { payloads, crops, samples, networks } = qrLive.manifest;
  const BASE = ["worker", "ort", "wasm"];
  // What is needed before the first picture: a photo needs neither examples nor their classifier.
  const FIRST = { photo: [...BASE, networks[0].key], example: [...BASE, "classifier", crops] };
  const bytes = (keys) => keys.reduce((sum, key) => sum + payloads[key].bytes, 0);
  const cost = { photo: bytes(FIRST.photo), example: bytes(FIRST.example) + samples };

  let worker;
  let asked = 0;
  const waiting = new Map();

  // A task of worker.js with its arguments; buffers in `transfer` are handed over, not copied.
  function ask(message, transfer = []) {
    return new Promise((resolve, reject) => {
      waiting.set(++asked, { resolve, reject });
      worker.postMessage({ id: asked, ...message }, transfer);
    });
  }

  function hire(code) {
    worker?.terminate();
    worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    worker.onmessage = ({ data }) => {
      const { resolve, reject } = waiting.get(data.id);
      waiting.delete(data.id);
      if (data.error) reject(new Error(data.error));
      else resolve(data.result);
    };
    worker.onerror = (event) => {
      for (const { reject } of waiting.values()) reject(new Error(event.message));
      waiting.clear();
    };
  }

  async function download(keys, more, progress) {
    const total = keys.reduce((sum, key) => sum + payloads[key].bytes, more);
    let done = more;
    const step = (bytes) => progress((done += bytes), total);
    step(0);
    const contents = [];
    for (const key of keys) contents.push(await qrLive.load(payloads[key], step));
    return contents;
  }

  // The pictures to choose from, once.
  let examples;
  function loadExamples() {
    examples ??= qrLive.script("samples.js");
    examples.catch(() => (examples = undefined));
    return examples;
  }

  // Everything for the first picture, "photo" or "example"; `progress` is told of bytes done and all bytes.
  async function start(kind, progress) {
    const keys = FIRST[kind];
    if (kind === "example") await loadExamples();
    const [code, ort, wasm, ...models] = await download(keys, kind === "example" ? samples : 0, progress);
    hire(code);
    await ask({ do: "start", code: ort, wasm }, [wasm]);
    for (const [i, model] of models.entries()) {
      const key = keys[BASE.length + i];
      await ask({ do: "open", key, model }, [model]);
      opened.set(key, Promise.resolve());
    }
  }

  const opened = new Map(); // key of a network, or "classifier" -> promise

  // Resolves when a network is ready; it is downloaded the first time, and again after a failure.
  function open(key, progress) {
    if (!opened.has(key)) {
      const promise = download([key], 0, progress).then(([model]) =>
        ask({ do: "open", key, model }, [model]),
      );
      opened.set(key, promise);
      promise.catch(() => opened.delete(key));
    }
    return opened.get(key);
  }

  const run = (question) => ask({ do: "run", ...question });
  // The side that an image needs for a blur.
  const smallest = (sigma) => ask({ do: "smallest", sigma });

  return { cost, start, loadExamples, open, run, smallest };
})();
