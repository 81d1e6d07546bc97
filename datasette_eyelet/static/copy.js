// Links that are there to be copied are copied by a click: opened in a new tab or without this, they are links.
// Commands that one can run get a button that copies them.
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
  document.querySelectorAll("code[data-eyelet-command]").forEach((code) => {
    const button = document.createElement("button");
    const command = code.textContent;
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy the command ${command}`);
    button.addEventListener("click", async () => {
      eyelet.say(await copied(command) ? "The command is copied." : "The browser does not allow to copy.");
    });
    code.after(button);
  });
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
