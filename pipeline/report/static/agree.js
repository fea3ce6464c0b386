"use strict";
// Where the two chosen sides disagree: one's predictions down, the other's across.
(() => {
  const source = document.getElementById("agreement-data");
  if (!source) return;
  const counts = JSON.parse(source.textContent);
  const body = document.getElementById("agreement");
  const left = document.querySelector('select[data-shows="left"]');
  const right = document.querySelector('select[data-shows="right"]');
  const find = (a, b) => {
    if (counts[`${a}|${b}`]) return counts[`${a}|${b}`];
    const other = counts[`${b}|${a}`];
    return other ? other.map((_, i) => other.map((row) => row[i])) : null;
  };
  const show = () => {
    const table = find(left.value, right.value);
    body.hidden = table === null;
    if (table === null) return;
    let agreed = 0;
    let all = 0;
    table.forEach((row, i) => {
      const sum = row.reduce((a, b) => a + b, 0);
      row.forEach((count, j) => {
        const cell = body.querySelector("tbody").rows[i].cells[j + 1];
        cell.textContent = count.toLocaleString("en");
        cell.style.setProperty("--share", sum ? count / sum : 0);
        all += count;
        if (i === j) agreed += count;
      });
    });
    body.querySelector(".a").textContent = left.value;
    body.querySelector(".b").textContent = right.value;
    body.querySelector(".agreed").textContent = `${((100 * agreed) / all).toFixed(1)} %`;
  };
  left.addEventListener("change", show);
  right.addEventListener("change", show);
  show();
})();
