// Keys: controls name theirs with aria-keyshortcuts; scripts that come after put theirs into eyelet.keys. They can be
// switched off, in the help that "?" opens, as one letter may be what a voice or a slip says.
eyelet.keys = {};
(() => {
  "use strict";
  const help = document.querySelector("dialog.eyelet-keys");
  const button = document.querySelector("[data-eyelet-keys]");
  const toggle = help && help.querySelector("input[name=keys]");
  let on = eyelet.remembered("keys", "on") === "on";

  const PRESSED = "[type=checkbox], [type=radio], [type=button], [type=submit]";
  const TYPED = `textarea, select, [contenteditable], input:not(${PRESSED})`;
  const isShown = (element) => element.getClientRects().length > 0;
  const controlOf = (key) => [...document.querySelectorAll("main [aria-keyshortcuts]")].find(
    (element) => isShown(element) && element.getAttribute("aria-keyshortcuts").split(" ").includes(key),
  );
  const press = (control) => {
    if (control.matches("input, select, textarea")) {
      control.focus();
      if (control.select) { control.select(); }
    } else {
      control.click();
    }
  };
  const showHelp = () => {
    if (!help || help.open) { return; }
    if (toggle) { toggle.checked = on; }
    help.showModal();
  };

  // In front of Datasette's own "/", which it has in 1.0.
  window.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph")) { return; }
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) { return; }
    if (target.matches(TYPED)) {
      const isOpen = target.getAttribute("aria-expanded") === "true"; // a list, which is closed first
      if (event.key === "Escape" && target.matches("main input") && !isOpen) { target.blur(); }
      return;
    }
    if (event.key === "?") {
      event.preventDefault();
      showHelp();
      return;
    }
    if (!on || event.key.length !== 1 || event.key === " ") { return; }
    const own = Object.hasOwn(eyelet.keys, event.key) ? eyelet.keys[event.key] : null;
    const control = own ? null : controlOf(event.key);
    if (!own && !control) { return; }
    event.preventDefault();
    event.stopPropagation();
    if (own) { own(); } else { press(control); }
  }, true);

  if (help && button) {
    button.hidden = false;
    button.addEventListener("click", showHelp);
    help.addEventListener("click", (event) => {
      if (event.target === help) { help.close(); } // beside it
    });
  }
  if (toggle) {
    toggle.addEventListener("change", () => {
      on = toggle.checked;
      eyelet.remember("keys", on ? "on" : "off");
    });
  }
})();
