// What the theme leaves undone, for people who read with a keyboard or a screen reader, and on paper.
document.addEventListener("DOMContentLoaded", () => {
  // The arrows that unfold the navigation bear no name.
  for (const arrow of document.querySelectorAll(".bd-sidenav summary")) {
    const page = arrow.closest("li").querySelector("a");
    arrow.setAttribute("aria-label", `Pages under ${page.textContent.trim()}`);
  }
  // The parameters of a long signature are laid out as a list of definitions, and define nothing.
  for (const part of document.querySelectorAll("dt.sig dl, dt.sig dd")) {
    part.setAttribute("role", "none");
  }
});

// Paper is white, and no table on it can be unfolded.  Folded code and lists of records are left out.
let theme;
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll(".bd-article details:not([open], .hide):has(table)")];
  for (const part of folded) part.open = true;
  theme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
window.addEventListener("afterprint", () => {
  for (const part of folded) part.open = false;
  document.documentElement.dataset.theme = theme;
});
