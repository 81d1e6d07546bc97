// What is to be current asks again by itself: [data-eyelet-refresh] says after how many seconds. Never behind one's
// back: not in a hidden window, nor while one is in it or has opened something of it.
(() => {
  "use strict";
  const LEAST_S = 2;
  document.querySelectorAll("[data-eyelet-refresh][id]").forEach((first) => {
    let held = first;
    const inUse = () => document.hidden || held.contains(document.activeElement) || held.querySelector("details[open]")
      || (!getSelection().isCollapsed && held.contains(getSelection().anchorNode));
    const again = async () => {
      if (!inUse()) {
        try {
          const found = (await eyelet.fetched(location.href)).querySelector(`#${CSS.escape(held.id)}`);
          if (found && !inUse()) {
            held.replaceWith(found);
            held = found;
          }
          held.classList.remove("is-stale");
        } catch (error) {
          if (!held.classList.contains("is-stale")) { eyelet.say(error.message); }
          held.classList.add("is-stale");
        }
      }
      if (held.hasAttribute("data-eyelet-refresh")) { setTimeout(again, wait()); } // else it has come to its end
    };
    const wait = () => Math.max(Number(held.dataset.eyeletRefresh) || LEAST_S, LEAST_S) * 1000;
    setTimeout(again, wait());
  });
})();
