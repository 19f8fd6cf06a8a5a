/* The list of workflows, live, the newest first. */

import { Feed } from "./api.js";
import { announce, Children, framed, h, put, say, set, visible } from "./dom.js";
import { bad, ended, PHASES, phaseOf, showSign, sign } from "./phases.js";
import { connected, disconnected } from "./signs.js";
import { age, now, seconds, span } from "./times.js";

const STEP = 250; // rows; more when asked for
const AGES = [
  ["", "Any time"],
  ["600", "Last 10 minutes"],
  ["3600", "Last hour"],
  ["86400", "Last day"],
  ["604800", "Last week"],
];
const FIELDS = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "metadata.labels",
  "metadata.creationTimestamp",
  "metadata.annotations",
  "spec.suspend",
  "status.phase",
  "status.message",
  "status.progress",
  "status.startedAt",
  "status.finishedAt",
];

/** The view of all workflows of a namespace, or of all namespaces. */
export class List {
  #main;
  #feed;
  #go;
  #namespace;
  // uid → { workflow, order, text }. Those that a new connection has not told yet are in #stale.
  #known = new Map();
  #stale = new Set();
  #loaded = false;
  #order = 0;
  #limit = STEP;
  #tick;
  #draw = framed(() => this.#show());

  constructor(main, { namespace = "", refused, go }) {
    this.#main = main;
    this.#go = go;
    this.#namespace = namespace;
    document.title = "Workflows · aiowf";
    this.#build();
    const fields = ["type", "object.metadata.resourceVersion"]
      .concat(FIELDS.map((path) => `object.${path}`))
      .map((path) => `result.${path}`)
      .join(",");
    const query = new URLSearchParams({
      "listOptions.sendInitialEvents": "true",
      "listOptions.resourceVersionMatch": "NotOlderThan",
      fields,
    });
    this.#feed = new Feed(`/api/v1/workflow-events/${encodeURIComponent(namespace)}?${query}`, {
      opened: () => {
        this.#stale = new Set(this.#known.keys());
        connected();
      },
      messages: (results) => this.#take(results),
      lost: (delay) => disconnected(delay, () => this.#feed.hurry()),
      refused,
    });
    this.#tick = setInterval(this.#draw, 1000);
  }

  pause() {
    this.#feed.pause();
  }

  resume() {
    this.#feed.resume();
  }

  close() {
    this.#feed.close();
    this.#draw.cancel();
    clearInterval(this.#tick);
  }

  #take(results) {
    for (const { type, object } of results) {
      if (type === "BOOKMARK") this.#settle(object);
      else if (type === "DELETED") this.#known.delete(object.metadata.uid);
      else this.#keep(object);
    }
    this.#draw();
  }

  /** The first messages of a connection are all that there is; what they did not tell is gone. */
  #settle({ metadata }) {
    if (metadata.annotations?.["k8s.io/initial-events-end"] !== "true") return;
    for (const uid of this.#stale) this.#known.delete(uid);
    this.#stale.clear();
    this.#loaded = true;
  }

  #keep(workflow) {
    const { uid, name, namespace, labels } = workflow.metadata;
    const before = this.#known.get(uid);
    this.#stale.delete(uid);
    const phase = phaseOf(workflow);
    if (this.#loaded && before && before.phase !== phase && ended(phase))
      announce(`${name}: ${phase}`);
    const words = [name, namespace, workflow.status?.message, ...Object.values(labels ?? {})];
    this.#known.set(uid, {
      workflow,
      phase,
      order: before?.order ?? (this.#order += 1),
      created: seconds(workflow.metadata.creationTimestamp) ?? 0,
      text: words.join("\n").toLowerCase(),
    });
  }

  // What is seen.

  #build() {
    const query = new URLSearchParams(location.search);
    this.search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Name, message or label",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.#filter(),
    });
    this.search.value = query.get("q") ?? "";
    this.age = h(
      "select",
      { id: "age", onchange: () => this.#filter() },
      AGES.map(([value, text]) => h("option", { value }, text)),
    );
    this.age.value = query.get("age") ?? "";
    if (this.age.selectedIndex < 0) this.age.value = "";
    this.phases = this.#phaseButtons(query.get("phase") ?? "");
    this.count = h("p", { class: "count quiet", role: "status" });
    this.body = h("tbody");
    this.rows = new Children(
      this.body,
      () => this.#row(),
      (row, known) => this.#update(row, known),
    );
    this.table = h(
      "table",
      { class: "list", hidden: true },
      h("caption", { class: "unseen" }, "Workflows, the newest first"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Workflow"),
          h("th", { scope: "col", class: "wide" }, "Progress"),
          h("th", { scope: "col", class: "wide" }, "Duration"),
          h("th", { scope: "col" }, "Created"),
        ),
      ),
      this.body,
    );
    this.more = h("button", { type: "button", hidden: true, onclick: () => this.#more() });
    this.empty = h("div", { class: "empty" }, h("p", { class: "quiet" }, "Loading …"));
    const title = this.#namespace ? `Workflows in ${visible(this.#namespace)}` : "Workflows";
    put(
      this.#main,
      h("h1", { tabindex: "-1" }, title),
      h(
        "form",
        { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() },
        h("label", { class: "grow" }, h("span", { class: "unseen" }, "Search"), this.search),
        h("label", {}, h("span", { class: "unseen" }, "Created"), this.age),
        this.phases,
      ),
      this.count,
      this.table,
      this.more,
      this.empty,
    );
  }

  #phaseButtons(chosen) {
    const names = ["", ...PHASES];
    this.counts = new Map();
    return h(
      "fieldset",
      { class: "phases" },
      h("legend", { class: "unseen" }, "Phase"),
      names.map((name) => {
        const count = h("span", { class: "number" });
        this.counts.set(name, count);
        return h(
          "label",
          {},
          h("input", {
            type: "radio",
            name: "phase",
            value: name,
            onchange: () => this.#filter(),
            checked: name === (names.includes(chosen) ? chosen : ""),
          }),
          h("span", { class: "pill" }, name || "All", " ", count),
        );
      }),
    );
  }

  get #phase() {
    return this.phases.querySelector("input:checked").value;
  }

  #filter() {
    const query = new URLSearchParams();
    if (this.search.value) query.set("q", this.search.value);
    if (this.#phase) query.set("phase", this.#phase);
    if (this.age.value) query.set("age", this.age.value);
    const text = query.toString();
    history.replaceState(history.state, "", location.pathname + (text ? `?${text}` : ""));
    this.#limit = STEP;
    this.#draw();
  }

  #more() {
    this.#limit += STEP;
    this.#draw();
  }

  #show() {
    const text = this.search.value.trim().toLowerCase();
    const since = this.age.value ? now() - Number(this.age.value) : 0;
    const matching = [...this.#known.values()].filter(
      (known) => known.created >= since && known.text.includes(text),
    );
    const chosen = matching
      .filter((known) => !this.#phase || known.phase === this.#phase)
      .sort((one, other) => other.created - one.created || other.order - one.order);
    for (const [name, place] of this.counts) {
      const count = name
        ? matching.filter((known) => known.phase === name).length
        : matching.length;
      say(place, count);
    }
    this.rows.show(
      new Map(chosen.slice(0, this.#limit).map((known) => [known.workflow.metadata.uid, known])),
    );
    this.table.hidden = chosen.length === 0;
    this.more.hidden = chosen.length <= this.#limit;
    say(this.more, `Show ${Math.min(STEP, chosen.length - this.#limit)} more`);
    this.#tell(chosen.length);
  }

  #tell(count) {
    const all = this.#known.size;
    const filtered = count < all;
    say(this.count, all && filtered ? `${count} of ${all} workflows` : "");
    this.empty.hidden = count > 0;
    if (count || !this.#loaded) return;
    const state = filtered ? "filtered" : "none";
    if (this.empty.dataset.state === state) return;
    this.empty.dataset.state = state;
    if (filtered) {
      put(
        this.empty,
        h("p", {}, "No workflow matches these filters."),
        h("button", { type: "button", onclick: () => this.#clear() }, "Show all"),
      );
    } else {
      put(
        this.empty,
        h("p", {}, "There are no workflows yet."),
        h(
          "p",
          { class: "quiet" },
          "Submit one, and it appears here: ",
          h("code", {}, "aiowf submit FILE.yaml"),
        ),
      );
    }
  }

  #clear() {
    this.search.value = "";
    this.age.value = "";
    this.phases.querySelector("input").checked = true;
    this.#filter();
    this.search.focus();
  }

  #row() {
    const row = h("tr");
    row.sign = sign();
    row.link = h("a");
    row.phase = h("span", { class: "phase" });
    row.space = h("span", { class: "space" });
    row.message = h("span", { class: "message" });
    row.progress = h("td", { class: "wide number" });
    row.time = h("td", { class: "wide number" });
    row.created = h("td", { class: "number" });
    row.append(
      h(
        "td",
        {},
        h(
          "div",
          { class: "what" },
          row.sign,
          h(
            "div",
            { class: "words" },
            row.link,
            h("div", { class: "about" }, row.phase, row.space, row.message),
          ),
        ),
      ),
      row.progress,
      row.time,
      row.created,
    );
    row.addEventListener("click", (event) => this.#open(event, row));
    return row;
  }

  /** A click anywhere in a row follows its link, unless text is being selected. */
  #open(event, row) {
    const plain = !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0;
    if (plain && !event.target.closest("a") && getSelection().isCollapsed)
      this.#go(row.link.pathname);
  }

  #update(row, { workflow, phase }) {
    const { name, namespace, creationTimestamp } = workflow.metadata;
    const status = workflow.status ?? {};
    showSign(row.sign, phase);
    set(row, "data-phase", phase);
    set(
      row.link,
      "href",
      `/workflows/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`,
    );
    say(row.link, name);
    say(row.phase, phase);
    say(row.space, namespace);
    say(row.message, status.message ?? "");
    set(row.message, "data-bad", bad(phase));
    say(row.progress, status.progress ?? "");
    say(row.time, span(status));
    say(row.created, age(seconds(creationTimestamp)));
  }
}
