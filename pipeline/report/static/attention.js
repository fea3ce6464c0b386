"use strict";
// Attention texts: the shade shows one hop or the mean over hops; the list sorts by confidence or error.
(() => {
  for (const list of document.querySelectorAll("[data-readings]")) {
    const items = [...list.querySelectorAll(".reading")];
    const hop = list.querySelector("select.hop");
    const order = list.querySelector("select.order");
    const shade = () => {
      for (const item of items) {
        const text = item.querySelector(".shaded");
        const rows = JSON.parse(text.dataset.weights);
        const row = rows[hop.value === "mean" ? rows.length - 1 : Number(hop.value)] ?? [];
        text.querySelectorAll("span").forEach((word, i) => word.style.setProperty("--w", row[i] / 100));
      }
    };
    const sort = () => {
      const [key, sign] = order.value.split(" ");
      const rank = (item) => Number(sign) * Number(item.dataset[key]);
      items.sort((a, b) => rank(a) - rank(b));
      list.querySelector(".readings").append(...items);
    };
    hop.addEventListener("change", shade);
    order.addEventListener("change", sort);
  }
})();
