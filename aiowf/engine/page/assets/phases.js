/* What the phases of workflows and nodes are called and look like. */

import { set, svg, visible } from "./dom.js";

/** The phases of what has not begun, while its workflow runs and after that. */
export const WAITING = "Waiting";
export const NOT_RUN = "Not run";

const SIGNS = {
  [WAITING]: "M5.2 8h.1M8 8h.1M10.8 8h.1",
  Pending: "M8 4.5V8l2.2 1.6",
  Running: "",
  Suspended: "M6.3 5.2v5.6M9.7 5.2v5.6",
  Succeeded: "M4.9 8.2l2.2 2.2 4-4.4",
  Failed: "M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8",
  Error: "M8 4.6v4.2M8 11.2v.2",
  Skipped: "M5 8h6",
  Omitted: "M5 8h6",
  [NOT_RUN]: "M5 8h6",
};
const ENDS = new Set(["Succeeded", "Failed", "Error", "Skipped", "Omitted"]);

/** The phases that a workflow can have. */
export const PHASES = ["Pending", "Running", "Suspended", "Succeeded", "Failed", "Error"];

/** Whether a phase is the last one. */
export const ended = (phase) => ENDS.has(phase);

/** Whether a phase is a bad end. */
export const bad = (phase) => phase === "Failed" || phase === "Error";

/** Return the phase of a workflow as the page shows it: suspended is a phase too. */
export function phaseOf(workflow) {
  const phase = workflow.status?.phase || "Pending";
  return workflow.spec?.suspend && !ended(phase) ? "Suspended" : phase;
}

/** Return the phase of a node as the page shows it: a pause that waits is suspended. */
export function phaseOfNode(node) {
  return node.type === "Suspend" && node.phase === "Running"
    ? "Suspended"
    : node.phase || "Pending";
}

/** Make the sign of a phase, for `showSign`. */
export function sign() {
  const path = svg("path", { class: "mark" });
  return svg(
    "svg",
    { class: "sign", viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("circle", { class: "disc", cx: 8, cy: 8, r: 7 }),
    path,
  );
}

/** Let a sign show a phase. */
export function showSign(element, phase) {
  set(element, "data-phase", SIGNS[phase] === undefined ? "Pending" : phase);
  set(element.lastElementChild, "d", SIGNS[phase] ?? SIGNS.Pending);
}

/** Count phases: "2 Running, 1 Failed". */
export function counted(phases) {
  const counts = new Map();
  for (const phase of phases) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return Object.keys(SIGNS)
    .filter((phase) => counts.has(phase))
    .map((phase) => `${counts.get(phase)} ${visible(phase)}`)
    .join(", ");
}
