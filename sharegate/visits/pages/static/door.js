// What the door's pages have in common: asking the gate, filling the page, moving between its sections.
//
// The words live in the catalogue; a script fills slots (always as text, never as markup) and shows or hides.

import { t } from "./words.js";

export class Problem extends Error {
  constructor(code, message, id = "", wait = 0) {
    super(message);
    this.code = code;
    this.id = id;
    this.wait = wait;
  }
}

// POST JSON to the gate. Throws Problem: the gate's own error, `offline` when nothing answered.
// The mode must stay "cors": under our no-referrer policy the Fetch standard makes any other mode send `Origin: null`,
// which the gate refuses (Chromium is more lenient than the standard here).
export async function ask(path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      mode: "cors",
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Problem("offline", t("script.no_answer"));
  }
  let said;
  try {
    said = await answer.json();
  } catch {
    said = null;
  }
  if (answer.ok && said && typeof said === "object") return said;
  const error = (said && said.error) || {};
  throw new Problem(
    String(error.code || "fault"),
    String(error.message || t("script.not_understood")),
    String(error.id || ""),
    Math.min(Number(answer.headers.get("Retry-After")) || 0, 120),
  );
}

// JupyterLab is made for a mouse and a wide screen. What is neither begins with the pages for reading, which lead there.
const phone = matchMedia("(max-width: 44rem) and (pointer: coarse)");

// Leave for a page of this gate, so that Back does not return to the door. `entry` is what the gate answered.
export function enter(entry) {
  const target = new URL(String((phone.matches && entry.reading) || entry.location), location.origin);
  if (target.origin !== location.origin) throw new Problem("fault", t("script.elsewhere"));
  location.replace(target.href);
}

const facts = {};

// State facts; elements with `data-when="key=value|value&key=value"` show while all of it holds.
export function tell(more) {
  Object.assign(facts, more);
  for (const element of document.querySelectorAll("[data-when]")) {
    element.hidden = !element.dataset.when.split("&").every((part) => {
      const [key, values] = part.split("=");
      return values.split("|").includes(facts[key]);
    });
  }
}

export function put(slot, text) {
  for (const element of document.querySelectorAll(`[data-slot="${slot}"]`)) {
    // Writing the same words again would have some screen readers say them again.
    if (element.textContent !== text) element.textContent = text;
  }
}

export function putList(slot, items) {
  for (const element of document.querySelectorAll(`[data-slot="${slot}"]`)) {
    element.replaceChildren(
      ...items.map((text) => {
        const item = document.createElement("li");
        item.textContent = text;
        return item;
      }),
    );
  }
}

export function say(text) {
  document.getElementById("say").textContent = text;
}

const visible = (element) => !element.closest("[hidden]");

// Show one section. After an act of the person the heading takes the focus, since the button they used is gone;
// on arrival it is announced and the focus stays where the browser put it.
export function show(name, acted = false) {
  for (const section of document.querySelectorAll("[data-section]")) section.hidden = section.dataset.section !== name;
  const heading = document.querySelector(`[data-section="${name}"] h1`);
  const words = heading.innerText.replace(/\s+/g, " ").trim();
  document.title = `${words.replace(/\.$/, "")} · sharegate`;
  if (acted) heading.focus();
  else say(words);
}

export const form = (name) => document.querySelector(`[data-form="${name}"]`);

// Run `act` when a form is sent. Meanwhile its button is busy; a Problem is told beneath it.
// `act` returns true when it left the button busy because the page is about to go.
export function onSend(element, busy, act) {
  const button = element.querySelector("button[type=submit]");
  const trouble = element.querySelector(".trouble");
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    trouble.textContent = "";
    const invalid = missing(element);
    if (invalid) {
      trouble.textContent = invalid.words;
      invalid.field.setAttribute("aria-invalid", "true");
      invalid.field.focus();
      return;
    }
    button.setAttribute("aria-disabled", "true");
    button.dataset.busy = busy;
    say(busy);
    let leaving = false;
    let wait = 0;
    try {
      leaving = (await act(element)) === true;
    } catch (problem) {
      trouble.textContent = inWords(problem);
      wait = problem instanceof Problem ? problem.wait : 0;
    }
    if (leaving) return;
    delete button.dataset.busy;
    const free = () => button.removeAttribute("aria-disabled");
    if (wait) setTimeout(free, wait * 1000);
    else free(); // with the words: who is told what was wrong can send again
  });
  element.addEventListener("input", (event) => {
    event.target.removeAttribute("aria-invalid");
    trouble.textContent = "";
  });
}

// Mark what was typed as wrong, so that the next key replaces it.
export function wrong(field) {
  field.setAttribute("aria-invalid", "true");
  field.focus();
  field.select();
}

// What a form still lacks. A field that is hidden is not asked for.
function missing(element) {
  const choices = [...element.querySelectorAll("input[type=radio]")].filter(visible);
  if (choices.length && !choices.some((choice) => choice.checked)) {
    return { field: choices[0], words: choices[0].closest("fieldset").dataset.missing || t("script.choose") };
  }
  const secret = element.querySelector("input[name=passphrase]");
  if (secret && visible(secret) && !secret.value) return { field: secret, words: t("script.type_passphrase") };
  const name = element.querySelector("input[name=name]");
  // The gate judges names; this spares a person who typed nothing visible the round trip.
  if (name && visible(name) && !/[\p{L}\p{N}\p{P}\p{S}]/u.test(name.value)) return { field: name, words: t("script.type_name") };
  return null;
}

export function inWords(problem) {
  if (!(problem instanceof Problem)) return t("script.fault");
  if (problem.code === "offline") {
    return navigator.onLine === false ? t("script.offline") : t("script.no_answer");
  }
  if (problem.code === "passphrase_wrong") return t("script.capitals", { message: problem.message });
  const waiting = problem.wait ? t("script.wait", { message: problem.message, seconds: problem.wait }) : problem.message;
  return problem.id ? t("script.reference", { message: waiting, id: problem.id }) : waiting;
}
