// The search box offers what may come next: names of fields, the values there are, operators. It is a combobox with a
// list (https://www.w3.org/WAI/ARIA/apg/patterns/combobox/): nothing is chosen until somebody chooses it, so Enter
// searches for what was typed (where it takes the first offer, people run into it: grafana/grafana issue 20403); what
// is offered depends on the text alone, so it comes again after a slip was mended (issue 60938), and none within
// quotes of text (issue 21144). input[data-eyelet-suggest] names the address of the values, a datalist the words.
(() => {
  "use strict";
  const box = document.querySelector("input[data-eyelet-suggest]");
  const known = document.querySelector("datalist[data-eyelet-words]");
  if (!box || !known) { return; }
  const offer = (written, says, dataset = {}) => ({ written, shown: written, says, dataset });
  const words = [...known.options].map(({ value, label, dataset }) => offer(value, label, dataset));
  const isField = ({ written, dataset }) => written.endsWith(":") && !("text" in dataset);
  const fields = new Set(words.filter(isField).map(({ written }) => written.slice(0, -1)));
  const CLOSES = offer(")", "closes the bracket");
  const WAIT_MS = 120; // a fast writer asks once
  const MOST = 24;

  const list = document.createElement("ul");
  list.id = "eyelet-suggestions";
  list.className = "eyelet-suggestions";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "What may come next");
  known.after(list);
  Object.entries({
    "role": "combobox",
    "aria-autocomplete": "list",
    "aria-haspopup": "listbox",
    "aria-expanded": "false",
    "aria-controls": list.id,
  }).forEach(([name, text]) => box.setAttribute(name, text));

  // Where in the text one writes: behind which field (or ""), what of a word or value is there, and from where to where
  // it stands. null within text between quotes. What may stand where the server says (text_query.py).
  const endOfQuote = (text, open) => {
    let at = open;
    do {
      at = text.indexOf('"', at + 1);
      if (at >= 0 && text[at + 1] === '"') { at += 1; } else { break; }
    } while (at >= 0);
    return at < 0 ? -1 : at + 1;
  };
  const endOfWord = (text, from) => {
    let open = 0;
    for (let at = from; at < text.length; at += 1) {
      const char = text[at];
      if (/[\s"]/.test(char) || (char === ")" && open === 0)) { return at; }
      open += (char === "(" ? 1 : 0) - (char === ")" ? 1 : 0);
    }
    return text.length;
  };
  const placeIn = (text, caret) => {
    const open = []; // the brackets around: of which field's values; "" of parts, null of text in a column
    let at = 0;
    let isFirst = true; // nothing before it that an operator could join
    while (at < caret) {
      if (/\s/.test(text[at])) { at += 1; continue; }
      if (text[at] === "(") { open.push(""); at += 1; isFirst = true; continue; }
      if (text[at] === ")") { open.pop(); at += 1; isFirst = false; continue; }
      let field = open.length ? open.at(-1) : "";
      let begun = at;
      if (field === "") {
        begun += text[at] === "-" ? 1 : 0;
        const name = /^[a-z_]+(?=:)/.exec(text.slice(begun));
        if (name && caret > begun + name[0].length && name[0] !== "is") {
          field = fields.has(name[0]) ? name[0] : null;
          begun += name[0].length + 1;
          if (text[begun] === "(" && caret > begun) { open.push(field); at = begun + 1; isFirst = true; continue; }
        }
      }
      const quote = text.startsWith('="', begun) ? begun + 1 : begun;
      const isQuoted = text[quote] === '"';
      const end = isQuoted ? endOfQuote(text, quote) : endOfWord(text, begun);
      if (isQuoted && (end < 0 || end > caret)) {
        const typed = text.slice(quote + 1, caret).replaceAll('""', '"');
        return field ? { field, typed, from: begun, to: end < 0 ? caret : end, isIn: open.length > 0, isFirst } : null;
      }
      if (!isQuoted && end >= caret) {
        const typed = text.slice(begun, caret);
        return field === null ? null : { field, typed, from: begun, to: end, isIn: open.length > 0, isFirst };
      }
      isFirst = /^(OR|AND|NOT)$/.test(text.slice(at, end));
      at = Math.max(end, at + 1);
    }
    const field = open.length ? open.at(-1) : "";
    return field === null ? null : { field, typed: "", from: caret, to: caret, isIn: open.length > 0, isFirst };
  };

  // Values as the server has them. What was answered is kept: a longer beginning of a whole answer needs no other.
  const answers = [];
  const levelOf = (field, typed) => (field === "src" ? typed.slice(0, typed.lastIndexOf(".") + 1) : "");
  const has = ({ value, says }, typed) => `${value}\n${says}`.toLowerCase().includes(typed.toLowerCase());
  const answered = (field, typed) => {
    const found = answers.find((one) => one.field === field && levelOf(field, one.typed) === levelOf(field, typed)
      && (one.typed === typed || (!one.more && typed.startsWith(one.typed) && field !== "session")));
    return found && found.values.filter((one) => has(one, typed));
  };
  let asking = null;
  const ask = async (field, typed) => {
    if (asking) { asking.abort(); }
    asking = new AbortController();
    const url = new URL(box.dataset.eyeletSuggest, location.href);
    url.searchParams.set("_field", field);
    url.searchParams.set("_begun", typed);
    const answer = await fetch(url, { credentials: "same-origin", signal: asking.signal });
    if (!answer.ok || answer.redirected) { throw new Error(`The server answers ${answer.status}.`); }
    const { values, more, complete } = await answer.json();
    answers.push({ field, typed, values, more: more || !complete });
  };

  let place = null;
  let offered = [];
  let active = -1;
  const choose = (at) => {
    active = at;
    [...list.children].forEach((item, number) => item.setAttribute("aria-selected", String(number === at)));
    if (at < 0) {
      box.removeAttribute("aria-activedescendant");
    } else {
      box.setAttribute("aria-activedescendant", list.children[at].id);
      list.children[at].scrollIntoView({ block: "nearest" });
    }
  };
  const show = (found) => {
    offered = found.slice(0, MOST);
    list.replaceChildren(...offered.map(({ shown, says, events }, at) => {
      const item = document.createElement("li");
      item.id = `${list.id}-${at}`;
      item.setAttribute("role", "option");
      const name = item.appendChild(document.createElement("bdi"));
      name.textContent = shown;
      const aside = item.appendChild(document.createElement("small"));
      aside.textContent = says || (Number.isInteger(events) ? `${events.toLocaleString("en")} events` : "");
      return item;
    }));
    list.hidden = offered.length === 0;
    box.setAttribute("aria-expanded", String(!list.hidden));
    choose(-1);
  };
  const close = () => {
    clearTimeout(waiting);
    if (!list.hidden) { show([]); }
  };

  const fitting = ({ typed, isFirst, isIn, from }) => {
    const small = typed.toLowerCase();
    const isNegated = box.value[from - 1] === "-";
    const begins = words.filter(({ written, dataset }) => written.toLowerCase().startsWith(small)
      && !("between" in dataset && (isFirst || isNegated)) && !("operator" in dataset && isNegated));
    // Beside the rows stand values, which may be meant by a word.
    const seen = small.length < 2 ? [] : [...document.querySelectorAll("[data-eyelet-word]")]
      .map((item) => offer(item.dataset.eyeletWord, ""))
      .filter(({ written }) => written.slice(written.indexOf(":") + 1).toLowerCase().includes(small));
    return [...begins, ...seen.slice(0, 8), ...(isIn && typed === "" && !isFirst ? [CLOSES] : [])];
  };
  let waiting = 0;
  const update = (isAsked) => {
    clearTimeout(waiting);
    place = box.selectionStart === box.selectionEnd ? placeIn(box.value, box.selectionStart) : null;
    if (!place) { show([]); return; }
    const { field, typed, isFirst, isIn } = place;
    if (!field) {
      const found = typed || isAsked ? fitting(place) : [];
      show(found.length === 1 && found[0].written === typed ? [] : found);
      return;
    }
    if (isIn && !isFirst && (typed === "" || "OR".startsWith(typed))) {
      show([offer("OR", `or another ${field}`), CLOSES].filter(({ written }) => written.startsWith(typed)));
      return;
    }
    const values = answered(field, typed);
    if (values) {
      show(values.length === 1 && values[0].value === typed ? [] : values);
      return;
    }
    show([]);
    waiting = setTimeout(() => ask(field, typed).then(
      () => { if (document.activeElement === box) { update(isAsked); } },
      (error) => { if (error.name !== "AbortError") { eyelet.say("The values there are could not be fetched."); } },
    ), WAIT_MS);
  };

  const accept = (at) => {
    const { written } = offered[at];
    const { field, from, to } = place;
    const isName = written.endsWith(":") || written.endsWith("(");
    const isTree = field === "src" || written.startsWith("src:");
    const isGoingOn = isName || isTree || (field && place.isIn && written !== "OR" && written !== ")");
    const behind = isGoingOn || /^[\s)]/.test(box.value.slice(to)) ? "" : " ";
    // A bracket that closes stands at the word before it.
    const start = written === ")" ? box.value.slice(0, from).trimEnd().length : from;
    box.setRangeText(written + behind, start, to, "end");
    box.focus();
    if (isName) { update(true); } else { show([]); }
  };

  box.addEventListener("input", (event) => { if (!event.isComposing) { update(false); } });
  box.addEventListener("compositionend", () => update(false));
  box.addEventListener("blur", close);
  box.addEventListener("click", close);
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) { return; }
    const isOpen = !list.hidden;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const places = offered.length + 1; // and the text itself
      if (isOpen) { choose((active + step + 1 + places) % places - 1); } else { update(true); }
    } else if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      update(true);
    } else if (isOpen && active >= 0 && (event.key === "Enter" || (event.key === "Tab" && !event.shiftKey))) {
      event.preventDefault();
      accept(active);
    } else if (isOpen && event.key === "Escape") {
      event.preventDefault();
      close();
    } else if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) {
      close();
    }
  });
  // The box keeps the focus.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const item = event.target.closest("[role=option]");
    if (item) { accept([...list.children].indexOf(item)); }
  });
})();
