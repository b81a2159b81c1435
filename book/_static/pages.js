// What the theme leaves undone, for people who tap, read with a keyboard or a screen reader, or print.

// A tooltip that opens on a tap stays there, and takes the next tap.
document.addEventListener("show.bs.tooltip", (event) => {
  if (matchMedia("(hover: none)").matches) event.preventDefault();
});

document.addEventListener("DOMContentLoaded", () => {
  // The theme puts each toggle into the page twice, hides the first, and listens to that one alone.
  for (const which of ["primary", "secondary"]) {
    const [heard, ...others] = document.querySelectorAll(`.${which}-toggle`);
    const names = { primary: "Menu", secondary: "Contents of this page" };
    for (const toggle of [heard, ...others].filter(Boolean)) toggle.setAttribute("aria-label", names[which]);
    for (const toggle of others) toggle.addEventListener("click", () => heard.click());
    const sidebar = document.getElementById(`pst-${which}-sidebar`);
    const dialog = document.getElementById(`pst-${which}-sidebar-modal`);
    if (!sidebar || !dialog) continue;
    // The theme's dialog has no button that closes it.  Its content is the sidebar's, so that this one
    // moves with it, and is shown in the dialog only.
    const close = Object.assign(document.createElement("button"), {
      type: "button",
      className: "btn qr-close",
      textContent: "✕",
    });
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", () => dialog.close());
    sidebar.prepend(close);
    dialog.addEventListener("click", (event) => {
      const link = event.target.closest('a[href^="#"]');
      if (!link) return;
      dialog.close(); // its target lies behind the dialog
      const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
      requestAnimationFrame(() => target?.scrollIntoView());
    });
    matchMedia("(min-width: 992px)").addEventListener("change", () => dialog.open && dialog.close());
  }

  // On a phone the search's button loses the focus before the dialog opens, so that none comes back.
  let opener;
  for (const button of document.querySelectorAll(".search-button__button")) {
    button.addEventListener("click", () => (opener = button));
  }
  document.getElementById("pst-search-dialog")?.addEventListener("close", () => {
    opener?.focus();
    opener = undefined;
  });

  const actions = { "window.print": () => window.print(), toggleFullScreen: () => toggleFullScreen() };
  for (const button of document.querySelectorAll("[data-click]")) {
    button.addEventListener("click", actions[button.dataset.click]);
  }

  // Claims by their verdict.  On the way back a browser checks again what was checked, and tells nobody.
  const filter = () => {
    const wanted = document.querySelector('[name="qr-verdict"]:checked')?.value;
    for (const row of document.querySelectorAll(".qr-matrix tbody tr")) {
      row.hidden = Boolean(wanted) && row.dataset.verdict !== wanted;
    }
  };
  for (const choice of document.querySelectorAll('[name="qr-verdict"]')) choice.addEventListener("change", filter);
  addEventListener("pageshow", filter);

  // On a phone a table that is too wide becomes a card for each row, and each cell says what it is.
  const tables = [...document.querySelectorAll(".bd-article table:has(thead)")];
  for (const table of tables) {
    const headings = [...table.querySelectorAll("thead th")].map((heading) => heading.textContent.trim());
    for (const row of table.querySelectorAll("tbody tr")) {
      [...row.children].forEach((cell, i) => {
        if (headings[i] && cell.textContent.trim()) cell.dataset.label = `${headings[i]}: `;
      });
    }
  }
  const narrow = matchMedia("(max-width: 700px)");
  const stack = () => {
    for (const table of tables) {
      table.classList.remove("qr-stack");
      const box = table.parentElement;
      if (narrow.matches && box.scrollWidth > box.clientWidth) table.classList.add("qr-stack");
    }
  };
  stack();
  addEventListener("resize", stack);
  document.addEventListener("toggle", stack, true); // what was folded had no width

  // A figure opens large, with a click or from the keyboard.
  const large = Object.assign(document.createElement("dialog"), { className: "qr-large" });
  large.setAttribute("aria-label", "Figure, enlarged");
  large.addEventListener("click", () => large.close());
  for (const image of document.querySelectorAll(".bd-article figure > img, .bd-article figure > a > img")) {
    image.tabIndex = 0;
    image.setAttribute("role", "button");
    image.classList.add("qr-opens");
    const open = (event) => {
      event.preventDefault();
      const close = Object.assign(document.createElement("button"), { type: "button", textContent: "✕" });
      close.setAttribute("aria-label", "Close");
      const copy = image.cloneNode();
      copy.removeAttribute("tabindex");
      copy.removeAttribute("role");
      copy.removeAttribute("loading");
      large.replaceChildren(close, copy);
      document.querySelector(".bd-content").append(large); // where figures have their colours in the dark
      large.showModal();
    };
    image.addEventListener("click", open);
    image.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") open(event);
    });
  }

  // The arrows that unfold the navigation bear no name.
  for (const arrow of document.querySelectorAll(".bd-sidenav summary")) {
    const page = arrow.closest("li").querySelector("a");
    arrow.setAttribute("aria-label", `Pages under ${page.textContent.trim()}`);
  }
  // The parameters of a long signature are laid out as a list of definitions, and define nothing.
  for (const part of document.querySelectorAll("dt.sig dl, dt.sig dd")) {
    part.setAttribute("role", "none");
  }
  // The references are a list whose entries have another role, which no list may hold any more.
  for (const entry of document.querySelectorAll(".citation-list > .citation")) entry.setAttribute("role", "listitem");

  if (typeof Search !== "undefined") {
    // The search shows sentences of each page with the words: no code, table or TeX.
    const unread = "pre, table, svg, script, style, noscript, button, .qr-data, .headerlink, details";
    const heading = (part) => (part.previousElementSibling?.matches("h2, h3, .glossary dt") ? `${part.previousElementSibling.textContent}: ` : "");
    Search.makeSearchSummary = (text, stems) => {
      const page = new DOMParser().parseFromString(text, "text/html").querySelector(".bd-article");
      for (const part of page?.querySelectorAll(unread) ?? []) part.remove();
      for (const part of page?.querySelectorAll(".math") ?? []) part.textContent = part.textContent.replace(/\\[()[\]]|[\\{}]/g, "");
      const parts = [...(page?.querySelectorAll("p, dd, li:not(:has(p))") ?? [])].map((part) =>
        `${heading(part)}${part.textContent}`.replace(/\s+/g, " ").trim()).filter(Boolean);
      const words = [...stems].map((stem) => new RegExp(`\\b${stem.replace(/\W/g, "\\$&")}`, "i"));
      const has = (part) => words.some((word) => word.test(part));
      const part = parts.find((part) => words.every((word) => word.test(part))) ?? parts.find(has) ?? parts[0];
      if (!part) return null;
      const sentences = part.split(/(?<=[.?!]) (?=\S)/);
      const told = sentences.slice(Math.max(sentences.findIndex(has), 0)).join(" ");
      const summary = Object.assign(document.createElement("p"), { className: "context" });
      summary.textContent = told.length > 240 ? `${told.slice(0, 240).replace(/\s\S*$/, "")} …` : told;
      return summary;
    };
    // A page whose title is asked for comes first; executed runs come after pages, then the reference.
    const asked = new URLSearchParams(location.search).get("q")?.trim().toLowerCase();
    Scorer.score = ([name, title, , , score]) => {
      if (name.startsWith("api/")) return score - 1000;
      if (name.startsWith("_executed/") && name.split("/").length === 3) return score - 500;
      return asked && title.toLowerCase().includes(asked) ? score + 100 : score;
    };
  }
});

// Paper is white, and nothing on it can be unfolded.  Folded code and lists of records are left out.
let theme;
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll(".bd-article details:not([open], .hide):is(.sd-dropdown, :has(table))")];
  for (const part of folded) part.open = true;
  theme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
window.addEventListener("afterprint", () => {
  for (const part of folded) part.open = false;
  document.documentElement.dataset.theme = theme;
});
