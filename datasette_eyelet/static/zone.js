// The browser's zone: the bare address goes to it, and beside the zone control a link changes between it and UTC.
(() => {
  "use strict";
  if (!document.querySelector("[data-eyelet-search]")) { return; }
  const zone = window.Intl && Intl.DateTimeFormat().resolvedOptions().timeZone;
  const isUtc = (name) => /^(Etc\/)?(UTC|GMT|UCT|Zulu|Universal|Greenwich)?$/.test(name);
  if (!zone || isUtc(zone)) { return; }
  const inZone = (name) => {
    const url = new URL(location.href);
    url.searchParams.set("tz", name);
    return url.pathname + url.search + url.hash;
  };

  // A URL that says anything is left alone.
  if (location.search === "") {
    const address = inZone(zone);
    fetch(address, { method: "HEAD", credentials: "same-origin" }).then((answer) => {
      if (answer.ok) { location.replace(address); }
    }, () => { /* offline: the page in UTC stays */ });
  }

  // The server's link leads to UTC; beside it one leads to the browser's zone.
  const utc = document.querySelector("a[data-eyelet-zone]");
  if (!utc) { return; }
  const link = document.createElement("a");
  link.href = inZone(zone);
  link.textContent = zone;
  link.className = utc.className;
  if (new URLSearchParams(location.search).get("tz") === zone) { link.setAttribute("aria-current", "true"); }
  utc.after(" ", link);
})();
