/* One workflow, live: what it is, its graph, timeline, log and details, and what can be done. */

import { ACTIONS, running } from "./actions.js";
import { call, Feed, workflowPath } from "./api.js";
import { Details } from "./details.js";
import { announce, Children, framed, h, put, say, set, visible } from "./dom.js";
import { Graph } from "./graph.js";
import { Logs } from "./logs.js";
import { bad, ended, phaseOf, phaseOfNode, showSign, sign } from "./phases.js";
import { confirmed, connected, disconnected, notice } from "./signs.js";
import { lacksValues, StepPanel } from "./step.js";
import { stepsOf } from "./steps.js";
import { Timeline } from "./timeline.js";
import { age, seconds, span } from "./times.js";

const TABS = {
  graph: ["Graph", Graph],
  timeline: ["Timeline", Timeline],
  logs: ["Logs", Logs],
  details: ["Details", Details],
};
const FIELDS = [
  "type",
  "object.metadata",
  "object.status",
  "object.spec.suspend",
  "object.spec.shutdown",
  "object.spec.arguments",
  "object.spec.entrypoint",
]
  .map((path) => `result.${path}`)
  .join(",");

// What a workflow was made from, as far as it says which steps there will be. The sources of
// scripts, which may be long, are no part of that; so this is asked for once, not with each change.
const TEMPLATE_FIELDS = ["name", "dag", "steps"];
const PLAN_FIELDS = [
  "metadata.uid",
  "spec.onExit",
  "status.storedTemplates",
  "status.storedWorkflowTemplateSpec.entrypoint",
  "status.storedWorkflowTemplateSpec.onExit",
  ...["spec", "status.storedWorkflowTemplateSpec"].flatMap((spec) =>
    TEMPLATE_FIELDS.map((name) => `${spec}.templates.${name}`),
  ),
].join(",");

const FAILURES = 3; // steps whose failure is told at the top

/** The view of one workflow. */
export class Workflow {
  #main;
  #options;
  #path;
  #feed;
  #tick;
  #workflow = null;
  // What it was made from; null until that has been asked for.
  #plan = null;
  #gone = false;
  #closed = false;
  #built = false;
  #busy = false;
  #chosen = null;
  #phases = new Map();
  #tab = null;
  #panel;
  #draw = framed(() => this.#show());

