// Rows of the search and steps of a session: walked by keys; which are open is kept with the page in the history, the
// last one opened in the address.
(() => {
  "use strict";
  const ROWS = "table.eyelet-rows > tbody > tr.eyelet-row[id], li.eyelet-step[id]";
  const OPENED_MAX = 50;
  const main = document.querySelector("main");
  if (!main || !main.querySelector("table.eyelet-rows, li.eyelet-step")) { return; }

  // Those within an opened row, such as what was around it, are not walked.
  const isOuter = (row) => !row.parentElement.closest(".eyelet-open");
  const all = () => [...main.querySelectorAll(ROWS)].filter(isOuter);
  const detailsOf = (row) => row.querySelector("details");
  const rowOf = (element) => {
    let row = element.closest(ROWS);
    while (row && !isOuter(row)) { row = row.parentElement.closest(ROWS); }
    return row;
  };

  // The row one is at: the one that has, or last had, the focus.
  let current = null;
  const at = (rows) => (current && current.isConnected ? rows.indexOf(current) : -1);
  main.addEventListener("focusin", (event) => {
    const row = rowOf(event.target);
    if (!row || row === current) { return; }
    if (current) { current.classList.remove("is-current"); }
    current = row;
    current.classList.add("is-current");
  });
  const goTo = (row) => {
    const found = row.querySelector("summary") || row.querySelector("a");
    if (!found) { return; }
    found.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };

  const stepped = (step) => {
    const rows = all(), here = at(rows);
    const row = here < 0 ? rows[0] : rows[here + step];
    if (row) { return goTo(row); }
    const beyond = step > 0 && main.querySelector('a[rel="next"], [data-eyelet-part] a');
    if (beyond) { beyond.focus(); }
  };
  const failed = (step) => {
    const rows = all();
    let here = at(rows);
    if (here < 0 && step < 0) { here = rows.length; }
    do { here += step; } while (rows[here] && !rows[here].classList.contains("failed"));
    if (rows[here]) { return goTo(rows[here]); }
    eyelet.say(`No ${step > 0 ? "further" : "earlier"} error on this page.`);
  };
  const session = () => {
    const link = current && current.querySelector("[data-eyelet-session]");
    if (link) { location.assign(link.href || link.dataset.eyeletSession); } else {
      eyelet.say(current ? "This one is of no session." : "Choose a row first, with j and k.");
    }
  };
  Object.assign(eyelet.keys, {
    j: () => stepped(1),
    k: () => stepped(-1),
    e: () => failed(1),
    E: () => failed(-1),
    o: session,
  });

  const here = () => {
    try {
      return decodeURIComponent(location.hash.slice(1));
    } catch {
      return ""; // an address that was written by hand, or cut off
    }
  };
  const keep = (row) => {
    const isOpen = (one) => detailsOf(one) && detailsOf(one).open;
    const opened = all().filter(isOpen).map((one) => one.id).slice(0, OPENED_MAX);
    const last = detailsOf(row).open ? row.id : opened.includes(here()) ? here() : "";
    const hash = last ? `#${encodeURIComponent(last)}` : "";
    history.replaceState({ ...history.state, opened }, "", location.pathname + location.search + hash);
  };
  const kept = (history.state && history.state.opened) || [];
  const restored = new Set();
  all().filter((row) => row.id === here() || kept.includes(row.id)).forEach((row) => {
    const details = detailsOf(row);
    if (details && !details.open) {
      restored.add(details);
      details.open = true;
    }
    if (row.id === here()) { row.scrollIntoView({ block: "nearest" }); }
  });
  main.addEventListener("toggle", (event) => {
    const row = event.target.matches("details") ? rowOf(event.target) : null;
    if (!row || event.target !== detailsOf(row) || restored.delete(event.target)) { return; }
    keep(row);
  }, true);
})();
