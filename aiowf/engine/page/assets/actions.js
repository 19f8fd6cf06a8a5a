/* What can be done to a workflow, beside deleting it: Argo's verbs. */

import { bad, ended } from "./phases.js";

/** Whether a workflow has not ended. */
export const running = (workflow) => !ended(workflow.status?.phase);
const waits = (workflow) =>
  Object.values(workflow.status?.nodes ?? {}).some(
    (node) => node.type === "Suspend" && !ended(node.phase),
  );
const resumable = (workflow) => running(workflow) && (workflow.spec?.suspend || waits(workflow));

/** What can be done, when, and why not at other times. */
export const ACTIONS = [
  {
    verb: "suspend",
    label: "Suspend",
    can: (w) => running(w) && !w.spec?.suspend,
    why: "It is not running.",
  },
  { verb: "resume", label: "Resume", can: resumable, why: "It is not suspended." },
  {
    verb: "stop",
    label: "Stop",
    can: (w) => running(w) && !w.spec?.shutdown,
    why: "It has ended, or is about to.",
    hint: "Ends its steps; exit handlers still run.",
  },
  {
    verb: "terminate",
    label: "Terminate",
    can: (w) => running(w) && w.spec?.shutdown !== "Terminate",
    why: "It has ended, or is about to.",
    hint: "Ends it at once, exit handlers too.",
  },
  {
    verb: "retry",
    label: "Retry",
    can: (w) => bad(w.status?.phase),
    why: "Only what has failed can be retried.",
    hint: "Runs again what did not succeed.",
  },
  {
    verb: "resubmit",
    label: "Resubmit",
    can: () => true,
    hint: "Runs all of it again, as a new workflow.",
  },
];
