// Controls left empty, and the named range once times are given, stay out of the URL.
(() => {
  "use strict";
  document.querySelectorAll("form.eyelet-form").forEach((form) => {
    form.addEventListener("formdata", (event) => {
      const data = event.formData;
      [...new Set(data.keys())].forEach((name) => {
        const kept = data.getAll(name).filter((value) => value !== "");
        data.delete(name);
        kept.forEach((value) => data.append(name, value));
      });
      if (data.has("from") || data.has("to")) { data.delete("range"); }
    });
  });
})();
