// Shows the anywidgets whose state a page carries, without a kernel, without a network, and on file://.
//
// An executed notebook keeps the state of its widgets in one script of the page, and a script of another
// type stands where each is seen.  A widget's own JavaScript is imported from a Blob: a page that was
// opened as a file may import nothing else.  Pages without widgets pay for one query.
(() => {
  const TYPE = "application/vnd.jupyter.widget-";

  /** A model as the front-end module of an anywidget expects it (https://anywidget.dev/en/afm/). */
  class Model {
    constructor(state) {
      this.state = { ...state };
      this.listeners = new Map();
    }
    get(name) {
      return this.state[name];
    }
    set(name, value) {
      if (this.state[name] === value) return;
      this.state[name] = value;
      for (const event of [`change:${name}`, "change"]) {
        for (const act of [...(this.listeners.get(event) ?? [])]) act(this, value);
      }
    }
    on(event, act) {
      if (!this.listeners.has(event)) this.listeners.set(event, new Set());
      this.listeners.get(event).add(act);
    }
    off(event, act) {
      if (act) this.listeners.get(event)?.delete(act);
      else this.listeners.delete(event);
    }
    save_changes() {} // nobody else to tell
    send() {}
  }

  const modules = new Map();
  function load(source) {
    if (!modules.has(source)) {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      modules.set(source, import(url).then((module) => module.default));
    }
    return modules.get(source);
  }

  const styles = new Set();
  function dress(css) {
    if (!css || styles.has(css)) return;
    styles.add(css);
    document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  }

  async function show(place, models) {
    const el = document.createElement("div");
    place.after(el);
    try {
      const { state } = models[JSON.parse(place.textContent).model_id];
      const model = new Model(state);
      dress(state._css);
      let module = await load(state._esm);
      if (typeof module === "function") module = await module();
      await module.initialize?.({ model });
      await module.render({ model, el });
    } catch (error) {
      el.textContent =
        "This browser cannot run the explorer that stands here; the figures and tables of this page show the same results.";
      console.warn("widget not shown:", error);
    }
  }

  function start() {
    const places = document.querySelectorAll(`script[type="${TYPE}view+json"]`);
    const saved = document.querySelector(`script[type="${TYPE}state+json"]`);
    if (!places.length || !saved) return;
    const models = JSON.parse(saved.textContent).state;
    places.forEach((place) => show(place, models));
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
