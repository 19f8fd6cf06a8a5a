/*
 * What of a workflow has not begun: nodes made from its templates, under the ids that the engine
 * will give them, so that what is drawn for them turns into the real ones. Pure functions.
 */

import { ended, NOT_RUN, WAITING } from "./phases.js";

const MOST = 2000; // nodes that are made ahead; templates that call one another could go on
const LOOPS = ["withItems", "withParam", "withSequence"];
const TASK = /([A-Za-z0-9][-\w]*)(?:\.[A-Za-z]+)?/g;

/**
 * Return the nodes of a workflow, those that have not begun included.
 *
 * Their order, and that of each node's children, is the templates', so that it stays as it is while
 * the workflow runs. A planned node has the member `planned`: {after, when, each}.
 *
 * @returns {Object} id → node, as in a workflow's status.
 */
export function withPlan(workflow) {
  const plan = new Plan(workflow);
  plan.fill();
  return plan.nodes();
}

/** Return the id of a node: the workflow's name, and the FNV-1a hash of the node's. */
export function nodeId(workflow, name) {
  if (name === workflow) return name;
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${workflow}-${hash >>> 0}`;
}

class Plan {
  #workflow;
  #byName;
  #byId;
  #templates;
  // id → ids of children beside those that the node has itself.
  #links = new Map();
  // id → what a node holds, in the order of its template.
  #members = new Map();
  // id → the nodes that what comes after this one is linked to; known once it is filled.
  #ends = new Map();
  #left = MOST;

  constructor(workflow) {
    this.#workflow = workflow;
    const { spec = {}, status = {} } = workflow;
    const nodes = Object.values(status.nodes ?? {});
    this.#byName = new Map(nodes.map((node) => [node.name, node]));
    this.#byId = new Map(nodes.map((node) => [node.id, node]));
    const stored = status.storedWorkflowTemplateSpec ?? {};
    this.#templates = new Map(
      [...(stored.templates ?? []), ...(spec.templates ?? [])].map((one) => [one.name, one]),
    );
    this.entry = spec.entrypoint || stored.entrypoint;
    this.exit = spec.onExit || stored.onExit;
  }

  /** Make what has not begun. */
  fill() {
    const { name } = this.#workflow.metadata;
    const state = later(this.#workflow.status ?? {}, WAITING);
    const exit = `${name}.onExit`;
    if (this.#byName.has(name) || this.#templates.has(this.entry))
      this.#take(name, { name, template: this.entry }, null, state, []);
    if (this.exit && !this.#byName.has(exit)) {
      const handler = this.#make(exit, { name: exit, template: this.exit }, null, state, []);
      if (handler) handler.nodeFlag = { hooked: true };
    }
  }

  /** Return all nodes in the order of their templates, their children too. */
  nodes() {
    const order = new Map();
    const visit = (node) => {
      if (order.has(node.id)) return;
      order.set(node.id, order.size);
      (this.#members.get(node.id) ?? this.#inner(node, node)).forEach(visit);
    };
    for (const node of this.#byId.values()) visit(node);
    const sorted = (node) =>
      this.#children(node).sort((one, other) => order.get(one) - order.get(other));
    return Object.fromEntries(
      [...order.keys()].map((id) => {
        const node = this.#byId.get(id);
        return [id, { ...node, children: sorted(node) }];
      }),
    );
  }

  /** Return the node of a task, made if it has not begun, with all that it holds. */
  #take(name, task, holder, state, around) {
    const node = this.#byName.get(name);
    if (!node) return this.#make(name, task, holder, state, around);
    const template = this.#templateOf(node.templateRef, node.templateName);
    if (template) this.#hold(node, template, later(node, state), around);
    return node;
  }

  #make(name, task, holder, state, around) {
    if (!state || this.#left <= 0) return null;
    this.#left -= 1;
    const loop = LOOPS.find((key) => task[key] !== undefined);
    const template = loop ? undefined : this.#templateOf(task.templateRef, task.template);
    const node = {
      id: nodeId(this.#workflow.metadata.name, name),
      name,
      displayName: task.name,
      type: template?.dag ? "DAG" : template?.steps ? "Steps" : "Planned",
      templateName: task.template ?? task.templateRef?.template,
      boundaryID: holder?.id,
      phase: state,
      planned: { after: [], when: task.when, each: loop && eachOf(task) },
    };
    this.#add(node);
    if (template && !around.includes(template.name)) this.#hold(node, template, state, around);
    return node;
  }

  #add(node) {
    this.#byName.set(node.name, node);
    this.#byId.set(node.id, node);
  }

  /** Take what a node holds by its template; `around` are the names of the templates around it. */
  #hold(node, template, state, around) {
    const within = [...around, template.name];
    if (template.dag && node.type === "DAG") this.#holdTasks(node, template.dag, state, within);
    if (template.steps && node.type === "Steps") this.#holdSteps(node, template, state, within);
  }

  #holdTasks(node, dag, state, around) {
    const tasks = wanted(dag);
    const taken = new Map();
    for (const [name, { task }] of tasks) {
      const one = this.#take(`${node.name}.${name}`, task, node, state, around);
      if (one) taken.set(name, one);
    }
    this.#members.set(node.id, [...taken.values()]);
    for (const [name, one] of taken) {
      if (!one.planned) continue;
      const needs = tasks.get(name).needs.filter((need) => taken.has(need));
      one.planned.after = needs;
      if (!needs.length) this.#link(node, one);
      for (const need of needs) for (const end of this.#endsOf(taken.get(need))) this.#link(end, one);
    }
  }

  #holdSteps(node, { steps: groups }, state, around) {
    const taken = [];
    for (const [index, steps] of groups.entries()) {
      const name = `${node.name}[${index}]`;
      let group = this.#byName.get(name);
      if (!group) {
        if (!state || !steps.length) continue;
        group = { id: nodeId(this.#workflow.metadata.name, name), name, type: "StepGroup" };
        Object.assign(group, { boundaryID: node.id, phase: state, planned: {} });
        this.#add(group);
        for (const end of taken.length ? this.#endsOf(taken.at(-1)) : [node]) this.#link(end, group);
      }
      const after = groups[index - 1]?.map((step) => step.name) ?? [];
      const held = steps.flatMap((step) => this.#takeStep(group, step, node, state, around));
      for (const one of held) {
        if (!one.planned) continue;
        one.planned.after = after;
        this.#link(group, one);
      }
      this.#members.set(group.id, held);
      taken.push(group);
    }
    this.#members.set(node.id, taken);
  }

  /** Return the nodes of a step: of one that is done for each item there may be many. */
  #takeStep(group, step, holder, state, around) {
    const name = `${group.name}.${step.name}`;
    if (!this.#byName.has(name) && LOOPS.some((key) => step[key] !== undefined)) {
      const items = this.#inner(group, group).filter((node) => node.name.startsWith(`${name}(`));
      if (items.length) return items.map((one) => this.#take(one.name, step, holder, state, around));
    }
    return this.#take(name, step, holder, state, around) ?? [];
  }

  #templateOf(reference, name) {
    if (!reference) return this.#templates.get(name);
    const kind = reference.clusterScope ? "cluster" : "namespaced";
    const key = `${kind}/${reference.name}/${reference.template}`;
    return this.#workflow.status?.storedTemplates?.[key];
  }

  #link(from, to) {
    (this.#links.get(from.id) ?? this.#links.set(from.id, []).get(from.id)).push(to.id);
  }

  #children(node) {
    const known = (node.children ?? []).filter((id) => this.#byId.has(id));
    return [...known, ...(this.#links.get(node.id) ?? [])];
  }

  /** Return the children of a node that another one holds. */
  #inner(node, holder) {
    const nodes = this.#children(node).map((id) => this.#byId.get(id));
    return nodes.filter((one) => isIn(one.name, holder.name));
  }

  /** Return where what a node holds ends, or the node itself if it holds nothing. */
  #endsOf(holder) {
    const known = this.#ends.get(holder.id);
    if (known) return known;
    const ends = [];
    const seen = new Set([holder]);
    for (const node of seen) {
      const inner = this.#inner(node, holder);
      if (!inner.length) ends.push(node);
      for (const one of inner) seen.add(one); // a set goes on to what is added meanwhile
    }
    this.#ends.set(holder.id, ends);
    return ends;
  }
}

/** Return what has not begun in something of a phase: waiting, not run, or null if nothing is. */
function later({ phase }, state) {
  if (phase === "Succeeded" || !state) return null;
  return ended(phase) ? NOT_RUN : state;
}

function isIn(name, holder) {
  return name.startsWith(holder) && "([.".includes(name.charAt(holder.length) || " ");
}

/** Return the tasks of a DAG that its targets need: name → {task, needs}. */
function wanted({ tasks = [], target }) {
  const names = new Set(tasks.map((task) => task.name));
  const all = new Map(tasks.map((task) => [task.name, { task, needs: needsOf(task, names) }]));
  if (!target) return all;
  const kept = new Set(target.split(/\s+/).filter((name) => names.has(name)));
  for (const name of kept) for (const need of all.get(name).needs) kept.add(need);
  return new Map([...all].filter(([name]) => kept.has(name)));
}

function needsOf({ depends, dependencies }, names) {
  const told = depends ? [...depends.matchAll(TASK)].map((match) => match[1]) : dependencies;
  return [...new Set(told ?? [])].filter((name) => names.has(name));
}

function eachOf({ withItems, withSequence }) {
  const count = withItems?.length ?? Number(withSequence?.count ?? NaN);
  return Number.isInteger(count) ? `${count} items` : "for each item";
}
