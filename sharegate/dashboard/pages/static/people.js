// A link for each of a list: who would get one is shown first, and the links are made of exactly that.
//
// A form with `data-people="METHOD /address"` asks there while its list is a field of it; `data-shared` is the page that
// comes next, else the form is emptied and the page shows what was made.

import { call, changed } from "./board.js";
import { clear, fieldsOf, settle } from "./fields.js";
import { count, element, fill, named, once, refused } from "./roster.js";
import { newKey, notice } from "./said.js";

// What was shown by each form, as it was asked for; and which of its questions is still the last one.
const asked = new WeakMap();
const asking = new WeakMap();

const listOf = (form) => form.elements.roster;
const part = (form, name) => form.querySelector(`[data-${name}]`);
const people = (form) => (form && "people" in form.dataset && !listOf(form).matches(":disabled") ? form : null);

function gone(form) {
  asked.delete(form);
  asking.delete(form);
  part(form, "shown").hidden = true;
  part(form, "found").replaceChildren();
}

function bodyOf(form) {
  const body = fieldsOf(form);
  // Ticked is as usual: whoever signs in is not asked for a code as well.
  if (body.prove) delete body.prove;
  return body;
}

function ask(form, body, headers) {
  const [method, address] = form.dataset.people.split(" ");
  return call(method, address, body, headers);
}

function wrong(form, error) {
  gone(form);
  refused(form, part(form, "rows"), error);
}

async function preview(form) {
  clear(form);
  part(form, "rows").replaceChildren();
  part(form, "rows").hidden = true;
  gone(form);
  const body = bodyOf(form);
  const turn = {};
  asking.set(form, turn);
  const result = await ask(form, { ...body, dry_run: true });
  // Something else was typed meanwhile.
  if (asking.get(form) !== turn) return;
  if (!result.ok) return wrong(form, result.error);
  const { said } = result;
  const links = said.new.length;
  part(form, "found").replaceChildren(...said.people.map((person) => {
    const mailed = person.email && person.name ? [element("span", [" ", named(person.email)], { className: "soft" })] : [];
    const before = said.new.includes(person.row) ? [] : [element("span", " · has a link already", { className: "soft" })];
    return element("li", element("p", [element("strong", named(person.name || person.email)), ...mailed, ...before], { className: "words" }), { className: "row" });
  }));
  const notes = said.warnings.map((words) => element("p", words, { className: "note" }));
  if (said.share && !said.fresh && "shared" in form.dataset) {
    notes.unshift(element("p", "This folder is shared with people of the list already. That share stays as it is: only who is new gets a link in it.", { className: "note" }));
  }
  part(form, "beside").replaceChildren(...notes);
  const make = part(form, "make");
  make.hidden = !links;
  make.textContent = `Make ${count(links, "link", "links")}`;
  const title = part(form, "shown").querySelector("[tabindex]");
  title.textContent = links ? `${count(links, "person gets a link.", "people get a link.")} Nothing is made yet.` : "Everybody of the list has a link already.";
  part(form, "shown").hidden = false;
  title.focus();
  title.scrollIntoView({ block: "start" });
  asked.set(form, { body, key: newKey() });
}

async function make(form) {
  const wanted = asked.get(form);
  if (!wanted) return;
  const result = await ask(form, wanted.body, { "Idempotency-Key": wanted.key });
  if (!result.ok) return wrong(form, result.error);
  gone(form);
  const { said } = result;
  const words = [count(said.made.length, "link is made.", "links are made."), ...said.warnings].join(" ");
  if (form.dataset.shared) {
    // A passphrase stays in no page.
    form.reset();
    sessionStorage.setItem("notice", words);
    return location.assign(form.dataset.shared.replace("{share}", said.share.id));
  }
  settle(form);
  part(form, "read-as").replaceChildren();
  notice(words);
  changed();
}

// Before the board hears of it: this form has two steps.
document.addEventListener("submit", (event) => {
  const form = people(event.target);
  if (!form) return;
  event.preventDefault();
  event.stopPropagation();
  once(form.querySelector('[type="submit"]'), () => preview(form));
}, true);

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-make]");
  if (button) once(button, () => make(button.form));
});

// What is shown is what stands in the form, or nothing.
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form || !("people" in form.dataset)) return;
  gone(form);
  label(form);
});

document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-list-file]") || !target.files.length) return;
  gone(target.form);
  fill(target.form, target, part(target.form, "rows"), part(target.form, "read-as"));
});

// The button says which of the two it does.
function label(form) {
  const button = form.querySelector('[type="submit"]');
  button.dataset.alone ||= button.textContent;
  button.textContent = people(form) ? "Show who gets a link" : button.dataset.alone;
}
for (const form of document.querySelectorAll("form[data-people]")) label(form);
