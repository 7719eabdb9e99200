// Forms: what they say in the API's types, what is wrong beside the field, and which fields belong to which choice.

const main = document.getElementById("main");
// The gate's clock, which may be another one than the browser's.
const ahead = main && main.dataset.now ? Number(main.dataset.now) - Date.now() / 1000 : 0;

function unchanged(element) {
  if (element.type === "checkbox") return element.checked === element.defaultChecked;
  if (element.matches("select")) return [...element.options].every((one) => one.selected === one.defaultSelected);
  return element.value === (element.dataset.was ?? element.defaultValue);
}

// `data-type` is number, list, moment, span (seconds from now), length (seconds), minutes (told in seconds),
// choice (null for none), off (null when ticked) or several (what is ticked).
export function fieldsOf(form) {
  const said = {};
  const only = "onlyChanged" in form.dataset;
  for (const element of form.elements) {
    if (!element.name || element.matches(":disabled") || (element.type === "radio" && !element.checked)) continue;
    if (only && element.type !== "radio" && unchanged(element)) continue;
    if (element.dataset.with) {
      Object.assign(said, JSON.parse(element.dataset.with));
      continue;
    }
    const { name, value } = element;
    const type = element.dataset.type || (element.type === "checkbox" ? "flag" : "text");
    if (type === "flag") said[name] = element.checked;
    else if (type === "off") {
      if (element.checked) said[name] = null;
    }
    else if (type === "several") {
      if (element.checked) (said[name] ||= []).push(value);
    } else if (type === "choice") said[name] = value || null;
    else if (value === "" && !("empty" in element.dataset)) continue;
    else if (type === "number") said[name] = Number(value);
    else if (type === "minutes") said[name] = Number(value) * 60;
    else if (type === "length") {
      if (value !== "other") said[name] = Number(value);
    } else if (type === "moment") said[name] = new Date(value).getTime() / 1000;
    else if (type === "span") {
      if (value !== "until") said[name] = Date.now() / 1000 + ahead + Number(value);
    } else if (type === "list") said[name] = value.split("\n").map((line) => line.trim()).filter(Boolean);
    else said[name] = value;
  }
  return said;
}

const all = (form, selector) => [...form.querySelectorAll(selector)];

function place(form, field) {
  const fits = all(form, "[data-fault]").filter((one) => one.dataset.fault.split(" ").includes(field));
  return fits.find((one) => !one.closest("[hidden]")) || fits[0];
}

// Beside its field, which gets the focus; what belongs to no field at the end of the form. Nothing typed is touched.
export function show(form, error) {
  const faults = error.faults || [error];
  let focused = false;
  for (const { field, message, remedy } of faults) {
    const words = `${message[0].toUpperCase()}${message.slice(1)}.${remedy ? ` ${remedy}.` : ""}`;
    const fault = field && place(form, field);
    if (!fault) {
      form.querySelector(".trouble").textContent = words;
      continue;
    }
    fault.textContent = words;
    fault.id ||= `fault-${form.id}-${field}`;
    const named = all(form, `[name="${CSS.escape(field)}"], [data-field="${CSS.escape(field)}"]`);
    const element = named.find((one) => !one.matches(":disabled") && one.type !== "hidden");
    const folded = fault.closest("details");
    if (folded) folded.open = true;
    if (element) {
      element.setAttribute("aria-invalid", "true");
      element.setAttribute("aria-describedby", fault.id);
      if (!focused) element.focus();
      focused = true;
    } else fault.scrollIntoView({ block: "center" });
  }
  form.dataset.dirty = "";
}

export function clear(form) {
  for (const one of all(form, "[aria-invalid]")) one.removeAttribute("aria-invalid");
  for (const one of all(form, ".fault, .trouble")) one.textContent = "";
}

// It was taken: from here on the form shows what the gate says.
export function settle(form) {
  delete form.dataset.dirty;
  if ("clear" in form.dataset) {
    form.reset();
    choose(form);
  }
}

// What belongs to a choice is there while it is made: `data-when="name=value"`.
function choose(form) {
  for (const part of all(form, "[data-when]")) {
    const [name, wanted] = part.dataset.when.split("=");
    const made = all(form, `[name="${name}"]`).some((one) => (one.type === "radio" ? one.checked : one.matches("select")) && one.value === wanted);
    part.hidden = !made;
    for (const one of [part, ...all(part, "input, select, textarea")]) if ("disabled" in one) one.disabled = !made;
  }
  const names = form.querySelector('textarea[name="for"]');
  const first = names && !names.matches(":disabled") ? names.value.split("\n").map((one) => one.trim()).filter(Boolean) : [];
  for (const one of all(form, "[data-who]")) one.textContent = first.length === 1 ? first[0].slice(0, 60) : "They";
}

// The reader's own time zone, which no server knows.
function local(at) {
  const moment = new Date(at * 1000);
  return new Date(at * 1000 - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

export function dress() {
  for (const one of document.querySelectorAll("time[datetime]")) {
    const at = new Date(one.dateTime);
    one.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "short" });
    if ("local" in one.dataset) one.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
  for (const one of document.querySelectorAll("input[data-moment]")) {
    const value = local(Number(one.dataset.moment));
    if (one.dataset.was !== value && !one.form.matches("[data-dirty]")) one.value = one.dataset.was = value;
  }
  for (const form of document.forms) if (form.querySelector("[data-when]")) choose(form);
}

document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form || !form.matches("form[data-call], form[data-own]")) return;
  form.dataset.dirty = "";
  choose(form);
});
document.addEventListener("htmx:after:swap", (event) => {
  dress();
  const part = event.detail?.ctx?.target?.id || event.target.id;
  if (part === "picker") document.querySelector("#picker .crumbs [aria-current], #picker button")?.focus();
});
dress();
