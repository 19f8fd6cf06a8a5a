/* Facts, parameters and results of a workflow. */

import { h, put, visible } from "./dom.js";
import { facts, last, parameters, section, shownValue, table } from "./facts.js";
import { stepsOf } from "./steps.js";
import { moment } from "./times.js";

/** The view of them. */
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
    const part = (title, content, otherwise) => section(title, content, otherwise, "h2");
    const sections = [
      part(
        "Parameters",
        table(parameters(spec.arguments)),
        "It was submitted without parameters.",
      ),
      part("Outputs", table(parameters(status.outputs)), null),
      part("Results of the steps", resultTable(results), "No step has given a result."),
      part(
        "Conditions",
        table(
          (status.conditions ?? []).map(({ type, status: state, message }) => [
            type,
            message || state,
          ]),
        ),
        null,
      ),
      part(
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
      part("Labels", table(Object.entries(metadata.labels ?? {})), null),
      part("Annotations", table(Object.entries(metadata.annotations ?? {})), null),
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
