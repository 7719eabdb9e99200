// What all pages of the dashboard do: tell the gate what was clicked, and show anew what has changed.
//
// An element with `data-call="METHOD /address"` calls the owner's API; a form gives its fields as the body (fields.js).
// A page's <main> is fetched again and morphed by htmx when the body hears `changed`.

import { ask, newKey, notice, say, title } from "./said.js";
import { clear, fieldsOf, settle, show } from "./fields.js";

const CSRF = document.querySelector('meta[name="csrf"]').content;
const MARK = document.querySelector('meta[name="mark"]').content;
const RETRY = [500, 1000, 2000, 5000, 10000];
const SETTLE = 150;
const BETWEEN = 400;
// Whoever signs out is sent on by the answer; that the page's socket closes meanwhile says no more.
let leaving = false;

export async function call(method, address, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(address, {
      method,
      mode: "cors",
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": CSRF, ...headers },
      body: method === "GET" ? undefined : JSON.stringify(body || {}),
    });
  } catch {
    return { ok: false, error: { message: "The gate does not answer", remedy: "Is it running?", field: "" } };
  }
  if (answer.status === 401) location.assign("/login");
  const said = await answer.json().catch(() => null);
  if (answer.ok && said) return { ok: true, said };
  // A problem document (RFC 9457).
  const error = { message: "The gate gave an answer that this page does not understand" };
  return { ok: false, error: said && said.detail ? { ...said, message: said.detail } : error };
}

// What was made says what else to know, on the page that comes next.
function hints(said) {
  const beside = (said.overlaps || []).map((share) => `“${share.name}” shares some of it too: ending one does not end the other.`);
  return [...(said.warnings || []), ...beside].join(" ");
}

function told(said, words) {
  const ended = said.ended;
  if (!ended || !(ended.pages || ended.channels)) return words;
  return `${words} Closed ${ended.pages} ${ended.pages === 1 ? "page" : "pages"} in ${Math.round(ended.took_ms)} ms.`;
}

async function act(element, body) {
  const button = element.matches("form") ? element.querySelector('[type="submit"]') : element;
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    if (element.dataset.ask && !(await ask(element.dataset))) return;
    const [method, address] = element.dataset.call.split(" ");
    // The same asking twice is one: by a double click, or by a second try after no answer.
    const headers = "once" in element.dataset ? { "Idempotency-Key": (element.once ||= newKey()) } : {};
    leaving = address === "/logout";
    const result = await call(method, address, body, headers);
    if (!result.ok) {
      leaving = false;
      // What was agreed to is not what would be done any more: the page shows what is now.
      if ("again" in element.dataset && result.error.code === "changed") {
        sessionStorage.setItem("notice", sentence(result.error));
        return location.reload();
      }
      if (element.matches("form")) show(element, result.error);
      else notice(sentence(result.error), "trouble");
      return;
    }
    const said = result.said;
    element.once = undefined;
    if (element.matches("form")) settle(element);
    if ("visit" in element.dataset) window.open(said.link.url, "_blank", "noopener");
    const then = element.dataset.then || said.location;
    if (then) {
      const words = hints(said) || told(said, element.dataset.said || "");
      if (words) sessionStorage.setItem("notice", words);
      location.assign(then.replace("{share}", said.share ? said.share.id : ""));
      return;
    }
    const words = told(said, element.dataset.said || "");
    if (words) notice(words);
    element.dispatchEvent(new CustomEvent("called", { bubbles: true, detail: said }));
    changed();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

export function sentence(error) {
  return `${error.message[0].toUpperCase()}${error.message.slice(1)}.${error.remedy ? ` ${error.remedy}${/[.?]$/.test(error.remedy) ? "" : "."}` : ""}`;
}

document.addEventListener("click", (event) => {
  const element = event.target.closest("button[data-call]");
  if (element) act(element, element.dataset.body ? JSON.parse(element.dataset.body) : {});
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-call]")) return;
  event.preventDefault();
  clear(form);
  const body = fieldsOf(form);
  if ("onlyChanged" in form.dataset && Object.keys(body).length === 0) return notice("Nothing was changed.");
  act(form, body);
});

