// What all scripts share, and menus that close. Every page works without any script.
window.eyelet = (() => {
  "use strict";

  // Says a few words to everyone: shown for a while, and read out.
  const said = document.createElement("p");
  said.className = "eyelet-said";
  said.setAttribute("role", "status");
  (document.querySelector("main") || document.body).append(said);
  let until = 0;
  const say = (text) => {
    said.textContent = text;
    clearTimeout(until);
    until = setTimeout(() => { said.textContent = ""; }, 4000);
  };

  // The HTML at an address of ours as nodes; an Error with words for people where there is none.
  const fetched = async (url) => {
    let answer;
    try {
      answer = await fetch(url, { credentials: "same-origin", headers: { accept: "text/html" } });
    } catch {
      throw new Error("The server does not answer.");
    }
    if (answer.redirected && new URL(answer.url).pathname !== new URL(url, location.href).pathname) {
      throw new Error("The server wants you to sign in again.");
    }
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) {
      const reason = parsed.querySelector(".eyelet-reason");
      throw new Error(reason ? reason.textContent.trim() : `The server answers ${answer.status}.`);
    }
    const found = document.createDocumentFragment();
    found.append(...parsed.body.childNodes);
    return found;
  };

  // What a browser remembers of somebody; where it must not, everything is as at first.
  const remembered = (name, fallback) => {
    try {
      const text = localStorage.getItem(`eyelet.${name}`);
      return text === null ? fallback : text;
    } catch {
      return fallback;
    }
  };
  const remember = (name, text) => {
    try { localStorage.setItem(`eyelet.${name}`, text); } catch { /* private windows may not */ }
  };

  const closeMenus = (except) => {
    document.querySelectorAll("details.nav-menu[open], details.details-menu[open]").forEach((menu) => {
      if (menu !== except) { menu.open = false; }
    });
  };
  document.addEventListener("click", (event) => {
    closeMenus(event.target.closest("details.nav-menu, details.details-menu"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { closeMenus(null); }
  });

  return { say, fetched, remembered, remember };
})();