  constructor(main, options) {
    this.#main = main;
    this.#options = options;
    const { namespace, name } = options;
    this.#path = workflowPath(namespace, name);
    document.title = `${name} · aiowf`;
    put(main, h("h1", { tabindex: "-1" }, visible(name)), h("p", { class: "quiet" }, "Loading …"));
    this.#askForPlan();
    const query = new URLSearchParams({
      "listOptions.fieldSelector": `metadata.name=${name}`,
      "listOptions.sendInitialEvents": "true",
      "listOptions.resourceVersionMatch": "NotOlderThan",
      fields: FIELDS,
    });
    this.#feed = new Feed(`/api/v1/workflow-events/${encodeURIComponent(namespace)}?${query}`, {
      opened: connected,
      messages: (results) => this.#take(results),
      lost: (delay) => disconnected(delay, () => this.#feed.hurry()),
      refused: (error) => this.#refused(error),
    });
    this.#tick = setInterval(() => this.#workflow && running(this.#workflow) && this.#draw(), 1000);
  }

  pause() {
    this.#feed.pause();
    this.#tab?.pause?.();
  }

  resume() {
    this.#feed.resume();
    this.#draw();
  }

  close() {
    this.#closed = true;
    this.#feed.close();
    this.#draw.cancel();
    clearInterval(this.#tick);
    this.#tab?.close();
  }

  #refused(error) {
    if (error.status !== 404 || !this.#workflow) return this.#options.refused(error);
    connected(); // The engine is there, and does not know the workflow any more.
    this.#lose();
  }

  #take(results) {
    for (const { type, object } of results) {
      if (type === "DELETED") this.#lose();
      else if (type !== "BOOKMARK") {
        this.#gone = false;
        if (this.#workflow && this.#workflow.metadata.uid !== object.metadata.uid)
          this.#askForPlan();
        this.#workflow = this.#planned(object);
      }
    }
    if (this.#workflow) this.#draw();
  }

  async #askForPlan() {
    const plan = await call("GET", `${this.#path}?fields=${PLAN_FIELDS}`).catch(() => null);
    if (this.#closed) return;
    // Without it, only what has begun is shown; and what is wrong the stream tells.
    this.#plan = plan ?? {};
    if (this.#workflow) this.#workflow = this.#planned(this.#workflow);
    this.#draw();
  }

  #planned(workflow) {
    const { metadata, spec, status } = this.#plan ?? {};
    if (metadata?.uid !== workflow.metadata.uid) return workflow;
    return {
      ...workflow,
      spec: { ...spec, ...workflow.spec },
      status: { ...status, ...workflow.status },
    };
  }

  #lose() {
    if (!this.#gone) announce("This workflow was deleted");
    this.#gone = true;
    this.#draw();
  }

  // What is seen.

  #build() {
    this.#built = true;
    const { namespace } = this.#options;
    this.sign = sign();
    this.name = h("span");
    this.facts = Object.fromEntries(
      ["Phase", "Progress", "Duration", "Created"].map((name) => [name, h("dd")]),
    );
    this.message = h("p", { class: "message", hidden: true });
    this.failed = h("ul", { class: "failed", "aria-label": "What failed" });
    this.failures = new Children(
      this.failed,
      (step) => this.#failure(step),
      (item, step) => this.#showFailure(item, step),
    );
    this.deleted = h(
      "p",
      { class: "banner", hidden: true },
      "This workflow was deleted. What you see is its last state.",
    );
    this.buttons = new Map(
      ACTIONS.map((action) => [
        action,
        h("button", { type: "button", onclick: () => this.#act(action) }, action.label),
      ]),
    );
    this.erase = h(
      "button",
      { type: "button", class: "danger", onclick: () => this.#delete() },
      "Delete",
    );
    const focused = this.#main.contains(document.activeElement);
    this.aside = h("aside", { class: "panel", hidden: true });
    this.#panel = new StepPanel(this.aside, {
      close: () => this.#select(null),
      logs: (pod) => this.#showLog(pod),
      resume: (id, values) => this.#resumeStep(id, values),
    });
    this.tabs = Object.entries(TABS).map(([key, [label]]) =>
      h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${key}`,
          "aria-controls": "tabpanel",
          "data-tab": key,
          onclick: () => this.#open(key),
        },
        label,
      ),
    );
    this.content = h("div", { class: "content", role: "tabpanel", id: "tabpanel", tabindex: "-1" });
    put(
      this.#main,
      h(
        "nav",
        { class: "crumbs", "aria-label": "Breadcrumb" },
        h("a", { href: "/" }, "Workflows"),
        " / ",
        h("a", { href: `/workflows/${encodeURIComponent(namespace)}` }, visible(namespace)),
      ),
      h(
        "div",
        { class: "head" },
        h("h1", { tabindex: "-1" }, this.sign, this.name),
        h(
          "div",
          { class: "actions", role: "group", "aria-label": "Actions" },
          ...this.buttons.values(),
          this.erase,
        ),
      ),
      this.deleted,
      h(
        "dl",
        { class: "summary" },
        Object.entries(this.facts).map(([name, value]) => h("div", {}, h("dt", {}, name), value)),
      ),
      this.failed,
      this.message,
      h("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, this.tabs),
      h("div", { class: "split" }, this.content, this.aside),
    );
    if (focused) this.#main.querySelector("h1").focus({ preventScroll: true });
    this.tabs[0].parentElement.addEventListener("keydown", (event) => this.#tabKey(event));
    this.aside.addEventListener("keydown", (event) => event.key === "Escape" && this.#select(null));
    const query = new URLSearchParams(location.search);
    this.#chosen = query.get("step");
    this.#open(TABS[query.get("view")] ? query.get("view") : "graph");
  }

  #show() {
    const workflow = this.#workflow;
    if (!workflow || !this.#plan || this.#closed) return;
    if (!this.#built) this.#build();
    const phase = phaseOf(workflow);
    const { name, creationTimestamp } = workflow.metadata;
    showSign(this.sign, phase);
    say(this.name, name);
    set(this.#main, "data-phase", phase);
    say(this.facts.Phase, phase + (workflow.spec?.shutdown && running(workflow) ? ", ending" : ""));
    set(this.facts.Phase, "data-phase", phase);
    say(this.facts.Progress, workflow.status?.progress ?? "");
    say(this.facts.Duration, span(workflow.status ?? {}));
    say(this.facts.Created, age(seconds(creationTimestamp)));
    this.#showMessage(workflow, phase);
    this.deleted.hidden = !this.#gone;
    document.title = visible(`${phase}: ${name} · aiowf`);
    this.#tell(workflow, phase);
    this.#showActions(workflow);
    this.#showStep(workflow);
    this.#tab.show(workflow, this.#chosen);
  }

  /** Show why it is as it is: the steps that failed, and Argo's words unless they say no more. */
  #showMessage(workflow, phase) {
    const failed = [...stepsOf(workflow).steps].filter(([, { node }]) => bad(node.phase));
    this.failures.show(new Map(failed.slice(0, FAILURES)));
    this.failed.hidden = failed.length === 0;
    const message = workflow.status?.message ?? "";
    const empty = !message || (failed.length > 0 && /^child '[^']*' failed$/.test(message));
    say(this.message, message);
    set(this.message, "data-bad", bad(phase));
    this.message.hidden = empty;
  }

  #failure(step) {
    const button = h("button", {
      type: "button",
      class: "link",
      onclick: () => this.#select(step.id),
    });
    return h("li", {}, sign(), h("div", {}, button, h("span", { class: "message" })));
  }

  #showFailure(item, { label, node, attempts }) {
    const [mark, words] = item.children;
    showSign(mark, node.phase);
    say(words.firstElementChild, label);
    say(
      words.lastElementChild,
      (attempts.at(-1)?.message || node.message || node.phase).slice(0, 400),
    );
  }

  /** Tell by voice what has ended since the last time. */
  #tell(workflow, phase) {
    const before = this.#phases;
    this.#phases = new Map([["", phase]]);
    const tell = (key, label, now) => {
      this.#phases.set(key, now);
      if (before.size && before.get(key) !== now && (ended(now) || now === "Suspended"))
        announce(`${label}: ${now}`);
    };
    for (const step of stepsOf(workflow).steps.values())
      tell(step.id, step.label, phaseOfNode(step.node));
    tell("", workflow.metadata.name, phase);
  }

  #showActions(workflow) {
    for (const [action, button] of this.buttons) {
      const can = !this.#gone && action.can(workflow);
      const able = can && !this.#busy;
      // Not `disabled`, which would take the focus from who has just pressed it.
      set(button, "aria-disabled", able ? null : "true");
      set(button, "title", can ? action.hint : this.#gone ? "It was deleted." : action.why);
    }
    set(this.erase, "aria-disabled", this.#gone || this.#busy ? "true" : null);
  }

  #showStep(workflow) {
    const step = this.#chosen && stepsOf(workflow).steps.get(this.#chosen);
    this.aside.hidden = !step;
    if (step) this.#panel.show(workflow, step);
  }

  // What is done.

  #open(key) {
    this.#tab?.close();
    for (const tab of this.tabs) {
      const chosen = tab.dataset.tab === key;
      set(tab, "aria-selected", chosen ? "true" : "false");
      set(tab, "tabindex", chosen ? 0 : -1);
    }
    set(this.content, "aria-labelledby", `tab-${key}`);
    put(this.content);
    this.#tab = new TABS[key][1](this.content, {
      select: (id) => this.#select(id),
      refused: (error) => this.#options.refused(error),
    });
    this.#remember({ view: key === "graph" ? null : key });
    this.#draw();
  }

  #tabKey(event) {
    const at = this.tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true");
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: this.tabs.length - 1 }[
      event.key
    ];
    if (to === undefined) return;
    event.preventDefault();
    const tab = this.tabs.at(to % this.tabs.length);
    tab.focus();
    this.#open(tab.dataset.tab);
  }

  #select(id) {
    const before = this.#chosen;
    const within = this.aside.contains(document.activeElement);
    this.#chosen = id === before ? null : id;
    this.#remember({ step: this.#chosen });
    this.#show();
    // Where the panel stands below, it would be missed.
    if (this.#chosen && this.aside.offsetTop > this.content.offsetTop)
      this.aside.scrollIntoView({ block: "nearest" });
    else if (within)
      [...this.content.querySelectorAll("[data-node]")]
        .map((box) => box.querySelector("button") ?? box)
        .find((box) => box.closest("[data-node]").dataset.node === before)
        ?.focus();
  }

  #showLog(pod) {
    this.#open("logs");
    this.#tab.choose(pod);
    this.tabs.find((tab) => tab.dataset.tab === "logs").focus();
  }

  #remember(changes) {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes))
      value ? query.set(name, value) : query.delete(name);
    const text = query.toString();
    history.replaceState(history.state, "", location.pathname + (text ? `?${text}` : ""));
  }

  #act({ verb, label, can }) {
    if (this.#busy || this.#gone || !can(this.#workflow)) return;
    if (verb === "resubmit") this.#resubmit();
    else if (verb !== "resume" || !this.#askForValues()) this.#send(verb, {}, label);
  }

  #send(verb, body, label) {
    return this.#attempt(label, () => call("PUT", `${this.#path}/${verb}`, body));
  }

  async #resubmit() {
    const made = await this.#send("resubmit", {}, "Resubmit");
    if (!made || this.#closed) return;
    const { namespace, name } = made.metadata;
    announce(`${name} was submitted`);
    this.#options.go(`/workflows/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`);
  }

  /** Show the form of a pause that waits for values; return whether there is one. */
  #askForValues() {
    const steps = [...stepsOf(this.#workflow).steps.values()];
    const step = steps.find(({ node }) => phaseOfNode(node) === "Suspended" && lacksValues(node));
    if (!step) return false;
    if (this.#chosen !== step.id) this.#select(step.id);
    this.#panel.askForValues();
    return true;
  }

  /** Give a pause its values, if it waits for any, and let it go on. */
  async #resumeStep(id, values) {
    const nodeFieldSelector = `id=${id}`;
    const outputParameters = JSON.stringify(values);
    if (values && !(await this.#send("set", { nodeFieldSelector, outputParameters }, "Resume")))
      return;
    await this.#send("resume", { nodeFieldSelector }, "Resume");
  }

  async #delete() {
    if (this.#busy || this.#gone) return;
    const name = visible(this.#workflow.metadata.name);
    const rest = running(this.#workflow)
      ? "Its steps are killed, and its logs and results are lost."
      : "Its logs and results are lost.";
    if (!(await confirmed(`Delete ${name}?`, rest, "Delete"))) return this.erase.focus();
    if (await this.#attempt("Delete", () => call("DELETE", this.#path))) {
      announce(`${name} was deleted`);
      this.#options.go("/");
    }
  }

  /** Do something; return its answer, or null if it failed. Nothing else can be done meanwhile. */
  async #attempt(label, action) {
    this.#busy = true;
    this.#draw();
    try {
      return await action();
    } catch (error) {
      if (error.status === 401) this.#options.refused(error);
      else notice(`${label}: ${error.status ? error.message : "the engine does not answer"}`);
      return null;
    } finally {
      this.#busy = false;
      this.#draw();
    }
  }
}
