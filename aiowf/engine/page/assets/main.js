/* The page's addresses, and which view stands at each. */

import { borrowToken, takeToken } from "./api.js";
import { h, put, say } from "./dom.js";
import { List } from "./list.js";
import { idle, plainPage } from "./signs.js";
import { askForToken } from "./token.js";
import { Workflow } from "./workflow.js";

// A browser has few connections for one host, so pages that nobody looks at give theirs back.
const PATIENCE = 10_000; // ms
const GONE =
  "It was deleted, by somebody or when its time was over, or the engine was started anew.";
const main = document.getElementById("main");
let view = null;
let hiding = 0;
// Once is enough: tabs whose tokens are all old would ask one another for ever.
let borrowed = false;

/** Show what stands at the present address. */
function show() {
  close();
  const path = location.pathname;
  const options = { refused, go };
  const list = path.match(/^\/(?:workflows(?:\/([^/]*))?\/?)?$/);
  const one = path.match(/^\/workflows\/([^/]+)\/([^/]+)\/?$/);
  try {
    if (list) view = new List(main, { ...options, namespace: decodeURIComponent(list[1] ?? "") });
    else if (one)
      view = new Workflow(main, {
        ...options,
        namespace: decodeURIComponent(one[1]),
        name: decodeURIComponent(one[2]),
      });
    else missing("There is nothing at this address");
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    missing("There is nothing at this address");
  }
}

function close() {
  view?.close();
  view = null;
}

function go(path) {
  history.pushState(null, "", path);
  begin();
  scrollTo(0, 0);
}

/** Show the present address, and let the keyboard and screen readers begin there. */
function begin() {
  show();
  (main.querySelector("h1") ?? main).focus({ preventScroll: true });
}

/** The server says no, and would say so again. */
function refused(error) {
  close();
  idle();
  if (error.status === 401) authorise();
  else if (error.status === 404) missing("There is no such workflow", GONE);
  else missing("The engine refuses this", error.message);
}

async function authorise() {
  const first = !borrowed;
  borrowed = true;
  if (first && (await borrowToken())) show();
  else askForToken(main, begin);
}

function missing(title, message = "") {
  document.title = `${title} · aiowf`;
  const words = h("p", { class: "quiet" });
  say(words, message);
  put(main, plainPage(title, words, h("p", {}, h("a", { href: "/" }, "All workflows"))));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/']");
  const plain =
    !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey && event.button === 0;
  if (!link || !plain || link.target || event.defaultPrevented) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
addEventListener("popstate", show);
addEventListener("hashchange", () => {
  if (!location.hash.includes("token=")) return;
  takeToken();
  show();
});
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(() => view?.pause(), PATIENCE);
  } else view?.resume();
});

takeToken();
show();
