"use strict";
// The t-SNE map: colour by true label, by a run's prediction or error, or by group; hovering shows the text.
(() => {
  const source = document.getElementById("map-data");
  const stage = document.querySelector(".map-stage");
  if (!source || !stage) return;
  const data = JSON.parse(source.textContent);
  const canvas = stage.querySelector("canvas.points");
  const ring = stage.querySelector("canvas.ring");
  const tip = stage.querySelector(".tip");
  const legend = document.getElementById("map-legend");
  const colourBy = document.getElementById("map-colour");
  const view = new PointView(canvas, unpack(data.points, Uint16Array));
  const actual = unpack(data.actual, Uint16Array);
  const group = data.group === null ? null : unpack(data.group, Int16Array);
  const predicted = Object.fromEntries(
    Object.entries(data.predicted).map(([run, codes]) => [run, unpack(codes, Uint16Array)]),
  );
  const none = 65535;
  let scheme = null;
  let off = new Set();
  let shown = -1;
  let held = false;

  const labelColour = (i) => `var(--label-${i})`;
  const groupColour = (i, n) => {
    const hue = Math.round((360 * i) / n);
    const step = (i % 3) * 0.08;
    return `light-dark(oklch(${0.5 + step} 0.14 ${hue}), oklch(${0.68 + step} 0.13 ${hue}))`;
  };
  const misses = data.ordered ? ["right", "one off", "further off"] : ["right", "wrong"];
  const missColours = data.ordered
    ? ["var(--quiet)", "light-dark(#c98a1b, #e3b04b)", "var(--wrong)"] : ["var(--quiet)", "var(--wrong)"];

  const choose = () => {
    const [kind, run] = colourBy.value.split(":");
    const labels = data.labels.map((name, i) => ({ name, colour: labelColour(i) }));
    if (kind === "true") scheme = { names: labels, code: (i) => actual[i] };
    else if (kind === "predicted") {
      const codes = predicted[run];
      scheme = { names: labels, code: (i) => (codes[i] === none ? -1 : codes[i]) };
    } else if (kind === "error") {
      const codes = predicted[run];
      const names = misses.map((name, i) => ({ name, colour: missColours[i] }));
      const miss = (i) => (data.ordered ? Math.min(2, Math.abs(codes[i] - actual[i])) : Number(codes[i] !== actual[i]));
      scheme = { names, code: (i) => (codes[i] === none ? -1 : miss(i)) };
    } else {
      const used = [...new Set(group)].filter((code) => code >= 0).sort((a, b) => a - b);
      const rank = new Map(used.map((code, i) => [code, i]));
      const names = used.map((code, i) => ({ name: data.groups[code], colour: groupColour(i, used.length) }));
      scheme = { names, code: (i) => rank.get(group[i]) ?? -1 };
    }
    off = new Set();
    legend.replaceChildren(...scheme.names.map(({ name, colour }, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      const swatch = document.createElement("i");
      swatch.style.background = colour;
      const label = document.createElement("bdi");
      label.textContent = name;
      button.append(swatch, label);
      button.addEventListener("click", () => {
        if (off.has(i)) off.delete(i); else off.add(i);
        button.setAttribute("aria-pressed", String(!off.has(i)));
        draw();
      });
      return button;
    }));
    draw();
  };

  const draw = () => {
    // A variable's colour is known once an element wears it.
    const colours = [...legend.querySelectorAll("i")].map((swatch) => getComputedStyle(swatch).backgroundColor);
    const faint = getComputedStyle(document.querySelector(".map-faint")).backgroundColor;
    const codes = Int32Array.from({ length: view.n }, (_, i) => {
      const code = scheme.code(i);
      return off.has(code) ? -1 : code;
    });
    view.draw(codes, colours, faint, getComputedStyle(stage).backgroundColor);
    mark();
  };

  const mark = () => {
    const context = ring.getContext("2d");
    context.clearRect(0, 0, ring.width, ring.height);
    tip.hidden = shown < 0;
    if (shown < 0) return;
    const [x, y] = view.place(shown);
    context.lineWidth = 2 * view.ratio;
    context.strokeStyle = getComputedStyle(stage).color;
    context.beginPath();
    context.arc(x * view.ratio, y * view.ratio, (view.radius() + 3) * view.ratio, 0, 7);
    context.stroke();
    tip.style.left = `${Math.max(4, Math.min(x + 14, view.width - tip.offsetWidth - 4))}px`;
    const below = y + 16;
    tip.style.top = `${below + tip.offsetHeight > view.height ? Math.max(4, y - tip.offsetHeight - 14) : below}px`;
  };

  const show = (i) => {
    if (i === shown) return;
    shown = i;
    if (i >= 0) {
      const facts = [`true ${data.labels[actual[i]]}`];
      for (const [run, codes] of Object.entries(predicted)) {
        if (codes[i] !== none) facts.push(`${run}: ${data.labels[codes[i]]}`);
      }
      if (group && group[i] >= 0) facts.push(data.groups[group[i]]);
      tip.querySelector(".facts-line").textContent = facts.join(" · ");
      tip.querySelector(".text").textContent = data.texts[i];
    }
    tip.hidden = i < 0;
    mark();
  };

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  let drag = null;
  stage.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (drag) {
      view.shiftX += x - drag[0];
      view.shiftY += y - drag[1];
      drag = [x, y];
      requestAnimationFrame(draw);
    } else if (!held) show(view.nearest(x, y));
  });
  stage.addEventListener("pointerdown", (event) => {
    const [x, y] = at(event);
    const i = view.nearest(x, y);
    held = i >= 0 && event.pointerType !== "mouse";
    show(i);
    if (view.zoom > 1 && event.pointerType === "mouse") { drag = [x, y]; stage.setPointerCapture(event.pointerId); }
  });
  stage.addEventListener("pointerup", () => { drag = null; });
  stage.addEventListener("pointerleave", () => { drag = null; if (!held) show(-1); });
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    view.zoomBy(event.deltaY < 0 ? 1.25 : 0.8, ...at(event));
    requestAnimationFrame(draw);
  }, { passive: false });
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  stage.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { show(-1); return; }
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const next = view.towards(shown, ...step);
    if (next >= 0) show(next);
  });
  document.getElementById("map-in").addEventListener("click", () => { view.zoomBy(1.6); draw(); });
  document.getElementById("map-out").addEventListener("click", () => { view.zoomBy(1 / 1.6); draw(); });
  document.getElementById("map-whole").addEventListener("click", () => { view.reset(); draw(); });
  colourBy.addEventListener("change", choose);
  document.addEventListener("themechange", () => requestAnimationFrame(draw));
  document.getElementById("map-live").hidden = false;
  const fit = () => {
    view.resize();
    ring.width = canvas.width;
    ring.height = canvas.height;
  };
  fit();
  choose();
  new ResizeObserver(() => {
    if (canvas.clientWidth === view.width && canvas.clientHeight === view.height) return;
    fit();
    draw();
  }).observe(canvas);
})();
