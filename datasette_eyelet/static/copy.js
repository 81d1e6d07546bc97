// Links that are there to be copied are copied by a click. Opened in a new tab or without this, they are links.
(() => {
  "use strict";
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false; // not allowed, or not https and not this machine
    }
  };
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-eyelet-copy]");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) { return; }
    event.preventDefault();
    if (await copied(link.href)) {
      eyelet.say("The link is copied.");
    } else {
      location.assign(link.href); // whence the address bar copies it
    }
  });
})();
