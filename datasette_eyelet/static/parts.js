// Long lists come in parts: [data-eyelet-part] names the address of the next one, which takes its place before one has
// scrolled to it. Its link does the same without this.
(() => {
  "use strict";
  const AHEAD = "1000px 0px";
  const grow = async (held) => {
    if (held.dataset.state) { return; }
    held.dataset.state = "asked";
    watcher.unobserve(held);
    held.setAttribute("aria-busy", "true");
    try {
      const part = await eyelet.fetched(held.dataset.eyeletPart);
      const further = [...part.querySelectorAll("[data-eyelet-part]")];
      held.replaceWith(part);
      further.forEach((one) => watcher.observe(one));
    } catch (error) {
      held.removeAttribute("aria-busy"); // its link is still there
      eyelet.say(error.message);
    }
  };
  const watcher = new IntersectionObserver((seen) => {
    seen.filter((one) => one.isIntersecting).forEach((one) => grow(one.target));
  }, { rootMargin: AHEAD });
  document.querySelectorAll("[data-eyelet-part]").forEach((held) => watcher.observe(held));
})();
