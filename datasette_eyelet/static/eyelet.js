// The pages work without this. It shortens URLs, uses the browser's time zone, and closes menus.
(function () {
  "use strict";

  // Datasette's navigation menu closes on a click elsewhere and on Escape. Opened rows stay open.
  function closeMenus(except) {
    document.querySelectorAll("details.nav-menu[open], details.details-menu[open]").forEach(function (menu) {
      if (menu !== except) { menu.open = false; }
    });
  }
  document.addEventListener("click", function (event) {
    closeMenus(event.target.closest ? event.target.closest("details.nav-menu, details.details-menu") : null);
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") { closeMenus(null); }
  });

  if (!document.querySelector("[data-eyelet-search]")) { return; }

  // Controls left empty, and the named range once times are given, stay out of the URL.
  document.querySelectorAll("form.eyelet-form").forEach(function (form) {
    form.addEventListener("formdata", function (event) {
      var data = event.formData;
      Array.from(data.keys()).forEach(function (name) {
        var kept = data.getAll(name).filter(function (value) { return value !== ""; });
        data.delete(name);
        kept.forEach(function (value) { data.append(name, value); });
      });
      if (data.has("from") || data.has("to")) { data.delete("range"); }
    });
  });

  // The bare address shows the browser's zone, where the server knows it. A URL that says anything is left alone.
  var zone = window.Intl && Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (location.search === "" && zone && !/^(Etc\/)?(UTC|GMT|UCT|Zulu|Universal|Greenwich)$/.test(zone)) {
    var address = location.pathname + "?tz=" + encodeURIComponent(zone);
    fetch(address, { method: "HEAD", credentials: "same-origin" }).then(function (answer) {
      if (answer.ok) { location.replace(address); }
    }, function () { /* offline: the page in UTC stays */ });
  }
})();
