/* Facts, parameters and results: of a workflow, and of one step. */

import { h, put, say, set, visible } from "./dom.js";
import { phaseOfNode } from "./phases.js";
import { podName, stepsOf } from "./steps.js";
import { moment, span } from "./times.js";

const LONG = 2000; // characters of a value that are shown at first

/** Parameters, results and facts of a workflow. */
export class Details {
  #shown = "";

  constructor(place) {
    this.place = place;
  }

  close() {}

  show(workflow) {
    const { metadata, spec = {}, status = {} } = workflow;
    const results = [...stepsOf(workflow).steps.values()].flatMap((step) =>
      parameters(last(step).outputs).map(([name, value]) => [step.label, name, value]),
    );
    const sections = [
      section(
        "Parameters",
        table(parameters(spec.arguments)),
        "It was submitted without parameters.",
      ),
      section("Outputs", table(parameters(status.outputs)), null),
      section("Results of the steps", resultTable(results), "No step has given a result."),
      section(
        "Conditions",
        table(
          (status.conditions ?? []).map(({ type, status: state, message }) => [
            type,
            message || state,
          ]),
        ),
        null,
      ),
      section(
        "Workflow",
        facts([
          ["Name", metadata.name],
          ["Namespace", metadata.namespace],
          ["UID", metadata.uid],
          ["Created", moment(metadata.creationTimestamp)],
          ["Started", moment(status.startedAt)],
          ["Finished", moment(status.finishedAt)],
          ["Entrypoint", spec.entrypoint],
        ]),
        null,
      ),
      section("Labels", table(Object.entries(metadata.labels ?? {})), null),
      section("Annotations", table(Object.entries(metadata.annotations ?? {})), null),
    ];
    const shown = JSON.stringify([
      metadata.labels,
      metadata.annotations,
      metadata.uid,
      spec.arguments,
      status.outputs,
      status.conditions,
      status.startedAt,
      status.finishedAt,
      results,
    ]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    put(this.place, sections);
  }
}

/** One step, beside the graph. */
export class StepPanel {
  #shown = "";

  constructor(place, { close, logs, resume }) {
    this.place = place;
    this.actions = { close, logs, resume };
    this.title = h("h2", { tabindex: "-1" });
    this.phase = h("p", { class: "phase" });
    this.time = h("span");
    this.buttons = h("div", { class: "actions" });
    this.rest = h("div");
    put(
      place,
      h(
        "div",
        { class: "panelhead" },
        this.title,
        h(
          "button",
          { type: "button", class: "small", "aria-label": "Close the step", onclick: close },
          "✕",
        ),
      ),
      this.phase,
      this.buttons,
      this.rest,
    );
  }

  show(workflow, step) {
    const { node } = step;
    const phase = phaseOfNode(node);
    set(this.place, "aria-label", visible(`Step ${step.label}`));
    say(this.title, step.label);
    set(this.phase, "data-phase", phase);
    say(this.phase, [phase, span(node)].filter(Boolean).join(" · "));
    const final = last(step);
    const shown = JSON.stringify([node, final, step.attempts.length]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#showButtons(workflow, step, phase);
    const message = h("pre", { class: "message" });
    say(message, node.message || final.message || "");
    put(
      this.rest,
      message.textContent ? message : null,
      section("Inputs", table(parameters(node.inputs ?? final.inputs)), null),
      section("Outputs", table(outputs(final)), null),
      step.attempts.length > 1 ? section("Attempts", this.#attempts(workflow, step), null) : null,
      section(
        "Step",
        facts([
          ["Type", node.type],
          ["Template", node.templateName],
          ["In", step.path.join(" / ")],
          ["Started", moment(node.startedAt)],
          ["Finished", moment(node.finishedAt)],
          ["Pod", step.attempts.length ? podName(workflow, final) : ""],
          ["Node", node.id],
        ]),
        null,
      ),
    );
  }

  #showButtons(workflow, step, phase) {
    const focused = this.buttons.contains(document.activeElement);
    const final = last(step);
    put(
      this.buttons,
      step.attempts.length
        ? h(
            "button",
            { type: "button", onclick: () => this.actions.logs(podName(workflow, final)) },
            "Show the log",
          )
        : null,
      phase === "Suspended"
        ? h(
            "button",
            { type: "button", onclick: () => this.actions.resume(step.id) },
            "Resume this step",
          )
        : null,
    );
    if (focused) (this.buttons.firstElementChild ?? this.title).focus({ preventScroll: true });
  }

  #attempts(workflow, step) {
    return h(
      "ol",
      { class: "attempts" },
      step.attempts.map((node) =>
        h(
          "li",
          { "data-phase": node.phase },
          visible(`${node.phase}, ${span(node)} `),
          h(
            "button",
            {
              type: "button",
              class: "small",
              onclick: () => this.actions.logs(podName(workflow, node)),
            },
            "Log",
          ),
          node.message ? h("span", { class: "message" }, visible(node.message)) : null,
        ),
      ),
    );
  }
}

const last = (step) => step.attempts.at(-1) ?? step.node;

function parameters(thing) {
  return (thing?.parameters ?? []).map(({ name, value, valueFrom }) => [
    name,
    value ?? valueFrom?.default ?? null,
  ]);
}

function outputs(node) {
  const { result, exitCode } = node.outputs ?? {};
  const more = [
    ["result", result],
    ["exit code", exitCode],
  ].filter(([, value]) => value !== undefined);
  return [...parameters(node.outputs), ...more];
}

function section(title, content, otherwise) {
  if (!content && otherwise === null) return null;
  return h(
    "section",
    { class: "facts" },
    h("h3", {}, title),
    content ?? h("p", { class: "quiet" }, otherwise),
  );
}

function facts(rows) {
  const known = rows.filter(([, text]) => text);
  return h(
    "dl",
    {},
    known.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, visible(text))]),
  );
}

function table(rows) {
  if (!rows.length) return null;
  return h(
    "dl",
    {},
    rows.flatMap(([name, value]) => [h("dt", {}, visible(name)), h("dd", {}, shownValue(value))]),
  );
}

function resultTable(rows) {
  if (!rows.length) return null;
  return h(
    "table",
    { class: "results" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["Step", "Output", "Value"].map((title) => h("th", { scope: "col" }, title)),
      ),
    ),
    h(
      "tbody",
      {},
      rows.map(([step, name, value]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, visible(step)),
          h("td", {}, visible(name)),
          h("td", {}, shownValue(value)),
        ),
      ),
    ),
  );
}

/** Show a value; objects and lists of JSON with a line for each member, long ones in part. */
function shownValue(value) {
  if (value === null || value === undefined) return h("span", { class: "quiet" }, "not set yet");
  const text = pretty(String(value));
  const place = h("pre", { class: "value" });
  if (text.length <= LONG) {
    say(place, text);
    return place;
  }
  say(place, text.slice(0, LONG));
  const all = h("button", { type: "button", class: "small" }, `Show all ${text.length} characters`);
  all.addEventListener("click", () => {
    say(place, text);
    all.remove();
  });
  return h("div", {}, place, all);
}

function pretty(text) {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
