// What all pages of the dashboard do: tell the gate what was clicked, and show anew what has changed.
//
// An element with `data-call="METHOD /address"` calls the owner's API; a form gives its fields as the body. A page's
// <main> is fetched again and morphed by htmx when the body hears `changed`.

const CSRF = document.querySelector('meta[name="csrf"]').content;
const RETRY = [500, 1000, 2000, 5000, 10000];
const SETTLE = 150;

export function say(text) {
  document.getElementById("say").textContent = text;
}

export async function call(method, address, body) {
  let answer;
  try {
    answer = await fetch(address, {
      method,
      mode: "cors",
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": CSRF },
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

// What a form says, in the types that the API wants: `data-type` is number, flag, moment or list.
export function fieldsOf(form) {
  const said = {};
  for (const element of form.elements) {
    if (!element.name || element.disabled || (element.type === "radio" && !element.checked)) continue;
    const type = element.dataset.type || (element.type === "checkbox" ? "flag" : "text");
    if (type === "flag") said[element.name] = element.checked;
    else if (element.value === "" && !("empty" in element.dataset)) continue;
    else if (type === "number") said[element.name] = Number(element.value);
    else if (type === "moment") said[element.name] = new Date(element.value).getTime() / 1000;
    else if (type === "list") said[element.name] = element.value.split("\n").map((line) => line.trim()).filter(Boolean);
    else said[element.name] = element.value;
  }
  return said;
}

function show(place, error) {
  const trouble = place.querySelector(".trouble") || document.getElementById("say");
  const remedy = error.remedy ? ` ${error.remedy}.` : "";
  trouble.textContent = `${error.field ? error.field + ": " : ""}${error.message}.${remedy}`;
  const named = error.field && place.elements && place.elements[error.field];
  if (named && named.focus) {
    named.setAttribute("aria-invalid", "true");
    named.focus();
  }
}

async function act(element, body) {
  if (element.dataset.ask && !confirm(element.dataset.ask)) return;
  const button = element.matches("form") ? element.querySelector('[type="submit"]') : element;
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  const [method, address] = element.dataset.call.split(" ");
  const result = await call(method, address, body);
  button.removeAttribute("aria-disabled");
  const place = element.closest("form, article, section, header") || document.body;
  if (!result.ok) return show(place, result.error);
  const then = element.dataset.then || result.said.location;
  if (then) return location.assign(then.replace("{share}", result.said.share ? result.said.share.id : ""));
  if (element.dataset.said) say(element.dataset.said);
  element.dispatchEvent(new CustomEvent("called", { bubbles: true, detail: result.said }));
  changed();
}

document.addEventListener("click", (event) => {
  const element = event.target.closest("button[data-call]");
  if (element) act(element, element.dataset.body ? JSON.parse(element.dataset.body) : {});
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-call]")) return;
  event.preventDefault();
  for (const element of event.target.querySelectorAll("[aria-invalid]")) element.removeAttribute("aria-invalid");
  act(event.target, fieldsOf(event.target));
});

document.addEventListener("click", async (event) => {
  const element = event.target.closest("button[data-copy]");
  if (!element) return;
  const result = await call("GET", element.dataset.copy);
  if (!result.ok) return show(document.body, result.error);
  await navigator.clipboard.writeText(result.said.url);
  const before = element.textContent;
  element.textContent = "Copied";
  setTimeout(() => (element.textContent = before), 1500);
});

// -- what happens meanwhile ---------------------------------------------------------------------------------------

let settling = 0;
export function changed() {
  clearTimeout(settling);
  settling = setTimeout(() => document.body.dispatchEvent(new CustomEvent("changed")), SETTLE);
}

let tries = 0;
function state(word) {
  const live = document.getElementById("live");
  live.dataset.state = word;
  live.textContent = word;
}

function watch() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.addEventListener("open", () => {
    if (tries) changed();
    tries = 0;
    state("live");
  });
  socket.addEventListener("message", (event) => {
    if (JSON.parse(event.data).kind !== "hello") changed();
  });
  socket.addEventListener("close", (event) => {
    if (event.code === 1008) return location.assign("/login");
    state("reconnecting");
    setTimeout(watch, RETRY[Math.min(tries++, RETRY.length - 1)]);
  });
}
watch();
// Moments grow old by themselves.
setInterval(changed, 60000);
