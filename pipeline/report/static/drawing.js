"use strict";
// Points on a canvas: unpacking, the view (scale and shift), drawing, and finding the nearest point.
const unpack = (text, Type) => new Type(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

class PointView {
  constructor(canvas, points) {
    this.canvas = canvas;
    this.points = points;
    this.n = points.length / 2;
    this.reset();
  }

  reset() { this.zoom = 1; this.shiftX = 0; this.shiftY = 0; }

  resize() {
    this.ratio = devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * this.ratio);
    this.canvas.height = Math.round(this.height * this.ratio);
    this.side = Math.min(this.width, this.height) - 28;
  }

  place(i) {
    const x = (this.points[2 * i] / 65535 - 0.5) * this.side * this.zoom;
    const y = (this.points[2 * i + 1] / 65535 - 0.5) * this.side * this.zoom;
    return [x + this.width / 2 + this.shiftX, y + this.height / 2 + this.shiftY];
  }

  zoomBy(factor, x = this.width / 2, y = this.height / 2) {
    const zoom = Math.min(40, Math.max(1, this.zoom * factor));
    const change = zoom / this.zoom;
    this.shiftX = (this.shiftX - (x - this.width / 2)) * change + (x - this.width / 2);
    this.shiftY = (this.shiftY - (y - this.height / 2)) * change + (y - this.height / 2);
    this.zoom = zoom;
    if (zoom === 1) this.reset();
  }

  // category(i) is a number into colours, or -1 for a point that is not of interest.
  draw(category, colours, faint) {
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const radius = this.radius();
    const stamps = colours.map((colour) => this.stamp(colour, radius));
    const pale = this.stamp(faint, radius);
    const half = pale.width / 2;
    this.cells = new Map();
    for (const interesting of [false, true]) {
      for (let i = 0; i < this.n; i++) {
        const code = category(i);
        if ((code >= 0) !== interesting) continue;
        const [x, y] = this.place(i);
        if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) continue;
        context.drawImage(interesting ? stamps[code] : pale, x * this.ratio - half, y * this.ratio - half);
        if (!interesting) continue;
        const key = (x >> 4) * 4096 + (y >> 4);
        const cell = this.cells.get(key);
        if (cell) cell.push(i); else this.cells.set(key, [i]);
      }
    }
  }

  radius() {
    const base = this.n > 20000 ? 1.5 : this.n > 5000 ? 2 : 3.2;
    return Math.min(7, base * Math.sqrt(this.zoom)) * Math.min(1, 0.55 + this.width / 1600);
  }

  stamp(colour, radius) {
    const size = Math.ceil(2 * radius * this.ratio) + 2;
    const stamp = document.createElement("canvas");
    stamp.width = stamp.height = size;
    const context = stamp.getContext("2d");
    context.globalAlpha = 0.85;
    context.fillStyle = colour;
    context.beginPath();
    context.arc(size / 2, size / 2, radius * this.ratio, 0, 7);
    context.fill();
    return stamp;
  }

  nearest(x, y, reach = 14) {
    let best = -1;
    let least = reach * reach;
    for (let column = (x >> 4) - 1; column <= (x >> 4) + 1; column++) {
      for (let row = (y >> 4) - 1; row <= (y >> 4) + 1; row++) {
        for (const i of this.cells.get(column * 4096 + row) ?? []) {
          const [px, py] = this.place(i);
          const distance = (px - x) ** 2 + (py - y) ** 2;
          if (distance < least) { least = distance; best = i; }
        }
      }
    }
    return best;
  }

  // The nearest drawn point in a direction, for the arrow keys.
  towards(from, dx, dy) {
    const [x, y] = this.place(from);
    let best = -1;
    let least = Infinity;
    for (const cell of this.cells.values()) {
      for (const i of cell) {
        const [px, py] = this.place(i);
        const along = (px - x) * dx + (py - y) * dy;
        const aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
        if (i === from || along <= 0 || aside > along) continue;
        const distance = along + 2 * aside;
        if (distance < least) { least = distance; best = i; }
      }
    }
    return best;
  }
}
