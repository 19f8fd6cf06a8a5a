/* The logs of a workflow's pods, as they come. */

import { Feed, workflowPath } from "./api.js";
import { framed, h, put, say, visible } from "./dom.js";
import { podName, stepsOf } from "./steps.js";

const KEPT = 5000; // lines
const COLOURS = /\u001b\[[\d;]*m/g;

/** The logs; the pod of `chosen` alone, where one is chosen. */
export class Logs {
  #feed = null;
  #workflow = null;
  #following = true;
  // Lines that are not shown yet: never more than KEPT.
  #fresh = [];
  #dropped = false;
  #pod = "";
  #options = "";
  #names = new Map();
  #finished = false;
  #refused;
  #draw = framed(() => this.#show());

  constructor(place, { refused }) {
    this.#refused = refused;
    this.pods = h("select", { id: "pod", onchange: () => this.#choose(this.pods.value) });
    this.follow = h("input", {
      type: "checkbox",
      checked: true,
      onchange: () => this.#follow(this.follow.checked),
    });
    this.state = h("p", { class: "quiet state", role: "status" });
    this.older = h(
      "p",
      { class: "quiet", hidden: true },
      `Only the latest ${KEPT} lines are shown.`,
    );
    this.lines = h("div", {
      class: "log",
      role: "log",
      "aria-live": "off",
      "aria-label": "Log",
      tabindex: "0",
    });
    this.lines.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    put(
      place,
      h(
        "div",
        { class: "tools" },
        h("label", {}, h("span", { class: "unseen" }, "Step"), this.pods),
        h("label", { class: "check" }, this.follow, "Follow the end"),
      ),
      this.older,
      this.lines,
      this.state,
    );
  }

  pause() {
    this.#feed?.close();
    this.#feed = null;
  }

  close() {
    this.pause();
    this.#draw.cancel();
  }

  /** Show the log of one pod, or of all. */
  choose(pod) {
    this.#pod = pod;
    if (this.#workflow) this.#choose(pod);
  }

  /** Show a workflow as it is now. */
  show(workflow) {
    const again = this.#finished && !workflow.status?.finishedAt;
    const other = this.#workflow?.metadata.uid !== workflow.metadata.uid;
    this.#workflow = workflow;
    this.#showPods();
    if (other || again || !this.#feed) this.#open();
  }

  #showPods() {
    const options = [["", "All steps"]];
    this.#names.clear();
    for (const step of stepsOf(this.#workflow).steps.values()) {
      step.attempts.forEach((node, index) => {
        const label = step.attempts.length > 1 ? `${step.label}, attempt ${index + 1}` : step.label;
        const pod = podName(this.#workflow, node);
        this.#names.set(pod, label);
        options.push([pod, label]);
      });
    }
    this.lines.classList.toggle("single", this.#names.size < 2);
    const text = JSON.stringify(options);
    if (text === this.#options) return;
    this.#options = text;
    put(
      this.pods,
      options.map(([value, label]) => h("option", { value }, visible(label))),
    );
    this.pods.value = this.#names.has(this.#pod) ? this.#pod : "";
  }

  #choose(pod) {
    this.#pod = pod;
    this.pods.value = pod;
    this.#open();
  }

  #open() {
    this.#feed?.close();
    this.#finished = false;
    this.#clear();
    say(this.state, "Waiting for output …");
    const { namespace, name } = this.#workflow.metadata;
    const query = new URLSearchParams({
      "logOptions.container": "main",
      "logOptions.follow": "true",
      "logOptions.tailLines": KEPT,
    });
    if (this.#pod) query.set("podName", this.#pod);
    this.#feed = new Feed(`${workflowPath(namespace, name)}/log?${query}`, {
      opened: () => this.#clear(),
      messages: (entries) => this.#take(entries),
      finished: () => this.#end(),
      lost: () => say(this.state, "Connection lost. The log is read again as soon as it is back."),
      refused: (error) =>
        error.status === 401 ? this.#refused(error) : say(this.state, error.message),
    });
  }

  #clear() {
    this.#fresh = [];
    this.#dropped = false;
    this.older.hidden = true;
    put(this.lines);
  }

  #take(entries) {
    this.#fresh.push(...entries);
    if (this.#fresh.length > KEPT) {
      this.#fresh.splice(0, this.#fresh.length - KEPT);
      this.#dropped = true;
    }
    this.#draw();
  }

  #end() {
    this.#finished = true;
    this.#draw();
  }

  #show() {
    const fresh = this.#fresh.splice(0);
    this.lines.append(...fresh.map((entry) => this.#line(entry)));
    const over = this.lines.childElementCount - KEPT;
    for (let count = over; count > 0; count -= 1) this.lines.firstElementChild.remove();
    this.older.hidden = !(this.#dropped || over > 0 || !this.older.hidden);
    const some = this.lines.childElementCount > 0;
    say(
      this.state,
      this.#finished ? (some ? "End of the log" : "No output") : some ? "" : "Waiting for output …",
    );
    if (this.#following) this.lines.scrollTop = this.lines.scrollHeight;
  }

  #line({ content = "", podName: pod }) {
    const text = h("span", { class: "text" }, visible(content.replace(COLOURS, "")));
    if (this.#pod) return h("div", {}, text);
    const who = h("span", { class: "who" }, visible(this.#names.get(pod) ?? pod));
    return h("div", {}, who, " ", text);
  }

  #follow(following) {
    this.#following = following;
    if (following) this.lines.scrollTop = this.lines.scrollHeight;
  }

  /** Who scrolls up wants to read; who scrolls to the end wants to follow. */
  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.lines;
    this.#following = scrollHeight - scrollTop - clientHeight < 24;
    this.follow.checked = this.#following;
  }
}
