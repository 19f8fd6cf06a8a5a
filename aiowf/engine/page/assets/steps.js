/* What of a workflow's nodes people see as its steps, and what runs after what. Pure functions. */

import { withPlan } from "./plan.js";

const GROUPS = new Set(["Steps", "StepGroup", "DAG", "TaskGroup", "Retry"]);
const CROWD = 8; // more alike steps than this are shown as one

// Workflows never change: each message brings a new one.
const known = new WeakMap();

/**
 * Return the steps of a workflow: its pods and pauses, without the nodes that only hold others.
 * Those that have not begun are made from its templates; their nodes have the member `planned`.
 *
 * A Retry node and its attempts are one step. Where many steps come after many others, a junction
 * stands between them instead of an edge from each to each.
 *
 * @returns {{steps: Map, junctions: Set, edges: Array}} steps: id → {id, label, path, node,
 *   attempts}, in the order of the templates; edges: [from, to, weak].
 */
export function stepsOf(workflow) {
  if (!known.has(workflow)) known.set(workflow, found(workflow));
  return known.get(workflow);
}

function found(workflow) {
  const nodes = withPlan(workflow);
  const owner = new Map();
  const steps = new Map();
  const holders = new Set();
  for (const node of Object.values(nodes)) {
    if (owner.has(node.id)) continue;
    const children = (node.children ?? []).map((id) => nodes[id]).filter(Boolean);
    const retried = node.type === "Retry" && children.every((child) => child.type === "Pod");
    if (GROUPS.has(node.type) && children.length && !retried) {
      holders.add(node.id);
      continue;
    }
    const attempts = retried ? children : node.type === "Pod" ? [node] : [];
    for (const attempt of attempts) {
      owner.set(attempt.id, node.id);
      steps.delete(attempt.id);
    }
    steps.set(node.id, {
      id: node.id,
      label: labelOf(node, workflow),
      path: pathOf(node, nodes),
      node,
      attempts,
    });
  }
  const links = linked(nodes, owner);
  const junctions = new Set();
  for (const id of holders) if (!links.dissolve(id)) junctions.add(id);
  const edges = [...links.edges(), ...toExits(steps, links)].map(([from, to, weak]) => [
    from,
    to,
    weak || Boolean(nodes[to].planned),
  ]);
  return { steps, junctions, edges };
}

function labelOf(node, workflow) {
  const name = node.displayName || node.name;
  const prefix = `${workflow.metadata.name}.`;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/** Return the names of the templates around a node, without the outermost. */
function pathOf(node, nodes) {
  const names = [];
  let around = nodes[node.boundaryID];
  while (around?.boundaryID) {
    names.unshift(around.displayName);
    around = nodes[around.boundaryID];
  }
  return names;
}

function linked(nodes, owner) {
  const after = new Map();
  const before = new Map();
  const add = (from, to) => {
    if (from === to) return;
    (after.get(from) ?? after.set(from, new Set()).get(from)).add(to);
    (before.get(to) ?? before.set(to, new Set()).get(to)).add(from);
  };
  for (const node of Object.values(nodes)) {
    const from = owner.get(node.id) ?? node.id;
    for (const child of node.children ?? []) if (nodes[child]) add(from, owner.get(child) ?? child);
  }
  const none = new Set();
  return {
    after: (id) => after.get(id) ?? none,
    before: (id) => before.get(id) ?? none,
    /** Connect what stands before a node with what stands after it, unless that is many to many. */
    dissolve(id) {
      const [sources, targets] = [this.before(id), this.after(id)];
      if (sources.size > 1 && targets.size > 1) return false;
      for (const source of sources) after.get(source).delete(id);
      for (const target of targets) before.get(target).delete(id);
      for (const source of sources) for (const target of targets) add(source, target);
      after.delete(id);
      before.delete(id);
      return true;
    },
    edges: () => [...after].flatMap(([from, all]) => [...all].map((to) => [from, to, false])),
  };
}

/** Exit handlers come after everything, although Argo connects them with nothing. */
function toExits(steps, links) {
  const isExit = (step) => step.node.nodeFlag?.hooked && links.before(step.id).size === 0;
  const all = [...steps.values()];
  const exits = all.filter(isExit);
  const last = all.filter((step) => !isExit(step) && links.after(step.id).size === 0);
  return exits.flatMap((exit) => last.map((step) => [step.id, exit.id, true]));
}

/**
 * Put together the steps that stand between the same others, where they are many.
 *
 * @returns {{crowds: Map, edges: Array}} crowds: key → {key, label, common, steps}, where
 *   `common` is how many characters all labels begin with; edges as they were,
 *   with the key in place of the steps.
 */
export function crowded({ steps, edges }) {
  const before = new Map();
  const after = new Map();
  const note = (map, id, other) => (map.get(id) ?? map.set(id, []).get(id)).push(other);
  for (const [from, to] of edges) {
    note(after, from, to);
    note(before, to, from);
  }
  const alike = new Map();
  for (const step of steps.values()) {
    const place = `${step.node.boundaryID ?? ""}|${(before.get(step.id) ?? []).join()}`;
    const key = `${place}|${(after.get(step.id) ?? []).join()}`;
    (alike.get(key) ?? alike.set(key, { key: `crowd|${place}`, steps: [] }).get(key)).steps.push(
      step,
    );
  }
  const crowds = new Map();
  const standsFor = new Map();
  for (const crowd of alike.values()) {
    if (crowd.steps.length <= CROWD || crowds.has(crowd.key)) continue;
    const label = commonLabel(crowd.steps);
    crowds.set(crowd.key, { ...crowd, label: label || "steps", common: label.length });
    for (const step of crowd.steps) standsFor.set(step.id, crowd.key);
  }
  const seen = new Set();
  const joined = edges
    .map(([from, to, weak]) => [standsFor.get(from) ?? from, standsFor.get(to) ?? to, weak])
    .filter(([from, to]) => !seen.has(`${from}>${to}`) && seen.add(`${from}>${to}`));
  return { crowds, edges: joined, standsFor };
}

function commonLabel(steps) {
  let prefix = steps[0].label;
  for (const { label } of steps) while (!label.startsWith(prefix)) prefix = prefix.slice(0, -1);
  return prefix.replace(/[\s\d([{:._-]+$/, "");
}

/** Return the name of a node's pod (Argo's format v2). */
export function podName(workflow, node) {
  const name = workflow.metadata.name;
  if (node.id === name) return name;
  const prefix = `${name}-${node.templateName ?? ""}`.slice(0, 242);
  return `${prefix}-${node.id.slice(node.id.lastIndexOf("-") + 1)}`;
}
