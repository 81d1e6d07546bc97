// New events as they arrive, where #eyelet-live names their address (data-url). They wait while one reads further down,
// or asks them to; what is too much is counted and said, and the page grows no further than ROWS_MAX.
(() => {
  "use strict";
  const bar = document.getElementById("eyelet-live");
  const table = document.querySelector("main table.eyelet-rows");
  if (!bar || !bar.dataset.url || !table || !window.EventSource) { return; }
  const ROWS_MAX = 500, WAITING_MAX = 200, AGAIN_MS = 1000, AGAIN_MOST_MS = 60000;
  const TOP_PX = 120; // scrolled less than this is not reading further down

  let waiting = [], more = 0, beyond = 0, arrived = 0, asked = false;
  let source = null, last = "", tries = 0, timer = 0, perSecond = 0, state = "Connecting", over = false, missing = "";

  const body = document.createElement("tbody");
  body.setAttribute("role", "rowgroup");
  if (table.tBodies[0]) { table.tBodies[0].before(body); } else { table.append(body); }

  const status = document.createElement("p");
  const said = document.createElement("strong"), counted = document.createElement("span");
  const pause = document.createElement("button"), show = document.createElement("button");
  status.className = "eyelet-live-status";
  said.setAttribute("role", "status"); // the count is none: a voice that counts along is no help
  pause.type = show.type = "button";
  show.className = "eyelet-live-show";
  show.hidden = true;
  status.append(said, " ", counted, " ", pause, " ", show);
  bar.append(status);

  const isReading = () => document.documentElement.scrollTop > TOP_PX
    || body.contains(document.activeElement) || body.querySelector("details[open]") !== null;
  const isPaused = () => asked || isReading();

  const tell = () => {
    const word = over ? state : state !== "Live" ? state : asked ? "Paused" : isReading() ? "Waiting" : "Live";
    if (said.textContent !== word) { said.textContent = word; }
    status.dataset.state = word.toLowerCase().split(/\W/)[0];
    counted.textContent = [
      `${arrived} new since the page came`,
      missing,
      beyond ? `${beyond} more arrived than are shown${perSecond ? `, ${perSecond} a second at most` : ""}` : "",
    ].filter(Boolean).join(", ");
    pause.textContent = asked ? "Go on" : "Pause";
    pause.hidden = over;
    show.hidden = waiting.length === 0;
    show.textContent = `${waiting.length + more} new`;
  };

  const nodeOf = (html) => {
    const made = document.createElement("template");
    made.innerHTML = html; // the server's own row, escaped there; scripts in it would not run
    return made.content.querySelector("tr");
  };
  const place = (event) => {
    const row = nodeOf(event.html);
    if (!row) { return; }
    const call = event.call || row.dataset.call;
    const earlier = (row.id && document.getElementById(row.id))
      || (call && table.querySelector(`tr[data-call="${CSS.escape(call)}"]`));
    if (earlier) { earlier.remove(); }
    const first = body.querySelector(":scope > tr.eyelet-row");
    if (first) { first.before(row); } else { body.append(row); }
  };
  const trim = () => {
    const rows = table.querySelectorAll(":scope > tbody > tr.eyelet-row");
    for (let at = rows.length - 1; at >= ROWS_MAX; at -= 1) { rows[at].remove(); }
    table.querySelectorAll(":scope > tbody").forEach((day) => {
      if (day !== body && !day.querySelector("tr.eyelet-row")) { day.remove(); }
    });
  };
  const flush = () => {
    const now = waiting;
    waiting = [];
    beyond += more;
    more = 0;
    now.forEach(place);
    trim();
    tell();
  };
  const arrive = ({ rows = [], more: passed = 0 }) => {
    arrived += rows.length;
    beyond += passed;
    waiting.push(...rows);
    more += Math.max(waiting.length - WAITING_MAX, 0);
    waiting.splice(0, waiting.length - WAITING_MAX);
    schedule();
  };
  // Many at once are one change of the page.
  let scheduled = 0;
  const schedule = () => {
    if (scheduled) { return; }
    scheduled = setTimeout(() => {
      scheduled = 0;
      if (isPaused()) { tell(); } else { flush(); }
    }, 100);
  };

  const close = () => {
    clearTimeout(timer);
    if (source) { source.close(); }
    source = null;
  };
  const end = (why) => {
    over = true;
    state = why;
    close();
    tell();
  };
  const retryLater = (why) => {
    close();
    tries += 1;
    const waitMs = Math.min(AGAIN_MS * 2 ** (tries - 1), AGAIN_MOST_MS);
    state = `${why || "Not connected"}: asking again in ${Math.ceil(waitMs / 1000)} s`;
    tell();
    timer = setTimeout(connect, waitMs);
  };
  const address = () => {
    const url = new URL(bar.dataset.url, location.href);
    if (last) { url.searchParams.set("_after", last); }
    return url.href;
  };
  // An EventSource does not say why it was refused; the same question by fetch does.
  const refused = async () => {
    const giveUp = new AbortController();
    try {
      const answer = await fetch(address(), { credentials: "same-origin", signal: giveUp.signal });
      if (answer.ok) { return retryLater(""); }
      const { error } = await answer.json().catch(() => ({}));
      const why = error || `The server answers ${answer.status}`;
      if (answer.status === 429 || answer.status >= 500) { retryLater(why); } else { end(why); }
    } catch {
      retryLater("");
    } finally {
      giveUp.abort();
    }
  };
  const told = (event) => {
    last = event.lastEventId || last;
    try { return JSON.parse(event.data); } catch { return {}; }
  };
  const connect = () => {
    close();
    source = new EventSource(address());
    source.addEventListener("open", (event) => {
      missing = "";
      if (event.data) { perSecond = told(event).rows_per_s || 0; } // the server's own, beside the browser's
      tries = 0;
      state = "Live";
      tell();
    });
    source.addEventListener("rows", (event) => arrive(told(event)));
    source.addEventListener("unreadable", (event) => {
      const days = (told(event).unreadable || []).map(({ context, day, error }) => `${context} ${day}: ${error}`);
      missing = days.length ? `what arrives there is not shown, as these days cannot be read: ${days.join("; ")}` : "";
      tell();
    });
    source.addEventListener("beat", told);
    source.addEventListener("end", (event) => {
      const { reason, retry } = told(event);
      if (retry) { retryLater(reason); } else { end(reason || "The server has ended this."); }
    });
    source.addEventListener("error", () => {
      if (over || !source) { return; }
      const isRefused = source.readyState === EventSource.CLOSED;
      close();
      if (isRefused) { refused(); } else { retryLater(""); }
    });
  };

  pause.addEventListener("click", () => {
    asked = !asked;
    if (asked) { tell(); } else { show.click(); }
  });
  show.addEventListener("click", () => {
    flush();
    window.scrollTo({ top: 0 });
  });
  const look = () => {
    if (waiting.length && !isPaused()) { flush(); } else { tell(); }
  };
  addEventListener("scroll", look, { passive: true });
  document.addEventListener("focusout", () => setTimeout(look, 0));
  body.addEventListener("toggle", look, true);
  // A browser has six connections for a server: a window that nobody sees gives its own back.
  const seen = () => {
    if (over) { return; }
    if (document.hidden) {
      close();
      state = "Hidden";
      tell();
    } else {
      state = "Connecting";
      connect();
      look();
    }
  };
  document.addEventListener("visibilitychange", seen);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) { seen(); } });
  tell();
  seen();
})();