async function copied(element, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return notice("The browser did not let this page copy. Select the text and copy it yourself.", "trouble");
  }
  notice("Copied.");
}

document.addEventListener("click", async (event) => {
  const element = event.target.closest("[data-copy], [data-copy-from], [data-save]");
  if (!element) return;
  if (element.dataset.copyFrom) return copied(element, document.getElementById(element.dataset.copyFrom).value);
  const result = await call("GET", element.dataset.copy || element.dataset.save);
  if (!result.ok) return notice(sentence(result.error), "trouble");
  if (element.dataset.copy) return copied(element, result.said.url);
  const { notebook, text, data } = result.said;
  const bytes = data === null ? notebook ? `${JSON.stringify(notebook, null, 1)}\n` : text : Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = element.dataset.name;
  link.click();
  URL.revokeObjectURL(link.href);
});

// A code is drawn when somebody wants to see it.
document.addEventListener("toggle", async (event) => {
  const element = event.target;
  if (!element.open || !element.dataset.code || element.querySelector("img")) return;
  const result = await call("GET", element.dataset.code);
  if (!result.ok) return notice(sentence(result.error), "trouble");
  const image = Object.assign(new Image(148, 148), { alt: "The link as a QR code", src: result.said.image });
  element.querySelector(".code-of").replaceChildren(image);
}, true);

// -- what happens meanwhile ---------------------------------------------------------------------------------------

let waiting = 0;
let last = 0;
export function changed() {
  if (waiting) return;
  const wait = Math.max(SETTLE, last + BETWEEN - performance.now());
  waiting = setTimeout(() => {
    waiting = 0;
    last = performance.now();
    document.body.dispatchEvent(new CustomEvent("changed"));
  }, wait);
}

// Who waits for an answer: counted in every page's title, and said once.
const known = new Set();
let first = true;
let counting = Promise.resolve();
async function count() {
  const [knocks, asks] = await Promise.all([call("GET", "/api/v1/knocks"), call("GET", "/api/v1/asks")]);
  if (!knocks.ok || !asks.ok) return;
  const words = [
    ...knocks.said.knocks.map((one) => [one.id, `${one.name || "Somebody"} knocks at ${one.share_name}.`]),
    ...asks.said.asks.map((one) => [one.id, `${one.name || "A visitor"} asks you to run a cell.`]),
  ];
  title(words.length);
  const fresh = words.filter(([id]) => !known.has(id)).map(([, sentence]) => sentence);
  for (const [id] of words) known.add(id);
  if (fresh.length && !first) say(fresh.join(" "));
  first = false;
}
const recount = () => (counting = counting.then(count));

let tries = 0;
function state(word) {
  const live = document.getElementById("live");
  live.dataset.state = word;
  live.textContent = word;
}

function watch() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.addEventListener("message", (event) => {
    const { kind, mark } = JSON.parse(event.data);
    if (kind === "hello") {
      // From here on everything is heard; what happened since the page was written, or while away, is fetched.
      if (tries || mark !== MARK) changed();
      tries = 0;
      state("live");
      recount();
      return;
    }
    changed();
    if (["knock", "ask", "visit", "link", "share"].includes(kind)) recount();
  });
  socket.addEventListener("close", (event) => {
    if (event.code === 1008) return leaving || location.assign("/login");
    state("reconnecting");
    setTimeout(watch, RETRY[Math.min(tries++, RETRY.length - 1)]);
  });
}
watch();
// Moments grow old by themselves.
setInterval(changed, 60000);
const left = sessionStorage.getItem("notice");
if (left) {
  sessionStorage.removeItem("notice");
  notice(left);
}
