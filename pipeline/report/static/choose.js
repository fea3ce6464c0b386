"use strict";
// A select shows one of several parts: <select data-shows="slot"> and elements with data-slot and data-name.
(() => {
  for (const select of document.querySelectorAll("select[data-shows]")) {
    const parts = document.querySelectorAll(`[data-slot="${select.dataset.shows}"]`);
    const show = () => { for (const part of parts) part.hidden = part.dataset.name !== select.value; };
    select.addEventListener("change", show);
    show();
  }
})();
