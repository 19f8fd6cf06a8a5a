/* Names and values, as the page shows them. */

import { h, say, visible } from "./dom.js";

const LONG = 2000; // characters of a value that are shown at first

/** Return the node that tells how a step ended: its last attempt. */
export const last = (step) => step.attempts.at(-1) ?? step.node;

/** Return the parameters of an Inputs, Outputs or Arguments: [name, value]. */
export function parameters(thing) {
  return (thing?.parameters ?? []).map(({ name, value, valueFrom }) => [
    name,
    value ?? valueFrom?.default ?? null,
  ]);
}

/** Return what a node has given: [name, value]. */
export function outputs(node) {
  const { result, exitCode } = node.outputs ?? {};
  const more = [
    ["result", result],
    ["exit code", exitCode],
  ].filter(([, value]) => value !== undefined);
  return [...parameters(node.outputs), ...more];
}

/** Make a section; without content it has the words of `otherwise`, or is not made at all. */
export function section(title, content, otherwise, level = "h3") {
  if (!content && otherwise === null) return null;
  return h(
    "section",
    { class: "facts" },
    h(level, {}, title),
    content ?? h("p", { class: "quiet" }, otherwise),
  );
}

/** Make a list of short facts, [name, text], those that are known. */
export function facts(rows) {
  const known = rows.filter(([, text]) => text);
  return h(
    "dl",
    {},
    known.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, visible(text))]),
  );
}

/** Make a list of names and values. */
export function table(rows) {
  if (!rows.length) return null;
  return h(
    "dl",
    {},
    rows.flatMap(([name, value]) => [h("dt", {}, visible(name)), h("dd", {}, shownValue(value))]),
  );
}

/** Show a value; objects and lists of JSON with a line for each member, long ones in part. */
export function shownValue(value) {
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
