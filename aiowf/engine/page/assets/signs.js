/* What the page says of itself: the state of its connection, and questions that it asks. */

import { announce, h, put, say } from "./dom.js";

let lost = false;
let ticking = 0;

/** Say that the connection works. */
export function connected() {
  clearInterval(ticking);
  const place = document.getElementById("connection");
  if (lost) announce("Connected again");
  lost = false;
  place.dataset.state = "live";
  say(place, "Live");
}

/** Say that nothing is asked for at the moment. */
export function idle() {
  clearInterval(ticking);
  lost = false;
  const place = document.getElementById("connection");
  delete place.dataset.state;
  put(place);
}

/** Say that the connection is lost, and when it is tried again. */
export function disconnected(delay, hurry) {
  clearInterval(ticking);
  const place = document.getElementById("connection");
  const due = Date.now() + delay;
  if (!lost || !place.querySelector("button")) {
    lost = true;
    place.dataset.state = "lost";
    // Screen readers hear this once, not each second.
    put(
      place,
      "Connection lost. ",
      h("span", { class: "wait", "aria-hidden": "true" }),
      h("button", { type: "button", class: "small" }, "Try now"),
    );
  }
  place.querySelector("button").onclick = hurry;
  const wait = place.querySelector(".wait");
  const tick = () => {
    const left = Math.ceil((due - Date.now()) / 1000);
    say(wait, left > 0 ? `Trying again in ${left} s. ` : "Trying … ");
  };
  tick();
  ticking = setInterval(tick, 1000);
}

/** Ask whether to do what cannot be undone; return whether to. */
export function confirmed(question, detail, action) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "question", "aria-labelledby": "question", "aria-describedby": "detail" },
      h(
        "form",
        { method: "dialog" },
        h("h2", { id: "question" }, question),
        h("p", { id: "detail" }, detail),
        h(
          "div",
          { class: "actions" },
          h("button", { value: "no", autofocus: true }, "Cancel"),
          h("button", { value: "yes", class: "danger" }, action),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Show what went wrong, or what there is to know, until it is closed. */
export function notice(text) {
  document.querySelector(".notice")?.remove();
  const box = h("div", { class: "notice", role: "alert" });
  document.body.append(box);
  const words = h("p");
  say(words, text);
  box.append(words, h("button", { type: "button", onclick: () => box.remove() }, "Close"));
}

/** Make a page that says one thing. */
export function plainPage(title, ...words) {
  return h("section", { class: "plain" }, h("h1", { tabindex: "-1" }, title), ...words);
}
