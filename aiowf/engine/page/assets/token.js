/* The question for the token, when the engine wants one that the page does not have. */

import { keepToken } from "./api.js";
import { h, put } from "./dom.js";

/** Show the question in place of the page; `again` is called when there is an answer. */
export function askForToken(main, again) {
  const input = h("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    "aria-describedby": "token-help",
  });
  const submit = (event) => {
    event.preventDefault();
    keepToken(input.value.trim());
    again();
  };
  document.title = "Token · aiowf";
  put(
    main,
    h(
      "section",
      { class: "plain" },
      h("h1", { tabindex: "-1" }, "This engine asks for a token"),
      h(
        "p",
        { id: "token-help" },
        h("code", {}, "aiowf dev"),
        " told it when it started, or the file that holds it. ",
        "Where an engine was started anew, it may have another one.",
      ),
      h(
        "form",
        { class: "ask", onsubmit: submit },
        h("label", { for: "token" }, "Token"),
        input,
        h("button", { type: "submit", class: "primary" }, "Continue"),
      ),
    ),
  );
  input.focus();
}
