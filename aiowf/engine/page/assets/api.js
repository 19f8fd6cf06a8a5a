/* Argo's API: calls, and streams that come back when the connection was lost. */

const KEY = "aiowf.token";
const SILENCE = 40_000; // ms; the server says something every 15 s

/** An answer that says no. */
export class Refused extends Error {
  constructor(status, message) {
    super(message || `HTTP ${status}`);
    this.status = status;
  }
}

/** Take the token out of the address, so that it stays in no history and no screenshot. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  sessionStorage.setItem(KEY, token);
  history.replaceState(history.state, "", location.pathname + location.search);
}

/** Keep the token that somebody has typed, for as long as this tab lives. */
export function keepToken(token) {
  sessionStorage.setItem(KEY, token);
}

// Other tabs of this page, and nobody else: the channel is the origin's.
const tabs = new BroadcastChannel(KEY);
tabs.addEventListener("message", ({ data }) => {
  const token = sessionStorage.getItem(KEY);
  if (data === "?" && token) tabs.postMessage({ token });
});

/** Ask the other tabs for their token; return whether one has another than this one. */
export function borrowToken() {
  const own = sessionStorage.getItem(KEY);
  return new Promise((resolve) => {
    const hear = ({ data }) => data.token && data.token !== own && end(data.token);
    const end = (token) => {
      clearTimeout(patience);
      tabs.removeEventListener("message", hear);
      if (token) keepToken(token);
      resolve(Boolean(token));
    };
    const patience = setTimeout(end, 250);
    tabs.addEventListener("message", hear);
    tabs.postMessage("?");
  });
}

/** Return the path of a workflow in the API. */
export function workflowPath(namespace, name) {
  return `/api/v1/workflows/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
}

/** Ask for something; return the data of the answer. */
export async function call(method, path, body) {
  const response = await send(path, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  });
  return response.json();
}

async function send(path, options) {
  const token = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(path, {
    ...options,
    headers,
    cache: "no-store",
    credentials: "omit",
  });
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  const text = (await response.text()).replace(/^data: /, "");
  try {
    const data = JSON.parse(text);
    return new Refused(response.status, data.message ?? data.error?.message);
  } catch {
    return new Refused(response.status, response.statusText);
  }
}

/** Yield arrays of the messages of a stream of Server-Sent Events, as they come together. */
async function* batches(response, heard) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    const messages = lines.filter((line) => line.startsWith("data: "));
    if (messages.length) yield messages.map((line) => JSON.parse(line.slice(6)));
  }
}

/**
 * A stream that is opened again when it breaks, ever more slowly.
 *
 * The owner may define: opened(), messages(results), lost(delay in ms), refused(Refused), and
 * finished(), without which an end counts as a loss.
 */
export class Feed {
  #path;
  #owner;
  // What the present run may be ended with; null while nothing runs.
  #abort = null;
  #wake = () => {};
  #over = false;

  constructor(path, owner) {
    this.#path = path;
    this.#owner = owner;
    this.resume();
  }

  /** End the stream; nothing is called any more. */
  close() {
    this.#over = true;
    this.pause();
  }

  /** Give the connection back until `resume`. */
  pause() {
    this.#abort?.abort();
    this.#abort = null;
    this.#wake();
  }

  /** Open the stream again, unless it is over. */
  resume() {
    if (this.#abort || this.#over) return;
    const abort = (this.#abort = new AbortController());
    this.#run(abort.signal);
  }

  /** Do not wait any longer to open it again. */
  hurry() {
    this.#wake();
  }

  async #run(ended) {
    let failures = 0;
    while (!ended.aborted) {
      try {
        await this.#read(ended, () => {
          failures = 0;
        });
        if (ended.aborted) return;
        if (this.#owner.finished) return this.#end(() => this.#owner.finished());
      } catch (error) {
        if (ended.aborted) return;
        if (error instanceof Refused && error.status < 500 && error.status !== 429) {
          return this.#end(() => this.#owner.refused?.(error));
        }
        // A fetch that fails is a TypeError; all else is a mistake of this page.
        const broken = error instanceof Refused || error instanceof TypeError;
        if (!broken && error.name !== "AbortError") throw error;
      }
      const delay = Math.min(5000, 250 * 2 ** failures) * (0.75 + Math.random() / 2);
      failures += 1;
      this.#owner.lost?.(delay);
      await new Promise((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, delay);
      });
    }
  }

  #end(tell) {
    this.close();
    tell();
  }

  async #read(ended, opened) {
    const silent = new AbortController();
    let silence;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => silent.abort(), SILENCE);
    };
    heard();
    try {
      const headers = { Accept: "text/event-stream" };
      const signal = AbortSignal.any([ended, silent.signal]);
      const response = await send(this.#path, { headers, signal });
      let first = true;
      for await (const batch of batches(response, heard)) {
        if (ended.aborted) return;
        const broken = batch.find((message) => message.error);
        if (broken) throw new Refused(broken.error.http_code ?? 503, broken.error.message);
        if (first) {
          opened();
          this.#owner.opened?.();
          first = false;
        }
        this.#owner.messages(batch.map((message) => message.result));
      }
    } finally {
      clearTimeout(silence);
      silent.abort();
    }
  }
}
