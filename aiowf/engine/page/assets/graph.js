/* The graph of a workflow's steps: real buttons on drawn lines, patched while it runs. */

import { Children, h, put, say, set, svg, visible } from "./dom.js";
import { layout } from "./layout.js";
import { bad, counted, NOT_RUN, phaseOfNode, showSign, sign, WAITING } from "./phases.js";
import { crowded, stepsOf } from "./steps.js";
import { span } from "./times.js";

const STEP = { w: 184, h: 46 };
const CELL = { w: 150, h: 30, gap: 6 };
const CROWD = { w: 204, h: 66 };
const HEAD = 40; // of an open crowd
const PAD = 10;
const GAPS = { across: 48, down: 14 };
const MARGIN = 16;
const READABLE = 0.75;
const ZOOMS = [0.25, 0.35, 0.5, 0.7, 0.85, 1, 1.25, 1.6, 2];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The graph; `select(id)` is called when a step is chosen. */
export class Graph {
  #select;
  #open = new Set();
  // What is placed: boxes, and which lines lead where; and how these lines look.
  #placed = "";
  #drawn = "";
  #routes = [];
  #size = { width: 0, height: 0 };
  // A factor; "fit": all is seen; "read": as much as can be read is seen.
  #zoom = "read";
  #workflow = null;
  #chosen = null;
  // The only button that the tabulator key reaches; arrow keys lead to the others.
  #entry = null;
  #observer;

