// What is large is fetched when it is opened: [data-eyelet-fragment] in a <details> names the address of what is to stand
// there. Until that comes, and where it does not, what the page brought stays.
(() => {
  "use strict";
  const fill = async (held) => {
    if (held.dataset.state) { return; }
    held.dataset.state = "asked";
    held.setAttribute("aria-busy", "true");
    held.querySelectorAll(":scope > .eyelet-failed").forEach((said) => said.remove());
    try {
      held.replaceChildren(await eyelet.fetched(held.dataset.eyeletFragment));
      held.dataset.state = "whole";
    } catch (error) {
      const said = document.createElement("p");
      said.className = "eyelet-warning eyelet-failed";
      said.setAttribute("role", "alert");
      said.textContent = `${error.message} Close and open it to ask again.`;
      held.prepend(said);
      delete held.dataset.state;
    }
    held.removeAttribute("aria-busy");
  };
  const opened = (details) => {
    const held = details.querySelector(":scope > [data-eyelet-fragment]");
    if (held && details.open) { fill(held); }
  };
  // Toggles do not bubble.
  document.addEventListener("toggle", (event) => {
    if (event.target.matches("details")) { opened(event.target); }
  }, true);
  document.querySelectorAll("details[open]").forEach(opened);
})();
