// Dragging over a picture of a span of time zooms into it. A click stays a click: bars are links.
(() => {
  "use strict";
  const MOVED_PX = 4;
  const LONGEST_MS = 8.64e15;

  const iso = (ms) => new Date(Math.min(Math.max(ms, -LONGEST_MS), LONGEST_MS)).toISOString().replace(".000Z", "Z");

  // The click that ends a drag, which would follow the bar below it.
  const swallow = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };

  const zoomed = (sinceMs, untilMs) => {
    const unit = untilMs - sinceMs < 10000 ? 1 : 1000;
    const url = new URL(location.href);
    ["range", "_next", "after", "before", "at", "live"].forEach((name) => url.searchParams.delete(name));
    url.searchParams.set("from", iso(Math.floor(sinceMs / unit) * unit));
    url.searchParams.set("to", iso(Math.ceil(untilMs / unit) * unit));
    url.hash = "";
    return url.href;
  };

  // Fraction of the picture → moment; `scale` are rising pairs of both, for pictures that shorten pauses.
  const moment = (scale, at) => {
    const above = Math.max(scale.findIndex(([fraction]) => fraction >= at), 1);
    const [[left, sinceMs], [right, untilMs]] = [scale[above - 1], scale[above]];
    return right > left ? sinceMs + ((at - left) / (right - left)) * (untilMs - sinceMs) : untilMs;
  };
  const scaleOf = (held) => {
    const pairs = (held.dataset.scale || `0,${held.dataset.since} 1,${held.dataset.until}`).trim().split(/\s+/);
    return pairs.map((pair) => pair.split(",").map(Number)).map(([fraction, us]) => [fraction, us / 1000]);
  };

  const brushed = (held) => {
    const scale = scaleOf(held);
    const plot = held.querySelector("[data-eyelet-plot]");
    const svg = plot && plot.ownerSVGElement;
    if (!svg || !(scale[scale.length - 1][1] > scale[0][1])) { return; }
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    mark.setAttribute("class", "eyelet-brush");
    mark.setAttribute("aria-hidden", "true");
    let from = null, to = null, pointer = null, dragging = false;

    // Where in the span, 0 to 1.
    const fraction = (event) => {
      const box = plot.getBoundingClientRect();
      return box.width ? Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) : 0;
    };
    const draw = () => {
      const box = plot.getBBox(), left = Math.min(from, to);
      mark.setAttribute("x", box.x + left * box.width);
      mark.setAttribute("width", Math.abs(to - from) * box.width);
      mark.setAttribute("y", box.y);
      mark.setAttribute("height", box.height);
    };
    const end = () => {
      mark.remove();
      pointer = null;
      dragging = false;
    };

    svg.classList.add("is-brushable");
    svg.addEventListener("dragstart", (event) => event.preventDefault()); // of a bar, which is a link
    svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary || event.ctrlKey || event.metaKey || event.shiftKey) { return; }
      pointer = { id: event.pointerId, x: event.clientX };
      from = to = fraction(event);
    });
    svg.addEventListener("pointermove", (event) => {
      if (!pointer || event.pointerId !== pointer.id) { return; }
      if (!dragging) {
        if (Math.abs(event.clientX - pointer.x) < MOVED_PX) { return; }
        dragging = true;
        svg.setPointerCapture(pointer.id);
        svg.append(mark);
      }
      to = fraction(event);
      draw();
    });
    svg.addEventListener("pointerup", (event) => {
      if (!pointer || event.pointerId !== pointer.id) { return; }
      const wasDragged = dragging, left = Math.min(from, to), right = Math.max(from, to);
      end();
      if (!wasDragged) { return; }
      svg.addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => svg.removeEventListener("click", swallow, { capture: true }), 0);
      if (left < right) { location.assign(zoomed(moment(scale, left), moment(scale, right))); }
    });
    svg.addEventListener("pointercancel", end);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && pointer) { end(); }
    });
  };

  document.querySelectorAll("[data-eyelet-brush]").forEach(brushed);
})();