  constructor(place, { select }) {
    this.#select = select;
    this.lines = svg("svg", { class: "lines", "aria-hidden": "true" });
    this.boxes = h("div", { class: "boxes" });
    this.sheet = h("div", { class: "sheet" }, this.lines, this.boxes);
    this.room = h("div", { class: "room" }, this.sheet);
    this.canvas = h(
      "div",
      { class: "canvas", role: "group", "aria-describedby": "graph-help" },
      this.room,
    );
    this.children = new Children(
      this.boxes,
      (item) => this.#make(item),
      (box, item) => this.#update(box, item),
    );
    this.level = h("span", { class: "level", "aria-hidden": "true" });
    const button = (text, label, onclick) =>
      h("button", { type: "button", class: "small", "aria-label": label, onclick }, text);
    put(
      place,
      h(
        "div",
        { class: "tools" },
        h(
          "p",
          { id: "graph-help", class: "quiet hint" },
          "Arrow keys move between steps, Enter opens one.",
        ),
        h(
          "div",
          { class: "zoom", role: "group", "aria-label": "Zoom" },
          button("−", "Smaller", () => this.#step(-1)),
          this.level,
          button("+", "Larger", () => this.#step(1)),
          button("Fit", "Fit to the window", () => this.#setZoom("fit")),
        ),
      ),
      this.canvas,
    );
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.#grab(event));
    this.#observer = new ResizeObserver(() => this.#scale());
    this.#observer.observe(this.canvas);
  }

  close() {
    this.#observer.disconnect();
  }

  /** Show a workflow as it is now, and which step is chosen. */
  show(workflow, chosen) {
    this.#workflow = workflow;
    this.#chosen = chosen;
    const graph = stepsOf(workflow);
    const { crowds, edges, standsFor } = crowded(graph);
    const items = this.#items(graph, crowds, standsFor);
    const shape = JSON.stringify([[...items.keys()], edges.map(([from, to]) => [from, to])]);
    if (shape !== this.#placed) {
      this.#placed = shape;
      this.#drawn = "";
      this.#place(items, edges);
    } else for (const [id, item] of items) item.place = this.places.get(id);
    this.#drawLines(edges.map(([, , weak]) => weak));
    if (!items.has(this.#entry))
      this.#entry = [...items].find(([, item]) => item.kind !== "junction")?.[0];
    this.children.show(items);
    set(this.canvas, "aria-label", `Graph of ${graph.steps.size} steps`);
  }

  /** What is drawn, by id: steps, junctions, crowds, and the steps of crowds that are open. */
  #items(graph, crowds, standsFor) {
    const items = new Map();
    for (const [id, step] of graph.steps) {
      const key = standsFor.get(id);
      if (key === undefined) {
        items.set(id, { kind: "step", step, ...STEP });
      } else if (!items.has(key)) {
        const crowd = crowds.get(key);
        const open = this.#open.has(key);
        items.set(key, {
          kind: "crowd",
          crowd,
          open,
          ...(open ? openSize(crowd.steps.length) : CROWD),
        });
        if (open)
          crowd.steps.forEach((one, index) =>
            items.set(one.id, {
              kind: "cell",
              step: one,
              short: one.label.slice(crowd.common).replace(/^[-_.:\s]+/, "") || one.label,
              crowd: key,
              index,
              w: CELL.w,
              h: CELL.h,
            }),
          );
      }
    }
    for (const id of graph.junctions) items.set(id, { kind: "junction", w: 7, h: 7 });
    return items;
  }

  #place(items, edges) {
    const outer = new Map([...items].filter(([, item]) => item.kind !== "cell"));
    const { places, lines, width, height } = layout(outer, edges, GAPS);
    for (const [id, item] of items) {
      if (item.kind === "cell")
        places.set(id, cellPlace(item.index, items.get(item.crowd), places.get(item.crowd)));
      item.place = places.get(id);
    }
    this.places = places;
    this.#size = { width: width + 2 * MARGIN, height: height + 2 * MARGIN };
    set(this.lines, "width", this.#size.width);
    set(this.lines, "height", this.#size.height);
    set(this.lines, "viewBox", `${-MARGIN} ${-MARGIN} ${this.#size.width} ${this.#size.height}`);
    this.#routes = lines;
    this.#scale();
  }

  #drawLines(weaknesses) {
    const look = weaknesses.map(Number).join("");
    if (look === this.#drawn) return;
    this.#drawn = look;
    const path = (weak) =>
      this.#routes.filter((_, index) => weaknesses[index] === weak).map(curve).join("");
    put(this.lines, svg("path", { d: path(false) }), svg("path", { class: "weak", d: path(true) }));
  }

  #make(item) {
    if (item.kind === "junction") return h("span", { class: "junction" });
    if (item.kind === "crowd") return this.#makeCrowd(item);
    const id = item.step.id;
    const box = h("button", {
      type: "button",
      class: "step",
      tabindex: "-1",
      onclick: () => this.#select(id),
    });
    box.sign = sign();
    box.label = h("span", { class: "label" });
    box.about = h("span", { class: "about" });
    box.append(box.sign, h("span", { class: "words" }, box.label, box.about));
    box.addEventListener("focus", () => this.#enter(id));
    return box;
  }

  #makeCrowd({ crowd: { key } }) {
    const box = h("div", { class: "crowd" });
    box.button = h("button", { type: "button", tabindex: "-1", onclick: () => this.#toggle(key) });
    box.label = h("span", { class: "label" });
    box.about = h("span", { class: "about" });
    box.bar = h("span", { class: "bar", "aria-hidden": "true" });
    box.button.append(box.label, box.about, box.bar);
    box.button.addEventListener("focus", () => this.#enter(key));
    box.append(box.button);
    return box;
  }

  #update(box, item) {
    move(box, item);
    if (item.kind === "step" || item.kind === "cell") this.#updateStep(box, item);
    else if (item.kind === "crowd") this.#updateCrowd(box, item);
  }

  #updateStep(box, { kind, step, short }) {
    const phase = phaseOfNode(step.node);
    const time = span(step.node);
    const tries = step.attempts.length > 1 ? step.attempts.length : 0;
    box.classList.toggle("cell", kind === "cell");
    showSign(box.sign, phase);
    set(box, "data-phase", phase);
    set(box, "data-node", step.id);
    set(box, "aria-pressed", step.id === this.#chosen ? "true" : "false");
    set(
      box,
      "aria-label",
      visible(
        `${[...step.path, step.label].join(" / ")}, ${phase}${tries ? `, ${tries} attempts` : ""}`,
      ),
    );
    set(box, "title", visible([...step.path, step.label].join(" / ")));
    set(box, "tabindex", step.id === this.#entry ? 0 : -1);
    say(box.label, short ?? step.label);
    say(
      box.about,
      kind === "cell"
        ? ""
        : [phase, time, tries ? `${tries} tries` : "", step.node.planned?.each]
            .filter(Boolean)
            .join(" · "),
    );
  }

  #updateCrowd(box, { crowd, open }) {
    const phases = crowd.steps.map((step) => phaseOfNode(step.node));
    const told = counted(phases);
    box.classList.toggle("open", open);
    set(box, "data-bad", phases.some(bad));
    set(box.button, "aria-expanded", open ? "true" : "false");
    set(box.button, "aria-label", visible(`${crowd.label}, ${crowd.steps.length} steps: ${told}`));
    set(box.button, "tabindex", crowd.key === this.#entry ? 0 : -1);
    say(box.label, `${open ? "▾" : "▸"} ${crowd.label} × ${crowd.steps.length}`);
    say(box.about, told);
    const counts = new Map();
    for (const phase of phases) counts.set(phase, (counts.get(phase) ?? 0) + 1);
    const shape = JSON.stringify([...counts]);
    if (box.shape === shape) return;
    box.shape = shape;
    const order = [
      "Succeeded",
      "Skipped",
      "Omitted",
      "Failed",
      "Error",
      "Running",
      "Suspended",
      "Pending",
      WAITING,
      NOT_RUN,
    ];
    put(
      box.bar,
      order
        .filter((phase) => counts.has(phase))
        .map((phase) => {
          const part = h("span", { "data-phase": phase });
          part.style.flexGrow = counts.get(phase);
          return part;
        }),
    );
  }

  #toggle(key) {
    if (!this.#open.delete(key)) this.#open.add(key);
    this.show(this.#workflow, this.#chosen);
  }

  // Keys, zoom and panning.

  #enter(id) {
    const previous = this.children.get(this.#entry);
    set(previous?.button ?? previous ?? this.canvas, "tabindex", previous ? -1 : null);
    this.#entry = id;
    const box = this.children.get(id);
    set(box?.button ?? box ?? this.canvas, "tabindex", box ? 0 : null);
  }

  #key(event) {
    const way = ARROWS[event.key];
    const here = this.places?.get(this.#entry);
    if (!way || !here || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const [dx, dy] = way;
    let best = null;
    let least = Infinity;
    for (const [id, place] of this.places) {
      const box = this.children.get(id);
      if (id === this.#entry || !box || box.className === "junction") continue;
      const along = (place.x - here.x) * dx + (place.y - here.y) * dy;
      const aside = Math.abs((place.x - here.x) * dy) + Math.abs((place.y - here.y) * dx);
      const far = along + 3 * aside;
      if (along > 1 && far < least) [best, least] = [box, far];
    }
    (best?.button ?? best)?.focus();
  }

  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.#step(event.deltaY < 0 ? 1 : -1);
  }

  /** Let the mouse pull the sheet; fingers do so by themselves. */
  #grab(start) {
    if (start.pointerType !== "mouse" || start.button !== 0 || start.target.closest("button"))
      return;
    const { scrollLeft, scrollTop } = this.canvas;
    const pull = (event) =>
      this.canvas.scrollTo(
        scrollLeft - event.clientX + start.clientX,
        scrollTop - event.clientY + start.clientY,
      );
    const release = () => {
      removeEventListener("pointermove", pull);
      this.canvas.classList.remove("pulled");
    };
    this.canvas.classList.add("pulled");
    addEventListener("pointermove", pull);
    addEventListener("pointerup", release, { once: true });
  }

  #factor() {
    if (typeof this.#zoom === "number") return this.#zoom;
    const wide = this.canvas.clientWidth / this.#size.width;
    const high = (innerHeight * 0.62) / this.#size.height;
    return Math.max(this.#zoom === "fit" ? 0.1 : READABLE, Math.min(1, wide, high));
  }

  #setZoom(zoom) {
    this.#zoom = zoom;
    this.#scale();
  }

  #step(by) {
    const zoom = this.#factor();
    const next =
      by > 0 ? ZOOMS.find((one) => one > zoom + 0.01) : ZOOMS.findLast((one) => one < zoom - 0.01);
    if (next) this.#setZoom(next);
  }

  #scale() {
    const { width, height } = this.#size;
    if (!width || !this.canvas.clientWidth) return;
    const zoom = this.#factor();
    this.room.style.width = `${Math.floor(width * zoom)}px`;
    this.room.style.height = `${Math.floor(height * zoom)}px`;
    this.sheet.style.transform = `scale(${zoom})`;
    say(this.level, `${Math.round(zoom * 100)} %`);
  }
}

function move(box, { place, w, h: high }) {
  const rect = `${place.x + MARGIN},${place.y + MARGIN},${w},${high}`;
  if (box.rect === rect) return;
  box.rect = rect;
  Object.assign(box.style, {
    left: `${place.x + MARGIN}px`,
    top: `${place.y + MARGIN}px`,
    width: `${w}px`,
    height: `${high}px`,
  });
}

function columns(count) {
  return Math.ceil(Math.sqrt(count / 3));
}

function openSize(count) {
  const wide = Math.max(2, columns(count));
  return {
    w: wide * (CELL.w + CELL.gap) - CELL.gap + 2 * PAD,
    h: Math.ceil(count / wide) * (CELL.h + CELL.gap) - CELL.gap + HEAD + PAD,
  };
}

function cellPlace(index, crowd, place) {
  const wide = Math.round((crowd.w - 2 * PAD + CELL.gap) / (CELL.w + CELL.gap));
  return {
    x: place.x + PAD + (index % wide) * (CELL.w + CELL.gap),
    y: place.y + HEAD + Math.floor(index / wide) * (CELL.h + CELL.gap),
  };
}

/** Return the path of a line that leaves and arrives level. */
function curve([[x, y], ...rest]) {
  let path = `M${x} ${y}`;
  for (const [nextX, nextY] of rest) {
    const middle = (x + nextX) / 2;
    path += y === nextY ? `H${nextX}` : `C${middle} ${y} ${middle} ${nextY} ${nextX} ${nextY}`;
    [x, y] = [nextX, nextY];
  }
  return path;
}
