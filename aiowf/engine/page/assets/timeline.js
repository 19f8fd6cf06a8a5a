/* When each step ran: a table, which is also the graph for those who cannot see it. */

import { Children, h, put, say, set, visible } from "./dom.js";
import { phaseOfNode, showSign, sign } from "./phases.js";
import { stepsOf } from "./steps.js";
import { duration, now, seconds, span } from "./times.js";

const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

/** The timeline; `select(id)` is called when a step is chosen. */
export class Timeline {
  #ticked = "";

  constructor(place, { select }) {
    this.select = select;
    this.axis = h("div", { class: "axis", "aria-hidden": "true" });
    this.body = h("tbody");
    this.rows = new Children(
      this.body,
      (step) => this.#row(step),
      (row, step) => this.#update(row, step),
    );
    this.none = h("p", { class: "quiet", hidden: true }, "Nothing has started yet.");
    this.table = h(
      "table",
      { class: "timeline" },
      h("caption", { class: "unseen" }, "Steps, in the order in which they started"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Step"),
          h("th", { scope: "col", class: "wide" }, "Phase"),
          h("th", { scope: "col", class: "number" }, "Duration"),
          h("th", { scope: "col" }, h("span", { class: "unseen" }, "Time"), this.axis),
        ),
      ),
      this.body,
    );
    put(place, this.table, this.none);
  }

  close() {}

  /** Show a workflow as it is now, and which step is chosen. */
  show(workflow, chosen) {
    const steps = begun(workflow);
    const start = seconds(workflow.status?.startedAt) ?? now();
    const end = Math.max(seconds(workflow.status?.finishedAt) ?? now(), start + 1);
    this.start = start;
    this.chosen = chosen;
    this.table.style.setProperty("--length", end - start);
    this.#showAxis(end - start);
    this.rows.show(steps);
    this.table.hidden = steps.size === 0;
    this.none.hidden = steps.size > 0;
  }

  #showAxis(length) {
    const tick = TICKS.find((one) => length / one <= 4) ?? Math.ceil(length / 4);
    const marks = [];
    for (let at = 0; at <= length * 0.92; at += tick) marks.push(at);
    const key = `${marks.join()}/${length}`;
    if (key === this.#ticked) return;
    this.#ticked = key;
    put(
      this.axis,
      marks.map((at) => {
        const mark = h("span", {}, at ? duration(at) : "0");
        mark.style.setProperty("--at", at);
        return mark;
      }),
    );
  }

  #row(step) {
    const row = h("tr");
    row.sign = sign();
    row.label = h("button", { type: "button", class: "link", onclick: () => this.select(step.id) });
    row.path = h("span", { class: "path" });
    row.phase = h("td", { class: "wide" });
    row.time = h("td", { class: "number" });
    row.bars = h("div", { class: "bars", "aria-hidden": "true" });
    row.unseen = h("span", { class: "unseen" });
    row.append(
      h(
        "th",
        { scope: "row" },
        h(
          "div",
          { class: "what" },
          row.sign,
          h("div", { class: "words" }, row.label, row.path, row.unseen),
        ),
      ),
      row.phase,
      row.time,
      h("td", {}, row.bars),
    );
    return row;
  }

  #update(row, step) {
    const phase = phaseOfNode(step.node);
    const path = [...step.path, ""].join(" / ");
    showSign(row.sign, phase);
    set(row, "data-phase", phase);
    set(row, "data-node", step.id);
    set(row.label, "aria-pressed", step.id === this.chosen ? "true" : "false");
    set(row.label, "title", visible(path + step.label));
    say(row.label, step.label);
    say(row.path, step.path.length ? `in ${step.path.join(" / ")}` : "");
    say(row.unseen, ` ${phase}`);
    say(row.phase, phase);
    say(row.time, span(step.node));
    this.#showBars(row.bars, step);
  }

  #showBars(bars, step) {
    const parts = step.attempts.length ? step.attempts : [step.node];
    while (bars.children.length > parts.length) bars.lastElementChild.remove();
    parts.forEach((part, index) => {
      const bar = bars.children[index] ?? bars.appendChild(h("span"));
      const from = (seconds(part.startedAt) ?? this.start) - this.start;
      const to = (seconds(part.finishedAt) ?? now()) - this.start;
      set(bar, "data-phase", phaseOfNode(part));
      const shape = `${from}/${to}`;
      if (bar.shape === shape) return;
      bar.shape = shape;
      bar.style.setProperty("--from", from);
      bar.style.setProperty("--to", Math.max(from, to));
    });
  }
}

/** Return the steps that have begun, the first first. */
function begun(workflow) {
  const steps = [...stepsOf(workflow).steps].filter(([, { node }]) => !node.planned);
  const start = ({ node }) => seconds(node.startedAt) ?? Infinity;
  return new Map(
    steps.sort(([, one], [, other]) => {
      const [from, to] = [start(one), start(other)];
      return from === to ? 0 : from - to;
    }),
  );
}
