// What is large is fetched when it is opened: details[data-eyelet-detail] name the address (data-url) of what they
// hold, in .eyelet-open. Until that comes, and where it does not, what the page brought stays there.
(() => {
  "use strict";
  const fill = async (details) => {
    const held = details.querySelector(":scope > .eyelet-open");
    if (!held || held.dataset.state) { return; }
    held.dataset.state = "asked";
    held.setAttribute("aria-busy", "true");
    held.querySelectorAll(":scope > .eyelet-failed").forEach((said) => said.remove());
    try {
      held.replaceChildren(await eyelet.fetched(details.dataset.url));
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
  // Toggles do not bubble.
  document.addEventListener("toggle", (event) => {
    if (event.target.open && event.target.matches("details[data-eyelet-detail]")) { fill(event.target); }
  }, true);
  document.querySelectorAll("details[data-eyelet-detail][open]").forEach(fill);
})();
