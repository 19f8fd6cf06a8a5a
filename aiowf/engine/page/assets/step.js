/* One step, beside the graph: what it is, and what can be done to it. */

import { h, put, say, set, visible } from "./dom.js";
import { facts, last, outputs, parameters, section, table } from "./facts.js";
import { phaseOfNode } from "./phases.js";
import { podName } from "./steps.js";
import { moment, span } from "./times.js";

/** The panel of a step. */
export class StepPanel {
  #shown = "";

  constructor(place, { close, logs, resume }) {
    this.place = place;
    this.actions = { close, logs };
    this.values = new ValueForm((id, values) => resume(id, values));
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
      this.values.form,
      this.rest,
    );
  }

  /** Lead to the first value that the step waits for. */
  askForValues() {
    this.values.focus();
  }

  /** Show a step as it is now. */
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
    this.#showButtons(workflow, step);
    const focused = this.values.form.contains(document.activeElement);
    this.values.show(phase === "Suspended" ? node : null);
    if (focused && this.values.form.hidden) this.title.focus({ preventScroll: true });
    const message = h("pre", { class: "message" });
    say(message, node.message || final.message || "");
    const { after = [], when, each } = node.planned ?? {};
    put(
      this.rest,
      message.textContent ? message : null,
      section("Inputs", table(parameters(node.inputs ?? final.inputs)), null),
      phase === "Suspended" ? null : section("Outputs", table(outputs(final)), null),
      step.attempts.length > 1 ? section("Attempts", this.#attempts(workflow, step), null) : null,
      section(
        "Step",
        facts([
          ["Type", node.planned ? "" : node.type],
          ["Runs after", after.join(", ")],
          ["Runs if", when],
          ["Runs", each],
          ["Template", node.templateName],
          ["In", step.path.join(" / ")],
          ["Started", moment(node.startedAt)],
          ["Finished", moment(node.finishedAt)],
          ["Pod", step.attempts.length ? podName(workflow, final) : ""],
          ["Node", node.planned ? "" : node.id],
        ]),
        null,
      ),
    );
  }

  #showButtons(workflow, step) {
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

/** Whether a pause waits for values without which it cannot go on. */
export const lacksValues = (node) => (node.outputs?.parameters ?? []).some(isOpen);
const isOpen = ({ value, valueFrom }) =>
  value === undefined && Boolean(valueFrom?.supplied) && valueFrom.default === undefined;

/** What a pause is let go on with: its output parameters, which somebody supplies. */
class ValueForm {
  #node = null;
  #asked = "";
  #resume;

  constructor(resume) {
    this.#resume = resume;
    this.fields = h("div", { class: "fields" });
    this.form = h(
      "form",
      { class: "values", hidden: true, onsubmit: (event) => this.#submit(event) },
      this.fields,
      h("button", { class: "primary" }, "Resume this step"),
    );
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.form.requestSubmit();
    });
  }

  focus() {
    this.fields.querySelector("textarea, select")?.focus();
  }

  /** Ask for what a pause waits for; null: for nothing. What has been typed stays. */
  show(node) {
    this.#node = node;
    this.form.hidden = !node;
    const wanted = node?.outputs?.parameters ?? [];
    const inputs = new Map((node?.inputs?.parameters ?? []).map((input) => [input.name, input]));
    const asked = JSON.stringify([node?.id, wanted.map(({ name }) => name), [...inputs]]);
    if (asked === this.#asked) return;
    this.#asked = asked;
    put(
      this.fields,
      wanted.map((parameter, index) => field(parameter, inputs.get(parameter.name), index)),
    );
  }

  #submit(event) {
    event.preventDefault();
    const fields = [...this.fields.querySelectorAll("textarea, select")];
    const values = fields.map(({ name, value }) => [name, value]);
    this.#resume(this.#node.id, fields.length ? Object.fromEntries(values) : null);
  }
}

/** Make a field; an input of the same name tells what it is about, as Argo's own page has it. */
function field(parameter, input, index) {
  const { name, value, valueFrom } = parameter;
  const about = parameter.description ?? input?.description ?? "";
  const choices = parameter.enum ?? input?.enum;
  const known = value ?? valueFrom?.default ?? input?.value ?? input?.default ?? "";
  const attributes = { id: `value-${index}`, name, required: isOpen(parameter) };
  if (about) attributes["aria-describedby"] = `about-${index}`;
  const entry = choices
    ? h("select", attributes, choices.map((one) => h("option", { value: one }, visible(one))))
    : h("textarea", { ...attributes, rows: 1, autocomplete: "off", spellcheck: "false" });
  entry.value = known;
  return h(
    "div",
    {},
    h("label", { for: attributes.id }, visible(name)),
    entry,
    about ? h("p", { class: "quiet hint", id: `about-${index}` }, visible(about)) : null,
  );
}
