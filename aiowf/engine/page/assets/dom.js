/* Elements, made and patched. Text from workflows only ever becomes text, never markup. */

const SVG = "http://www.w3.org/2000/svg";
const CONTROLS =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Return a text with its control characters and direction marks shown, not obeyed. */
export function visible(text) {
  return String(text ?? "").replace(CONTROLS, (char) => {
    const code = char.charCodeAt(0);
    const hex = code.toString(16);
    return code < 256 ? `\\x${hex.padStart(2, "0")}` : `\\u${hex.padStart(4, "0")}`;
  });
}

/** Make an HTML element: functions listen, true and false are present and absent. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function")
      element.addEventListener(name.slice(2), value); // "onclick" → "click"
    else set(element, name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Set an attribute if it differs; null and false remove it. */
export function set(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Set a text if it differs. */
export function say(element, text) {
  const shown = visible(text);
  if (element.textContent !== shown) element.textContent = shown;
}

/** Replace the children of an element. */
export function put(element, ...children) {
  element.replaceChildren(
    ...children.flat().filter((child) => child !== null && child !== undefined),
  );
}

/**
 * Keep one child per item, in order: known ones are updated where they stand, new ones made, and
 * the others removed. Whatever has the focus keeps it; if it goes, its neighbour has it.
 */
export class Children {
  #parent;
  #make;
  #update;
  #known = new Map();

  constructor(parent, make, update) {
    this.#parent = parent;
    this.#make = make;
    this.#update = update;
  }

  /** Show items, a Map of key → item. */
  show(items) {
    const focused = document.activeElement;
    const place = this.#place(focused);
    for (const [key, element] of this.#known) {
      if (items.has(key)) continue;
      element.remove();
      this.#known.delete(key);
    }
    let next = this.#parent.firstElementChild;
    for (const [key, item] of items) {
      let element = this.#known.get(key);
      if (element === undefined) {
        element = this.#make(item, key);
        this.#known.set(key, element);
      }
      if (element === next) next = next.nextElementSibling;
      else this.#parent.insertBefore(element, next);
      this.#update(element, item, key);
    }
    if (place >= 0 && document.activeElement !== focused) this.#refocus(focused, place);
  }

  /** Return the element of a key. */
  get(key) {
    return this.#known.get(key);
  }

  #place(focused) {
    if (!this.#parent.contains(focused) || focused === this.#parent) return -1;
    return [...this.#parent.children].findIndex((child) => child.contains(focused));
  }

  #refocus(focused, place) {
    const child = this.#parent.children[Math.min(place, this.#parent.children.length - 1)];
    const heir = focused.isConnected ? focused : (child?.querySelector("a, button") ?? child);
    heir?.focus({ preventScroll: true });
  }
}

/** Return a function that calls another one in the next frame, once however often it is called. */
export function framed(action) {
  let wanted = 0;
  const request = () => {
    wanted ||= requestAnimationFrame(() => {
      wanted = 0;
      action();
    });
  };
  request.cancel = () => {
    cancelAnimationFrame(wanted);
    wanted = 0;
  };
  return request;
}

const spoken = [];
const speak = framed(() => {
  document.getElementById("spoken").textContent = visible(spoken.splice(0).join(". "));
});

/** Have a screen reader say what has changed, when it has nothing else to say. */
export function announce(text) {
  if (spoken.length < 4) spoken.push(text);
  speak();
}
