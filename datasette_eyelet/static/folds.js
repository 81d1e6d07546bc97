// What somebody folded away, or unfolded, stays so in this browser: details, or a box to check, with data-eyelet-fold.
(() => {
  "use strict";
  document.querySelectorAll("[data-eyelet-fold]").forEach((fold) => {
    const name = `fold.${fold.dataset.eyeletFold}`, state = fold.matches("details") ? "open" : "checked";
    const was = eyelet.remembered(name, "");
    if (was) { fold[state] = was === "open"; }
    const keep = () => eyelet.remember(name, fold[state] ? "open" : "closed");
    fold.addEventListener("toggle", keep);
    fold.addEventListener("change", keep);
  });
})();
