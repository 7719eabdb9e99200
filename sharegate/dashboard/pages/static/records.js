// History and administration: moments in the reader's own time zone, and acts on many records at once.

import { call } from "./board.js";
import { ask } from "./said.js";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const FORMS = {
  day: { dateStyle: "medium" },
  short: { dateStyle: "medium", timeStyle: "short" },
  seconds: { dateStyle: "medium", timeStyle: "medium" },
  exact: {
    weekday: "long", day: "numeric", month: "long", year: "numeric",
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, timeZoneName: "short",
  },
};
const writers = new Map();
function writer(form) {
  if (!writers.has(form)) writers.set(form, new Intl.DateTimeFormat(undefined, FORMS[form]));
  return writers.get(form);
}

function localise() {
  for (const time of document.querySelectorAll("time[data-form]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) time.textContent = writer(time.dataset.form).format(moment);
  }
}

const field = document.getElementById("zone");
if (field) {
  // What the address says is kept: moments in it were typed in that zone.
  if (!field.value) {
    field.value = zone;
    document.getElementById("zone-words").textContent = `yours (${zone})`;
  }
  // An address without empty fields is one that people can read.
  field.form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
    if (!event.formData.has("since") && !event.formData.has("until")) event.formData.delete("zone");
  });
}

localise();
document.addEventListener("htmx:after:swap", localise);

// -- entries that are told in one line ----------------------------------------------------------------------------
// Which ones are unfolded stays so when the list is written anew, and what an address names is shown.

const unfolded = new Set();
document.addEventListener("toggle", (event) => {
  if (!event.target.matches(".run details")) return;
  if (event.target.open) unfolded.add(event.target.id);
  else unfolded.delete(event.target.id);
}, true);
document.addEventListener("htmx:after:swap", () => {
  for (const id of unfolded) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
});

function shown() {
  const named = location.hash && document.getElementById(location.hash.slice(1));
  const details = named && named.closest(".run details");
  if (!details || details.open) return;
  details.open = true;
  named.scrollIntoView();
}

shown();
window.addEventListener("hashchange", shown);

// -- many at once -------------------------------------------------------------------------------------------------
// A form with `data-gather="METHOD /address"` sends what is chosen in it as the list `data-field`.

function chosen(form) {
  return [...form.querySelectorAll("tbody input:checked")].map((box) => box.value);
}

function counted(form) {
  const count = chosen(form).length;
  const boxes = form.querySelectorAll("tbody input").length;
  form.querySelector("[data-chosen]").textContent = count ? `${count} chosen` : "none chosen";
  const all = form.querySelector("[data-all]");
  all.checked = count > 0 && count === boxes;
  all.indeterminate = count > 0 && count < boxes;
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-gather]");
  if (!form) return;
  if ("all" in event.target.dataset) {
    for (const box of form.querySelectorAll("tbody input")) box.checked = event.target.checked;
  }
  counted(form);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-gather]")) return;
  event.preventDefault();
  const trouble = form.querySelector(".trouble");
  const button = form.querySelector('[type="submit"]');
  const ids = chosen(form);
  trouble.textContent = ids.length ? "" : "Choose something first.";
  if (!ids.length || button.getAttribute("aria-disabled") === "true") return;
  if (button.dataset.ask && !(await ask(button.dataset))) return;
  button.setAttribute("aria-disabled", "true");
  const [method, address] = form.dataset.gather.split(" ");
  const result = await call(method, address, { [form.dataset.field]: ids });
  button.removeAttribute("aria-disabled");
  if (!result.ok) {
    trouble.textContent = `${result.error.message}. ${result.error.remedy || ""}`.trim();
    return;
  }
  const failed = result.said.results.filter((one) => one.result === "failed");
  if (failed.length) trouble.textContent = failed.map((one) => `${one.id}: ${one.message}`).join(". ");
  else location.reload();
});
