// What somebody folded away stays so in this browser, where the URL says nothing else.
(() => {
  "use strict";
  document.querySelectorAll("details[data-eyelet-fold]").forEach((fold) => {
    const name = `fold.${fold.dataset.eyeletFold}`;
    const was = eyelet.remembered(name, "");
    if (was) { fold.open = was === "open"; }
    fold.addEventListener("toggle", () => eyelet.remember(name, fold.open ? "open" : "closed"));
  });
})();
